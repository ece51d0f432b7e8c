"""The formula itself, against scipy, quadrature and hand-worked numbers."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.flow.change_of_variables import dense_log_det, flow_log_prob, pull_back, push_forward
from genlab.flow.elementwise import Affine, ElementwiseLayer
from genlab.flow.linear import Linear, Permutation


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


@pytest.mark.parametrize(
    ("rows", "density"), [([[2.0, 0.0], [0.0, 1.0]], 1 / 2), ([[3.0, 1.0], [0.0, 2.0]], 1 / 6)]
)
def test_a_matrix_divides_the_density_by_its_determinant(rows, density):
    matrix = torch.tensor(rows)

    def inverse(x):
        return torch.linalg.solve(matrix, x.T).T, -dense_log_det(lambda z: z @ matrix.T, x)

    x = torch.tensor([[0.5, 0.5]]) @ matrix.T
    assert_close(flow_log_prob(uniform, inverse, x).exp(), torch.tensor([density]))


@given(mean=st.floats(-2, 2), log_std=st.floats(-1, 1), x=st.floats(0.05, 8))
@settings(deadline=None, max_examples=30)
def test_exp_of_a_normal_is_scipys_lognormal(mean, log_std, x):
    std = math.exp(log_std)

    def inverse(x):  # x = exp(mean + std z)
        return (x.log() - mean) / std, -(x.log() + log_std).sum(1)

    def base(z):
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)

    got = flow_log_prob(base, inverse, torch.tensor([[x]], dtype=torch.float64))
    wanted = scipy.stats.lognorm(s=std, scale=math.exp(mean)).logpdf(x)
    assert float(got) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_dense_log_det_of_a_known_linear_map():
    matrix = torch.tensor([[3.0, 1.0], [0.0, 2.0]])
    got = dense_log_det(lambda z: z @ matrix.T, torch.zeros(2, 2))
    assert_close(got, torch.full((2,), math.log(6)))


def test_dense_log_det_ignores_orientation():
    got = dense_log_det(lambda z: -2 * z, torch.zeros(1, 3))
    assert_close(got, torch.tensor([3 * math.log(2)]))


def test_dense_log_det_of_images():
    got = dense_log_det(lambda z: z * 3, torch.zeros(2, 1, 2, 2))
    assert_close(got, torch.full((2,), 4 * math.log(3)))


def test_dense_log_det_refuses_a_map_that_changes_the_number_of_dimensions():
    with pytest.raises(ValueError, match="1 outputs, expected as many as inputs, 2"):
        dense_log_det(lambda z: z[:, :1], torch.zeros(3, 2))


@pytest.fixture
def stack():
    torch.manual_seed(1)
    layers = [ElementwiseLayer(Affine(), (3,)), Permutation(torch.tensor([2, 0, 1])), Linear(3)]
    for layer in layers:
        for p in layer.parameters():
            p.data += 0.5 * torch.randn_like(p)
    return layers


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
    for (there, _), (again, _) in zip(out, reversed(back), strict=True):
        assert_close(again, there)


def test_the_first_state_is_the_input_with_no_change_of_volume(stack, z):
    state, log_det = next(push_forward(stack, z[:, :3]))
    assert torch.equal(state, z[:, :3])
    assert torch.equal(log_det, torch.zeros(6))
