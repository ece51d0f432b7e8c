"""Our transforms against zuko's and torchdiffeq's, with the same given parameters."""

import pytest
import torch
from torch.testing import assert_close

from genlab.flow.autoregressive import one_pass, sequential
from genlab.flow.continuous import Continuous
from genlab.flow.coupling import couple
from genlab.flow.spline import rq_spline_forward, rq_spline_inverse, spline_parameters
from genlab.flow.transforms import Affine, lu_forward

pytestmark = pytest.mark.reference
zuko = pytest.importorskip("zuko")

N, K, BOUND = 64, 7, 3.0


@pytest.fixture
def z(generator):
    return 2 * torch.randn(N, generator=generator)


@pytest.fixture
def spline(generator):
    """The same parameters, ours constrained and zuko's given to its constructor."""
    raw = torch.randn(N, 3 * K - 1, generator=generator)
    widths, heights, slopes = spline_parameters(raw, BOUND)
    theirs = zuko.transforms.MonotonicRQSTransform(
        (widths / (2 * BOUND)).log(),
        (heights / (2 * BOUND)).log(),
        slopes[:, 1:-1].log(),
        bound=BOUND,
        slope=1e-300,  # its floor, which ours applies before
    )
    # zuko squashes what it is given: undo that by handing it the knots themselves
    theirs.horizontal = torch.nn.functional.pad(widths.cumsum(-1), (1, 0)) - BOUND
    theirs.vertical = torch.nn.functional.pad(heights.cumsum(-1), (1, 0)) - BOUND
    theirs.derivatives = slopes
    return (widths, heights, slopes), theirs


def test_spline_is_zukos_in_both_directions(spline, z):
    parameters, theirs = spline
    x, log_deriv = rq_spline_forward(z, *parameters)
    wanted, ladj = theirs.call_and_ladj(z)
    assert_close(x, wanted)
    assert_close(log_deriv, ladj)
    back, log_deriv = rq_spline_inverse(z, *parameters)
    wanted = theirs.inv(z)
    assert_close(back, wanted, rtol=1e-7, atol=1e-7)  # two ways to solve one quadratic
    assert_close(log_deriv, theirs.inv.log_abs_det_jacobian(z, wanted), rtol=1e-6, atol=1e-6)


@pytest.fixture
def conditioner(generator):
    """A strictly lower-triangular linear map to a shift and a log-scale."""
    weight = torch.randn(2, 4, 4, generator=generator).tril(-1) / 2
    return lambda a: torch.einsum("pij,bj->bip", weight, a)


def theirs_of(params):
    made = zuko.transforms.MonotonicAffineTransform(params[..., 0], params[..., 1], slope=1e-300)
    made.scale = params[..., 1].exp()
    made.log_scale = params[..., 1]
    return zuko.transforms.DependentTransform(made, 1)


def test_masked_autoregression_is_zukos_in_both_directions(conditioner, generator):
    a = torch.randn(8, 4, generator=generator)
    theirs = zuko.transforms.AutoregressiveTransform(lambda x: theirs_of(conditioner(x)), passes=4)
    element = Affine(limit=torch.inf)
    b, log_det = one_pass(element.forward, conditioner, a)
    wanted, ladj = theirs.call_and_ladj(a)
    assert_close(b, wanted)
    assert_close(log_det, ladj)
    *_, (back, _) = sequential(element.inverse, conditioner, b)
    assert_close(back, theirs.inv(b))


def test_coupling_is_zukos(generator):
    a = torch.randn(8, 4, generator=generator)
    stays = torch.tensor([True, False, True, False])
    weight = torch.randn(4, 2, generator=generator)
    theirs = zuko.transforms.CouplingTransform(
        lambda kept: theirs_of((kept @ weight.T).reshape(-1, 2, 2)), stays
    )
    b, log_det = couple(Affine(torch.inf).forward, lambda kept: kept @ weight.T, a, stays)
    wanted, ladj = theirs.call_and_ladj(a)
    assert_close(b, wanted)
    assert_close(log_det, ladj)


def test_lu_is_zukos(generator):
    packed = torch.randn(4, 4, generator=generator)
    theirs = zuko.transforms.LULinearTransform(packed)
    z = torch.randn(8, 4, generator=generator)
    upper = packed.triu(1) + torch.eye(4)  # there U has the ones
    x, log_det = lu_forward(z, packed.tril(), upper)
    wanted, ladj = theirs.call_and_ladj(z)
    assert_close(x, wanted)
    assert_close(log_det, ladj.expand(8))


def test_continuous_flow_is_torchdiffeqs(generator):
    torchdiffeq = pytest.importorskip("torchdiffeq")
    torch.manual_seed(0)
    layer = Continuous(2, width=16, n_steps=40)
    for p in layer.parameters():
        p.data += 0.3 * torch.randn_like(p)
    z = torch.randn(6, 2, generator=generator)
    velocity = layer.velocity()

    def field(t, state):
        x = state[0].detach().requires_grad_()
        with torch.enable_grad():
            v = velocity(x, t.expand(len(x)))
            trace = sum(
                torch.autograd.grad(v[:, j].sum(), x, retain_graph=True)[0][:, j] for j in (0, 1)
            )
        return v.detach(), trace.detach()

    solution, log_det = torchdiffeq.odeint(
        field, (z, torch.zeros(6)), torch.tensor([1.0, 0.0]), rtol=1e-10, atol=1e-10
    )
    x, ours = layer(z)
    assert_close(x, solution[-1], rtol=0, atol=1e-6)  # 40 steps of RK4
    assert_close(ours, log_det[-1], rtol=0, atol=1e-6)
