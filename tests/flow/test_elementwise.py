"""Elementwise maps with given parameters."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.flow.elementwise import (
    Affine,
    ElementwiseLayer,
    Shift,
    affine_forward,
    affine_inverse,
    soft_clamp,
)


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


def test_log_derivatives_are_not_summed():
    z = torch.zeros(4, 3)
    _, log_deriv = affine_forward(z, z, z + 0.5)
    assert_close(log_deriv, torch.full((4, 3), 0.5))


@given(a=st.floats(-1e6, 1e6), limit=st.floats(0.1, 10))
@settings(deadline=None, max_examples=50)
def test_soft_clamp_stays_within_its_limit_and_keeps_the_sign(a, limit):
    out = float(soft_clamp(torch.tensor([a], dtype=torch.float64), limit))
    assert abs(out) <= limit
    assert abs(out) <= abs(a) + 1e-12
    assert out * a >= 0


def test_soft_clamp_is_the_identity_near_zero_and_at_an_infinite_limit():
    a = torch.tensor([-1e-4, 0.0, 1e-4])
    assert_close(soft_clamp(a, 3.0), a, rtol=0, atol=1e-12)  # third order in a / limit
    big = torch.tensor([50.0])
    assert torch.equal(soft_clamp(big, math.inf), big)


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_soft_clamp_refuses_a_limit_that_is_not_positive(limit):
    with pytest.raises(ValueError, match="expected > 0"):
        soft_clamp(torch.zeros(1), limit)


def test_shift_preserves_volume():
    z, params = torch.randn(4, 3), torch.randn(4, 3, 1)
    x, log_deriv = Shift().forward(z, params)
    assert_close(x, z + params[..., 0])
    assert torch.equal(log_deriv, torch.zeros(4, 3))


def test_affine_family_keeps_huge_scales_finite():
    z, params = torch.ones(1), torch.tensor([[0.0, 1e4]])
    x, log_deriv = Affine(limit=2.0).forward(z, params)
    assert float(log_deriv) == pytest.approx(2.0)
    assert float(x) == pytest.approx(math.exp(2.0))


def test_a_learned_layer_moves_every_example_alike():
    layer = ElementwiseLayer(Affine(), (2,))
    layer.params.data = torch.tensor([[1.0, 0.0], [-1.0, 0.5]])
    x, log_det = layer(torch.zeros(3, 2))
    assert_close(x, torch.tensor([1.0, -1.0]).expand(3, 2))
    assert_close(log_det, 3 * torch.tanh(torch.tensor(0.5 / 3)).expand(3))
