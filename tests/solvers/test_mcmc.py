"""Langevin chains, as samples and as matrices: bias, acceptance and memory in closed form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.oracles.continuous import GaussianMixture
from genlab.solvers.mcmc import (
    langevin,
    langevin_matrix,
    langevin_step,
    mala,
    mala_matrix,
    mala_step,
    relaxation_time,
    stationary,
)

N = 60_000


normal_score = torch.neg
normal_log_prob = lambda x: -0.5 * x.square().sum(1) + 7.0  # any constant will do


@pytest.mark.parametrize(
    ("step_size", "temperature"), [(0.1, 1.0), (1.0, 1.0), (0.1, 0.25), (0.1, 2.0)]
)
def test_unadjusted_chain_has_the_known_bias(step_size, temperature, generator):
    x0 = torch.randn(N, 1, generator=generator)
    x = last(
        langevin(
            normal_score,
            x0,
            step_size=step_size,
            n_steps=80,
            temperature=temperature,
            generator=generator,
        )
    )
    # Monte Carlo: relative standard error of a variance sqrt(2 / n); 80 steps of contraction
    # (1 - eta)^2 leave less than 1e-7 of the start
    assert abs(x.var() * (1 - step_size / 2) / temperature - 1) < 5 * (2 / N) ** 0.5


@given(step_size=st.floats(0.05, 1.5), seed=st.integers(0, 100))
def test_acceptance_is_the_metropolis_hastings_ratio(step_size, seed):
    # the ratio from torch's own densities; u just below it is accepted, just above refused
    g = torch.Generator().manual_seed(seed)
    p = GaussianMixture(torch.tensor([0.4, 0.6]), torch.tensor([[-1.0], [1.5]]), torch.ones(2))
    x, z = torch.randn(1, 1, generator=g), torch.randn(1, 1, generator=g)

    def move(a):
        return torch.distributions.Normal(a + step_size * p.score(a), (2 * step_size) ** 0.5)

    proposal = langevin_step(x, p.score(x), z, step_size=step_size)
    log_ratio = p.log_prob(proposal) + move(proposal).log_prob(x).sum(1)
    log_ratio = log_ratio - p.log_prob(x) - move(x).log_prob(proposal).sum(1)
    ratio = log_ratio.exp().clamp(max=1.0)
    kept, yes = mala_step(p.log_prob, p.score, x, z, 0.999 * ratio, step_size=step_size)
    assert bool(yes.all())
    torch.testing.assert_close(kept, proposal)
    if ratio.item() < 0.999:
        kept, yes = mala_step(p.log_prob, p.score, x, z, 1.001 * ratio, step_size=step_size)
        assert not bool(yes.any())
        torch.testing.assert_close(kept, x)


def test_refused_rows_do_not_move():
    x = torch.zeros(3, 1)
    z = torch.tensor([[10.0], [0.1], [10.0]])  # a jump of ten standard deviations is refused
    u = torch.full((3,), 0.5)
    new, accepted = mala_step(normal_log_prob, normal_score, x, z, u, step_size=0.5)
    assert accepted.tolist() == [False, True, False]
    assert new[[0, 2]].abs().max() == 0


GRID = torch.linspace(-9, 9, 361, dtype=torch.float64)


@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.0])
def test_the_matrix_settles_where_the_formula_says(step_size):
    pi = stationary(langevin_matrix(-GRID, GRID, step_size=step_size))
    # the grid's noise is that of a step to rounding; nine standard deviations hold all mass
    assert float(pi @ GRID**2) == pytest.approx(1 / (1 - step_size / 2), rel=1e-6)


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


def test_adjusted_chain_keeps_the_moments_of_a_mixture(generator):
    # started in the target, any chain that leaves it unchanged stays there
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [1.0]]), 0.6 * torch.ones(2)
    )
    start, q = p.sample(N, generator=generator), p.moment_match()
    x = last(mala(p.log_prob, p.score, start, step_size=0.5, n_steps=30, generator=generator))
    assert abs(x.mean() - q.mean[0]) < 5 * (q.cov[0, 0] / N) ** 0.5
    squares = (x - q.mean) ** 2
    assert abs(squares.mean() - q.cov[0, 0]) < 5 * squares.std() / N**0.5


def test_a_step_goes_up_the_slope_and_adds_noise_of_its_temperature():
    x, score, z = torch.tensor([[1.0]]), torch.tensor([[-3.0]]), torch.tensor([[2.0]])
    step = lambda **more: langevin_step(x, score, z, step_size=0.02, **more).item()
    assert step() == step(temperature=1.0) == pytest.approx(1 - 0.06 + 0.2 * 2)
    assert step(temperature=0.25) == pytest.approx(1 - 0.06 + 0.1 * 2)
    assert step(temperature=0.0) == pytest.approx(1 - 0.06)
    assert list(langevin(normal_score, x, step_size=0.1, n_steps=0)) == []
    assert list(mala(normal_log_prob, normal_score, x, step_size=0.1, n_steps=0)) == []


TWO_STATES = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)


def test_two_states_are_visited_and_forgotten_at_known_rates():
    torch.testing.assert_close(stationary(TWO_STATES), torch.tensor([0.75, 0.25]))
    assert relaxation_time(TWO_STATES) == pytest.approx(-1 / math.log(0.9 + 0.7 - 1))
    assert relaxation_time(torch.eye(3)) == math.inf  # never
    flipping = torch.tensor([[0.2, 0.8], [0.8, 0.2]])  # an eigenvalue of -0.6 forgets as slowly
    assert relaxation_time(flipping) == pytest.approx(-1 / math.log(0.6))
    assert stationary(torch.ones(1, 1)).tolist() == [1.0]


def test_the_adjusted_matrix_is_the_step_of_the_adjusted_chain(generator):
    x = torch.linspace(-4, 4, 161)
    log_p, slope = -(x**4) / 4, -(x**3)
    matrix = mala_matrix(log_p, slope, x, step_size=0.2)
    torch.testing.assert_close(matrix.sum(1), torch.ones(161))
    start, n = 110, 100_000  # at 1.5, where some moves are refused
    here = x[start].expand(n, 1)
    moved, accepted = mala_step(
        lambda x: -(x**4).sum(1) / 4, lambda x: -(x**3), here,
        torch.randn(n, 1, generator=generator), torch.rand(n, generator=generator), step_size=0.2,
    )  # fmt: skip
    share = accepted.double().mean()
    # the chance to move, and that of a move that ends in the cell it started from
    moves = 1 - matrix[start, start] + langevin_matrix(slope, x, step_size=0.2)[start, start]
    assert abs(share - moves) < 5 * (moves * (1 - moves) / n) ** 0.5
    mean = float(matrix[start] @ x)
    assert abs(moved.mean() - mean) < 5 * moved.std() / n**0.5 + 1e-3


NAN = lambda x: x * math.nan
ONE = torch.ones(1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: langevin_step(ONE, ONE, ONE, step_size=0.0), "step_size is 0"),
        (lambda: langevin_step(ONE, ONE, ONE, step_size=0.1, temperature=-1.0), "temperature"),
        (lambda: last(langevin(NAN, ONE, step_size=0.1, n_steps=-1)), "n_steps is -1"),
        (lambda: last(mala(NAN, NAN, ONE, step_size=0.1, n_steps=-1)), "n_steps is -1"),
        (lambda: last(mala(normal_log_prob, NAN, ONE, step_size=0.1, n_steps=1)), "score holds"),
        (
            lambda: last(
                mala(lambda x: x[:, 0] * math.nan, normal_score, ONE, step_size=0.1, n_steps=1)
            ),
            "log_prob holds nan",
        ),
        (lambda: stationary(2 * TWO_STATES), "sums to 2"),
        (lambda: stationary(TWO_STATES * torch.tensor([[1.1], [0.5]])), "sums to 0.5"),  # the worst
        (lambda: stationary(TWO_STATES * torch.tensor([[1.4], [0.8]])), "sums to 1.4"),
        (lambda: langevin_matrix(0 * GRID, 24 * GRID, step_size=2.0), "1.2 apart"),
        (lambda: relaxation_time(ONE), "2 rows"),
        (lambda: langevin_matrix(-GRID, GRID, step_size=0.004), "at most half the noise"),
    ],
)
def test_what_would_be_no_chain_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_places_may_be_half_the_noise_of_a_step_apart():
    x = torch.arange(-16.0, 17.0)
    assert langevin_matrix(-0.1 * x, x, step_size=2.0).shape == (33, 33)  # noise 2, places 1
