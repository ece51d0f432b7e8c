"""What every transform promises, whatever it is made of."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import (
    Affine,
    ElementwiseLayer,
    HistogramMarginals,
    Linear,
    Permutation,
    affine_forward,
    affine_inverse,
    dense_log_det,
    flow_log_prob,
    lu_inverse,
    pull_back,
    push_forward,
    soft_clamp,
)

# Rounding only: a few hundred float64 operations, slopes between 1e-2 and 1e2.
ROUNDING = {"rtol": 1e-9, "atol": 1e-10}


def test_inverse_undoes_forward_and_its_change_of_volume(transform, z):
    x, log_det = transform(z)
    back, log_det_back = transform.inverse(x)
    assert_close(back, z, **ROUNDING)
    assert_close(log_det_back, -log_det, **ROUNDING)


def test_log_det_of_forward_is_the_autograd_jacobians(transform, z):
    _, log_det = transform(z)
    assert_close(log_det, dense_log_det(lambda z: transform(z)[0], z), **ROUNDING)


def test_examples_of_a_batch_do_not_mix(transform, z):
    whole, log_det = transform(z)
    parts = [transform(part) for part in z.split(2)]
    assert_close(torch.cat([x for x, _ in parts]), whole, **ROUNDING)
    assert_close(torch.cat([ld for _, ld in parts]), log_det, **ROUNDING)


def test_the_input_is_left_as_it_was(transform, z):
    before = z.clone()
    x, _ = transform(z)
    kept = x.detach().clone()
    transform.inverse(x)
    assert torch.equal(z, before)
    assert torch.equal(x, kept)


def test_gradients_reach_every_parameter_from_the_density(transform, z):
    x = transform(z)[0].detach()
    back, log_det = transform.inverse(x)
    total = (back**2).sum() + log_det.sum()
    if parameters := list(transform.parameters()):
        grads = torch.autograd.grad(total, parameters)
        assert all(bool(torch.isfinite(g).all()) for g in grads)


def test_single_precision_stays_single_and_close(transform, z):
    x, log_det = transform(z)
    single = transform.float()
    x32, log_det32 = single(z.float())
    assert x32.dtype == log_det32.dtype == torch.float32
    # float32 rounding, amplified by slopes of up to 1e2
    assert_close(x32.double(), x, rtol=1e-3, atol=1e-3)
    assert_close(log_det32.double(), log_det, rtol=1e-3, atol=1e-3)


def uniform(z):
    inside = ((z >= 0) & (z <= 1)).all(1)
    return torch.where(inside, 0.0, -torch.inf)


@pytest.mark.parametrize(("scale", "shift", "density"), [(3.0, 1.0, 1 / 3), (4.0, 2.0, 1 / 4)])
def test_stretching_a_uniform_divides_its_density(scale, shift, density):
    def inverse(x):
        return (x - shift) / scale, torch.full((len(x),), -math.log(scale))

    x = torch.tensor([[shift + 0.1], [shift + scale - 0.1], [shift - 0.1], [shift + scale + 0.1]])
    wanted = torch.tensor([density, density, 0.0, 0.0])
    assert_close(flow_log_prob(uniform, inverse, x).exp(), wanted)


def test_dense_log_det_of_known_maps():
    images, rows = torch.zeros(2, 1, 2, 2), torch.zeros(2, 2)
    matrix = torch.tensor([[3.0, 1.0], [0.0, -2.0]])  # orientation does not matter
    assert_close(dense_log_det(lambda z: z * 3, images), torch.full((2,), 4 * math.log(3)))
    assert_close(dense_log_det(lambda z: z @ matrix.T, rows), torch.full((2,), math.log(6)))


def test_dense_log_det_refuses_a_map_that_changes_the_number_of_dimensions():
    with pytest.raises(ValueError, match="1 outputs, expected as many as inputs, 2"):
        dense_log_det(lambda z: z[:, :1], torch.zeros(3, 2))


@pytest.fixture
def stack(stirred):
    order = torch.tensor([2, 0, 1])
    return [stirred(t) for t in (ElementwiseLayer(Affine(), (3,)), Permutation(order), Linear(3))]


def test_log_dets_of_a_stack_add_up(stack, z):
    z = z[:, :3]
    *_, (_, log_det) = push_forward(stack, z)

    def composed(z):
        for layer in stack:
            z = layer(z)[0]
        return z

    assert_close(log_det, dense_log_det(composed, z))


def test_pull_back_retraces_push_forward_state_by_state(stack, z):
    out = list(push_forward(stack, z[:, :3]))
    back = list(pull_back(stack, out[-1][0]))
    assert len(out) == len(back) == len(stack) + 1
    assert torch.equal(out[0][0], z[:, :3])
    assert torch.equal(out[0][1], torch.zeros(6))
    for (there, _), (again, _) in zip(out, reversed(back), strict=True):
        assert_close(again, there)


def test_affine_stretches_before_it_shifts():
    x, log_deriv = affine_forward(
        torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([math.log(3)])
    )
    assert_close(x, torch.tensor([7.0]))
    assert_close(log_deriv, torch.tensor([math.log(3)]))


@given(z=st.floats(-10, 10), t=st.floats(-10, 10), s=st.floats(-5, 5))
@settings(deadline=None, max_examples=50)
def test_affine_inverse_undoes_shift_and_scale(z, t, s):
    z, t, s = (torch.tensor([v], dtype=torch.float64) for v in (z, t, s))
    x, there = affine_forward(z, t, s)
    back, again = affine_inverse(x, t, s)
    assert_close(back, z, rtol=0, atol=1e-10)  # rounding, times a scale of up to e^5
    assert_close(again, -there)


@given(a=st.floats(-1e6, 1e6), limit=st.floats(0.1, 10))
@settings(deadline=None, max_examples=50)
def test_soft_clamp_stays_within_its_limit_and_keeps_the_sign(a, limit):
    out = float(soft_clamp(torch.tensor([a], dtype=torch.float64), limit))
    assert abs(out) <= limit
    assert abs(out) <= abs(a) + 1e-12
    assert out * a >= 0
    assert abs(out - a) <= abs(a) ** 3 / limit**2 + 1e-9  # unchanged near zero


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_soft_clamp_refuses_a_limit_that_is_not_positive(limit):
    with pytest.raises(ValueError, match="limit is"):
        soft_clamp(torch.zeros(1), limit)


def test_affine_family_keeps_huge_scales_finite():
    z, params = torch.ones(1), torch.tensor([[0.0, 1e4]])
    x, log_deriv = Affine(limit=2.0).forward(z, params)
    assert float(log_deriv) == pytest.approx(2.0)
    assert float(x) == pytest.approx(math.exp(2.0))


def test_lu_agrees_with_slogdet_and_solve(generator):
    lower = torch.randn(4, 4, generator=generator).tril()
    upper = torch.randn(4, 4, generator=generator).triu()
    x = torch.randn(3, 4, generator=generator)
    z, log_det = lu_inverse(x, lower, upper)
    matrix = lower @ upper
    assert_close(z, torch.linalg.solve(matrix, x.T).T)
    assert_close(log_det, -torch.linalg.slogdet(matrix).logabsdet.expand(3))


def test_a_new_layer_is_the_identity(z):
    x, log_det = Linear(5)(z)
    assert_close(x, z)
    assert_close(log_det, torch.zeros(6))


def test_permutation_moves_and_moves_back():
    layer = Permutation(torch.tensor([2, 0, 1]))
    z = torch.tensor([[10.0, 20.0, 30.0]])
    assert layer(z)[0].tolist() == [[30.0, 10.0, 20.0]]
    assert layer.inverse(layer(z)[0])[0].tolist() == z.tolist()


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [0, 2]])
def test_permutation_refuses_what_is_none(order):
    with pytest.raises(ValueError, match="once"):
        Permutation(torch.tensor(order))


@pytest.fixture
def probs(generator):
    p = torch.rand(3, 17, generator=generator) + 0.05
    return p / p.sum(1, keepdim=True)


def test_a_flow_of_that_layer_has_the_density_and_the_distribution_of_the_histogram(
    probs, generator
):
    flow = Flow(StandardNormal((3,)), [HistogramMarginals(probs, tail=0.0)])
    y = torch.rand(40, 3, generator=generator)
    z, total = flow.inverse(y)[0], torch.zeros(40)
    for j in range(3):
        edges = [k / 17 for k in range(18)]
        by_scipy = scipy.stats.rv_histogram((probs[j].numpy(), edges), density=False)
        assert_close(torch.special.ndtr(z[:, j]), torch.from_numpy(by_scipy.cdf(y[:, j].numpy())))
        total = total + torch.from_numpy(by_scipy.logpdf(y[:, j].numpy()))
    assert_close(flow.log_prob(y), total)


def test_the_tail_keeps_the_ends_of_the_interval_finite(probs):
    layer = HistogramMarginals(probs, tail=1e-6)
    z, log_det = layer.inverse(torch.tensor([[0.0, 0.5, 1.0]]))
    assert bool(torch.isfinite(z).all() and torch.isfinite(log_det).all())


def test_histogram_refuses_an_empty_bin():
    with pytest.raises(ValueError, match="probs holds 0"):
        HistogramMarginals(torch.tensor([[0.0, 1.0]]))
