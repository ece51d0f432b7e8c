"""The cache gives what reading everything gives; norms, blocks of Llama and of GPT-2."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.nn.attention import CrossAttention, SelfAttention
from genlab.nn.transformer import GELUMLP, RMSNorm, SwiGLU, Transformer, TransformerConfig, rms_norm

LLAMA = TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2, d_hidden=24)
GPT2 = dataclasses.replace(LLAMA, n_kv_head=4, n_positions=12, gpt2=True, tied=True)
FUSED = dataclasses.replace(LLAMA, fused=True)
DECODERS = {"llama": LLAMA, "gpt2": GPT2, "fused": FUSED}


def make(config=LLAMA, n_tokens=7):
    torch.manual_seed(0)
    net = Transformer(n_tokens, config).double()
    with torch.no_grad():  # large weights, so that attention is far from uniform
        for p in net.parameters():
            p.mul_(10 if p.ndim > 1 else 1)
    return net.eval()


@pytest.mark.parametrize("name", DECODERS)
@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(1, 11), max_size=4, unique=True))
def test_the_cache_gives_the_same_logits_however_the_sequence_is_cut(name, cuts):
    torch.set_default_dtype(torch.float64)
    net = make(DECODERS[name])
    x = torch.randint(7, (2, 12), generator=torch.Generator().manual_seed(1))
    cache, parts = (), []
    for piece in torch.tensor_split(x, sorted(cuts), dim=1):
        logits, cache = net.extend(piece, cache)
        parts.append(logits)
    # the same products in another order of summation: rounding of float64
    torch.testing.assert_close(torch.cat(parts, dim=1), net(x), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", DECODERS)
@torch.no_grad()
def test_two_texts_may_go_on_from_one_cache_which_keeps_its_values(name):
    torch.set_default_dtype(torch.float64)
    net = make(DECODERS[name])
    x = torch.randint(7, (2, 12), generator=torch.Generator().manual_seed(1))
    y = torch.cat([x[:, :5], (x[:, 5:] + 1) % 7], 1)
    cache = net.extend(x[:, 3:5], net.extend(x[:, :3])[1])[1]
    for text in (x, y, x):  # one token at a time, in the memory that the first text has filled
        grown, parts = cache, []
        for j in range(5, 12):
            logits, grown = net.extend(text[:, [j]], grown)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, 1), net(text)[:, 5:], atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", DECODERS)
def test_logits_depend_on_every_earlier_token_and_on_no_later_one(name):
    net = make(DECODERS[name])
    x = torch.zeros(1, 6, dtype=torch.int64)
    for j in range(6):
        y = x.clone()
        y[0, j] = 3
        change = (net(x) - net(y))[0].abs().amax(-1)
        assert torch.equal(change[:j], torch.zeros(j))  # masked weights are exactly zero
        assert change[j:].min() > 1e-6


def test_rms_norm_has_mean_square_one_and_keeps_the_direction():
    x = torch.randn(5, 9)
    y = rms_norm(x, torch.ones(9), 0.0)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(5))
    torch.testing.assert_close(F.cosine_similarity(x, y), torch.ones(5))
    assert torch.equal(RMSNorm(4, 1e-6)(torch.zeros(4)), torch.zeros(4))


def test_layers_of_llama_have_no_biases_and_those_of_gpt2_have():
    for layer in (CrossAttention(8, 6, 2), SelfAttention(8, 2, 2), SwiGLU(4, 6), make()):
        assert not [name for name, _ in layer.named_parameters() if name.endswith("bias")]
    linear = [m for m in make(GPT2).body.modules() if isinstance(m, torch.nn.Linear)]
    assert all(m.bias is not None for m in linear)


def test_weights_start_small_and_biases_at_zero():
    net = Transformer(500, dataclasses.replace(GPT2, d_model=64, d_hidden=64))
    for m in net.modules():
        if isinstance(m, torch.nn.Linear | torch.nn.Embedding):
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.15)  # of 768 and more draws
            assert getattr(m, "bias", None) is None or not m.bias.any()


def test_swiglu_with_a_closed_gate_is_zero():
    mlp = SwiGLU(4, 6)
    torch.nn.init.constant_(mlp.w_1.weight, -50.0)  # the gate: SiLU(-50) is about -1e-20
    assert mlp(torch.ones(3, 4)).abs().max() < 1e-15
    torch.nn.init.constant_(mlp.w_1.weight, 50.0)
    assert mlp(torch.ones(3, 4)).abs().max() > 1


def test_gelu_mlp_by_its_formula():
    mlp = GELUMLP(3, 3)
    with torch.no_grad():
        for layer in (mlp.w_1, mlp.w_2):
            layer.weight.copy_(torch.eye(3))
            layer.bias.zero_()
    x = torch.tensor([-1.0, 0.5, 2.0])
    inner = (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)
    torch.testing.assert_close(mlp(x), x / 2 * (1 + torch.tanh(inner)))


def test_learned_positions_replace_the_rotation_and_end_with_their_table():
    """One block, the table at zero: an average does not know in which order it was taken.

    (With two blocks it does, for the mask lets token 2 see token 1, and not the other way.)
    """
    net = make(dataclasses.replace(GPT2, n_layer=1))
    torch.nn.init.zeros_(net.positions.weight)
    x = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(net(x)[0, -1], net(x[:, [1, 0, 2]])[0, -1])
    _, cache = net.extend(torch.zeros(1, 12, dtype=torch.int64))
    with pytest.raises(ValueError, match="13 tokens, but only 12 positions"):
        net.extend(torch.zeros(1, 1, dtype=torch.int64), cache)


def test_hidden_states_give_the_logits_through_the_head_which_may_be_the_embedding():
    net, x = make(GPT2), torch.tensor([[1, 2, 3]])
    assert net.head.weight is net.embedding.weight
    torch.testing.assert_close(net(x), net.hidden(x) @ net.embedding.weight.T)


@pytest.mark.parametrize("name", DECODERS)
@torch.no_grad()
def test_two_texts_that_grow_in_turn_do_not_write_into_each_other(name):
    torch.set_default_dtype(torch.float64)
    net = make(DECODERS[name])
    x = torch.randint(7, (2, 12), generator=torch.Generator().manual_seed(1))
    texts = x, torch.cat([x[:, :5], (x[:, 5:] + 1) % 7], 1)
    cache = net.extend(x[:, 3:5], net.extend(x[:, :3])[1])[1]
    grown = [cache, cache]
    for j in range(5, 12):
        for i, text in enumerate(texts):
            logits, grown[i] = net.extend(text[:, [j]], grown[i])
            torch.testing.assert_close(logits[:, 0], net(text)[:, j], atol=1e-10, rtol=1e-10)


@torch.no_grad()
def test_the_memory_doubles_and_is_not_copied_at_every_token():
    net, cache, rooms = make(), (), []
    for _ in range(32):
        cache = net.extend(torch.zeros(1, 1, dtype=torch.int64), cache)[1]
        rooms.append(cache[0].room)
    assert len({id(room) for room in rooms}) <= 6  # kept alive, so that no address comes twice


def test_a_text_read_in_inference_mode_goes_on_outside_it_and_one_row_is_not_many():
    net, tokens = make(), torch.zeros(2, 1, dtype=torch.int64)
    with torch.inference_mode():
        cache = net.extend(tokens, net.extend(tokens)[1])[1]
    with torch.no_grad():
        assert net.extend(tokens, cache)[1][0].k.shape[2] == 3
        with pytest.raises(ValueError, match=r"past .2, .*new .1, "):
            net.extend(tokens[:1], cache)
