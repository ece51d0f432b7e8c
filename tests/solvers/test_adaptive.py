import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core import last
from genlab.solvers.adaptive import EMBEDDED, NODES, STAGES, WEIGHTS, dopri5, dopri5_step


def counted(func):
    def wrapped(t, y):
        wrapped.calls += 1
        return func(t, y)

    wrapped.calls = 0
    return wrapped


# --- the tableau: order conditions are mathematics that the code does not contain ---------------


def test_nodes_are_the_row_sums_of_the_stages():
    for node, row in zip(NODES, STAGES, strict=True):
        assert math.isclose(sum(row), node, abs_tol=1e-14)


@pytest.mark.parametrize(("weights", "order"), [(WEIGHTS, 5), (EMBEDDED, 4)])
def test_quadrature_conditions_hold_up_to_the_order_and_no_further(weights, order):
    for power in range(order):
        total = sum(b * c**power for b, c in zip(weights, NODES, strict=True))
        assert math.isclose(total, 1 / (power + 1), abs_tol=1e-14)
    total = sum(b * c**order for b, c in zip(weights, NODES, strict=True))
    assert abs(total - 1 / (order + 1)) > 1e-5


def test_third_order_tree_condition_holds():
    # sum_i b_i sum_j a_ij c_j = 1/6: the first condition that involves the stages
    inner = [sum(a * c for a, c in zip(row, NODES, strict=False)) for row in STAGES]
    assert math.isclose(sum(b * v for b, v in zip(WEIGHTS, inner, strict=True)), 1 / 6)


def decay_step(h):
    return dopri5_step(
        lambda t, y: -y, torch.zeros(()), torch.tensor(h), torch.ones(1), -torch.ones(1)
    )


def test_a_step_has_local_order_six():
    def error(h):
        return abs(decay_step(h)[0].item() - math.exp(-h))

    assert abs(math.log2(error(0.2) / error(0.1)) - 6) < 0.3  # order in the limit h -> 0


def test_error_estimate_has_local_order_five():
    def estimate(h):
        return decay_step(h)[1].abs().item()

    assert abs(math.log2(estimate(0.1) / estimate(0.05)) - 5) < 0.3  # order in the limit h -> 0


def test_global_error_falls_with_order_five_on_a_field_that_depends_on_time():
    def field(t, y):
        return torch.cos(3 * t) * y + t**2

    def end(n):
        y, t, h = torch.ones(1), torch.zeros(()), torch.tensor(2.0 / n)
        for _ in range(n):
            y, _, _ = dopri5_step(field, t, h, y, field(t, y))
            t = t + h
        return y.item()

    truth = end(400)
    assert abs(math.log2(abs(end(20) - truth) / abs(end(40) - truth)) - 5) < 0.5


# --- the controller ------------------------------------------------------------------------------


@given(rtol=st.sampled_from([1e-4, 1e-6, 1e-8, 1e-10]))
@settings(deadline=None)
def test_global_error_follows_the_tolerance(rtol):
    ts = torch.tensor([0.0, 2.0])
    y = last(dopri5(lambda t, y: -y, torch.ones(1), ts, rtol=rtol, atol=rtol * 1e-2))
    assert abs(y.item() - math.exp(-2)) < 20 * rtol  # a handful of steps, each within rtol


def test_tighter_tolerances_cost_more_evaluations():
    ts = torch.tensor([0.0, 10.0])
    costs = []
    for rtol in (1e-3, 1e-6, 1e-9):
        f = counted(lambda t, y: torch.stack([y[1], -y[0]]))
        last(dopri5(f, torch.tensor([1.0, 0.0]), ts, rtol=rtol, atol=rtol))
        costs.append(f.calls)
    assert costs == sorted(costs)
    assert costs[0] < costs[2] / 3


def test_steps_shrink_where_the_solution_bends():
    # a bump of width 0.02 at t = 5 on an otherwise flat field: fixed steps of 0.5 would miss it
    def bump(t, y):
        return torch.exp(-0.5 * ((t - 5) / 0.02) ** 2) / (0.02 * math.sqrt(2 * math.pi)) + 0 * y

    ts = torch.tensor([0.0, 4.9, 10.0])
    y = last(dopri5(bump, torch.zeros(1), ts, rtol=1e-8, atol=1e-8))
    assert abs(y.item() - 1) < 1e-6


def test_the_first_slope_is_taken_at_the_start():
    calls = []

    def func(t, y):
        calls.append((float(t), float(y)))
        return -y

    last(dopri5(func, torch.tensor(2.0), torch.tensor([0.25, 0.5, 1.0])))
    assert calls[0] == (0.25, 2.0)
    assert max(t for t, _ in calls[:7]) < 0.5  # and the first step is not sent away from it


def test_every_time_is_met_and_yields_a_state():
    ts = torch.tensor([0.0, 0.3, 0.31, 2.0])
    states = torch.cat(list(dopri5(lambda t, y: -y, torch.ones(1), ts)))
    torch.testing.assert_close(states, torch.exp(-ts), rtol=1e-6, atol=0)


def test_running_back_in_time_returns_to_the_start():
    y0 = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    ts = torch.tensor([0.0, 3.0])

    def turn(t, y):
        return torch.stack([y[:, 1], -y[:, 0]], 1)

    end = last(dopri5(turn, y0, ts))
    torch.testing.assert_close(last(dopri5(turn, end, ts.flip(0))), y0, rtol=1e-5, atol=1e-6)


def test_a_hard_example_is_not_averaged_away():
    # one fast oscillator among a thousand resting ones keeps its own accuracy
    y0 = torch.zeros(1000, 2)
    y0[0, 0] = 1.0

    def turn(t, y):
        return 5 * torch.stack([y[:, 1], -y[:, 0]], 1)

    y = last(dopri5(turn, y0, torch.tensor([0.0, 4.0]), rtol=1e-8, atol=1e-8))
    assert abs(y[0, 0].item() - math.cos(20)) < 1e-6


def test_gradients_flow_through_the_solution():
    rate = torch.tensor(0.7, requires_grad=True)
    y = last(dopri5(lambda t, y: -rate * y, torch.ones(1), torch.tensor([0.0, 1.0])))
    y.sum().backward()
    torch.testing.assert_close(rate.grad, -torch.exp(-rate.detach()), rtol=1e-6, atol=0)


def test_an_explosion_is_reported_and_not_returned():
    with pytest.raises(RuntimeError, match="dopri5"):
        # y' = y^2 from 1 blows up at t = 1
        last(dopri5(lambda t, y: y**2, torch.ones(1), torch.tensor([0.0, 2.0]), max_steps=500))


def test_tolerances_must_be_positive():
    with pytest.raises(ValueError, match="rtol is 0"):
        dopri5(lambda t, y: y, torch.ones(1), torch.tensor([0.0, 1.0]), rtol=0.0)


def test_a_single_time_yields_the_start():
    assert len(list(dopri5(lambda t, y: y, torch.ones(1), torch.tensor([0.0])))) == 1
