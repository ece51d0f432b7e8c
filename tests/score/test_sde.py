"""Reverse SDE and probability-flow ODE: worked numbers, closed forms, laws, orders."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import expand, last
from genlab.metrics.kernel import median_bandwidth, rbf_kernel
from genlab.metrics.two_sample import mmd_permutation_test
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.exact_fields import exact_score
from genlab.score.sde import (
    probability_flow,
    probability_flow_sample,
    reverse_drift,
    reverse_sde_sample,
    score_from_eps_model,
)
from genlab.score.sde_paths import VE, VP, Straight, SubVP
from genlab.solvers import euler, heun, rk4

UNIT = VP(1.0, 1.0)  # the equation of the course's worked numbers: dx = -x/2 dt + dW
SDES = [VP(), SubVP(), VE(0.1, 10.0)]


def mixture():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.0], [1.0, 0.5]]), torch.tensor([0.4, 0.6])
    )


def at(t, n=1):
    return torch.full((n,), t)


def test_worked_step_of_the_course():
    score = score_from_eps_model(lambda x, t: torch.full_like(x, 0.8), UNIT.sigma)
    x, t = torch.tensor([[1.2]]), at(0.5)
    assert abs(score(x, t).item() + 1.2753651) < 6e-8
    velocity = probability_flow(UNIT, score, x, t).item()
    assert abs(velocity - 0.0376826) < 6e-8  # often printed as 0.035
    (_, after) = probability_flow_sample(UNIT, score, x, torch.tensor([0.5, 0.45]), method=euler)
    assert abs(after.item() - 1.1981159) < 6e-8


@given(t=st.floats(0.05, 1.0), seed=st.integers(0, 10**6))
def test_without_noise_the_reverse_drift_is_the_flow(t, seed):
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))
    score = exact_score(mixture(), VP())
    torch.testing.assert_close(
        reverse_drift(VP(), score, x, at(t, 3), noise=0.0),
        probability_flow(VP(), score, x, at(t, 3)),
    )


def test_with_full_noise_the_score_counts_once():
    x = torch.tensor([[0.5, -2.0]])
    score = lambda x, t: torch.ones_like(x)
    t = at(0.4)
    g2 = expand(VP().strength(t) ** 2, x)
    gap = probability_flow(VP(), score, x, t) - reverse_drift(VP(), score, x, t)
    torch.testing.assert_close(gap, 0.5 * g2 * torch.ones_like(x))


def test_normal_data_stand_still_under_the_flow():
    score = exact_score(Gaussian(torch.zeros(2), torch.eye(2)), VP())
    x = torch.randn(7, 2)
    torch.testing.assert_close(
        probability_flow(VP(), score, x, at(0.3, 7)), torch.zeros(7, 2), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("sde", [*SDES, Straight()], ids=repr)
@given(t=st.floats(0.1, 0.9))
def test_flow_is_the_mean_velocity_of_the_paths_through_a_point(sde, t):
    """E[alpha' x0 + sigma' eps | x_t]: derivatives by autograd, the mean by the denoiser."""
    x, data = torch.randn(5, 2, generator=torch.Generator().manual_seed(1)), mixture()
    time = torch.tensor(t, requires_grad=True)
    slopes = []
    for scale in (sde.alpha(time), sde.sigma(time)):
        slopes.append(
            torch.autograd.grad(scale, time)[0] if scale.requires_grad else torch.zeros(())
        )
    alpha, sigma = sde.alpha(time).detach(), sde.sigma(time).detach()
    x0_hat = data.denoiser(x, alpha, sigma)
    eps_hat = (x - alpha * x0_hat) / sigma
    torch.testing.assert_close(
        probability_flow(sde, exact_score(data, sde), x, at(t, 5)),
        slopes[0] * x0_hat + slopes[1] * eps_hat,
    )


@pytest.mark.parametrize("sde", SDES, ids=repr)
def test_density_obeys_the_fokker_planck_equation(sde):
    """dp/dt = -div(f p) + g^2 lap(p) / 2 on the exact mixture, by central differences."""
    data = GaussianMixture(
        torch.tensor([0.4, 0.6]), torch.tensor([[-1.0], [0.8]]), torch.tensor([0.5, 0.4])
    )
    t, h, k = 0.4, 1e-3, 1e-5
    x = torch.linspace(-3, 3, 41)[:, None]

    def p(t, x):
        t = torch.tensor(t)
        return data.noised(float(sde.alpha(t)), float(sde.sigma(t))).log_prob(x).exp()

    a, g2 = float(sde.rate(torch.tensor(t))), float(sde.strength(torch.tensor(t)) ** 2)
    left = (p(t + k, x) - p(t - k, x)) / (2 * k)
    flux = (a * ((x + h)[:, 0] * p(t, x + h) - (x - h)[:, 0] * p(t, x - h))) / (2 * h)
    spread = (p(t, x + h) - 2 * p(t, x) + p(t, x - h)) / h**2
    # both differences err by O(h^2) = 1e-6, times derivatives of a density of order 10
    torch.testing.assert_close(left, -flux + 0.5 * g2 * spread, rtol=0, atol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("sde", SDES, ids=repr)
def test_variance_of_gaussian_data_is_recovered_with_first_order(sde, noise):
    """The sampler is affine in x: its variance is followed exactly, without any sampling."""
    s2 = 0.25
    variance_at = lambda t: sde.alpha(t) ** 2 * s2 + sde.sigma(t) ** 2
    score = lambda x, t: -x / variance_at(t)[:, None]

    def final_variance(n):
        ts = grid(n)
        slopes = reverse_drift(sde, score, torch.ones(n, 1), ts[:-1], noise=noise)[:, 0]
        factors = (1 + ts.diff() * slopes) ** 2
        fresh = -ts.diff() * (noise * sde.strength(ts[:-1])) ** 2
        variance = float(variance_at(ts[0]))
        for factor, more in zip(factors.tolist(), fresh.tolist(), strict=True):
            variance = factor * variance + more
        return variance

    errors = [abs(final_variance(n) - s2) for n in (800, 1600)]
    assert errors[-1] < 0.02
    assert math.log2(errors[0] / errors[1]) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("method", "order"), [(euler, 1), (heun, 2), (rk4, 4)])
def test_flow_of_a_gaussian_is_reached_with_the_order_of_the_solver(method, order):
    """The exact flow of N(m, s^2) carries quantiles: mean_T + sd_T z goes to m + s z."""
    m, s = 0.7, 0.5
    data = Gaussian(torch.tensor([m]), torch.tensor([[s * s]]))
    sde, z = VP(0.5, 3.0), torch.tensor([[-1.5], [0.0], [2.0]])
    one = torch.tensor(1.0)
    sd_T = (sde.alpha(one) ** 2 * s * s + sde.sigma(one) ** 2).sqrt()
    x_T = sde.alpha(one) * m + sd_T * z

    def error(n):
        ts = torch.linspace(1, 0, n + 1)
        x = last(probability_flow_sample(sde, exact_score(data, sde), x_T, ts, method=method))
        return (x - (m + s * z)).abs().max().item()

    coarse, fine = error(30), error(60)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


def start(data, sde, n, generator):
    one = torch.tensor(1.0)
    return data.noised(float(sde.alpha(one)), float(sde.sigma(one))).sample(n, generator=generator)


def grid(n):
    """Falling times, closer together where the noise is low."""
    return torch.linspace(1, 0, n + 1) ** 2


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("sde", SDES, ids=repr)
def test_law_of_a_mixture_is_recovered(sde, noise, generator):
    """Exact score in, the law out: moments within Monte Carlo error, and a two-sample test."""
    data, n = mixture(), 2000
    x_T = start(data, sde, n, generator)
    score, ts = exact_score(data, sde), grid(250)
    if noise:
        x = last(reverse_sde_sample(sde, score, x_T, ts, generator=generator))
    else:
        x = last(probability_flow_sample(sde, score, x_T, ts))
    match = data.moment_match()
    spread = match.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - match.mean).abs() < 5 * spread / math.sqrt(n) + 0.02).all())
    # fourth moments are below 3 sd^4, and Euler-Maruyama adds a bias of about one step in 300
    assert bool(((x.T.cov() - match.cov).abs() < 5 * spread**2 * math.sqrt(2 / n) + 0.03).all())
    real = data.sample(500, generator=generator)
    kernel = lambda a, b: rbf_kernel(a, b, bandwidth=width)
    width = median_bandwidth(x[:500], real)
    assert mmd_permutation_test(x[:500], real, kernel, generator=generator).p_value > 0.01


@pytest.mark.parametrize("noise", [0.0, 0.6, 1.0])
def test_marginals_agree_on_the_way(noise, generator):
    data, sde, n = mixture(), VP(), 2000
    ts = torch.linspace(1, 0.3, 101)
    x = last(
        reverse_sde_sample(
            sde, exact_score(data, sde), start(data, sde, n, generator), ts,
            noise=noise, generator=generator,
        )
    )  # fmt: skip
    law = data.noised(float(sde.alpha(ts[-1])), float(sde.sigma(ts[-1]))).moment_match()
    spread = law.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - law.mean).abs() < 5 * spread / math.sqrt(n) + 0.01).all())
    assert bool(((x.T.cov() - law.cov).abs() < 5 * spread**2 * math.sqrt(2 / n) + 0.02).all())


def test_the_flow_remembers_its_start_and_the_equation_forgets_it(generator):
    data, sde = mixture(), VP()
    x_T, score, ts = torch.randn(1000, 2, generator=generator), exact_score(data, sde), grid(100)
    one = last(probability_flow_sample(sde, score, x_T, ts))
    torch.testing.assert_close(one, last(probability_flow_sample(sde, score, x_T, ts)))
    other = last(reverse_sde_sample(sde, score, x_T, ts, generator=generator))
    memory = [torch.stack([x_T[:, 1], x[:, 1]]).corrcoef()[0, 1].item() for x in (one, other)]
    assert memory[0] > 0.9
    assert abs(memory[1]) < 5 / math.sqrt(1000)


def test_encoding_and_sampling_undo_each_other(generator):
    data, sde = mixture(), VP()
    x0, score, ts = data.sample(20, generator=generator), exact_score(data, sde), grid(100)
    x_T = last(probability_flow_sample(sde, score, x0, ts.flip(0), method=rk4))
    back = last(probability_flow_sample(sde, score, x_T, ts, method=rk4))
    torch.testing.assert_close(back, x0, rtol=0, atol=1e-4)  # RK4 with 100 steps


def test_samples_carry_no_gradient():
    weight = torch.ones((), requires_grad=True)
    score = lambda x, t: -weight * x
    ts = torch.linspace(1, 0, 4)
    x = torch.zeros(2, 1)
    assert not last(reverse_sde_sample(VP(), score, x, ts)).requires_grad
    assert not last(probability_flow_sample(VP(), score, x, ts)).requires_grad


def test_impossible_requests_are_refused():
    x = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="noise is -1"):
        reverse_drift(VP(), lambda x, t: x, x, torch.tensor([0.1, 0.2]), noise=-1.0)
