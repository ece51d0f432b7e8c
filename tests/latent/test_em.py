"""EM climbs the bound in each half of each step, and ends where independent routes end."""

import itertools

import pytest
import torch

from genlab.core import last
from genlab.latent import (
    categorical_m_step,
    discrete_elbo,
    discrete_posterior,
    em,
    gaussian_m_step,
    ppca_elbo,
    ppca_m_step,
    ppca_ml,
)
from genlab.oracles import GaussianMixture, LinearLatent

TRUE = GaussianMixture(
    torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
    torch.tensor([[-2.0, 0.0], [2.0, 0.5], [0.0, 2.5]], dtype=torch.float64),
    torch.tensor([0.5, 0.8, 0.4], dtype=torch.float64),
)


def gaussian_log_joint(model: GaussianMixture, x: torch.Tensor) -> torch.Tensor:
    parts = [
        torch.distributions.Normal(m, s).log_prob(x).sum(1)
        for m, s in zip(model.means, model.stds, strict=True)
    ]
    return torch.stack(parts, 1) + model.weights.log()


def start(x: torch.Tensor) -> GaussianMixture:
    return GaussianMixture(torch.full((3,), 1 / 3), x[:3] + 0.0, torch.ones(3))


def test_no_other_mixture_weights_improve_on_the_m_step(generator):
    x = TRUE.sample(100, generator=generator)
    q = TRUE.responsibilities(x)
    best = gaussian_m_step(x, q)
    top = discrete_elbo(q, gaussian_log_joint(best, x)).mean()
    for shift in ([0.05, -0.05, 0.0], [0.0, 0.05, -0.05], [-0.05, 0.0, 0.05]):
        other = GaussianMixture(best.weights + torch.tensor(shift), best.means, best.stds)
        assert discrete_elbo(q, gaussian_log_joint(other, x)).mean() < top


def climb_mixture(x: torch.Tensor, n_steps: int):
    return em(
        start(x), lambda m: m.responsibilities(x), lambda q: gaussian_m_step(x, q), n_steps=n_steps
    )


def test_the_bound_of_a_gaussian_mixture_rises_in_every_half_step(generator):
    x = TRUE.sample(300, generator=generator)
    bounds = [
        discrete_elbo(h.q, gaussian_log_joint(h.model, x)).mean() for h in climb_mixture(x, 30)
    ]
    rises = torch.stack([b - a for a, b in itertools.pairwise(bounds)])
    assert rises.min().item() > -1e-12  # rounding


def test_after_each_e_step_the_bound_is_the_likelihood(generator):
    x = TRUE.sample(100, generator=generator)
    for h in climb_mixture(x, 5):
        bound = discrete_elbo(h.q, gaussian_log_joint(h.model, x))
        gap = (h.model.log_prob(x) - bound).max().item()
        assert (abs(gap) < 1e-12) if h.half == "E" else (gap > 1e-6)


def test_em_for_a_mixture_ends_where_the_likelihood_is_flat(generator):
    x = TRUE.sample(200, generator=generator)
    model = last(climb_mixture(x, 300)).model
    means, stds = model.means.clone().requires_grad_(), model.stds.clone().requires_grad_()
    value = GaussianMixture(model.weights, means, stds).log_prob(x).mean()
    for slope in torch.autograd.grad(value, (means, stds)):
        assert slope.abs().max().item() < 1e-6  # linear convergence, 300 steps


def test_responsibilities_of_the_oracle_are_the_discrete_posterior(generator):
    x = TRUE.sample(50, generator=generator)
    torch.testing.assert_close(
        TRUE.responsibilities(x), discrete_posterior(gaussian_log_joint(TRUE, x))
    )


def climb_ppca(x: torch.Tensor, n_steps: int, generator: torch.Generator):
    d = x.shape[1]
    model = LinearLatent(torch.randn(d, 2, generator=generator), torch.zeros(d), std=1.0)
    return em(model, lambda m: m.posterior(x), lambda q: ppca_m_step(x, *q), n_steps=n_steps)


@pytest.fixture
def data(generator):
    weight = torch.randn(5, 2, generator=generator)
    return LinearLatent(weight, torch.arange(5.0), std=0.6).sample(80, generator=generator)


def test_the_bound_of_ppca_rises_in_every_half_step(data, generator):
    bounds = [ppca_elbo(h.model, data, *h.q).mean() for h in climb_ppca(data, 40, generator)]
    assert min((b - a).item() for a, b in itertools.pairwise(bounds)) > -1e-12  # rounding


def test_em_for_ppca_ends_at_the_model_of_the_eigenvalues(data, generator):
    model, best = last(climb_ppca(data, 2000, generator)).model, ppca_ml(data, 2)
    tolerance = {"atol": 1e-8, "rtol": 0.0}  # linear convergence, 2000 steps
    torch.testing.assert_close(model.marginal().cov, best.marginal().cov, **tolerance)
    torch.testing.assert_close(model.mean, data.mean(0), **tolerance)
    assert abs(model.std - best.std) < 1e-8


def test_categorical_m_step_counts(generator):
    x = torch.tensor([[0, 1], [0, 0], [1, 1]])
    q = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    model = categorical_m_step(x, q, n_levels=2)
    torch.testing.assert_close(model.log_prior().exp(), torch.tensor([2.5 / 3, 0.5 / 3]))
    table = model.log_probs.softmax(-1)
    torch.testing.assert_close(table[0, 0], torch.tensor([2 / 2.5, 0.5 / 2.5]))
    torch.testing.assert_close(table[1, 1], torch.tensor([0.0, 1.0]))


def test_pseudo_counts_pull_towards_equal_levels():
    x, q = torch.tensor([[0], [0], [0]]), torch.ones(3, 1)
    model = categorical_m_step(x, q, n_levels=4, pseudo_count=0.5)
    expected = torch.tensor([3.5, 0.5, 0.5, 0.5]) / 5
    torch.testing.assert_close(model.log_probs.softmax(-1)[0, 0], expected)


def test_the_penalised_bound_of_a_categorical_mixture_rises_in_every_half_step(generator):
    x = torch.randint(0, 3, (60, 5), generator=generator)
    q = torch.rand(60, 4, generator=generator)
    a = 0.3

    def m_step(q):
        return categorical_m_step(x, q, n_levels=3, pseudo_count=a)

    climb = em(
        m_step(q / q.sum(1, keepdim=True)),
        lambda m: discrete_posterior(m.log_joint(x)).detach(),
        m_step,
        n_steps=20,
    )
    bounds = [
        discrete_elbo(h.q, h.model.log_joint(x)).sum() + a * h.model.log_probs.log_softmax(-1).sum()
        for h in climb
    ]
    assert (
        min((b - a).item() for a, b in itertools.pairwise(bounds)) > -1e-9
    )  # rounding of 300 terms


def test_em_yields_both_halves_of_every_step():
    halves = list(em(0, lambda m: m, lambda q: q + 1, n_steps=3))
    assert [h.half for h in halves] == ["E", "M"] * 3
    assert [h.step for h in halves] == [1, 1, 2, 2, 3, 3]
    assert halves[-1].model == 3


def test_a_climb_without_steps_is_refused():
    with pytest.raises(ValueError, match="n_steps is 0"):
        em(0, lambda m: m, lambda q: q, n_steps=0)


def test_a_negative_pseudo_count_is_refused():
    with pytest.raises(ValueError, match="pseudo_count is -1"):
        categorical_m_step(torch.zeros(2, 1).long(), torch.ones(2, 1), n_levels=2, pseudo_count=-1)
