r"""Attention: a weighted average of values, the weights read from queries and keys.

$$\mathrm{attention}(q, k, v)_i = \sum_j w_{ij} v_j, \qquad
w_{ij} = \frac{M_{ij}\,\exp(q_i^\top k_j / \sqrt d)}
                {\sum_{j'} M_{ij'}\,\exp(q_i^\top k_{j'} / \sqrt d)}$$

The mask $M$ says who may look at whom. With $M_{ij} = [j \le i]$ the layer is *causal*: position
$i$ cannot see the future, however the weights are trained. Since $w_{ij} v_j$ needs only the keys
and values of the past, those can be kept: that is the whole of the key-value cache.

Lesson: notebooks/02_autoregressive.ipynb
Sources: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Ainslie et al. 2023 (arXiv:2305.13245),
    grouped queries.
"""

import math
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genlab.nn.embedding import rotate


class KeyValue(NamedTuple):
    """Keys and values of the positions that one attention layer has already seen."""

    k: Float[Tensor, " b g t d"]
    v: Float[Tensor, " b g t d"]


def causal_mask(
    n_query: int, n_key: int, device: torch.device | None = None
) -> Bool[Tensor, " q k"]:
    r"""$M_{ij}$ is true where the $i$-th query may look at the $j$-th key.

    The queries are the *last* `n_query` of the `n_key` positions, so query $i$ stands at position
    $n_{key} - n_{query} + i$ and sees the keys up to and including its own.

    Args:
        n_query: number of new positions, at least 1.
        n_key: number of positions in all, at least `n_query`.
        device: where the mask is made.

    Returns:
        Boolean, true = visible.

    Raises:
        ValueError: more queries than keys.

    Example:
        >>> causal_mask(2, 3).int()
        tensor([[1, 1, 0],
                [1, 1, 1]], dtype=torch.int32)
    """
    if n_query > n_key:
        raise ValueError(f"n_query must be at most n_key, got {n_query} queries and {n_key} keys")
    visible = torch.ones(n_query, n_key, dtype=torch.bool, device=device)
    return visible.tril(diagonal=n_key - n_query)


def attention_weights(
    q: Float[Tensor, " b h t d"],
    k: Float[Tensor, " b h s d"],
    mask: Bool[Tensor, " t s"] | None = None,
) -> Float[Tensor, " b h t s"]:
    r"""How much every query looks at every key.

    $$w_{ij} = \mathrm{softmax}_j\Big(\frac{q_i^\top k_j}{\sqrt d} + \log M_{ij}\Big)$$

    Args:
        q: queries.
        k: keys.
        mask: true where key $j$ is visible to query $i$; every row needs one. None: all visible.

    Returns:
        Non-negative, sums to 1 over the keys; exactly 0 where the mask is false.

    Example:
        >>> q = k = torch.zeros(1, 1, 2, 4)
        >>> attention_weights(q, k, causal_mask(2, 2))[0, 0]
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]])

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    _require_keys(mask)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1)


def attention(
    q: Float[Tensor, " b h t d"],
    k: Float[Tensor, " b g s d"],
    v: Float[Tensor, " b g s e"],
    mask: Bool[Tensor, " t s"] | None = None,
) -> Float[Tensor, " b h t e"]:
    r"""Scaled dot-product attention with grouped queries.

    $$o_i = \sum_j w_{ij}\, v_j$$

    With `g` < `h` key-value heads, `h / g` query heads in a row share one of them: the cache
    shrinks by that factor.

    Args:
        q: `(b, h, t, d)` queries.
        k: `(b, g, s, d)` keys; `g` divides `h`.
        v: `(b, g, s, e)` values.
        mask: `(t, s)`, true where key $j$ is visible to query $i$. None: all visible.

    Returns:
        `(b, h, t, e)`.

    Raises:
        ValueError: `g` does not divide `h`.

    Example:
        >>> v = torch.arange(3.0).reshape(1, 1, 3, 1)
        >>> attention(torch.zeros_like(v), torch.zeros_like(v), v, causal_mask(3, 3)).flatten()
        tensor([0.0000, 0.5000, 1.0000])

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Ainslie et al. 2023
        (arXiv:2305.13245), section 2.2.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    n_head, n_group = q.shape[1], k.shape[1]
    if n_head % n_group:
        raise ValueError(f"{n_group} key-value heads do not divide {n_head} query heads")
    k, v = (a.repeat_interleave(n_head // n_group, dim=1) for a in (k, v))
    return attention_weights(q, k, mask) @ v


def fused_attention(
    q: Float[Tensor, " b h t d"],
    k: Float[Tensor, " b g s d"],
    v: Float[Tensor, " b g s e"],
    mask: Bool[Tensor, " t s"] | None = None,
) -> Float[Tensor, " b h t e"]:
    r"""The same function as `attention`, by torch's fused kernel: for training on long windows.

    $$o_i = \frac{\sum_j e^{s_{ij} - m_i}\, v_j}{\sum_j e^{s_{ij} - m_i}}, \qquad
    m_i = \max_j s_{ij}$$

    Keys are read block by block with a running maximum and two running sums, so the table of
    weights never stands in memory; gradients compute it again.

    Args:
        q: `(b, h, t, d)` queries.
        k: `(b, g, s, d)` keys; `g` divides `h`.
        v: `(b, g, s, e)` values.
        mask: `(t, s)`, true where key $j$ is visible to query $i$. None: all visible.

    Returns:
        `(b, h, t, e)`, equal to `attention` up to rounding.

    Raises:
        ValueError: `g` does not divide `h`.

    Example:
        >>> v = torch.arange(3.0).reshape(1, 1, 3, 1)
        >>> fused_attention(0 * v, 0 * v, v, causal_mask(3, 3)).flatten()
        tensor([0.0000, 0.5000, 1.0000])

    Source: Dao et al. 2022 (arXiv:2205.14135), algorithm 1.
    Lesson: notebooks/systems/language_model.ipynb
    """
    n_head, n_group = q.shape[1], k.shape[1]
    if n_head % n_group:
        raise ValueError(f"{n_group} key-value heads do not divide {n_head} query heads")
    _require_keys(mask)
    k, v = (a.repeat_interleave(n_head // n_group, dim=1) for a in (k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _require_keys(mask: Tensor | None) -> None:
    if mask is not None and not mask.is_meta and not bool(mask.any(-1).all()):
        query = int(mask.any(-1).flatten().logical_not().nonzero()[0])
        raise ValueError(f"the mask leaves query {query} without a key, expected at least one each")


def split_heads(x: Float[Tensor, " b t c"], n_head: int) -> Float[Tensor, " b h t d"]:
    """Cut the features into heads: `(b, t, h * d)` to `(b, h, t, d)`."""
    b, t, c = x.shape
    return x.reshape(b, t, n_head, c // n_head).transpose(1, 2)


def join_heads(x: Float[Tensor, " b h t d"]) -> Float[Tensor, " b t c"]:
    """Put the heads side by side again: the inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(-2)


@final
class SelfAttention(nn.Module):
    r"""Multi-head self-attention with rotary positions, grouped queries and an explicit cache.

    $$\mathrm{out} = \big[\mathrm{head}_1; \dots; \mathrm{head}_h\big] W_o, \qquad
    \mathrm{head}_a = \mathrm{attention}(R\,x W_q^{(a)},\; R\,x W_k^{(a)},\; x W_v^{(a)})$$

    Args:
        d_model: width of the residual stream.
        n_head: number of query heads; divides `d_model`.
        n_kv_head: number of key-value heads; divides `n_head`.
        bias: whether the four maps have biases (GPT-2's have, Llama's have not).
        fused: whether torch's fused kernel does the averaging; the values are the same.

    Raises:
        ValueError: the sizes do not divide.

    Example:
        >>> layer = SelfAttention(8, n_head=2, n_kv_head=1)
        >>> out, seen = layer(torch.zeros(1, 3, 8), torch.zeros(3, 2), causal_mask(3, 3))
        >>> out.shape, seen.k.shape
        (torch.Size([1, 3, 8]), torch.Size([1, 1, 3, 4]))

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2.
    """

    def __init__(
        self, d_model: int, n_head: int, n_kv_head: int, *, bias: bool = False, fused: bool = False
    ) -> None:
        super().__init__()
        if d_model % n_head or n_head % n_kv_head:
            raise ValueError(
                "n_head must divide d_model and n_kv_head must divide n_head, "
                f"got d_model={d_model}, n_head={n_head}, n_kv_head={n_kv_head}"
            )
        self.n_head, self.n_kv_head, self.fused = n_head, n_kv_head, fused
        d_kv = d_model // n_head * n_kv_head
        self.w_q = nn.Linear(d_model, d_model, bias=bias)
        self.w_k = nn.Linear(d_model, d_kv, bias=bias)
        self.w_v = nn.Linear(d_model, d_kv, bias=bias)
        self.w_o = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, " b t c"],
        angles: Float[Tensor, " t half"] | None,
        mask: Bool[Tensor, " t s"] | None,
        past: KeyValue | None = None,
    ) -> tuple[Tensor, KeyValue]:
        """Attend from the new positions to the past ones and to themselves.

        Args:
            x: `(b, t, d_model)` the new positions only.
            angles: rotary angles of the new positions (absolute, so they continue the past's);
                None: positions are in `x` already.
            mask: `(t, s)` with s = past + new positions.
            past: keys (already rotated) and values of the positions before; None: there are none.

        Returns:
            The output at the new positions, and the keys and values of all positions so far.
        """
        q, k = split_heads(self.w_q(x), self.n_head), split_heads(self.w_k(x), self.n_kv_head)
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        v = split_heads(self.w_v(x), self.n_kv_head)
        if past is not None:
            k, v = torch.cat([past.k, k], dim=2), torch.cat([past.v, v], dim=2)
        attend = fused_attention if self.fused else attention
        out: Tensor = self.w_o(join_heads(attend(q, k, v, mask)))
        return out, KeyValue(k, v)


@final
class CrossAttention(nn.Module):
    r"""Queries from one sequence, keys and values from another: how an image reads a text.

    Args:
        d_model: width of the sequence that asks.
        d_context: width of the sequence that answers.
        n_head: number of heads; divides `d_model`.

    Raises:
        ValueError: `n_head` does not divide `d_model`.

    Example:
        >>> layer = CrossAttention(8, 5, n_head=2)
        >>> layer(torch.zeros(1, 3, 8), torch.zeros(1, 4, 5)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, d_model: int, d_context: int, n_head: int) -> None:
        super().__init__()
        if d_model % n_head:
            raise ValueError(f"n_head must divide d_model, got {n_head} and {d_model}")
        self.n_head = n_head
        self.w_q = nn.Linear(d_model, d_model, bias=False)
        self.w_k = nn.Linear(d_context, d_model, bias=False)
        self.w_v = nn.Linear(d_context, d_model, bias=False)
        self.w_o = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Float[Tensor, " b t c"], context: Float[Tensor, " b s e"]) -> Tensor:
        """`(b, t, d_model)`: for every position of `x`, what it found in `context`."""
        q = split_heads(self.w_q(x), self.n_head)
        k = split_heads(self.w_k(context), self.n_head)
        v = split_heads(self.w_v(context), self.n_head)
        out: Tensor = self.w_o(join_heads(attention(q, k, v)))
        return out
