"""The transformer decoder: causality, the cache, its parts."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.nn.transformer import (
    GELUMLP,
    RMSNorm,
    SwiGLU,
    Transformer,
    TransformerBody,
    TransformerConfig,
    rms_norm,
)

SMALL = TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2, d_hidden=24)


def make(config=SMALL, n_tokens=7):
    torch.manual_seed(0)
    net = Transformer(n_tokens, config).double()
    with torch.no_grad():  # large weights, so that attention is far from uniform
        for p in net.parameters():
            p.mul_(10 if p.ndim > 1 else 1)
    return net.eval()


def test_rms_norm_has_mean_square_one_and_keeps_the_direction():
    x = torch.randn(5, 9)
    y = rms_norm(x, torch.ones(9), 0.0)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(5))
    torch.testing.assert_close(F.cosine_similarity(x, y), torch.ones(5))


def test_rms_norm_of_zero_is_zero():
    assert torch.equal(RMSNorm(4, 1e-6)(torch.zeros(4)), torch.zeros(4))


def test_swiglu_with_a_closed_gate_is_zero():
    mlp = SwiGLU(4, 6)
    torch.nn.init.constant_(mlp.w_1.weight, -50.0)  # the gate: SiLU(-50) is about -1e-20
    assert mlp(torch.ones(3, 4)).abs().max() < 1e-15
    torch.nn.init.constant_(mlp.w_1.weight, 50.0)
    assert mlp(torch.ones(3, 4)).abs().max() > 1


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99), j=st.integers(0, 7), token=st.integers(0, 6))
def test_changing_a_token_leaves_the_logits_before_it(seed, j, token):
    torch.set_default_dtype(torch.float64)
    net = make()
    x = torch.randint(7, (1, 8), generator=torch.Generator().manual_seed(seed))
    y = x.clone()
    y[0, j] = token
    # masked weights are exactly zero, so equality is exact
    assert torch.equal(net(x)[:, :j], net(y)[:, :j])


def test_logits_depend_on_every_earlier_token():
    net = make()
    x = torch.zeros(1, 6, dtype=torch.int64)
    for j in range(6):
        y = x.clone()
        y[0, j] = 3
        assert (net(x) - net(y))[0, j:].abs().amax(-1).min() > 1e-6


def test_an_encoder_sees_the_future():
    net = make(TransformerConfig(d_model=16, n_head=4, n_kv_head=2, causal=False))
    x = torch.zeros(1, 6, dtype=torch.int64)
    y = x.clone()
    y[0, -1] = 3
    assert (net(x) - net(y))[0, 0].abs().max() > 1e-6


@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(1, 11), max_size=4, unique=True))
def test_the_cache_gives_the_same_logits_however_the_sequence_is_cut(cuts):
    torch.set_default_dtype(torch.float64)
    net = make()
    x = torch.randint(7, (2, 12), generator=torch.Generator().manual_seed(1))
    cache, parts = (), []
    for piece in torch.tensor_split(x, sorted(cuts), dim=1):
        logits, cache = net.extend(piece, cache)
        parts.append(logits)
    # the same products in another order of summation: rounding of float64
    torch.testing.assert_close(torch.cat(parts, dim=1), net(x), atol=1e-10, rtol=1e-10)


def test_positions_matter():
    net = make()
    x = torch.tensor([[1, 2, 3]])
    assert (net(x)[0, -1] - net(x[:, [1, 0, 2]])[0, -1]).abs().max() > 1e-6


def test_hidden_states_give_the_logits_through_the_head():
    net = make()
    x = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(net.head(net.hidden(x)), net(x))


def test_a_cache_without_causality_is_refused():
    body = TransformerBody(TransformerConfig(d_model=8, n_head=2, n_kv_head=2, causal=False))
    _, cache = body(torch.zeros(1, 2, 8))
    with pytest.raises(ValueError, match="causal"):
        body(torch.zeros(1, 1, 8), cache)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    net = Transformer(5, TransformerConfig(dropout=0.5))
    x = torch.tensor([[1, 2, 3]])
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


GPT2 = dataclasses.replace(
    SMALL, n_kv_head=4, n_positions=12, layer_norm=True, gelu=True, bias=True, tied=True
)


def test_a_gpt2_is_causal_and_its_cache_continues_the_positions():
    net = make(GPT2)
    x = torch.randint(7, (2, 12))
    y = x.clone()
    y[:, 6] = (y[:, 6] + 1) % 7
    assert torch.equal(net(x)[:, :6], net(y)[:, :6])
    first, cache = net.extend(x[:, :5])
    second, _ = net.extend(x[:, 5:], cache)
    torch.testing.assert_close(torch.cat([first, second], dim=1), net(x), atol=1e-10, rtol=1e-10)


def test_learned_positions_end_with_their_table():
    net = make(GPT2)
    _, cache = net.extend(torch.zeros(1, 12, dtype=torch.int64))
    with pytest.raises(ValueError, match="13 tokens, but only 12 positions"):
        net.extend(torch.zeros(1, 1, dtype=torch.int64), cache)


def test_learned_positions_replace_the_rotation():
    """One block, the table at zero: an average does not know in which order it was taken.

    (With two blocks it does, for the mask lets token 2 see token 1, and not the other way.)
    """
    net = make(dataclasses.replace(GPT2, n_layer=1))
    torch.nn.init.zeros_(net.positions.weight)
    x = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(net(x)[0, -1], net(x[:, [1, 0, 2]])[0, -1])


def test_a_tied_head_is_the_embedding():
    net = make(GPT2)
    assert net.head.weight is net.embedding.weight
    x = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(net(x), net.hidden(x) @ net.embedding.weight.T)


def test_the_fused_kernel_gives_the_same_logits_and_the_same_cache():
    x = torch.randint(7, (2, 9))
    plain, fused = make(), make(dataclasses.replace(SMALL, fused=True))
    fused.load_state_dict(plain.state_dict())
    torch.testing.assert_close(fused(x), plain(x), atol=1e-10, rtol=1e-10)
    _, cache = fused.extend(x[:, :4])
    torch.testing.assert_close(
        fused.extend(x[:, 4:], cache)[0], plain(x)[:, 4:], atol=1e-10, rtol=1e-10
    )


def test_gelu_mlp_by_its_formula():
    mlp = GELUMLP(3, 3)
    with torch.no_grad():
        for layer in (mlp.w_1, mlp.w_2):
            layer.weight.copy_(torch.eye(3))
            layer.bias.zero_()
    x = torch.tensor([-1.0, 0.5, 2.0])
    inner = (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)
    torch.testing.assert_close(mlp(x), x / 2 * (1 + torch.tanh(inner)))
