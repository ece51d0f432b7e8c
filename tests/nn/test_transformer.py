"""The cache gives what reading everything gives; attention, masks, norms, the text encoder."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.nn.transformer import (
    CrossAttention,
    FeedForward,
    NoCaption,
    RMSNorm,
    SelfAttention,
    TextEncoder,
    Transformer,
    TransformerConfig,
    attention,
    attention_weights,
    causal_mask,
    join_heads,
    rms_norm,
    split_heads,
)

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


@settings(deadline=None, max_examples=20)
@given(n_query=st.integers(1, 6), n_past=st.integers(0, 6))
def test_a_query_sees_exactly_the_keys_up_to_its_own_position(n_query, n_past):
    mask = causal_mask(n_query, n_past + n_query)
    for i in range(n_query):
        assert mask[i].nonzero().flatten().tolist() == list(range(n_past + i + 1))


def test_two_keys_give_the_logistic_function_of_the_scaled_difference():
    q, k = torch.randn(1, 1, 1, 5), torch.randn(1, 1, 2, 5)
    difference = ((k[0, 0, 0] - k[0, 0, 1]) * q[0, 0, 0]).sum() / 5**0.5
    torch.testing.assert_close(attention_weights(q, k)[0, 0, 0, 0], torch.sigmoid(difference))


def test_grouped_queries_share_neighbouring_heads():
    q, k, v = torch.randn(1, 4, 3, 2), torch.randn(1, 2, 3, 2), torch.randn(1, 2, 3, 2)
    out = attention(q, k, v)
    for head in range(4):
        alone = attention(q[:, [head]], k[:, [head // 2]], v[:, [head // 2]])
        torch.testing.assert_close(out[:, [head]], alone)


@pytest.mark.parametrize(("n_group", "n_query", "n_key"), [(4, 5, 5), (2, 3, 7), (1, 1, 6)])
def test_the_fused_kernel_equals_the_plain_one_and_has_its_gradient(n_group, n_query, n_key):
    shapes = ((2, 4, n_query, 3), (2, n_group, n_key, 3), (2, n_group, n_key, 5))
    inputs = [torch.randn(s, requires_grad=True) for s in shapes]
    mask = causal_mask(n_query, n_key)
    plain, fused = attention(*inputs, mask), attention(*inputs, mask, fused=True)
    torch.testing.assert_close(fused, plain)
    direction = torch.randn_like(plain)
    of = [torch.autograd.grad((out * direction).sum(), inputs) for out in (plain, fused)]
    torch.testing.assert_close(*of)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("n_query", "n_key"), [(4, 4), (2, 5), (1, 3)])
def test_causal_stands_for_the_mask_of_that_name_whatever_came_before(fused, n_query, n_key):
    q, k, v = torch.randn(2, 2, n_query, 3), *torch.randn(2, 2, 2, n_key, 3)
    masked = attention(q, k, v, causal_mask(n_query, n_key))
    torch.testing.assert_close(attention(q, k, v, fused=fused, causal=True), masked)


@pytest.mark.parametrize("fused", [False, True])
def test_the_first_query_without_a_key_is_named_and_shapes_alone_are_not_asked(fused):
    q, k, v = torch.randn(3, 1, 2, 3, 4)
    mask = torch.tensor([[True, False, False], [False] * 3, [False] * 3])
    with pytest.raises(ValueError, match="query 1 without a key"):
        attention(q, k, v, mask, fused=fused)
    empty = attention(q.to("meta"), k.to("meta"), v.to("meta"), mask.to("meta"), fused=fused)
    assert empty.shape == (1, 2, 3, 4)


@pytest.mark.parametrize("fused", [False, True])
def test_causal_and_another_mask_exclude_each_other(fused):
    q, mask = torch.zeros(1, 1, 2, 4), torch.ones(2, 3, dtype=torch.bool)
    k = torch.zeros(1, 1, 3, 4)
    with pytest.raises(ValueError, match="exclude each other"):
        attention(q, k, k, mask, fused=fused, causal=True)


def test_heads_are_cut_and_joined_and_must_divide():
    x = torch.randn(2, 5, 12)
    assert torch.equal(join_heads(split_heads(x, 3)), x)
    with pytest.raises(ValueError, match="5 heads do not divide 12"):
        split_heads(x, 5)
    with pytest.raises(ValueError, match="0 heads do not divide 12"):
        split_heads(x, 0)
    assert torch.equal(split_heads(x, 1)[:, 0], x)
    with pytest.raises(ValueError, match="2 key-value heads do not divide 3"):
        attention(torch.zeros(1, 3, 1, 2), torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2))


def test_cross_attention_ignores_the_order_of_the_context_and_copies_of_one_state():
    layer = CrossAttention(8, 6, n_head=2)
    x, context = torch.randn(2, 3, 8), torch.randn(2, 5, 6)
    torch.testing.assert_close(layer(x, context), layer(x, context.flip(1)))
    torch.testing.assert_close(layer(x, context[:, :1]), layer(x, context[:, :1].repeat(1, 6, 1)))


def test_rms_norm_has_mean_square_one_and_keeps_the_direction():
    x = torch.randn(5, 9)
    y = rms_norm(x, torch.ones(9), 0.0)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(5))
    torch.testing.assert_close(F.cosine_similarity(x, y), torch.ones(5))
    assert torch.equal(RMSNorm(4, 1e-6)(torch.zeros(4)), torch.zeros(4))


def test_layers_of_llama_have_no_biases_and_those_of_gpt2_have():
    for layer in (CrossAttention(8, 6, 2), SelfAttention(8, 2, 2), FeedForward(4, 6), make()):
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
    mlp = FeedForward(4, 6)
    torch.nn.init.constant_(mlp.w_1.weight, -50.0)  # the gate: SiLU(-50) is about -1e-20
    assert mlp(torch.ones(3, 4)).abs().max() < 1e-15
    torch.nn.init.constant_(mlp.w_1.weight, 50.0)
    assert mlp(torch.ones(3, 4)).abs().max() > 1


def test_gelu_mlp_by_its_formula():
    mlp = FeedForward(3, 3, gpt2=True)
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


def encoder():
    torch.manual_seed(0)
    return TextEncoder(11, 3, d=8, n_layer=1, n_head=2).eval()


def test_order_matters_every_word_sees_every_other_one_and_captions_do_not_mix():
    net, rows = encoder(), torch.tensor([[1, 2, 3], [2, 1, 3], [1, 2, 4]])
    states = net(rows)
    assert not torch.allclose(states[0, 2], states[1, 2])
    assert not torch.allclose(states[0, 0], states[2, 0])  # a causal body would not see the last
    torch.testing.assert_close(states[:1], net(rows[:1]))


def test_a_word_and_its_position_are_added_and_zero_embeddings_give_zero():
    net, rows = encoder(), torch.tensor([[1, 2, 3]])
    net.positions.data.copy_(-net.words(rows[0]))
    assert torch.equal(net(rows), torch.zeros(1, 3, 8))  # no layer has a bias
    assert not torch.equal(net(rows.flip(1)), torch.zeros(1, 3, 8))


def test_an_encoders_inner_layer_is_twice_as_wide_as_its_stream():
    assert TextEncoder(11, 3, d=8).body.blocks[0].mlp.w_1.weight.shape == (16, 8)
    wide = TextEncoder(11, 3)
    assert (wide.d, len(wide.body.blocks), wide.body.config.n_head) == (64, 1, 4)


def test_hidden_captions_are_all_alike_and_the_others_are_left_alone():
    torch.manual_seed(0)
    states, nothing = torch.randn(3, 4, 8), NoCaption(8)
    torch.nn.init.normal_(nothing.state)
    seen = nothing(states, torch.tensor([True, False, True]))
    torch.testing.assert_close(seen[[0, 2]], nothing.state.expand(2, 4, 8))
    torch.testing.assert_close(seen[1], states[1])


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


def test_heads_are_joined_whatever_axes_stand_before():
    h = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(join_heads(h)[1], join_heads(h[1]))
