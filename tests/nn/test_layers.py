"""Masked layers, and waves that embed times and positions."""

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
    tall = MaskedConv2d(1, 1, rows_mask(5, 1, sees_its_row=also))
    assert seen_from(tall, (3, 3)).nonzero().tolist() == [[1, 3], [2, 3], [3, 3]][: 2 + also]


def test_masks_need_not_be_square():
    assert raster_mask(3, 1, sees_itself=False).tolist() == [[True], [False], [False]]
    two_by_hand = [[True] * 5, [True, True, True, False, False], [False] * 5]
    assert raster_mask(3, 5, sees_itself=True).tolist() == two_by_hand
    for also in (False, True):
        rows = rows_mask(5, 2, sees_its_row=also)
        assert rows.tolist() == [[True] * 2, [True] * 2, [also] * 2, [False] * 2, [False] * 2]


@pytest.mark.parametrize("mask", [(3, 3, False), (3, 3, True), (1, 3, True)])
def test_a_masked_convolution_starts_as_loud_as_one_without_a_mask(mask, generator):
    """Weights of torch have variance 1 / (3 fan-in), so a noise of variance 1 leaves with 1/3."""
    conv = MaskedConv2d(50, 400, raster_mask(*mask[:2], sees_itself=mask[2]))
    nn.init.zeros_(conv.conv.bias)
    y = conv(torch.randn(4, 50, 8, 8, generator=generator.manual_seed(1)))
    assert y[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1 / 3, rel=0.1)


def test_a_mask_without_taps_leaves_the_bias():
    conv = MaskedConv2d(2, 3, raster_mask(1, 1, sees_itself=False))
    y = conv(torch.randn(2, 2, 4, 4))
    assert torch.equal(y, conv.conv.bias[:, None, None].expand_as(y))


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


@pytest.mark.parametrize("d_context", [0, 2])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_no_hidden_unit_of_made_is_idle_and_degrees_are_shared_evenly(d, d_context):
    net = MaskedMLP(d, 2, width=11, depth=2, d_context=d_context)
    first, second, last = (m.mask for m in net.net if isinstance(m, MaskedLinear))
    assert last.any(0).all()  # each is read by an output
    assert second.diagonal().all()
    if d > 1 or d_context:
        assert first.any(1).all()  # and reads an input: one variable alone has nothing to read
    counts = first.sum(1).unique(return_counts=True)[1]
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_made_treats_each_row_of_a_batch_alone(shape):
    net = MaskedMLP(3, 2, width=16, d_context=2)
    x, context = torch.randn(*shape, 3), torch.randn(*shape, 2)
    y = net(x, context)
    assert y.shape == (*shape, 3, 2)
    flat = zip(x.reshape(-1, 3), context.reshape(-1, 2), strict=True)
    torch.testing.assert_close(y.reshape(-1, 3, 2), torch.stack([net(a, c) for a, c in flat]))


def test_an_order_that_is_no_permutation_is_refused():
    with pytest.raises(ValueError, match=r"permutation of 0\.\.2, got \[0, 1, 1\]"):
        MaskedMLP(3, 1, order=[0, 1, 1])


def test_waves_are_a_geometric_ladder_down_to_the_longest_period():
    t = torch.tensor([3.0, 700.0])
    for scale in (1.0, 1000.0):  # 10,000 to the power 1/2 is 100
        wanted = [(s * t).cos() for s in (scale, scale / 100)]
        wanted += [(s * t).sin() for s in (scale, scale / 100)]
        torch.testing.assert_close(time_embedding(t, 4, scale=scale), torch.stack(wanted, 1))
    short = time_embedding(torch.tensor([3, 700]), 4, max_period=25.0)  # whole steps will do
    torch.testing.assert_close(short[:, 1], (t / 5).cos())


@pytest.mark.parametrize("dim", [0, 1, 3, -2])
def test_waves_come_in_pairs(dim):
    with pytest.raises(ValueError, match="even number of at least 2"):
        time_embedding(torch.zeros(1), dim)
    assert time_embedding(torch.zeros(1), 2).tolist() == [[1.0, 0.0]]


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
    x = torch.randn(3, 2, 6, 8)
    angles = rope_angles(torch.arange(6), 8, x, base=50.0)
    z = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones_like(angles), angles)
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


def test_an_mlp_is_that_many_linear_maps_with_a_bend_after_all_but_the_last():
    mlp = MLP(3, 2, width=5, depth=2, activation=nn.Tanh)
    plain = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2))
    plain.load_state_dict(mlp.net.state_dict())
    x = torch.randn(4, 6, 3)
    torch.testing.assert_close(mlp(x), plain(x))
    for net, d_out in ((MLP(3, 2), 2), (MaskedMLP(3, 2), 6)):  # by default two layers of 64
        shapes = [tuple(p.shape) for p in net.parameters() if p.ndim == 2]
        assert shapes == [(64, 3), (64, 64), (d_out, 64)]


@pytest.mark.parametrize("wrong", [{"d_in": 0}, {"d_out": 0}, {"width": 0}, {"depth": -1}])
def test_an_mlp_without_units_is_refused_and_the_smallest_is_not(wrong):
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        MLP(**{"d_in": 1, "d_out": 1, **wrong})
    assert MLP(1, 1, width=1, depth=1)(torch.zeros(2, 1)).shape == (2, 1)


def test_times_are_embedded_one_by_one_whatever_axes_they_have():
    t = torch.rand(2, 3)
    torch.testing.assert_close(time_embedding(t, 4)[1], time_embedding(t[1], 4))
