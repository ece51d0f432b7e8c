"""Distances on the line against each other, and their averages over directions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.metrics.wasserstein import (
    energy_distance,
    random_directions,
    sliced_wasserstein,
    w1_by_cdf,
    wasserstein_1d,
)

values = st.lists(st.floats(-50, 50), min_size=1, max_size=9).map(torch.tensor)


def numbers(*xs):
    return torch.tensor(xs, dtype=torch.float64)


def test_the_worked_distances_between_point_masses():
    assert wasserstein_1d(numbers(0), numbers(3)).item() == 3
    assert wasserstein_1d(numbers(0, 2), numbers(1, 3)).item() == 1
    assert math.isclose(wasserstein_1d(numbers(0, 1, 2), numbers(2, 3, 4)).item(), 2)


def test_unequal_sizes_split_the_mass():
    # a half at 0 and a half at 1, moved to 0: half of the mass moves by 1
    assert wasserstein_1d(numbers(0, 1), numbers(0)).item() == 0.5
    # thirds against halves: quantiles 0, 3, 6 and 0, 6 differ by 3 on [1/3, 2/3]
    assert wasserstein_1d(numbers(0, 3, 6), numbers(0, 6)).item() == 1.0
    assert wasserstein_1d(numbers(0, 3, 6), numbers(0, 6), p=2).item() == 3.0


@given(values, values)
def test_sorting_agrees_with_the_area_between_distribution_functions(x, y):
    torch.testing.assert_close(wasserstein_1d(x, y), w1_by_cdf(x, y), rtol=1e-9, atol=1e-9)


@given(values, values, st.sampled_from([1.0, 2.0, 3.0]))
def test_swapping_the_sides_changes_nothing(x, y, p):
    torch.testing.assert_close(wasserstein_1d(x, y, p), wasserstein_1d(y, x, p))


@given(values, st.floats(-3, 3))
def test_a_shift_costs_its_length_to_the_power_p(x, shift):
    cost = wasserstein_1d(x, x + shift, p=2).item()
    assert math.isclose(cost, shift**2, rel_tol=1e-9, abs_tol=1e-9)


def test_empty_samples_and_powers_below_one_are_refused():
    with pytest.raises(ValueError, match="p >= 1, got 0, 1"):
        wasserstein_1d(torch.zeros(0), numbers(1))
    with pytest.raises(ValueError, match=r"p=0\.5"):
        wasserstein_1d(numbers(1), numbers(1), p=0.5)
    with pytest.raises(ValueError, match="values on both sides"):
        w1_by_cdf(numbers(1), torch.zeros(0))


def test_two_points_have_a_sliced_distance_of_their_square_over_d(generator):
    d = 4
    x, y = torch.zeros(1, d), torch.tensor([[3.0, 0.0, 4.0, 0.0]])
    directions = random_directions(4000, d, generator=generator)
    costs = torch.stack([sliced_wasserstein(x, y, theta[None]) for theta in directions])
    assert abs(costs.mean() - 25 / d) < 5 * costs.std() / 4000**0.5  # five standard errors


def test_directions_have_unit_length(generator):
    lengths = random_directions(10, 7, generator=generator).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(10))


def test_a_direction_that_is_no_unit_vector_is_refused():
    with pytest.raises(ValueError, match="off by 1"):
        sliced_wasserstein(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[2.0, 0.0]]))


@given(values, values)
def test_on_the_line_energy_is_twice_the_squared_gap_of_the_distribution_functions(x, y):
    t = torch.cat([x, y]).sort().values
    f = (x[:, None] <= t[:-1]).to(t).mean(0)
    g = (y[:, None] <= t[:-1]).to(t).mean(0)
    area = 2 * ((f - g) ** 2 * t.diff()).sum()
    torch.testing.assert_close(energy_distance(x[:, None], y[:, None]), area, rtol=1e-9, atol=1e-9)


def test_energy_of_two_points_is_twice_their_distance():
    assert energy_distance(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).item() == 10.0


def test_energy_of_nothing_is_refused():
    with pytest.raises(ValueError, match="points on both sides"):
        energy_distance(torch.zeros(0, 2), torch.zeros(1, 2))
