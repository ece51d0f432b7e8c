"""Masked layers: the Jacobian says who sees whom."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from genlab.nn.masked import (
    MaskedConv2d,
    MaskedLinear,
    MaskedMLP,
    connect,
    raster_mask,
    rows_mask,
)


def seen_from(conv, pixel, size=7):
    """Which input pixels the output at `pixel` depends on."""
    x = torch.randn(1, 1, size, size, requires_grad=True)
    conv(x)[0, :, pixel[0], pixel[1]].sum().backward()
    return x.grad[0, 0] != 0


@pytest.mark.parametrize("sees_itself", [False, True])
def test_a_raster_convolution_sees_only_what_was_drawn_before(sees_itself):
    seen = seen_from(MaskedConv2d(1, 3, raster_mask(3, 3, sees_itself=sees_itself)), (3, 3))
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[2, 2:5] = True
    expected[3, 2] = True
    expected[3, 3] = sees_itself
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("sees_its_row", [False, True])
def test_a_rows_convolution_sees_whole_rows(sees_its_row):
    seen = seen_from(MaskedConv2d(1, 3, rows_mask(3, 5, sees_its_row=sees_its_row)), (3, 3))
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[2, 1:6] = True
    expected[3, 1:6] = sees_its_row
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("make", [raster_mask, rows_mask])
@pytest.mark.parametrize("size", [(2, 3), (3, 4)])
def test_even_kernels_are_refused(make, size):
    key = "sees_itself" if make is raster_mask else "sees_its_row"
    with pytest.raises(ValueError, match="odd"):
        make(*size, **{key: True})


def test_masked_weights_get_no_gradient():
    layer = MaskedLinear(torch.tensor([[True, False], [False, True]]))
    layer(torch.randn(4, 2)).square().sum().backward()
    grad = layer.linear.weight.grad
    assert grad[0, 1] == grad[1, 0] == 0
    assert (grad.diagonal() != 0).all()


def test_a_convolution_starts_with_outputs_of_ordinary_size():
    # the mask removes more than half of the taps; without compensation signals fade with depth
    torch.manual_seed(0)
    mask = raster_mask(7, 7, sees_itself=False)
    x = torch.randn(8, 16, 16, 16)
    plain = torch.nn.Conv2d(16, 64, 7, padding=3)(x).var()
    ratio = MaskedConv2d(16, 64, mask)(x).var() / plain
    assert 0.7 < ratio.item() < 1.4  # 64 channels of 8 images: a spread of well below 20 %


def test_connections_follow_the_degrees():
    mask = connect(torch.tensor([1, 2, 3]), torch.tensor([2]), strict=False)
    assert mask.tolist() == [[True, True, False]]
    assert connect(torch.tensor([1, 2, 3]), torch.tensor([2]), strict=True).tolist() == [
        [True, False, False]
    ]


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(5)), depth=st.integers(1, 3))
def test_made_outputs_depend_on_exactly_the_variables_before_them(order, depth):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    net = MaskedMLP(5, 2, order=order, width=32, depth=depth)
    jac = jacobian(net, torch.randn(5)).abs().sum(1)  # (variable, input)
    for i in range(5):
        for j in range(5):
            assert bool(jac[i, j] > 0) == (order[j] < order[i]), (i, j)


def test_made_outputs_all_see_the_context_but_keep_the_order():
    net = MaskedMLP(3, 1, width=32, d_context=2)
    x, context = torch.randn(3), torch.randn(2)
    by_context = jacobian(lambda c: net(x, c)[:, 0], context)
    assert (by_context != 0).all()
    by_x = jacobian(lambda a: net(a, context)[:, 0], x)
    assert torch.equal(by_x.triu(), torch.zeros(3, 3))


def test_made_of_one_variable_is_a_constant():
    net = MaskedMLP(1, 3, width=8)
    assert torch.equal(jacobian(net, torch.tensor([5.0])), torch.zeros(1, 3, 1))


def test_made_refuses_what_is_not_a_permutation():
    with pytest.raises(ValueError, match=r"\[0, 0, 1\]"):
        MaskedMLP(3, 1, order=[0, 0, 1])


def test_made_refuses_depth_zero():
    with pytest.raises(ValueError, match="depth"):
        MaskedMLP(3, 1, depth=0)


def test_made_asks_for_a_missing_context():
    with pytest.raises(ValueError, match="context of 2"):
        MaskedMLP(3, 1, d_context=2)(torch.zeros(3))
