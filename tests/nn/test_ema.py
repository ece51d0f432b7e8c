"""Averaged weights: a hand-made average, the warm-up, and that averaging removes jitter."""

import math

import pytest
import torch
from torch import nn

from genlab.nn.ema import EMA, ema_decay


def number(value):
    """A module with one weight."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_average_is_the_geometrically_weighted_sum_of_the_past():
    decay, values = 0.8, [1.0, -2.0, 0.5, 3.0, 7.0, -1.0]
    ema = EMA(number(4.0), decay)
    for value in values:
        ema.update(number(value))
    # Unroll the recursion: each value's weight is (1 - d_k) times the later shares kept.
    keeps = [min(decay, (1 + k) / (10 + k)) for k in range(len(values))]
    expected = 4.0 * math.prod(keeps)
    for k, value in enumerate(values):
        expected += (1 - keeps[k]) * math.prod(keeps[k + 1 :]) * value
    assert abs(ema.average.weight.item() - expected) < 1e-12


def test_average_of_a_constant_is_that_constant():
    ema = EMA(number(2.5), 0.99)
    for _ in range(20):
        ema.update(number(2.5))
    assert abs(ema.average.weight.item() - 2.5) < 1e-12


def test_the_random_start_is_forgotten_early():
    with_warm_up, without = EMA(number(100.0), 0.999), 100.0
    for _ in range(100):
        with_warm_up.update(number(0.0))
        without *= 0.999
    assert with_warm_up.average.weight.item() < 1e-6 < 90 < without


def test_averaging_shrinks_the_jitter_by_the_known_factor(generator):
    decay, n = 0.9, 20_000
    ema, shaky, seen = EMA(number(0.0), decay), number(0.0), []
    for value in torch.randn(n, generator=generator):
        nn.init.constant_(shaky.weight, value.item())
        ema.update(shaky)
        seen.append(ema.average.weight.item())
    variance = torch.tensor(seen[200:]).var().item()
    # Independent values of variance 1: the average has variance (1 - d) / (1 + d); its estimate
    # from n correlated values is good to about 5 sqrt(2 (1 + d) / (1 - d) / n) of itself.
    expected = (1 - decay) / (1 + decay)
    assert abs(variance / expected - 1) < 5 * math.sqrt(2 * (1 + decay) / (1 - decay) / n)


def test_the_average_is_ready_to_sample_and_the_original_keeps_training():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    ema = EMA(net, 0.9)
    assert not ema.average.training
    assert net.training
    assert not any(p.requires_grad for p in ema.average.parameters())
    assert all(p.requires_grad for p in net.parameters())


def test_whole_number_buffers_are_copied():
    net = nn.BatchNorm1d(2)
    ema = EMA(net, 0.9)
    net.train()(torch.randn(4, 2))
    ema.update(net)
    assert ema.average.num_batches_tracked.item() == 1


def test_copying_back_gives_the_module_the_average():
    ema, net = EMA(number(1.0), 0.5), number(0.0)
    ema.update(net)
    ema.copy_to(net)
    torch.testing.assert_close(net.weight, torch.tensor([[0.1]]))
    assert net.weight.requires_grad


def test_impossible_decays_are_refused():
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\), got 1"):
        EMA(number(0.0), 1.0)
    with pytest.raises(ValueError, match="step must be at least 0, got -1"):
        ema_decay(-1, 0.9)


def test_an_average_goes_on_from_where_it_was_stored():
    whole, first, second = (EMA(number(4.0), 0.9) for _ in range(3))
    values = [1.0, -2.0, 0.5, 3.0]
    for k, value in enumerate(values):
        whole.update(number(value))
        if k == 2:
            second.load_state_dict(first.state_dict())
        (first if k < 2 else second).update(number(value))
    torch.testing.assert_close(second.average.weight, whole.average.weight, rtol=0, atol=0)
    assert second.n_updates == 4


def test_a_tied_weight_is_averaged_once():
    """Its two names in the state are one tensor: moving it twice would forget twice as fast."""
    pair = nn.ModuleList([number(0.0), number(0.0)])
    pair[1].weight = pair[0].weight
    ema = EMA(pair, 0.5)
    nn.init.ones_(pair[0].weight)
    ema.update(pair)
    assert abs(ema.average[1].weight.item() - 0.9) < 1e-12  # the first update keeps a tenth
