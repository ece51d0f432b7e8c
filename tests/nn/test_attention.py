"""Attention: weights, masks, grouped queries, the cache."""

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
    fused_attention,
    join_heads,
    split_heads,
)
from genlab.nn.embedding import rope_angles


def test_equal_scores_average_the_visible_values():
    v = torch.randn(1, 1, 4, 3)
    out = attention(torch.zeros(1, 1, 4, 2), torch.randn(1, 1, 4, 2), v, causal_mask(4, 4))
    running_mean = v.cumsum(dim=2) / torch.arange(1, 5)[:, None]
    torch.testing.assert_close(out, running_mean)


def test_two_keys_give_the_logistic_function_of_the_scaled_difference():
    q, k = torch.randn(1, 1, 1, 5), torch.randn(1, 1, 2, 5)
    difference = ((k[0, 0, 0] - k[0, 0, 1]) * q[0, 0, 0]).sum() / 5**0.5
    assert float(attention_weights(q, k)[0, 0, 0, 0]) == pytest.approx(
        float(torch.sigmoid(difference)), abs=1e-14
    )


@settings(deadline=None, max_examples=20)
@given(n_query=st.integers(1, 6), n_past=st.integers(0, 6))
def test_a_query_sees_exactly_the_keys_up_to_its_own_position(n_query, n_past):
    mask = causal_mask(n_query, n_past + n_query)
    for i in range(n_query):
        assert mask[i].nonzero().flatten().tolist() == list(range(n_past + i + 1))


def test_more_queries_than_keys_are_refused():
    with pytest.raises(ValueError, match="3 queries and 2 keys"):
        causal_mask(3, 2)


def test_grouped_queries_share_neighbouring_heads():
    q, k, v = torch.randn(1, 4, 3, 2), torch.randn(1, 2, 3, 2), torch.randn(1, 2, 3, 2)
    out = attention(q, k, v)
    for head in range(4):
        alone = attention(q[:, [head]], k[:, [head // 2]], v[:, [head // 2]])
        torch.testing.assert_close(out[:, [head]], alone)


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="2 key-value heads do not divide 3"):
        attention(torch.zeros(1, 3, 1, 2), torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2))


def test_joining_undoes_splitting():
    x = torch.randn(2, 5, 12)
    assert torch.equal(join_heads(split_heads(x, 3)), x)


def test_the_cache_holds_one_key_per_group_and_position():
    layer = SelfAttention(8, n_head=4, n_kv_head=2)
    x = torch.randn(3, 5, 8)
    _, seen = layer(x, rope_angles(torch.arange(5), 2, x), causal_mask(5, 5))
    assert seen.k.shape == seen.v.shape == (3, 2, 5, 2)


def test_a_position_does_not_depend_on_the_future():
    layer = SelfAttention(8, n_head=2, n_kv_head=1)
    angles = rope_angles(torch.arange(5), 4, torch.zeros(1))
    x = torch.randn(1, 5, 8)

    def run(x):
        return layer(x, angles, causal_mask(5, 5))[0].sum(-1)[0]

    jacobian = torch.autograd.functional.jacobian(run, x)[:, 0].abs().sum(-1)
    assert torch.equal(jacobian.triu(1), torch.zeros(5, 5))  # exact zeros: masked, not small
    assert (jacobian.tril() > 0).sum() == 15


def test_self_attention_refuses_sizes_that_do_not_divide():
    with pytest.raises(ValueError, match="d_model=10"):
        SelfAttention(10, n_head=4, n_kv_head=2)


def test_cross_attention_ignores_the_order_of_the_context():
    layer = CrossAttention(8, 6, n_head=2)
    x, context = torch.randn(2, 3, 8), torch.randn(2, 5, 6)
    torch.testing.assert_close(layer(x, context), layer(x, context.flip(1)))


def test_cross_attention_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="3 and 8"):
        CrossAttention(8, 6, n_head=3)


@pytest.mark.parametrize(("n_group", "n_query", "n_key"), [(4, 5, 5), (2, 3, 7), (1, 1, 6)])
def test_the_fused_kernel_equals_the_plain_one_and_has_its_gradient(n_group, n_query, n_key):
    shapes = ((2, 4, n_query, 3), (2, n_group, n_key, 3), (2, n_group, n_key, 5))
    inputs = [torch.randn(s, requires_grad=True) for s in shapes]
    mask = causal_mask(n_query, n_key)
    plain, fused = attention(*inputs, mask), fused_attention(*inputs, mask)
    torch.testing.assert_close(fused, plain)
    direction = torch.randn_like(plain)
    for a, b in zip(
        torch.autograd.grad((fused * direction).sum(), inputs),
        torch.autograd.grad((plain * direction).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_the_fused_kernel_refuses_heads_that_do_not_divide():
    x = torch.zeros(1, 3, 2, 4)
    with pytest.raises(ValueError, match="2 key-value heads do not divide 3"):
        fused_attention(x, x[:, :2], x[:, :2])
