"""Masked layers, and waves that embed times and positions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from genlab.nn.layers import (
    MLP,
    MaskedConv2d,
    MaskedMLP,
    raster_mask,
    rope_angles,
    rotate,
    rows_mask,
    time_embedding,
)


def seen_from(conv, pixel, size=7):
    """Which input pixels the output at `pixel` depends on."""
    x = torch.randn(1, 1, size, size, requires_grad=True)
    conv(x)[0, :, pixel[0], pixel[1]].sum().backward()
    return x.grad[0, 0] != 0


@pytest.mark.parametrize("also", [False, True])
def test_masked_convolutions_see_only_what_was_drawn_before(also):
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[2, 2:5], expected[3, 2], expected[3, 3] = True, True, also
    conv = MaskedConv2d(1, 3, raster_mask(3, 3, sees_itself=also))
    assert torch.equal(seen_from(conv, (3, 3)), expected)
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[2, 1:6], expected[3, 1:6] = True, also
    conv = MaskedConv2d(1, 3, rows_mask(3, 5, sees_its_row=also))
    assert torch.equal(seen_from(conv, (3, 3)), expected)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(5)), depth=st.integers(0, 3))
def test_made_outputs_depend_on_exactly_the_variables_before_them(order, depth):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    net = MaskedMLP(5, 2, order=order, width=32, depth=depth)
    jac = jacobian(net, torch.randn(5)).abs().sum(1)  # (variable, input)
    rank = torch.tensor(order)
    assert torch.equal(jac > 0, rank < rank[:, None])


def test_made_outputs_all_see_the_context_but_keep_the_order():
    net = MaskedMLP(3, 1, width=32, d_context=2)
    x, context = torch.randn(3), torch.randn(2)
    assert (jacobian(lambda c: net(x, c)[:, 0], context) != 0).all()
    by_x = jacobian(lambda a: net(a, context)[:, 0], x)
    assert torch.equal(by_x.triu(), torch.zeros(3, 3))


def test_every_cosine_has_its_sine_and_the_fastest_wave_is_the_plain_cosine_of_t():
    t = torch.linspace(0, 50, 11)
    e = time_embedding(t, 16)
    torch.testing.assert_close(e[:, 0], t.cos())
    # cos^2 + sin^2 = 1 pairs feature k with feature k + 8; rounding only
    torch.testing.assert_close(e[:, :8] ** 2 + e[:, 8:] ** 2, torch.ones(11, 8))


@settings(deadline=None, max_examples=20)
@given(m=st.integers(0, 500), n=st.integers(0, 500), shift=st.integers(0, 500))
def test_rotary_inner_products_depend_on_distance_only(m, n, shift):
    torch.set_default_dtype(torch.float64)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(m))

    def inner(a, b):
        qa = rotate(q[None], rope_angles(torch.tensor([a]), 8, q))
        kb = rotate(k[None], rope_angles(torch.tensor([b]), 8, k))
        return (qa * kb).sum()

    # angles up to 1000 radians carry an absolute rounding of about 1e-13
    torch.testing.assert_close(inner(m, n), inner(m + shift, n + shift), atol=1e-10, rtol=0)


def test_rotation_is_complex_multiplication():
    # independent route: pair (k, k + d/2) as a complex number and multiply by exp(i angle)
    x = torch.randn(6, 8)
    angles = rope_angles(torch.arange(6), 8, x, base=50.0)
    z = torch.complex(x[:, :4], x[:, 4:]) * torch.polar(torch.ones_like(angles), angles)
    torch.testing.assert_close(rotate(x, angles), torch.cat([z.real, z.imag], dim=-1))
    torch.testing.assert_close(rotate(x, angles).norm(dim=-1), x.norm(dim=-1))


def test_the_second_frequency_is_the_base_to_the_minus_two_over_d():
    angles = rope_angles(torch.tensor([1]), 8, torch.zeros(1))
    assert float(angles[0, 1]) == pytest.approx(10_000.0 ** (-2 / 8), abs=1e-15)


def test_without_hidden_layers_it_is_a_linear_map():
    mlp = MLP(3, 2, depth=0)
    x = torch.randn(5, 3)
    (linear,) = mlp.net
    assert torch.equal(mlp(x), linear(x))
