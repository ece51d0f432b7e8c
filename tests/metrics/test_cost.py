"""Passes are counted, whatever the network is made of and however large the batch."""

import itertools

import pytest
import torch
from torch import nn

from genlab.metrics.cost import Passes, multiply_adds, network_passes, read_positions


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))


def test_the_busiest_network_decides():
    net = nn.ModuleList([network(), network()])

    def run():
        net[0](torch.zeros(1, 2))
        for _ in range(3):
            net[1](torch.zeros(1, 2))

    assert network_passes(net, run) == 3


def test_blocks_whose_weights_are_used_indirectly_are_counted():
    class Twice(nn.Module):  # uses a weight without calling the layer that holds it
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            return x @ (2 * self.linear.weight)

    net = nn.Sequential(Twice())
    assert network_passes(net, lambda: net(net(torch.zeros(1, 2)))) == 2


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (nn.Linear(5, 7), (3, 5), 3 * 5 * 7),
        (nn.Conv2d(2, 4, 3, padding=1), (1, 2, 6, 6), 36 * 2 * 4 * 9),
        (nn.Conv2d(2, 4, 4, stride=2, padding=1), (1, 2, 6, 6), 9 * 2 * 4 * 16),
        (nn.SiLU(), (3, 5), 0),
    ],
)
def test_a_layer_costs_what_its_formula_says(layer, shape, count):
    assert multiply_adds(lambda: layer(torch.zeros(shape, dtype=torch.float32))) == count


@pytest.mark.parametrize("times", [0, 1, 7])
def test_a_network_used_k_times_counts_k_whatever_the_batch(times):
    net = network()
    for size in (1, 99):
        run = lambda size=size: [net(torch.zeros(size, 2)) for _ in range(times)]
        assert network_passes(net, run) == times


def test_condition_and_time_are_not_taken_for_the_output():
    assert read_positions(torch.zeros(2, dtype=torch.long), (1, 8, 8)) is None  # labels
    assert read_positions(torch.zeros(2, 32), (1, 8, 8)) is None  # an embedded time
    assert read_positions(torch.zeros(2, 16, 4, 4), (1, 8, 8)) is None  # a lower level
    assert read_positions(torch.zeros(2, 3, 8, 16, 16), (3, 8, 16, 16)).shape == (2, 6144)
    assert read_positions(torch.zeros(2, 32), (4,)) is not None


def test_a_layer_that_takes_positions_for_rows_adds_no_evaluations():
    two = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    log = Passes(two, (2,), itertools.count())
    two[0](torch.zeros(3, 2)), two[1](torch.zeros(12, 2))
    assert log.evaluations(3) == 1
