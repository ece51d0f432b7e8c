"""Euler-Maruyama: stationary variance, kurtosis, and strong order."""

import math

import pytest
import torch

from genlab.core import last
from genlab.solvers.ode import euler
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step

N = 100_000


def kurtosis(x):
    centred = x - x.mean()
    return ((centred**4).mean() / (centred**2).mean() ** 2).item()


def test_stationary_variance_of_ornstein_uhlenbeck(generator):
    # dx = -theta x dt + sigma dW: variance sigma^2 / (2 theta); the scheme's own fixed point is
    # that of x <- (1 - theta h) x + sigma sqrt(h) z, namely sigma^2 / (2 theta (1 - theta h / 2))
    theta, sigma, h = 1.5, 0.8, 0.05
    ts = torch.linspace(0, 6, 121)
    drift, x0 = lambda t, x: -theta * x, torch.zeros(N, 1)
    x = last(euler_maruyama(drift, lambda t: sigma, x0, ts, generator=generator))
    scheme = sigma**2 / (2 * theta * (1 - theta * h / 2))
    # Monte Carlo: the variance of n normals has relative standard error sqrt(2 / n)
    assert abs(x.var() / scheme - 1) < 5 * (2 / N) ** 0.5
    assert abs(scheme / (sigma**2 / (2 * theta)) - 1) < theta * h  # and the bias is O(h)


def test_increments_are_normal_to_the_fourth_moment(generator):
    ts = torch.tensor([0.0, 0.3])
    paths = euler_maruyama(
        lambda t, x: 0 * x, lambda t: 2.0, torch.zeros(N, 1), ts, generator=generator
    )
    x = last(paths)
    assert abs(x.var() / (4 * 0.3) - 1) < 5 * (2 / N) ** 0.5
    # a noise multiplied twice has the same variance and kurtosis 9; std of a kurtosis: sqrt(24/n)
    assert abs(kurtosis(x) - 3) < 5 * (24 / N) ** 0.5


def test_a_coefficient_that_draws_its_own_noise_is_refused():
    ts = torch.linspace(0, 1, 11)
    with pytest.raises(ValueError, match="would multiply it"):
        euler_maruyama(lambda t, x: -x, lambda t: torch.randn(3), torch.zeros(3, 1), ts)


def test_a_path_of_one_time_is_its_start():
    x0 = torch.randn(3, 1)
    (only,) = euler_maruyama(lambda t, x: -x, lambda t: 1.0, x0, torch.tensor([0.5]))
    assert torch.equal(only, x0)


def test_without_noise_it_is_euler():
    ts = torch.linspace(0, 1, 11)
    x0 = torch.randn(4, 2)
    ours = last(euler_maruyama(lambda t, x: -t * x, lambda t: 0.0, x0, ts))
    torch.testing.assert_close(ours, last(euler(lambda t, x: -t * x, x0, ts)), rtol=0, atol=0)


def test_strong_error_halves_with_the_step_when_the_noise_is_additive(generator):
    # same Brownian path on both grids; with g depending on time only the strong order is 1
    n_fine, paths = 256, 4000
    z = torch.randn(n_fine, paths, 1, generator=generator)
    drift = lambda t, x: torch.sin(x)

    def end(n):
        k = n_fine // n
        noise = z.reshape(n, k, paths, 1).sum(1) / k**0.5  # increments of the coarse grid
        ts = torch.linspace(0, 1, n + 1)
        x = torch.ones(paths, 1)
        for i in range(n):
            x = euler_maruyama_step(drift, lambda t: 1.0 + t, ts[i], ts[i + 1], x, noise[i])
        return x

    truth = end(n_fine)
    coarse, fine = ((end(n) - truth).abs().mean().item() for n in (16, 32))
    # against a reference of 256 steps the expected ratio is (1/16 - 1/256) / (1/32 - 1/256) = 2.14
    assert abs(math.log2(coarse / fine) - math.log2(15 / 7)) < 0.1


def test_a_step_back_in_time_has_the_noise_of_its_length():
    t, s, z = torch.tensor(0.7), torch.tensor(0.2), torch.tensor([[1.0], [-2.0]])
    x = torch.tensor([[3.0], [4.0]])
    found = euler_maruyama_step(lambda t, x: 2 * x, lambda t: 3.0, t, s, x, z)
    torch.testing.assert_close(found, x - 0.5 * 2 * x + 3.0 * 0.5**0.5 * z)
