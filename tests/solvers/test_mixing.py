"""Chains written down as matrices: their bias and their memory, without a random number."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.solvers.mcmc import langevin
from genlab.solvers.mixing import (
    langevin_matrix,
    langevin_variance,
    mala_matrix,
    relaxation_time,
    stationary,
)

GRID = torch.linspace(-9, 9, 361, dtype=torch.float64)


@given(step_size=st.floats(0.05, 1.2), curvature=st.floats(0.5, 1.5))
def test_the_settled_variance_repeats_itself(step_size, curvature):
    v = langevin_variance(step_size, curvature=curvature, temperature=0.7)
    after = (1 - step_size * curvature) ** 2 * v + 2 * step_size * 0.7
    assert after == pytest.approx(v, rel=1e-12)


@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.0])
def test_the_matrix_settles_where_the_formula_says(step_size):
    pi = stationary(langevin_matrix(-GRID, GRID, step_size=step_size))
    # the grid's noise is that of a step to rounding; nine standard deviations hold all mass
    assert float(pi @ GRID**2) == pytest.approx(langevin_variance(step_size), rel=1e-6)


@pytest.mark.parametrize("step_size", [0.1, 0.5])
def test_a_normal_forgets_by_the_factor_one_minus_eta(step_size):
    matrix = langevin_matrix(-GRID, GRID, step_size=step_size)
    assert relaxation_time(matrix) == pytest.approx(-1 / math.log(1 - step_size), rel=1e-6)


def test_the_adjusted_matrix_leaves_any_density_alone():
    log_p = -(GRID**4) / 4 + torch.sin(3 * GRID)
    slope = -(GRID**3) + 3 * torch.cos(3 * GRID)
    x = GRID.abs() < 3
    matrix = mala_matrix(log_p[x], slope[x], GRID[x], step_size=0.1)
    pi = log_p[x].softmax(0)
    torch.testing.assert_close(pi @ matrix, pi, rtol=0, atol=1e-15)
    flow = pi[:, None] * matrix
    torch.testing.assert_close(flow, flow.T, rtol=0, atol=1e-15)


def test_rows_are_probabilities():
    for matrix in (
        langevin_matrix(-GRID, GRID, step_size=0.2),
        mala_matrix(-(GRID**2) / 2, -GRID, GRID, step_size=0.2),
    ):
        assert matrix.min() > -1e-12
        torch.testing.assert_close(matrix.sum(1), torch.ones(len(GRID)))


def test_the_matrix_is_the_chain(generator):
    # 40,000 chains on a quartic, three steps from the same place, against row of P^3
    n = 40_000
    slope = lambda x: -(x**3)
    x = last(
        langevin(slope, torch.full((n, 1), 1.5), step_size=0.1, n_steps=3, generator=generator)
    )
    grid = torch.linspace(-4, 4, 401)
    row = torch.linalg.matrix_power(langevin_matrix(slope(grid), grid, step_size=0.1), 3)[275]
    assert grid[275].item() == pytest.approx(1.5)
    mean, square = float(row @ grid), float(row @ grid**2)
    std = (square - mean**2) ** 0.5
    assert abs(x.mean().item() - mean) < 5 * std / n**0.5
    spread = x.square().std().item()
    assert abs(x.square().mean().item() - square) < 5 * spread / n**0.5


def test_two_states_by_hand():
    a, b = 0.1, 0.3
    matrix = torch.tensor([[1 - a, a], [b, 1 - b]])
    torch.testing.assert_close(stationary(matrix), torch.tensor([b, a]) / (a + b))
    assert relaxation_time(matrix) == pytest.approx(-1 / math.log(1 - a - b))


@pytest.mark.parametrize("step_size", [0.0, 2.0, -0.1])
def test_a_step_that_never_settles_is_refused(step_size):
    with pytest.raises(ValueError, match=r"expected in \(0, 2\)"):
        langevin_variance(step_size)


def test_a_grid_too_coarse_for_the_step_is_refused():
    with pytest.raises(ValueError, match="at most half the noise"):
        langevin_matrix(-GRID, GRID, step_size=1e-4)
    with pytest.raises(ValueError, match="expected > 0"):
        langevin_matrix(-GRID, GRID, step_size=0.0)


def test_a_chain_that_stays_where_it_is_never_forgets():
    assert relaxation_time(torch.eye(2)) == math.inf
