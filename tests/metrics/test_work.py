"""Multiply-adds: those of a layer by its formula, those of a loop by its length."""

import pytest
import torch
from torch import nn

from genlab.metrics.work import multiply_adds
from genlab.nn.attention import attention


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (nn.Linear(5, 7), (3, 5), 3 * 5 * 7),
        (nn.Linear(5, 7, bias=False), (3, 5), 3 * 5 * 7),
        (nn.Conv2d(2, 4, 3, padding=1), (1, 2, 6, 6), 36 * 2 * 4 * 9),
        (nn.Conv2d(2, 4, 4, stride=2, padding=1), (1, 2, 6, 6), 9 * 2 * 4 * 16),
        (nn.Conv2d(2, 4, 1), (5, 2, 6, 6), 5 * 36 * 2 * 4),
        (nn.SiLU(), (3, 5), 0),
    ],
)
def test_a_layer_costs_what_its_formula_says(layer, shape, count):
    assert multiply_adds(lambda: layer(torch.zeros(shape, dtype=torch.float32))) == count


def test_attention_costs_two_products_of_all_pairs():
    q, k, v = torch.zeros(1, 2, 5, 4), torch.zeros(1, 2, 6, 4), torch.zeros(1, 2, 6, 3)
    assert multiply_adds(lambda: attention(q, k, v)) == 2 * 5 * 6 * (4 + 3)


def test_a_loop_costs_its_passes():
    net = nn.Linear(4, 4)
    once = multiply_adds(lambda: net(torch.zeros(2, 4)))
    assert multiply_adds(lambda: [net(torch.zeros(2, 4)) for _ in range(7)]) == 7 * once


def test_four_times_the_places_cost_four_times_the_convolution():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1))
    small, large = (multiply_adds(lambda s=s: net(torch.zeros(1, 3, s, s))) for s in (8, 16))
    assert large == 4 * small


def test_a_count_leaves_the_result_alone():
    net, seen = nn.Linear(3, 2), []
    x = torch.ones(1, 3)
    multiply_adds(lambda: seen.append(net(x)))
    torch.testing.assert_close(seen[0], net(x))
