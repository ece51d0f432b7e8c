"""Passes are counted, whatever the network is made of and however large the batch."""

import itertools
import math

import pytest
import torch
from torch import nn

from genlab.metrics.cost import Passes, multiply_adds, network_passes, new_positions, read_positions


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
    assert read_positions(torch.zeros(2, 16, 8, 8), (1, 8, 8)).shape == (2, 1024)
    assert read_positions(torch.zeros(2, 3, dtype=torch.long), (4,)).shape == (2, 3)  # tokens
    assert read_positions(torch.zeros(2, 64), (1, 8, 8)).shape == (2, 64)
    assert read_positions(torch.zeros(2, 32), (4,)) is not None
    assert read_positions(torch.zeros(2, 4), (4,)) is not None
    for other in (torch.zeros(2, 3), torch.zeros(2, 4, 4), torch.zeros(4), "a word"):
        assert read_positions(other, (4,)) is None


def test_a_layer_that_takes_positions_for_rows_adds_no_evaluations():
    two = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    log = Passes(two, (2,), itertools.count())
    two[0](torch.zeros(3, 2)), two[1](torch.zeros(12, 2))
    assert log.evaluations(3) == 1


def test_new_positions_are_those_that_changed_and_those_that_were_added():
    before = torch.tensor([[1, 2], [3, 4]])
    assert new_positions(before, torch.tensor([[1, 5], [6, 7]])) == 1.5  # one and two
    assert new_positions(before, torch.tensor([[1, 5, 0], [6, 7, 0]])) == 2.5
    assert new_positions(before, before) == 0.0
    # a cache or another batch: all that is read is new
    assert new_positions(before, before[:1]) == 2.0
    assert (
        new_positions(before, before[:, :1]) == new_positions(before[:, :1], before[:, :1]) == 1.0
    )


def test_the_share_is_what_a_pass_changes_in_the_first_layer_that_sees_a_change():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    log = Passes(net, (4,), itertools.count())
    x = torch.zeros(2, 4)
    assert math.isnan(share_after(log, net, x))
    assert share_after(log, net, x) == 1.0  # nothing has changed: all is computed again
    x[:, 1] = 1.0  # written in place: what was shown before must have been kept
    assert share_after(log, net, x) == 1 / 4
    x[:, :2] = 2.0
    assert share_after(log, net, x) == (1 / 4 + 2 / 4) / 2
    assert log.passes == 4


def share_after(log, net, x):
    net(x)
    return log.share()


def test_evaluations_are_rows_for_each_sample_and_a_clock_orders_networks():
    clock, first, second = itertools.count(), nn.Linear(2, 2), nn.Linear(2, 2)
    log, other = Passes(first, (2,), clock), Passes(second, (2,), clock)
    first(torch.zeros(3, 2)), second(torch.zeros(1, 2)), first(torch.zeros(9, 2))
    assert log.evaluations(3) == 4  # twice, the second time with three guesses for each
    assert (log.times, other.times) == ([0, 2], [1])
    second(input=torch.zeros(1, 2))  # by keyword: counted as a pass, its rows are not seen
    assert (other.passes, other.evaluations(1)) == (2, 0)
    with pytest.raises(ValueError, match="no layer with parameters"):
        Passes(nn.Tanh(), (2,), clock)
