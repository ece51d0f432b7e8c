"""Our attention beside PyTorch's own fused attention."""

import pytest
import torch
import torch.nn.functional as F

from genlab.nn.transformer import attention, causal_mask

pytestmark = pytest.mark.reference


@pytest.mark.parametrize(("n_query", "n_key"), [(5, 5), (1, 6), (3, 8)])
def test_attention_equals_scaled_dot_product_attention(n_query, n_key):
    q, k, v = (
        torch.randn(2, 4, n_query, 8),
        torch.randn(2, 4, n_key, 8),
        torch.randn(2, 4, n_key, 8),
    )
    mask = causal_mask(n_query, n_key)
    # the same formula with other orders of summation: rounding of float64
    torch.testing.assert_close(
        attention(q, k, v, mask),
        F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        atol=1e-12,
        rtol=1e-12,
    )


def test_grouped_queries_pair_the_same_heads_as_pytorch():
    q, k, v = torch.randn(2, 6, 5, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    theirs = F.scaled_dot_product_attention(
        q, k.repeat_interleave(3, dim=1), v.repeat_interleave(3, dim=1)
    )
    torch.testing.assert_close(attention(q, k, v), theirs)
