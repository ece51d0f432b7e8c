"""The bound of probabilistic PCA against torch.distributions, its optimum against random search."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from genlab.latent import ppca_elbo, ppca_m_step, ppca_ml
from genlab.oracles import LinearLatent

W = torch.tensor([[1.0, 0.2], [-0.4, 0.8], [0.3, -1.1]], dtype=torch.float64)
MODEL = LinearLatent(W, torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64), std=0.7)


@pytest.fixture
def x(generator):
    return MODEL.sample(40, generator=generator)


def test_with_the_exact_posterior_the_bound_is_the_marginal(x):
    gap = MODEL.log_prob(x) - ppca_elbo(MODEL, x, *MODEL.posterior(x))
    assert gap.abs().max().item() < 1e-12  # rounding


def test_what_the_bound_misses_is_the_divergence_from_the_posterior(x, generator):
    mu = torch.randn(40, 2, generator=generator)
    cov = torch.tensor([[0.5, 0.2], [0.2, 0.4]])
    mean, exact = MODEL.posterior(x)
    gap = kl_divergence(MultivariateNormal(mu, cov), MultivariateNormal(mean, exact))
    torch.testing.assert_close(MODEL.log_prob(x) - ppca_elbo(MODEL, x, mu, cov), gap)


def test_a_diagonal_guess_gives_the_bound_of_the_oracle(x, generator):
    mu, log_var = torch.randn(40, 2, generator=generator), torch.tensor([-0.5, 0.3])
    torch.testing.assert_close(
        ppca_elbo(MODEL, x, mu, log_var.exp().diag()),
        MODEL.elbo_of(x, mu, log_var.expand(40, 2)),
    )


def test_no_small_change_of_the_model_improves_on_the_m_step(x, generator):
    mu, cov = torch.randn(40, 2, generator=generator), torch.tensor([[0.5, 0.2], [0.2, 0.4]])
    best = ppca_m_step(x, mu, cov)
    weight, mean = best.weight.clone().requires_grad_(), best.mean.clone().requires_grad_()
    value = ppca_elbo(LinearLatent(weight, mean, best.std), x, mu, cov).mean()
    for slope in torch.autograd.grad(value, (weight, mean)):
        assert slope.abs().max().item() < 1e-12  # rounding
    for factor in (0.99, 1.01):
        other = LinearLatent(best.weight, best.mean, factor * best.std)
        assert ppca_elbo(other, x, mu, cov).mean() < value


def test_m_step_can_hold_the_noise(x):
    model = ppca_m_step(x, *MODEL.posterior(x), std=0.3)
    assert model.std == 0.3


def test_maximum_likelihood_beats_every_model_nearby(x, generator):
    best = ppca_ml(x, 2)
    top = best.log_prob(x).mean()
    for _ in range(20):
        nudge = 0.05 * torch.randn(3, 2, generator=generator)
        assert LinearLatent(best.weight + nudge, best.mean, best.std).log_prob(x).mean() < top
    for factor in (0.98, 1.02):
        assert LinearLatent(best.weight, best.mean, factor * best.std).log_prob(x).mean() < top


def test_all_but_one_direction_reproduce_the_sample_covariance(x):
    # d - 1 latents and a noise: as many free directions as a full covariance.
    covariance = (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)
    torch.testing.assert_close(ppca_ml(x, 2).marginal().cov, covariance)


def test_columns_are_orthogonal_and_fall_in_length(x):
    gram = ppca_ml(x, 2).weight.T @ ppca_ml(x, 2).weight
    assert abs(gram[0, 1].item()) < 1e-12  # rounding
    assert gram[0, 0] > gram[1, 1]


def test_too_much_noise_collapses_a_latent(x):
    values = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))
    between = math.sqrt((values[1] + values[2]).item() / 2)
    lengths = (ppca_ml(x, 2, std=between).weight ** 2).sum(0)
    assert lengths[0] > 0
    assert lengths[1] == 0


@pytest.mark.parametrize("k", [0, 3])
def test_a_number_of_latents_out_of_range_is_refused(x, k):
    with pytest.raises(ValueError, match=f"n_latent is {k}"):
        ppca_ml(x, k)
