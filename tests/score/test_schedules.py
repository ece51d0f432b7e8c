"""Schedules: the course's worked numbers, limits and order."""

import math

import pytest
import torch

from genlab.score import (
    alphas_bar_from_betas,
    cosine_betas,
    linear_betas,
    linear_rate_betas,
    log_snr,
    posterior_variances,
)

TABLE = [  # beta, t, (alpha bar, signal, noise)
    (0.1, 1, (0.9, 0.9486833, 0.3162278)),
    (0.1, 5, (0.59049, 0.7684335, 0.6399297)),
    (0.1, 10, (0.3486784, 0.5904900, 0.8070450)),
    (0.01, 1, (0.99, 0.9949874, 0.1)),
    (0.01, 5, (0.9509900, 0.9751872, 0.2213819)),
    (0.01, 10, (0.9043821, 0.9509900, 0.3092215)),
]


@pytest.mark.parametrize(("beta", "t", "expected"), TABLE)
def test_worked_schedules_of_the_course(beta, t, expected):
    a = alphas_bar_from_betas(torch.full((10,), beta))[t - 1]
    triple = torch.stack([a, a.sqrt(), (1 - a).sqrt()])
    torch.testing.assert_close(triple, torch.tensor(expected), rtol=0, atol=1e-7)  # printed digits


def test_usual_linear_schedule_ends_in_almost_pure_noise():
    a = alphas_bar_from_betas(linear_betas(1000))[-1].item()
    assert abs(a - 4.0358e-5) < 1e-9
    assert abs(math.sqrt(a) - 0.00635282) < 1e-8


def test_linear_schedule_has_its_two_ends_and_even_steps():
    betas = linear_betas(5, first=0.1, last=0.5)
    torch.testing.assert_close(betas, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]))


def test_linear_rate_schedule_is_the_linear_one_when_there_are_many_steps():
    a, b = (alphas_bar_from_betas(f) for f in (linear_rate_betas(1000), linear_betas(1000)))
    # Each beta differs by beta^2 / 2, which adds up to 0.07 in log alpha bar at the end.
    assert (a.log() - b.log()).abs().max() < 0.08
    assert (a - b).abs().max() < 1e-3


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_linear_rate_schedule_has_the_area_under_the_rate_as_its_exponent(n_steps):
    u = torch.linspace(0, 1, 100 * n_steps + 1)
    area = torch.cumulative_trapezoid(0.3 + 11.7 * u, u)[99::100]  # exact for a straight line
    bar = alphas_bar_from_betas(linear_rate_betas(n_steps, first=0.3, last=12.0))
    torch.testing.assert_close(-bar.log(), area)


def test_half_as_many_linear_rate_steps_visit_every_second_level():
    fine, coarse = (alphas_bar_from_betas(linear_rate_betas(n)) for n in (40, 20))
    torch.testing.assert_close(fine[1::2], coarse)


def test_cosine_schedule_leaves_half_of_the_signal_half_way():
    a = alphas_bar_from_betas(cosine_betas(1000, offset=0.0))
    # cos^2(pi / 4) = 1/2 at t = T/2, whose index is T/2 - 1.
    assert abs(a[499].item() - 0.5) < 1e-9


def test_cosine_schedule_is_cut_at_its_largest_variance():
    assert cosine_betas(10, largest=0.7).max().item() == 0.7


@pytest.mark.parametrize("betas", [linear_betas(50), cosine_betas(50)], ids=["linear", "cosine"])
def test_signal_and_log_snr_fall_at_every_step(betas):
    a = alphas_bar_from_betas(betas)
    assert (a.diff() < 0).all()
    assert (log_snr(a).diff() < 0).all()


def test_log_snr_is_the_logit_of_the_signal_share():
    a = torch.tensor([0.9, 0.5, 1e-12])
    torch.testing.assert_close(log_snr(a), torch.logit(a))


def test_posterior_variance_follows_from_gaussian_conditioning():
    # Joint law of (x_s, x_t) given x0 = 0, and the textbook conditional variance.
    betas = torch.tensor([0.1, 0.25, 0.4])
    a = alphas_bar_from_betas(betas)
    for t in (1, 2):
        var_s, cov = 1 - a[t - 1], (1 - betas[t]).sqrt() * (1 - a[t - 1])
        expected = var_s - cov**2 / (1 - a[t])
        torch.testing.assert_close(posterior_variances(betas)[t], expected)


def test_posterior_variance_vanishes_at_the_last_step_and_never_exceeds_beta():
    betas = linear_betas(20)
    v = posterior_variances(betas)
    assert v[0].item() == 0
    assert (v <= betas).all()


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match="n_steps must be at least 2, got 1"):
        linear_betas(1)
    with pytest.raises(ValueError, match="n_steps must be at least 2, got 0"):
        cosine_betas(0)
    with pytest.raises(ValueError, match=r"first=0\.5, last=0\.1"):
        linear_betas(3, first=0.5, last=0.1)
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        linear_rate_betas(0)
    with pytest.raises(ValueError, match=r"first=0, last=20"):
        linear_rate_betas(5, first=0)
    with pytest.raises(ValueError, match="betas must lie in"):
        alphas_bar_from_betas(torch.tensor([0.1, 1.0]))
