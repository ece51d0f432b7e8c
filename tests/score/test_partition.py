"""The constant by four kinds of sum, and how many of its terms count."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.score.partition import effective_sample_size, log_mean_exp, log_partition

GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)
DX = 0.01


@pytest.mark.parametrize(
    ("energy", "z"),
    [
        (lambda x: x**2 / 2, math.sqrt(2 * math.pi)),
        (lambda x: (x - 1.3) ** 2 / 2, math.sqrt(2 * math.pi)),
        (lambda x: x**4, 2 * math.gamma(1.25)),
        (lambda x: x.abs(), 2.0),
    ],
)
def test_a_grid_finds_the_known_constants(energy, z):
    # |x| has a kink, where the rule's error is dx^2 / 12 times the jump of the slope
    log_z = log_partition(energy(GRID), math.log(DX))
    assert log_z.exp().item() == pytest.approx(z, abs=3e-4)


def test_enumeration_is_the_same_sum():
    states = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    coupling = 0.5 * (states[:, :-1] * states[:, 1:]).sum(1)  # an open chain of spins
    assert log_partition(-coupling, 0.0).exp().item() == pytest.approx(
        2 * (2 * math.cosh(0.5)) ** 3
    )


def test_draws_estimate_the_constant_without_bias(generator):
    n, repeats = 50, 4000
    x = 2 * torch.randn(repeats, n, generator=generator)
    log_q = -0.5 * (x / 2) ** 2 - math.log(2) - 0.5 * math.log(2 * math.pi)
    z_hat = log_partition(x**4, -log_q - math.log(n)).exp()
    assert abs(z_hat.mean() - 2 * math.gamma(1.25)) < 5 * z_hat.std() / repeats**0.5
    # and the logarithm is too low on average (Jensen)
    assert z_hat.log().mean() < math.log(2 * math.gamma(1.25))


def test_uniform_draws_weigh_the_volume(generator):
    x = 3 * (2 * torch.rand(200_000, generator=generator) - 1)
    z_hat = log_partition(x**4, math.log(6 / len(x))).exp()
    std = 6 * torch.exp(-(x**4)).std() / len(x) ** 0.5
    assert abs(z_hat - 2 * math.gamma(1.25)) < 5 * std


@given(shift=st.floats(-50, 50))
def test_a_constant_in_the_energy_goes_into_the_constant(shift):
    plain = log_partition(GRID**2 / 2, math.log(DX))
    moved = log_partition(GRID**2 / 2 + shift, math.log(DX))
    assert moved.item() == pytest.approx(plain.item() - shift, abs=1e-10)


def test_huge_energies_do_not_overflow():
    assert log_partition(torch.tensor([-2000.0, -2000.0]), 0.0) == pytest.approx(2000 + math.log(2))


def test_no_points_are_refused():
    with pytest.raises(ValueError, match="expected at least one"):
        log_partition(torch.zeros(0), 0.0)


@given(shift=st.floats(-500, 500))
def test_the_mean_is_taken_before_the_logarithm(shift):
    log_w = torch.tensor([1.0, 3.0]).log() + shift
    assert log_mean_exp(log_w).item() == pytest.approx(math.log(2) + shift)


def test_equal_weights_all_count_and_one_heavy_one_counts_alone():
    assert effective_sample_size(torch.full((7,), -900.0)).item() == pytest.approx(7)
    assert effective_sample_size(torch.tensor([0.0, -800.0])).item() == pytest.approx(1)
    assert effective_sample_size(torch.tensor([3.0, 1.0]).log()).item() == pytest.approx(1.6)
