"""Orders of convergence, and divergences against closed forms."""

import itertools
import math

import pytest
import torch

from genlab.core import last
from genlab.solvers.ode import (
    euler,
    exact_divergence,
    heun,
    hutchinson_divergence,
    rademacher,
    ride,
    rk4,
)

METHODS = [(euler, 1), (heun, 2), (rk4, 4)]
IDS = ["euler", "heun", "rk4"]


def pendulum(t, y):  # nonlinear and explicitly dependent on time: no coefficient can hide
    return torch.stack([y[..., 1], -torch.sin(y[..., 0]) + 0.3 * torch.cos(2 * t)], -1)


@pytest.mark.parametrize(("solve", "order"), METHODS, ids=IDS)
def test_halving_the_step_shows_the_order_on_a_driven_pendulum(solve, order):
    y0 = torch.tensor([1.0, 0.5])
    truth = last(rk4(pendulum, y0, torch.linspace(0, 3, 4001)))

    def error(n):
        return (last(solve(pendulum, y0, torch.linspace(0, 3, n + 1))) - truth).norm().item()

    assert abs(math.log2(error(160) / error(320)) - order) < 0.15  # order in the limit h -> 0


def test_every_time_gets_a_state_and_the_first_is_the_start():
    ts = torch.tensor([0.0, 0.5, 0.75, 2.0])  # steps need not be equal
    states = list(rk4(lambda t, y: torch.ones_like(y), torch.zeros(3), ts))
    assert len(states) == 4
    torch.testing.assert_close(torch.stack(states)[:, 0], ts)


@pytest.mark.parametrize("ts", [[], [0.0, 1.0, 0.5], [0.0, 0.0]])
def test_times_that_turn_back_are_refused_at_once(ts):
    with pytest.raises(ValueError, match="only rise"):
        euler(lambda t, y: y, torch.zeros(1), torch.tensor(ts))


def field(x):  # depends on x, couples the coordinates, and is not symmetric
    a, b, c = x.unbind(1)
    return torch.stack([a**2 * b, torch.sin(c) + b * a, torch.exp(c) - a * b], 1)


def field_divergence(x):
    a, b, c = x.unbind(1)
    return 2 * a * b + a + torch.exp(c)


def every_probe(b, d):
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=d)))
    return signs[:, None, :].expand(-1, b, -1)


def all_probes(func, x):
    return hutchinson_divergence(func, x, every_probe(*x.shape))


def test_exact_divergence_is_the_trace_of_the_jacobian_for_images():
    weight = torch.randn(8, 8)

    blur = lambda x: torch.tanh(x.flatten(1) @ weight).reshape(x.shape)
    x = torch.randn(3, 2, 2, 2)
    _, div = exact_divergence(blur, x)
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda row: blur(row[None])[0], x[i])
        torch.testing.assert_close(div[i], jacobian.reshape(8, 8).trace())


def test_variance_of_the_estimate_comes_from_the_off_diagonal_part():
    matrix = torch.randn(3, 3)
    x = torch.randn(1, 3)
    f = lambda x: x @ matrix.T
    estimates = torch.cat([hutchinson_divergence(f, x, v[None])[1] for v in every_probe(1, 3)])
    symmetric = (matrix + matrix.T) / 2
    off = symmetric - symmetric.diag().diag()
    torch.testing.assert_close(estimates.var(unbiased=False), 2 * (off**2).sum())


def test_signs_are_fair_and_independent(generator):
    v = rademacher((50_000, 2), like=torch.zeros(1), generator=generator)
    assert set(v.unique().tolist()) == {-1.0, 1.0}
    # Monte Carlo: each product of signs has variance 1
    assert bool((v.mean(0).abs() < 5 / 50_000**0.5).all())
    assert abs((v[:, 0] * v[:, 1]).mean()) < 5 / 50_000**0.5


@pytest.mark.parametrize("f", [exact_divergence, all_probes], ids=["exact", "hutchinson"])
def test_divergence_agrees_with_the_closed_form(f):
    x = torch.randn(5, 3)
    value, div = f(field, x)
    torch.testing.assert_close(value, field(x))
    torch.testing.assert_close(div, field_divergence(x))


@pytest.mark.parametrize("f", [exact_divergence, all_probes], ids=["exact", "hutchinson"])
def test_gradients_reach_the_parameters_of_the_field_where_they_are_wanted(f):
    rate, x = torch.tensor(2.0, requires_grad=True), torch.randn(3, 2)
    f(lambda x: rate**2 * x, x)[1].sum().backward()
    torch.testing.assert_close(rate.grad, torch.tensor(3 * 2 * 2 * 2.0))  # b d 2 rate
    with torch.no_grad():
        assert not any(result.requires_grad for result in f(lambda x: rate * x, x))


@pytest.mark.parametrize("f", [exact_divergence, all_probes], ids=["exact", "hutchinson"])
def test_a_field_that_ignores_its_point_has_no_divergence(f):
    x, weight = torch.randn(3, 2), torch.ones(2, requires_grad=True)
    for constant in (lambda x: torch.ones(3, 2), lambda x: weight.expand(3, 2)):
        value, div = f(constant, x)
        torch.testing.assert_close(value.detach(), torch.ones(3, 2))
        torch.testing.assert_close(div, torch.zeros(3))


@pytest.mark.parametrize("probes", [None, every_probe(3, 4).reshape(-1, 3, 2, 2)])
def test_a_ride_along_a_linear_field_is_its_exponential_and_the_log_det_its_trace(probes):
    matrix, ts = torch.randn(4, 4) / 2, torch.linspace(0.2, 1.4, 41)
    velocity = lambda x, t: t[:, None, None] * (x.flatten(1) @ matrix.T).reshape(x.shape)
    x0 = torch.randn(3, 2, 2)  # rows of an event of any shape
    x, log_det = ride(velocity, x0, ts, probes=probes if probes is None else probes.double())
    grown = (1.4**2 - 0.2**2) / 2  # the integral of t
    expected = x0.flatten(1) @ torch.matrix_exp(grown * matrix).T
    torch.testing.assert_close(x, expected.reshape(3, 2, 2), rtol=0, atol=1e-6)  # RK4
    torch.testing.assert_close(log_det, (grown * matrix.trace()).expand(3), rtol=0, atol=1e-9)
    _, log_det = ride(velocity, x0, ts[:2], method=euler)
    torch.testing.assert_close(log_det, (0.03 * 0.2 * matrix.trace()).expand(3))
