"""The best width of a step back: its two known ends, and that no other width is better."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.oracles import GaussianMixture
from genlab.score import (
    alphas_bar_from_betas,
    ddpm_vlb_term,
    eps_from_score,
    noise_errors,
    optimal_variances,
    posterior_variances,
)

BETAS = torch.linspace(0.01, 0.5, 15, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)


def test_perfect_knowledge_of_the_noise_gives_the_posterior_variance():
    v = optimal_variances(torch.zeros(15), BETAS)
    torch.testing.assert_close(v, posterior_variances(BETAS))


def test_standard_normal_data_give_beta():
    torch.testing.assert_close(optimal_variances(BAR, BETAS), BETAS)


@given(st.floats(0.05, 4.0))
def test_normal_data_give_the_variance_of_the_previous_state(s):
    # x_{t-1} given x_t by conditioning the joint normal law of the pair.
    before = torch.cat([torch.ones(1), BAR[:-1]])
    var_s, var_t = before * s**2 + 1 - before, BAR * s**2 + 1 - BAR
    cov = (1 - BETAS).sqrt() * var_s
    expected = var_s - cov**2 / var_t
    error = BAR * s**2 / var_t  # of the best noise prediction
    torch.testing.assert_close(optimal_variances(error, BETAS), expected)


def test_no_other_variance_has_a_smaller_term(generator):
    law = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), torch.tensor([0.2, 0.3])
    )
    n, t = 20_000, 6
    x0, eps = law.sample(n, generator=generator), torch.randn(n, 2, generator=generator)
    alpha, sigma = BAR[t].sqrt(), (1 - BAR[t]).sqrt()
    noised = law.noised(alpha.item(), sigma.item())

    def model(x, t):
        return 0.9 * eps_from_score(noised.score(x), sigma)  # not even the best mean

    error = ((eps - model(alpha * x0 + sigma * eps, t)) ** 2).mean()
    best = optimal_variances(error.expand(15), BETAS)

    def term(v):
        steps = torch.full((n,), t)
        return ddpm_vlb_term(model, x0, steps, eps, betas=BETAS, variances=v).mean()

    assert term(best) < term(1.02 * best)
    assert term(best) < term(best / 1.02)
    for choice in (BETAS, posterior_variances(BETAS).clamp(min=1e-6)):
        assert term(best) < term(choice)


def test_errors_of_the_best_network_on_normal_data_are_known(generator):
    n = 20_000
    x0, eps = torch.randn(n, 1, generator=generator), torch.randn(15, n, 1, generator=generator)

    def best(x, t):
        return (1 - BAR[t]).sqrt()[:, None] * x

    errors = noise_errors(best, x0, eps, alphas_bar=BAR)
    # Each is the variance of a normal: Monte Carlo, five standard errors.
    assert ((errors - BAR).abs() < 5 * BAR * (2 / n) ** 0.5).all()


def test_each_step_needs_its_draw():
    with pytest.raises(ValueError, match="each of 15 steps, got 2"):
        noise_errors(lambda x, t: x, torch.zeros(1, 1), torch.zeros(2, 1, 1), alphas_bar=BAR)


def test_impossible_errors_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        optimal_variances(-BAR, BETAS)


def test_tables_of_different_lengths_are_refused(as_a_user):
    with pytest.raises(ValueError, match="expected 15 mean squares, got 3"):
        optimal_variances(BAR[:3], BETAS)
