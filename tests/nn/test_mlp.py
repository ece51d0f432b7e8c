"""The multi-layer perceptron."""

import pytest
import torch
from torch import nn

from genlab.nn.mlp import MLP


def test_depth_zero_is_one_affine_map():
    net = MLP(3, 2, depth=0)
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    # f((x + y) / 2) = (f(x) + f(y)) / 2 holds for affine maps only; tolerance is rounding
    torch.testing.assert_close(net((x + y) / 2), (net(x) + net(y)) / 2, atol=1e-12, rtol=0)


def test_depth_and_width_give_the_expected_number_of_parameters():
    net = MLP(3, 2, width=5, depth=2)
    assert sum(p.numel() for p in net.parameters()) == (3 * 5 + 5) + (5 * 5 + 5) + (5 * 2 + 2)


def test_leading_axes_are_a_batch():
    net = MLP(3, 2)
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(net(x)[1, 2], net(x[1, 2]))


def test_the_activation_is_used():
    assert any(isinstance(m, nn.Tanh) for m in MLP(1, 1, activation=nn.Tanh).modules())


@pytest.mark.parametrize("sizes", [(0, 1, 4, 1), (1, 0, 4, 1), (1, 1, 0, 1), (1, 1, 4, -1)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="at least"):
        MLP(*sizes)
