"""The MLP, masked layers, and waves that embed times and positions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.functional import jacobian

from genlab.nn.layers import (
    MLP,
    MaskedConv2d,
    MaskedLinear,
    MaskedMLP,
    raster_mask,
    rope_angles,
    rotate,
    rows_mask,
    time_embedding,
)


def test_depth_zero_is_one_affine_map():
    net = MLP(3, 2, depth=0)
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    # f((x + y) / 2) = (f(x) + f(y)) / 2 holds for affine maps only; tolerance is rounding
    torch.testing.assert_close(net((x + y) / 2), (net(x) + net(y)) / 2, atol=1e-12, rtol=0)


def test_depth_width_and_activation_are_used_and_leading_axes_are_a_batch():
    net = MLP(3, 2, width=5, depth=2, activation=nn.Tanh)
    assert sum(p.numel() for p in net.parameters()) == (3 * 5 + 5) + (5 * 5 + 5) + (5 * 2 + 2)
    assert [type(m) for m in net.net] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(net(x)[1, 2], net(x[1, 2]))


@pytest.mark.parametrize("sizes", [(0, 1, 4, 1), (1, 0, 4, 1), (1, 1, 0, 1), (1, 1, 4, -1)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match=f"depth={sizes[-1]}"):
        MLP(*sizes)


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


def test_a_convolution_starts_with_outputs_of_ordinary_size():
    # the mask removes more than half of the taps; without compensation signals fade with depth
    torch.manual_seed(0)
    x = torch.randn(8, 16, 16, 16)
    plain = nn.Conv2d(16, 64, 7, padding=3)(x).var()
    ratio = MaskedConv2d(16, 64, raster_mask(7, 7, sees_itself=False))(x).var() / plain
    assert 0.7 < ratio.item() < 1.4  # 64 channels of 8 images: a spread of well below 20 %


def test_masked_weights_get_no_gradient():
    layer = MaskedLinear(torch.tensor([[True, False], [False, True]]))
    layer(torch.randn(4, 2)).square().sum().backward()
    grad = layer.linear.weight.grad
    assert grad[0, 1] == grad[1, 0] == 0
    assert (grad.diagonal() != 0).all()


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


def test_made_of_one_variable_is_a_constant():
    net = MaskedMLP(1, 3, width=8)
    assert torch.equal(jacobian(net, torch.tensor([5.0])), torch.zeros(1, 3, 1))


def test_made_refuses_what_is_not_a_permutation():
    with pytest.raises(ValueError, match=r"\[0, 0, 1\]"):
        MaskedMLP(3, 1, order=[0, 0, 1])


def test_every_cosine_has_its_sine_and_the_fastest_wave_is_the_plain_cosine_of_t():
    t = torch.linspace(0, 50, 11)
    e = time_embedding(t, 16)
    torch.testing.assert_close(e[:, 0], t.cos())
    # cos^2 + sin^2 = 1 pairs feature k with feature k + 8; rounding only
    torch.testing.assert_close(e[:, :8] ** 2 + e[:, 8:] ** 2, torch.ones(11, 8))


def test_the_slowest_wave_approaches_the_maximal_period():
    e = time_embedding(torch.tensor([1.0]), 1000, max_period=100.0)
    # last frequency is 100 ** (-499/500); its sine at t = 1 is close to 1/100, within 1 %
    assert float(e[0, -1]) == pytest.approx(0.01, rel=0.01)


def test_scale_multiplies_the_time_and_steps_become_floating():
    a = time_embedding(torch.tensor([0.25]), 8, scale=1000.0)
    torch.testing.assert_close(a, time_embedding(torch.tensor([250]), 8))


@pytest.mark.parametrize("dim", [0, 1, 7])
def test_an_odd_dimension_is_refused(dim):
    with pytest.raises(ValueError, match=str(dim)):
        time_embedding(torch.zeros(1), dim)


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
