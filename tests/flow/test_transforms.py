"""What every transform promises, whatever it is made of."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.flow import transforms
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import (
    Affine,
    ElementwiseLayer,
    HistogramMarginals,
    Linear,
    Permutation,
    Shift,
    dense_log_det,
    flow_log_prob,
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


def test_single_precision_stays_single_and_close(transform, z):
    x, log_det = transform(z)
    single = transform.float()
    x32, log_det32 = single(z.float())
    assert x32.dtype == log_det32.dtype == torch.float32
    # float32 rounding, 1e-7, amplified by slopes of up to 1e2
    assert_close(x32.double(), x, rtol=1e-5, atol=1e-5)
    assert_close(log_det32.double(), log_det, rtol=1e-5, atol=1e-5)


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


@given(a=st.floats(-1e6, 1e6), limit=st.floats(0.1, 10))
@settings(deadline=None, max_examples=50)
def test_soft_clamp_stays_within_its_limit_and_keeps_the_sign(a, limit):
    out = float(soft_clamp(torch.tensor([a], dtype=torch.float64), limit))
    assert abs(out) <= limit
    assert abs(out) <= abs(a) + 1e-12
    assert out * a >= 0
    assert abs(out - a) <= abs(a) ** 3 / limit**2 + 1e-9  # unchanged near zero


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


def test_the_upper_end_of_the_last_bin_belongs_to_it():
    marginals = transforms.HistogramMarginals(torch.full((1, 4), 0.25))
    z, log_det = marginals.inverse(torch.ones(1, 1))
    assert z.isfinite().all()
    assert log_det.isfinite().all()
    assert marginals.forward(z)[0].item() == pytest.approx(1.0, abs=1e-5)


def test_quantiles_end_a_millionth_before_the_ends_or_where_one_says(generator):
    far, even = torch.tensor([[-40.0], [40.0]]), torch.full((1, 4), 0.25)
    ends = torch.tensor([[1e-6], [1 - 1e-6]])
    assert_close(HistogramMarginals(even)(far)[0], ends, rtol=0, atol=1e-12)
    z = HistogramMarginals(even).inverse(torch.tensor([[0.0], [1.0]]))[0]
    assert_close(z, torch.special.ndtri(ends))
    assert_close(HistogramMarginals(even, tail=0.0)(far)[0], torch.tensor([[0.0], [1.0]]))
    # an edge belongs to the bin above it: x = 1/3 has the density 3/4 in both directions
    uneven = HistogramMarginals(torch.tensor([[0.5, 0.25, 0.25]]))
    x, log_det = uneven(torch.zeros(1, 1))
    assert_close(x, torch.full((1, 1), 1 / 3))
    assert_close(log_det, torch.tensor([-math.log(0.75 * math.sqrt(2 * math.pi))]))
    assert_close(uneven.inverse(torch.full((1, 1), 1 / 3))[1], -log_det)


def test_an_untrained_layer_is_the_identity(z):
    families = Affine(), Shift()
    for layer in (Linear(3), *(ElementwiseLayer(family, (3,)) for family in families)):
        x, log_det = layer(z[:, :3])
        assert_close(x, z[:, :3])
        assert_close(log_det, torch.zeros(6))


def test_scales_stay_within_three_e_folds_unless_one_says_otherwise():
    z, params = torch.ones(1, 1), torch.tensor([[[0.0, 1e9]]])
    for element, limit in ((Affine(), 3.0), (Affine(limit=0.5), 0.5)):
        x, log_deriv = element.forward(z, params)
        assert_close(log_deriv, torch.full((1, 1), limit))
        assert_close(x, torch.full((1, 1), math.exp(limit)))


def test_triangular_factors_of_any_sign_have_the_volume_of_their_product(z):
    lower = torch.tensor([[-2.0, 0.0], [1.5, 0.3]])
    upper = torch.tensor([[4.0, -1.0], [0.0, -0.7]])
    x, log_det = transforms.lu_forward(z[:, :2], lower, upper)
    assert_close(x, z[:, :2] @ (lower @ upper).T)
    assert_close(log_det, torch.linalg.slogdet(lower @ upper).logabsdet.expand(6))
    assert transforms.lu_forward(z[:0, :2], lower, upper)[1].shape == (0,)
    back, log_det_back = transforms.lu_inverse(x, lower, upper)
    assert_close(back, z[:, :2])
    assert_close(log_det_back, -log_det)
