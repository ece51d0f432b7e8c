"""The cost of decoding, counted: against PyTorch's own counter, and the shape of the loops."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from genlab.autoregressive.decoding import generate_cached, generate_naive
from genlab.autoregressive.kv_cache import cache_numbers, cached_cost, multiplications, naive_cost
from genlab.core import last
from genlab.nn.transformer import Transformer, TransformerConfig

CONFIG = TransformerConfig(d_model=16, n_layer=3, n_head=4, n_kv_head=2, d_hidden=24)


def counted(run):
    """Multiplications of all matrix products in `run`: PyTorch counts two operations for each."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


GPT2 = dataclasses.replace(CONFIG, n_kv_head=4, gelu=True, layer_norm=True, n_positions=9)


@pytest.mark.parametrize("config", [CONFIG, GPT2], ids=["llama", "gpt2"])
@pytest.mark.parametrize(("n_past", "n_new"), [(0, 1), (0, 7), (5, 1), (5, 3)])
def test_the_formula_counts_what_pytorch_counts(config, n_past, n_new):
    net = Transformer(11, config)
    x = torch.zeros(1, n_past + n_new, dtype=torch.int64)
    cache = net.extend(x[:, :n_past])[1] if n_past else ()
    got = counted(lambda: net.extend(x[:, n_past:], cache))
    assert got == multiplications(config, 11, n_new, n_past)


def test_the_totals_are_those_of_the_loops():
    net, prompt = Transformer(11, CONFIG), torch.zeros(1, 4, dtype=torch.int64)
    naive = counted(lambda: last(generate_naive(net, prompt, 6)))
    cached = counted(lambda: last(generate_cached(net.extend, prompt, 6)))
    assert naive == sum(naive_cost(CONFIG, 11, 4, 6))
    assert cached == sum(cached_cost(CONFIG, 11, 4, 6))


def test_the_first_token_costs_the_same_with_and_without_a_cache():
    assert cached_cost(CONFIG, 11, 9, 1) == naive_cost(CONFIG, 11, 9, 1)


def test_with_a_cache_each_token_adds_the_same_small_amount():
    cost = cached_cost(CONFIG, 11, 1, 50)
    steps = {b - a for a, b in pairwise(cost[1:])}
    assert steps == {2 * CONFIG.n_layer * CONFIG.d_model}  # one more pair per layer


def test_without_a_cache_the_total_grows_with_the_cube():
    def total(n):
        return sum(naive_cost(CONFIG, 11, 1, n))

    # pairs dominate for long texts: doubling the length multiplies the total by nearly 8
    assert 7.5 < total(16_000) / total(8_000) < 8


def test_the_cache_holds_what_the_formula_says():
    net = Transformer(11, CONFIG)
    _, cache = net.extend(torch.zeros(1, 9, dtype=torch.int64))
    assert sum(kv.k.numel() + kv.v.numel() for kv in cache) == cache_numbers(CONFIG, 9)


def test_negative_positions_are_refused():
    with pytest.raises(ValueError, match="n_new=-1"):
        multiplications(CONFIG, 11, -1)
