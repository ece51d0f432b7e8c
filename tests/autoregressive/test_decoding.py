"""Cached = uncached, token for token; reshaped draws; texts that stop; costs, counted."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from genlab.autoregressive.decoding import (
    apply_temperature,
    cache_numbers,
    cached_cost,
    draw,
    generate_cached,
    generate_naive,
    keep_top_k,
    keep_top_p,
    multiplications,
    naive_cost,
    reshape_logits,
    used,
    write_until,
)
from genlab.core import last
from genlab.nn.transformer import Transformer, TransformerConfig


def small(n_kv_head=1):
    torch.manual_seed(0)
    net = Transformer(7, TransformerConfig(d_model=16, n_head=4, n_kv_head=n_kv_head, d_hidden=16))
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(10 if p.ndim > 1 else 1)
    return net


@pytest.mark.parametrize("n_kv_head", [1, 2, 4])
@pytest.mark.parametrize("settings_", [{}, {"temperature": 0.7, "top_k": 4}, {"top_p": 0.8}])
def test_cached_generation_equals_naive_token_for_token(n_kv_head, settings_):
    net, prompt = small(n_kv_head), torch.tensor([[1, 2, 3], [4, 5, 6]])

    def reshape(logits):
        return reshape_logits(logits, **settings_)

    draws = [torch.Generator().manual_seed(5) for _ in range(2)]
    naive = list(generate_naive(net, prompt, 20, reshape=reshape, generator=draws[0]))
    cached = list(generate_cached(net.extend, prompt, 20, reshape=reshape, generator=draws[1]))
    assert len(naive) == len(cached) == 20
    assert not cached[-1].requires_grad
    for a, b in zip(naive, cached, strict=True):
        assert torch.equal(a, b)


def test_cached_generation_reads_every_token_once_and_naive_generation_everything_again():
    read, prompt = [], torch.zeros(2, 5, dtype=torch.int64)

    def logits_of(tokens):
        read.append(tokens.shape[1])
        return torch.zeros(*tokens.shape, 3)

    last(generate_cached(lambda tokens, cache: (logits_of(tokens), cache), prompt, 4))
    last(generate_naive(logits_of, prompt, 4))
    assert read == [5, 1, 1, 1, 5, 6, 7, 8]


def test_generated_sequences_follow_the_model(generator):
    table, prompt = torch.tensor([[0.9, 0.1], [0.4, 0.6]]), torch.zeros(20_000, 1).long()
    x = last(generate_naive(lambda t: table[t].log(), prompt, 2, generator=generator))
    found = (x[:, 2] == 1).double().mean().item()
    truth = 0.9 * 0.1 + 0.1 * 0.6
    assert abs(found - truth) < 5 * (truth * (1 - truth) / 20_000) ** 0.5  # Monte Carlo


PROBS = torch.tensor([[0.1, 0.4, 0.3, 0.2]], dtype=torch.float64)


def kept(logits):
    return (logits > -torch.inf)[0].nonzero().flatten().tolist()


def test_temperature_raises_probabilities_to_a_power():
    got = apply_temperature(PROBS.log(), 0.5).softmax(-1)
    torch.testing.assert_close(got, PROBS**2 / (PROBS**2).sum())


@pytest.mark.parametrize(
    ("k", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k_keeps_the_k_most_likely(k, expected):
    assert kept(keep_top_k(PROBS.log(), k)) == expected


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k_keeps_exactly_k_of_equal_tokens_the_first(k):
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 1.0, 2.0, 1.0]])
    order = [[0, 1, 2, 3, 4], [1, 3, 0, 2, 4]]
    found = keep_top_k(logits, k)
    for row, first in zip(found, order, strict=True):
        assert row.isfinite().nonzero()[:, 0].tolist() == sorted(first[:k])
    assert torch.equal(found[found.isfinite()], logits[found.isfinite()])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), p=st.floats(0.05, 0.99))
def test_the_nucleus_is_the_smallest_set_that_reaches_p(seed, p):
    logits = 2 * torch.randn(1, 9, generator=torch.Generator().manual_seed(seed)).double()
    probs = logits.softmax(-1)[0]
    inside = kept(keep_top_p(logits, p))
    mass = probs[inside].sum()
    assert mass >= p - 1e-12
    assert mass - probs[inside].min() < p + 1e-12
    assert set(inside) == set(probs.topk(len(inside)).indices.tolist())
    q = keep_top_p(logits, p).softmax(-1)[0, inside]
    torch.testing.assert_close(q, probs[inside] / mass)  # what is kept keeps its proportions


def test_filters_act_after_the_temperature():
    # at temperature 0.5 the two likeliest hold 0.25 / 0.30 of the mass, enough for p = 0.8
    assert kept(reshape_logits(PROBS.log(), temperature=0.5, top_p=0.8)) == [1, 2]
    assert kept(reshape_logits(PROBS.log(), top_p=0.8)) == [1, 2, 3]


def test_draws_follow_the_probabilities():
    # on an even grid of u, the proportion of each token is its probability up to one grid step
    n = 1000
    u = (torch.arange(n) + 0.5) / n
    found = draw(PROBS.log().expand(n, -1), u).bincount(minlength=4) / n
    torch.testing.assert_close(found, PROBS[0], atol=1 / n, rtol=0)


@pytest.mark.parametrize("u", [0.0, 1 - 1e-16])
def test_a_forbidden_token_is_never_drawn(u):
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]])
    assert draw(logits, torch.tensor([u])).item() in (1, 2)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="temperature"):
        apply_temperature(PROBS, 0.0)
    with pytest.raises(ValueError, match="top_k"):
        keep_top_k(PROBS, 0)
    for p in (0.0, 1.5):
        with pytest.raises(ValueError, match="top_p"):
            keep_top_p(PROBS, p)


CONFIG = TransformerConfig(d_model=16, n_layer=3, n_head=4, n_kv_head=2, d_hidden=24)


def counted(run):
    """Multiplications of all matrix products in `run`: PyTorch counts two operations for each."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


GPT2 = dataclasses.replace(CONFIG, n_kv_head=4, gpt2=True, n_positions=9)


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


def test_the_cache_holds_what_the_formula_says():
    net = Transformer(11, CONFIG)
    _, cache = net.extend(torch.zeros(1, 9, dtype=torch.int64))
    assert sum(kv.k.numel() + kv.v.numel() for kv in cache) == cache_numbers(CONFIG, 9)


STOP, PAD = 4, 0


@pytest.fixture
def net():
    net = Transformer(6, TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2))
    for p in net.parameters():
        p.data += 0.2 * torch.randn_like(p)  # so that words matter
    return net.eval()


def reader(net):
    return lambda tokens, cache: net.body(net.embedding(tokens), cache)


def written(net, prompt, n_new, **options):
    return list(write_until(reader(net), net.head, prompt, n_new, stop=STOP, **options))


def test_until_it_stops_it_draws_what_the_plain_loop_draws(net):
    prompt = torch.tensor([[1, 2], [3, 5], [2, 2]])
    plain = last(generate_naive(net, prompt, 8, generator=torch.Generator().manual_seed(1)))
    found = written(net, prompt, 8, generator=torch.Generator().manual_seed(1))[-1]
    kept = used(plain, STOP)[:, : found.tokens.shape[1]]
    assert torch.equal(found.tokens, plain[:, : kept.shape[1]].masked_fill(~kept, PAD))


@pytest.mark.parametrize("prompt", [torch.zeros(2, 0, dtype=torch.int64), [[1, STOP, 2]]])
def test_a_prompt_that_is_empty_or_has_already_stopped_is_refused(net, prompt):
    with pytest.raises(ValueError, match="at least one token, and none that stops"):
        written(net, torch.as_tensor(prompt), 3)


def test_the_states_are_those_of_one_pass_over_the_finished_text(net, generator):
    prompt = torch.tensor([[1, 2], [3, 5], [2, 2], [5, 1]])
    found = written(net, prompt, 8, generator=generator)[-1]
    whole = net.hidden(found.tokens)
    mine = used(found.tokens, STOP)
    assert not bool(mine.all())  # some text has ended early
    torch.testing.assert_close(found.states[mine], whole[mine])
    assert bool((found.states[~mine] == 0).all())
