"""Passes are counted, whatever the network is made of and however large the batch."""

import pytest
import torch
from torch import nn

from genlab.metrics.passes import network_passes


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))


@pytest.mark.parametrize("times", [0, 1, 7])
def test_a_network_used_k_times_counts_k(times):
    net = network()
    assert network_passes(net, lambda: [net(torch.zeros(5, 2)) for _ in range(times)]) == times


def test_the_size_of_the_batch_does_not_matter():
    net = network()
    assert network_passes(net, lambda: net(torch.zeros(1, 2))) == 1
    assert network_passes(net, lambda: net(torch.zeros(999, 2))) == 1


def test_a_chain_of_different_networks_is_one_pass():
    net = nn.ModuleList([network(), network()])
    assert network_passes(net, lambda: net[1](net[0](torch.zeros(1, 2)))) == 1


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


def test_hooks_are_gone_afterwards_even_after_an_error():
    net = network()
    with pytest.raises(RuntimeError):
        network_passes(net, lambda: net(torch.zeros(1, 3)))
    assert not any(m._forward_hooks for m in net.modules())


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="Tanh has no layer"):
        network_passes(nn.Tanh(), lambda: None)
