"""Continuous flows: exact up to the solver, and the solver's order is known."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from genlab.core import last
from genlab.flow.continuous import Continuous, ride
from genlab.flow.transforms import dense_log_det
from genlab.solvers.ode import rk4


def times(n):
    return torch.linspace(1, 0, n + 1)


@pytest.fixture
def layer(stirred):
    return stirred(Continuous(2, width=16, n_steps=40))


def test_linear_field_is_the_matrix_exponential(z):
    matrix = torch.tensor([[0.5, 1.0], [-0.7, -1.1]])
    x, log_det = ride(lambda x, t: x @ matrix.T, z[:, :2], times(80))
    # RK4 with 80 steps: error of order (1 / 80)^4
    assert_close(x, z[:, :2] @ torch.matrix_exp(-matrix).T, rtol=0, atol=1e-8)
    assert_close(log_det, torch.full((6,), 0.6), rtol=0, atol=1e-12)


def test_log_det_converges_to_the_autograd_jacobian_with_order_four(layer, z):
    """The error of the integrated trace, halving the step twice."""
    z = z[:, :2]

    def run(n, z):
        return ride(layer.velocity(), z, times(n))

    truth = dense_log_det(lambda z: run(96, z)[0], z)
    errors = [float((run(n, z)[1] - truth).abs().max().detach()) for n in (4, 8, 16)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert orders[-1] == pytest.approx(4.0, abs=0.35)


def test_time_reversal_undoes_the_ride(layer, z):
    x, there = layer(z[:, :2])
    back, again = layer.inverse(x)
    assert_close(back, z[:, :2], rtol=0, atol=1e-6)  # 40 steps of RK4
    assert_close(again, -there, rtol=0, atol=1e-6)


def test_points_go_where_the_plain_solver_takes_them(layer, z):
    velocity = layer.velocity()
    plain = last(rk4(lambda t, x: velocity(x, t.expand(len(x))), z[:, :2], times(40)))
    assert_close(layer(z[:, :2])[0], plain)


def test_a_condition_is_read_and_each_direction_takes_its_steps(stirred, z, generator):
    layer, calls = stirred(Continuous(2, n_steps=3, d_cond=2), spread=0.2), []
    layer.net.register_forward_hook(lambda *_: calls.append(1))
    cond = torch.randn(6, 2, generator=generator)
    x, log_det = layer(z[:, :2], cond)
    assert len(calls) == 4 * 3  # RK4
    back, log_det_back = layer.inverse(x, cond)
    assert len(calls) == 2 * 4 * 3
    assert_close(back, z[:, :2], rtol=0, atol=1e-3)  # the error of three steps
    assert_close(log_det_back, -log_det, rtol=0, atol=1e-3)
    assert float((layer(z[:, :2], cond + 1)[0] - x).detach().abs().min()) > 0


def test_a_continuous_layer_starts_at_rest_with_64_units_and_eight_steps(z):
    layer = Continuous(2)
    net = [m for m in layer.net.modules() if isinstance(m, torch.nn.Linear)]
    assert [tuple(m.weight.shape) for m in net] == [(64, 3), (64, 64), (2, 64)]
    assert layer.n_steps == 8
    assert_close(layer(z[:, :2])[0], z[:, :2])
