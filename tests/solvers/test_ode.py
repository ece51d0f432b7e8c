import math

import pytest
import torch

from genlab.core import last
from genlab.solvers.ode import euler, euler_step, heun, heun_step, rk4, rk4_step

METHODS = [(euler, 1), (heun, 2), (rk4, 4)]
IDS = ["euler", "heun", "rk4"]


def pendulum(t, y):  # nonlinear and explicitly dependent on time: no coefficient can hide
    return torch.stack([y[..., 1], -torch.sin(y[..., 0]) + 0.3 * torch.cos(2 * t)], -1)


@pytest.mark.parametrize(("solve", "order"), METHODS, ids=IDS)
def test_halving_the_step_shows_the_order_on_decay(solve, order):
    def error(n):
        y = last(solve(lambda t, y: -y, torch.tensor(1.0), torch.linspace(0, 1, n + 1)))
        return abs(y.item() - math.exp(-1))

    assert abs(math.log2(error(40) / error(80)) - order) < 0.1


@pytest.mark.parametrize(("solve", "order"), METHODS, ids=IDS)
def test_halving_the_step_shows_the_order_on_a_driven_pendulum(solve, order):
    y0 = torch.tensor([1.0, 0.5])
    truth = last(rk4(pendulum, y0, torch.linspace(0, 3, 4001)))

    def error(n):
        return (last(solve(pendulum, y0, torch.linspace(0, 3, n + 1))) - truth).norm().item()

    assert abs(math.log2(error(160) / error(320)) - order) < 0.15  # order in the limit h -> 0


@pytest.mark.parametrize(("step", "degree"), [(euler_step, 0), (heun_step, 1), (rk4_step, 3)])
def test_a_step_integrates_polynomials_of_its_degree_exactly(step, degree):
    t, s = torch.tensor(0.5), torch.tensor(1.7)
    y = step(lambda t, y: t**degree, t, s, torch.zeros(()))
    exact = (s ** (degree + 1) - t ** (degree + 1)) / (degree + 1)
    torch.testing.assert_close(y, exact)
    worse = step(lambda t, y: t ** (degree + 1), t, s, torch.zeros(()))
    assert abs(worse - (s ** (degree + 2) - t ** (degree + 2)) / (degree + 2)) > 1e-3


@pytest.mark.parametrize(("solve", "order"), METHODS, ids=IDS)
def test_running_back_in_time_returns_to_the_start(solve, order):
    y0 = torch.tensor([[1.0, 0.5], [0.2, -1.0]])
    ts = torch.linspace(0, 2, 201)
    end = last(solve(pendulum, y0, ts))
    back = last(solve(pendulum, end, ts.flip(0)))
    assert (back - y0).abs().max() < 2 * (2 / 200) ** order * 10  # both ways, constant about 10


def test_every_time_gets_a_state_and_the_first_is_the_start():
    ts = torch.tensor([0.0, 0.5, 0.75, 2.0])  # steps need not be equal
    states = list(rk4(lambda t, y: torch.ones_like(y), torch.zeros(3), ts))
    assert len(states) == 4
    torch.testing.assert_close(torch.stack(states)[:, 0], ts)


def test_examples_of_a_batch_do_not_mix():
    y0 = torch.randn(4, 2)
    ts = torch.linspace(0, 1, 11)
    whole = last(rk4(pendulum, y0, ts))
    rows = torch.stack([last(rk4(pendulum, row, ts)) for row in y0])
    torch.testing.assert_close(whole, rows)


def test_gradients_flow_through_the_solution():
    rate = torch.tensor(0.7, requires_grad=True)
    y = last(rk4(lambda t, y: -rate * y, torch.tensor(1.0), torch.linspace(0, 1, 51)))
    y.backward()
    torch.testing.assert_close(rate.grad, -torch.exp(-rate.detach()), rtol=1e-6, atol=0)


@pytest.mark.parametrize("ts", [[], [0.0, 1.0, 0.5], [0.0, 0.0]])
def test_times_that_turn_back_are_refused_at_once(ts):
    with pytest.raises(ValueError, match="only rise or only fall"):
        euler(lambda t, y: y, torch.zeros(1), torch.tensor(ts))
