"""The learned schedule: ends that decide the bound, and a histogram that lowers the variance."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.score.learned_snr import LevelHistogram, scales_from_gamma, second_moment, vdm_term

S = 0.5  # standard deviation of the data


def exact(x, gamma):
    """The best noise prediction for N(0, S^2) data."""
    alpha, sigma = (a[:, None] for a in scales_from_gamma(gamma))
    return sigma * x / (alpha**2 * S**2 + sigma**2)


def bound_by_integral(gamma_0, gamma_1):
    """Half the integral of the error 1 / (1 + e^gamma / S^2): an elementary one."""
    return 0.5 * math.log((1 + S**2 * math.exp(-gamma_0)) / (1 + S**2 * math.exp(-gamma_1)))


def lopsided(gamma_0=-6.0, gamma_1=5.0):
    schedule = LevelHistogram(gamma_0, gamma_1, 5)
    with torch.no_grad():
        schedule.logits.copy_(torch.tensor([0.0, 1.5, -1.0, 0.7, -0.3]))
    return schedule


def draws(schedule, x0, generator, model=exact):
    n = len(x0)
    t = (torch.rand(1, generator=generator) + torch.arange(n) / n) % 1  # evenly spread
    gamma, eps = schedule(t).detach(), torch.randn(x0.shape, generator=generator)
    return gamma, vdm_term(model, x0, eps, gamma, schedule.slope(gamma).detach())


def normal_draws(schedule, n, generator):
    return draws(schedule, S * torch.randn(n, 1, generator=generator), generator)


@given(st.floats(-12, 12))
def test_scales_preserve_the_variance_and_have_the_level_asked_for(gamma):
    alpha, sigma = scales_from_gamma(torch.tensor(gamma))
    assert_close(alpha**2 + sigma**2, torch.tensor(1.0))
    assert_close(2 * (sigma.log() - alpha.log()), torch.tensor(gamma))


@pytest.mark.parametrize(
    ("schedule", "gamma_0"),
    [(lopsided(), -6.0), (LevelHistogram(-6.0, 5.0, 7), -6.0), (lopsided(-3.0), -3.0)],
)
def test_every_schedule_estimates_the_integral_between_its_ends(schedule, gamma_0, generator):
    n, schedule = 100_000, schedule.double()
    _, term = normal_draws(schedule, n, generator)
    expected = bound_by_integral(gamma_0, 5.0)
    assert abs(term.mean().item() - expected) < 5 * term.std().item() / math.sqrt(n)  # Monte Carlo


def test_time_and_level_are_inverse_and_the_slope_is_the_derivative():
    schedule = lopsided()
    t = torch.linspace(0.003, 0.997, 40).requires_grad_(True)
    gamma = schedule(t)
    assert (gamma.diff() > 0).all()
    (derivative,) = torch.autograd.grad(gamma.sum(), t)
    assert_close(schedule.slope(gamma), derivative)
    assert_close(schedule(torch.tensor([0.0, 1.0])), torch.tensor([-6.0, 5.0]))


def test_second_moment_of_another_schedule_is_predicted_from_the_draws_of_one(generator):
    n, one, other = 200_000, LevelHistogram(-6.0, 5.0, 5), lopsided()
    gamma, term = normal_draws(one, n, generator)
    predicted = second_moment(term, one.slope(gamma), other.slope(gamma)).detach()
    _, seen = normal_draws(other, n, generator)
    error = (predicted.std() ** 2 + (seen**2).std() ** 2).sqrt().item() / math.sqrt(n)
    assert abs(predicted.mean().item() - (seen**2).mean().item()) < 5 * error  # Monte Carlo


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match=r"got 5.0 and -5.0"):
        LevelHistogram(5.0, -5.0, 3)
    with pytest.raises(ValueError, match="n_bins=0"):
        LevelHistogram(-5.0, 5.0, 0)
