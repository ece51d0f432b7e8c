"""Flow matching: closed forms, the optimum of the loss, laws, straightness, the other clock."""

import math

import pytest
import torch
from torch.testing import assert_close

from genlab.core import last
from genlab.metrics.kernel import median_bandwidth, rbf_kernel
from genlab.metrics.two_sample import mmd_permutation_test
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.exact_fields import exact_score, exact_velocity
from genlab.score.flow_matching import flow_matching_loss, flow_sample, other_way
from genlab.score.ode_likelihood import ode_log_prob
from genlab.score.sde import probability_flow
from genlab.score.sde_paths import Straight
from genlab.solvers import heun, rk4


def mixture():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.0], [1.0, 0.5]]), torch.tensor([0.4, 0.6])
    )


def down(n):
    return torch.linspace(1, 0, n + 1)


def test_loss_is_zero_for_the_line_of_a_single_pair():
    x0, eps = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    line = lambda x, t: (eps - x0).expand_as(x)
    assert flow_matching_loss(line, x0, torch.tensor([0.3]), eps).item() == 0.0
    back = lambda x, t: -line(x, t)
    expected = (2 * (eps - x0)).square().mean()
    assert_close(flow_matching_loss(back, x0, torch.tensor([0.3]), eps), expected[None])


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_network_reads_the_point_on_the_line(t):
    seen = []
    x0, eps = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    flow_matching_loss(lambda x, t: seen.append(x) or x, x0, torch.tensor([t]), eps)
    assert_close(seen[0], x0 + t * (eps - x0))


@pytest.mark.parametrize("t", [0.05, 0.4, 0.95])
def test_exact_velocity_is_the_flow_of_the_straight_path(t):
    x, data = torch.randn(6, 2), mixture()
    times = torch.full((6,), t)
    assert_close(
        exact_velocity(data)(x, times),
        probability_flow(Straight(), exact_score(data, Straight()), x, times),
    )


def test_exact_velocity_is_finite_at_both_ends():
    x, data = torch.randn(6, 2), mixture()
    mean = data.weights @ data.means
    assert_close(exact_velocity(data)(x, torch.ones(6)), x - mean)  # noise minus the mean example
    assert_close(exact_velocity(data)(x, torch.zeros(6)), -x)  # nothing known of the noise


def test_velocity_of_gaussian_data_minimises_the_loss(generator):
    """The optimum is linear in x_t; scaling it either way raises the loss, at one fixed time."""
    n, t = 20_000, 0.4
    data = Gaussian(torch.tensor([0.8]), torch.tensor([[0.25]]))
    x0, eps = data.sample(n, generator=generator), torch.randn(n, 1, generator=generator)
    times, best = torch.full((n,), t), exact_velocity(data)
    losses = [
        flow_matching_loss(lambda x, t: c * best(x, t), x0, times, eps).mean().item()  # noqa: B023
        for c in (0.9, 1.0, 1.1)
    ]
    assert losses[1] < min(losses[0], losses[2])
    # its floor: the variance of eps - x0 given x_t, from the joint normal of the two
    cov = -(1 - t) * 0.25 + t
    floor = 1.25 - cov**2 / ((1 - t) ** 2 * 0.25 + t**2)
    assert losses[1] == pytest.approx(floor, rel=5 * math.sqrt(2 / n))


@pytest.mark.slow
@pytest.mark.parametrize("method", [None, heun])
def test_law_of_a_mixture_is_recovered(method, generator):
    data, n = mixture(), 2000
    options = {"method": method} if method else {}
    x_1 = torch.randn(n, 2, generator=generator)
    x = last(flow_sample(exact_velocity(data), x_1, down(150), **options))
    match = data.moment_match()
    spread = match.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - match.mean).abs() < 5 * spread / math.sqrt(n) + 0.01).all())
    assert bool(((x.T.cov() - match.cov).abs() < 5 * spread**2 * math.sqrt(2 / n) + 0.02).all())
    real = data.sample(500, generator=generator)
    width = median_bandwidth(x[:500], real)
    kernel = lambda a, b: rbf_kernel(a, b, bandwidth=width)
    assert mmd_permutation_test(x[:500], real, kernel, generator=generator).p_value > 0.01


@pytest.mark.parametrize(("method", "order"), [(None, 1), (heun, 2), (rk4, 4)])
def test_samples_converge_with_the_order_of_the_solver(method, order):
    """The exact flow of N(m, s^2) carries quantiles."""
    m, s, z = 0.7, 0.5, torch.tensor([[-1.5], [0.0], [2.0]])
    velocity = exact_velocity(Gaussian(torch.tensor([m]), torch.tensor([[s * s]])))
    options = {"method": method} if method else {}
    errors = [
        (last(flow_sample(velocity, z, down(n), **options)) - (m + s * z)).abs().max().item()
        for n in (60, 120)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_density_has_no_prior_gap(generator):
    data = mixture()
    x = data.sample(8, generator=generator)
    prior = lambda z: torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    ours = ode_log_prob(exact_velocity(data), x, torch.linspace(0, 1, 81), prior_log_prob=prior)
    assert_close(ours, data.log_prob(x), rtol=0, atol=1e-6)


def test_reversed_clock_gives_the_same_samples():
    data, noise = mixture(), torch.randn(5, 2)
    ours = last(flow_sample(exact_velocity(data), noise, down(20)))
    theirs = last(flow_sample(other_way(exact_velocity(data)), noise, torch.linspace(0, 1, 21)))
    assert_close(ours, theirs)
    twice = other_way(other_way(exact_velocity(data)))
    t = torch.full((5,), 0.3)
    assert_close(twice(noise, t), exact_velocity(data)(noise, t))


def test_times_outside_the_path_are_refused():
    x = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=r"t holds 1.5, expected .* \[0, 1\]"):
        flow_matching_loss(lambda x, t: x, x, torch.tensor([1.5]), x)
