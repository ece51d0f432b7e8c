"""Probabilities of bins: they add up, they agree with quadrature, they survive far tails."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.score.discretized import Bins, bin_log_prob

GREY = Bins(1 / 8, -1.0, 1.0)
PLACES = torch.linspace(-1, 1, 17, dtype=torch.float64)[:, None]


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_probabilities_of_all_levels_add_up_to_one(mean, std):
    log_p = bin_log_prob(PLACES, torch.full((17, 1), mean), torch.tensor(std), GREY)
    assert abs(log_p.logsumexp(0).item()) < 1e-9  # rounding


def test_a_bin_is_the_integral_of_its_normal_law():
    mean, std = 0.23, 0.11
    grid = torch.linspace(0.25 - 1 / 16, 0.25 + 1 / 16, 2001)
    density = torch.exp(-0.5 * ((grid - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    expected = torch.trapezoid(density, grid).log()
    got = bin_log_prob(torch.tensor([[0.25]]), torch.tensor([[mean]]), torch.tensor(std), GREY)
    assert abs(got.item() - expected.item()) < 1e-6  # trapezoid on 2,000 cells


def test_the_ends_are_open():
    low, high = (
        bin_log_prob(torch.tensor([[end]]), torch.tensor([[5 * end]]), torch.tensor(0.1), GREY)
        for end in (-1.0, 1.0)
    )
    assert low.abs().item() < 1e-12
    assert high.abs().item() < 1e-12


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_hopeless_guess_is_punished_and_not_infinite(side):
    # The level lies 50 standard deviations away: Phi itself is 0 or 1 in double precision.
    x, mean = torch.tensor([[0.5 * side]]), torch.tensor([[-0.5 * side]])
    got = bin_log_prob(x, mean, torch.tensor(0.02), GREY).item()
    near = (1 - 1 / 16) / 0.02  # the nearer edge of the bin
    assert got == pytest.approx(stats.norm.logsf(near), rel=1e-9)


def test_gradients_are_finite_everywhere():
    mean = torch.linspace(-3, 3, 61)[:, None].requires_grad_(True)
    for place in (-1.0, 0.0, 1.0):
        x = torch.full_like(mean, place)
        (grad,) = torch.autograd.grad(bin_log_prob(x, mean, torch.tensor(0.05), GREY).sum(), mean)
        assert torch.isfinite(grad).all()


def test_dimensions_are_summed():
    x, mean, std = torch.zeros(1, 2, 3), torch.full((1, 2, 3), 0.1), torch.tensor(0.2)
    one = bin_log_prob(torch.zeros(1, 1), torch.full((1, 1), 0.1), std, GREY)
    torch.testing.assert_close(bin_log_prob(x, mean, std, GREY), 6 * one)


def test_impossible_scales_are_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="std and width must be positive"):
        bin_log_prob(x, x, torch.tensor(0.0), GREY)
    with pytest.raises(ValueError, match=r"got 1\.0 and 0"):
        bin_log_prob(x, x, torch.tensor(1.0), Bins(0.0, -1.0, 1.0))
