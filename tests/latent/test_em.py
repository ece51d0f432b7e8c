"""EM climbs the bound in each half of each step, and ends where independent routes end."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from genlab.core import last
from genlab.latent import (
    CategoricalMixture,
    categorical_m_step,
    discrete_posterior,
    em,
    ppca_m_step,
    ppca_ml,
)
from genlab.oracles import LinearLatent
from genlab.train import fit


def tables(generator: torch.Generator) -> CategoricalMixture:
    """Three components on four pixels of four levels."""
    weights = torch.randn(3, generator=generator)
    return CategoricalMixture(weights, torch.randn(3, 2, 2, 4, generator=generator))


def climb_mixture(x: torch.Tensor, n_steps: int, generator: torch.Generator):
    return em(
        tables(generator),
        lambda m: discrete_posterior(m.log_joint(x)),
        lambda q: categorical_m_step(x, q, n_levels=4),
        n_steps=n_steps,
    )


def bound_of(half, x: torch.Tensor) -> torch.Tensor:
    """Its ELBO, the mixture summed over by torch's own distributions."""
    model = half.model
    parts = torch.distributions.Categorical(logits=model.log_probs.flatten(1, 2))
    given = parts.log_prob(x.flatten(1)[:, None]).sum(-1)
    joint = given + model.log_weights.log_softmax(0)
    return (half.q * (joint - half.q.log())).sum(1)


@torch.no_grad()
def test_the_bound_of_a_mixture_rises_in_every_half_step(generator):
    x = tables(generator).sample(300, generator=generator)
    bounds = [bound_of(h, x).mean() for h in climb_mixture(x, 30, generator)]
    rises = torch.stack([b - a for a, b in itertools.pairwise(bounds)])
    assert rises.min().item() > -1e-12  # rounding


@torch.no_grad()
def test_after_each_e_step_the_bound_is_the_likelihood(generator):
    x = tables(generator).sample(100, generator=generator)
    for h in climb_mixture(x, 5, generator):
        gap = (h.model.log_prob(x) - bound_of(h, x)).max().item()
        assert (abs(gap) < 1e-12) if h.half == "E" else (gap > 1e-6)


def test_em_for_a_mixture_ends_where_the_likelihood_is_flat(generator):
    x = tables(generator).sample(200, generator=generator)
    model = last(climb_mixture(x, 1500, generator)).model
    for slope in torch.autograd.grad(model.log_prob(x).mean(), tuple(model.parameters())):
        assert slope.abs().max().item() < 1e-6  # linear convergence


def climb_ppca(x: torch.Tensor, n_steps: int, generator: torch.Generator):
    d = x.shape[1]
    model = LinearLatent(torch.randn(d, 2, generator=generator), torch.zeros(d), std=1.0)
    return em(model, lambda m: m.posterior(x), lambda q: ppca_m_step(x, *q), n_steps=n_steps)


@pytest.fixture
def data(generator):
    weight = torch.randn(5, 2, generator=generator)
    return LinearLatent(weight, torch.arange(5.0), std=0.6).sample(80, generator=generator)


def ppca_elbo(model, x, mu, cov):
    """The bound for q(z | x) = N(mu, cov): E log p(x | z) less the divergence (PRML, eq. 12.53)."""
    spread = (model.weight @ cov @ model.weight.T).trace() / (2 * model.std**2)
    q = MultivariateNormal(mu, cov)
    prior = MultivariateNormal(torch.zeros(len(cov)), torch.eye(len(cov)))
    return model.cond_log_prob(x, mu) - spread - kl_divergence(q, prior)


def test_the_bound_of_ppca_rises_in_every_half_step(data, generator):
    bounds = [ppca_elbo(h.model, data, *h.q).mean() for h in climb_ppca(data, 40, generator)]
    assert min((b - a).item() for a, b in itertools.pairwise(bounds)) > -1e-12  # rounding


def test_em_for_ppca_ends_at_the_model_of_the_eigenvalues(data, generator):
    model, best = last(climb_ppca(data, 2000, generator)).model, ppca_ml(data, 2)
    tolerance = {"atol": 1e-8, "rtol": 0.0}  # linear convergence, 2000 steps
    torch.testing.assert_close(model.marginal().cov, best.marginal().cov, **tolerance)
    torch.testing.assert_close(model.mean, data.mean(0), **tolerance)
    assert abs(model.std - best.std) < 1e-8


def test_categorical_m_step_counts():
    x = torch.tensor([[0, 1], [0, 0], [1, 1]])
    q = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    model = categorical_m_step(x, q, n_levels=2)
    torch.testing.assert_close(model.log_prior().exp(), torch.tensor([2.5 / 3, 0.5 / 3]))
    table = model.log_probs.softmax(-1)
    torch.testing.assert_close(table[0, 0], torch.tensor([2 / 2.5, 0.5 / 2.5]))
    torch.testing.assert_close(table[1, 1], torch.tensor([0.0, 1.0]))
    pulled = categorical_m_step(x[:, :1], torch.ones(3, 1), n_levels=4, pseudo_count=0.5)
    expected = torch.tensor([2.5, 1.5, 0.5, 0.5]) / 5
    torch.testing.assert_close(pulled.log_probs.softmax(-1)[0, 0], expected)


@pytest.fixture
def mixture(generator):
    return tables(generator)


def everything() -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(4), repeat=4))).reshape(-1, 2, 2)


def test_probabilities_of_all_images_sum_to_one(mixture):
    assert abs(mixture.log_prob(everything()).exp().sum().item() - 1) < 1e-12


def test_samples_are_as_frequent_as_their_probability(mixture, generator):
    n = 20_000
    x = mixture.sample(n, generator=generator)
    top = everything()[mixture.log_prob(everything()).argmax()]
    found = (x == top).flatten(1).all(1).double().mean().item()
    p = mixture.log_prob(top[None]).exp().item()
    assert abs(found - p) < 5 * math.sqrt(p * (1 - p) / n)  # Monte Carlo


W = torch.tensor([[1.0, 0.2], [-0.4, 0.8], [0.3, -1.1]], dtype=torch.float64)
MODEL = LinearLatent(W, torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64), std=0.7)


@pytest.fixture
def x(generator):
    return MODEL.sample(40, generator=generator)


def test_what_the_bound_misses_is_the_divergence_from_the_posterior(x, generator):
    mu = torch.randn(40, 2, generator=generator)
    cov = torch.tensor([[0.5, 0.2], [0.2, 0.4]])
    mean, exact = MODEL.posterior(x)
    gap = kl_divergence(MultivariateNormal(mu, cov), MultivariateNormal(mean, exact))
    torch.testing.assert_close(MODEL.log_prob(x) - ppca_elbo(MODEL, x, mu, cov), gap)


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


@pytest.mark.parametrize("std", [0.3, 1.2])
def test_with_a_given_noise_the_eigenvalues_below_it_are_lifted_to_it(data, std):
    model = ppca_ml(data, 2, std=std)
    by_sample = torch.linalg.eigvalsh(data.T.cov(correction=0))
    kept = by_sample[-2:].clamp(min=std**2)
    found = torch.linalg.eigvalsh(model.marginal().cov)
    wanted = torch.cat([torch.full((3,), std**2), kept]).sort().values
    torch.testing.assert_close(found, wanted)
    lengths = model.weight.norm(dim=0)
    assert lengths[0] >= lengths[1]  # the strongest direction first
    assert model.std == pytest.approx(std)


@pytest.mark.parametrize(("n_latent", "std"), [(0, None), (5, None), (0, 1.0), (6, 1.0)])
def test_more_latents_than_the_noise_leaves_room_for_are_refused(data, n_latent, std):
    with pytest.raises(ValueError, match=f"n_latent is {n_latent}, expected 1.."):
        ppca_ml(data, n_latent, std=std)
    assert ppca_ml(data, 4).weight.shape == (5, 4)
    assert ppca_ml(data, 5, std=0.1).weight.shape == (5, 5)


def test_an_m_step_keeps_a_noise_that_is_given(x, generator):
    mu, cov = torch.randn(40, 2, generator=generator), torch.eye(2)
    free, held = ppca_m_step(x, mu, cov), ppca_m_step(x, mu, cov, std=0.25)
    assert held.std == 0.25
    torch.testing.assert_close(held.weight, free.weight)


def test_a_loss_is_the_mean_of_minus_the_likelihood_and_samples_have_the_shape(mixture):
    x = everything()[:9]
    torch.testing.assert_close(mixture.loss(x), -mixture.log_prob(x).mean())
    assert mixture.sample(7).shape == (7, 2, 2)
    assert mixture.event_shape == (2, 2)
    with pytest.raises(ValueError, match="x holds 4"):
        mixture.log_prob(torch.full((1, 2, 2), 4))


def test_a_count_below_zero_is_refused():
    with pytest.raises(ValueError, match="pseudo_count is -1"):
        categorical_m_step(
            torch.zeros(2, 1).long(), torch.ones(2, 1), n_levels=2, pseudo_count=-1.0
        )


def test_a_mixture_trains_its_own_copy_of_the_tables_that_it_was_given():
    weights, table = torch.zeros(2), torch.randn(2, 3, 4)
    model, before = CategoricalMixture(weights, table), table.clone()
    next(fit(model, iter([torch.randint(0, 4, (8, 3))]), n_steps=1, lr=0.5))
    assert min(model.log_weights.abs().max(), (model.log_probs - table).abs().max()) > 0.1
    assert weights.abs().max() == 0
    assert torch.equal(table, before)
