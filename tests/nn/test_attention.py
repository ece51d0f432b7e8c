"""Attention by hand and by torch's kernel, masks, heads, and attention to another sequence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.nn.attention import (
    CrossAttention,
    SelfAttention,
    attention,
    attention_weights,
    causal_mask,
    join_heads,
    split_heads,
)


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
@pytest.mark.parametrize("n_past", [1, 2, 3])
def test_a_causal_layer_goes_on_from_a_past_as_if_it_read_the_whole(n_past, fused):
    layer, x = SelfAttention(8, 2, 1, fused=fused, causal=True), torch.randn(2, 4, 8)
    whole, _ = layer(x, None, None)
    begun, past = layer(x[:, :n_past], None, None)
    ended, _ = layer(x[:, n_past:], None, None, past)
    torch.testing.assert_close(torch.cat([begun, ended], dim=1), whole)


@pytest.mark.parametrize("fused", [False, True])
def test_a_mask_takes_the_place_of_a_layers_own(fused):
    layer, x = SelfAttention(8, 2, 2, fused=fused, causal=True), torch.randn(2, 4, 8)
    open_layer = SelfAttention(8, 2, 2, fused=fused)
    open_layer.load_state_dict(layer.state_dict())
    everything = torch.ones(4, 4, dtype=torch.bool)
    torch.testing.assert_close(layer(x, None, everything)[0], open_layer(x, None, None)[0])


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


def test_heads_are_joined_whatever_axes_stand_before():
    h = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(join_heads(h)[1], join_heads(h[1]))
