"""The perfect network: agreement with the oracles, least loss, quantiles on the line."""

import pytest
import torch
from mixtures import mixture
from torch.testing import assert_close

from genlab.oracles import Gaussian, GaussianMixture
from genlab.score import (
    alphas_bar_from_betas,
    ddpm_loss,
    exact_eps_model,
    exact_flow_1d,
    linear_betas,
    score_from_eps,
)
from genlab.score.exact import exact_score, exact_velocity
from genlab.score.sde import VE, VP, Straight, SubVP

MIXTURE, LINE = mixture(), mixture([[-1.5], [1.0]])


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(), Straight()], ids=repr)
def test_score_is_tweedies_formula_read_backwards(sde):
    """score = (alpha E[x0 | x_t] - x_t) / sigma^2, by the denoiser of the oracle."""
    x, t = torch.randn(6, 2), torch.tensor(0.6)
    alpha, sigma = sde.alpha(t), sde.sigma(t)
    expected = (alpha * MIXTURE.denoiser(x, alpha, sigma) - x) / sigma**2
    assert_close(exact_score(MIXTURE, sde)(x, t.expand(6)), expected)
    assert_close(exact_score(MIXTURE, sde)(x[:1], t.expand(1)), expected[:1])


@pytest.mark.parametrize("t", [0.0, 0.05, 0.5, 1.0])
def test_velocity_is_expected_noise_minus_expected_data(t):
    x, times = torch.randn(6, 2), torch.full((6,), t)
    velocity = exact_velocity(MIXTURE)(x, times)
    x0_hat = MIXTURE.denoiser(x, 1 - t, t)
    eps_hat = (x - (1 - t) * x0_hat) / t if t else torch.zeros_like(x)
    assert_close(velocity, eps_hat - x0_hat)


def test_rows_at_different_times_and_flows_in_the_plane_are_refused():
    x, t = torch.zeros(2, 1), torch.tensor([0.1, 0.2])
    data = Gaussian(torch.zeros(1), torch.eye(1))
    for field in (exact_score(data, VP()), exact_velocity(data)):
        with pytest.raises(ValueError, match="expected one"):
            field(x, t)
    with pytest.raises(ValueError, match=r"expected \(1,\)"):
        exact_flow_1d(MIXTURE, torch.tensor([0.5]), 1.0, 0.0)
    with pytest.raises(ValueError, match="got 0"):
        exact_flow_1d(LINE, torch.tensor([0.0, 0.5]), 1.0, 0.0)


BAR = alphas_bar_from_betas(linear_betas(50, first=2e-3, last=0.2))


@pytest.mark.parametrize("t", [0, 20, 49])
def test_it_is_the_slope_of_the_noised_distribution(t, generator):
    x = torch.randn(6, 2, generator=generator)
    alpha, sigma = BAR[t].sqrt(), (1 - BAR[t]).sqrt()
    eps = exact_eps_model(MIXTURE, BAR)(x, torch.full((6,), t))
    noised = MIXTURE.noised(alpha.item(), sigma.item())
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(noised.log_prob(y).sum(), y)
    torch.testing.assert_close(score_from_eps(eps, sigma), slope)


def test_no_scaling_of_it_has_a_smaller_loss(generator):
    model = exact_eps_model(MIXTURE, BAR)
    n = 20_000
    x0 = MIXTURE.sample(n, generator=generator)
    t = torch.randint(50, (n,), generator=generator)
    eps = torch.randn(n, 2, generator=generator)
    best = ddpm_loss(model, x0, t, eps, alphas_bar=BAR).mean()
    for factor in (0.9, 1.1):
        scaled = ddpm_loss(lambda x, t, k=factor: k * model(x, t), x0, t, eps, alphas_bar=BAR)
        assert scaled.mean() > best


def test_flow_on_the_line_agrees_with_the_integral_of_the_density():
    u = torch.tensor([0.01, 0.2, 0.299, 0.5, 0.98])
    x = exact_flow_1d(LINE, u, 0.6, 0.8).squeeze(1)
    noised = LINE.noised(0.6, 0.8)
    for point, p in zip(x, u, strict=True):
        grid = torch.linspace(-12, float(point), 20_001)
        mass = torch.trapezoid(noised.log_prob(grid[:, None]).exp(), grid)
        assert abs(mass - p) < 1e-6  # quadrature


@pytest.mark.parametrize("std", [0.01, 1.0, 50.0])
def test_flow_of_one_normal_is_its_quantile_far_into_the_tails(std):
    data = GaussianMixture(torch.ones(1), torch.tensor([[3.0]]), torch.tensor([std]))
    u = torch.tensor([1e-300, 1e-9, 0.2, 0.5, 0.97, 1 - 1e-9])
    at_start = exact_flow_1d(data, u, 1.0, 0.0)
    assert_close(at_start, (3 + std * torch.special.ndtri(u))[:, None])
    assert_close(exact_flow_1d(data, u, 0.0, 1.0), torch.special.ndtri(u)[:, None])  # noise alone


def test_flow_reaches_a_narrow_and_a_wide_part_that_are_far_apart():
    stds = torch.tensor([0.01, 5.0])
    data = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[0.0], [400.0]]), stds)
    x = exact_flow_1d(data, torch.tensor([0.25, 0.75]), 1.0, 0.0)
    assert_close(x, torch.tensor([[0.0], [400.0]]), rtol=0, atol=1e-9)  # the two medians
