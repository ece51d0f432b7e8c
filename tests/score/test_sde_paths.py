"""Noising paths: worked numbers, the equation derived from the path, and the limits of each."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.score.sde_paths import VE, VP, Straight, SubVP

PATHS = [VP(), VP(1.0, 1.0), SubVP(), SubVP(0.5, 3.0), VE(), VE(0.1, 5.0), Straight()]
times = st.floats(0.01, 0.98)


def name(path):
    return repr(path)


def test_worked_numbers_of_the_course():
    """dx = -x/2 dt + dW: signal exp(-t/2), and the score of the sample that left with eps."""
    path = VP(1.0, 1.0)
    t = torch.tensor([0.25, 0.5, 0.75])
    sigma = path.sigma(t)
    printed = torch.tensor([0.4703182, 0.6272713, 0.7263838])
    torch.testing.assert_close(sigma, printed, rtol=0, atol=6e-8)  # the printed digits
    assert abs(path.alpha(t[1]).item() - 0.7788008) < 6e-8
    assert abs(sigma[1].item() ** 2 - 0.3934693) < 6e-8
    scores = torch.tensor([-1.2757320, -0.9565238, -0.8260096])
    torch.testing.assert_close(-0.6 / sigma, scores, rtol=0, atol=2e-7)


@pytest.mark.parametrize("path", PATHS, ids=name)
@given(t=times)
def test_drift_rate_is_the_slope_of_log_alpha(path, t):
    t = torch.tensor(t, requires_grad=True)
    log_alpha = path.alpha(t).log()
    slope = torch.zeros(())
    if log_alpha.requires_grad:
        (slope,) = torch.autograd.grad(log_alpha, t)
    torch.testing.assert_close(path.rate(t).detach(), slope)


@pytest.mark.parametrize("path", PATHS, ids=name)
@given(t=times)
def test_noise_strength_balances_the_growth_of_the_variance(path, t):
    """d sigma^2 / dt = 2 a sigma^2 + g^2, the left side by autograd."""
    t = torch.tensor(t, requires_grad=True)
    (growth,) = torch.autograd.grad(path.sigma(t) ** 2, t)
    t = t.detach()
    budget = 2 * path.rate(t) * path.sigma(t) ** 2 + path.strength(t) ** 2
    torch.testing.assert_close(growth, budget)


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_every_path_starts_at_the_data(path):
    zero = torch.tensor(0.0)
    assert path.alpha(zero).item() == 1.0
    assert path.sigma(zero).item() == 0.0


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_noise_to_signal_only_grows(path):
    t = torch.linspace(0, 0.99, 100)
    assert bool(((path.sigma(t) / path.alpha(t)).diff() > 0).all())


def test_variance_is_preserved_by_vp_and_undercut_by_sub_vp():
    t = torch.linspace(0, 1, 50)
    torch.testing.assert_close(VP().alpha(t) ** 2 + VP().sigma(t) ** 2, torch.ones(50))
    torch.testing.assert_close(SubVP().sigma(t), VP().sigma(t) ** 2)
    assert bool((SubVP().strength(t) <= VP().strength(t)).all())


def test_small_times_keep_their_digits():
    """sqrt(1 - exp(-t)) loses half of them at t = 1e-12; the series is sqrt(t) (1 - t / 4)."""
    t = torch.tensor(1e-12)
    torch.testing.assert_close(VP(1.0, 1.0).sigma(t), t.sqrt(), rtol=1e-11, atol=0)
    torch.testing.assert_close(SubVP(1.0, 1.0).sigma(t), t, rtol=1e-11, atol=0)
    ve = VE(0.1, 10.0)
    expected = 0.1 * (2 * math.log(100) * t).sqrt()
    torch.testing.assert_close(ve.sigma(t), expected, rtol=1e-10, atol=0)


def test_default_vp_is_ddpm_with_many_small_steps():
    """The product of 1 - beta over T steps tends to exp(-B): error of order 1 / T."""
    gaps = []
    for n in (1000, 2000):
        betas = VP().beta((torch.arange(n) + 0.5) / n) / n
        gaps.append(abs((1 - betas).log().sum().item() + VP().noise_so_far(torch.tensor(1.0))))
    assert gaps[0] < 0.1
    assert float(gaps[0] / gaps[1]) == pytest.approx(2.0, abs=0.02)


def test_straight_path_reaches_pure_noise():
    one = torch.tensor(1.0)
    assert Straight().alpha(one).item() == 0.0
    assert Straight().sigma(one).item() == 1.0
    assert VP().alpha(one).item() == pytest.approx(math.exp(-0.25 * 20.1))  # 0.0066, and not 0
