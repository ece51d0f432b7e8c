import pytest
import torch

from genlab.core import last
from genlab.solvers.ode import euler, heun, rk4

pytestmark = pytest.mark.reference


def lotka_volterra(t, y):
    a, b = y.unbind(-1)
    return torch.stack([1.5 * a - a * b, -3 * b + a * b + 0.1 * torch.sin(t)], -1)


Y0 = torch.tensor([[1.0, 1.0], [2.0, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize(("ours", "theirs"), [(euler, "euler"), (heun, "heun2"), (rk4, "rk4")])
def test_fixed_steps_agree_with_torchdiffeq(ours, theirs):
    torchdiffeq = pytest.importorskip("torchdiffeq")
    ts = torch.linspace(0, 2, 41)
    expected = torchdiffeq.odeint(lotka_volterra, Y0, ts, method=theirs)
    # their "rk4" is the 3/8 rule: same order, other slopes, h = 0.05; else the same arithmetic
    tolerance = 1e-4 if theirs == "rk4" else 1e-11
    states = torch.stack(list(ours(lotka_volterra, Y0, ts)))
    torch.testing.assert_close(states, expected, rtol=tolerance, atol=tolerance)


def test_rk4_at_small_steps_agrees_with_scipy():
    integrate = pytest.importorskip("scipy.integrate")
    ours = last(rk4(lotka_volterra, Y0[:1], torch.linspace(0, 2, 2001)))
    solution = integrate.solve_ivp(
        lambda t, y: lotka_volterra(torch.tensor(t), torch.as_tensor(y)).numpy(),
        (0.0, 2.0),
        Y0[0].numpy(),
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
    )
    # RK4 at h = 1e-3: error of order 1e-11
    torch.testing.assert_close(ours[0], torch.as_tensor(solution.y[:, -1]), rtol=1e-9, atol=1e-10)
