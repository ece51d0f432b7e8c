"""Attention, alone and as a layer, and the cache that lets it go on without starting anew."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_alike
from genlab.nn.layers import turn

Turns = tuple[Float[Tensor, " t half"], Float[Tensor, " t half"]] | None  # cosines and sines


def causal_mask(
    n_query: int, n_key: int, device: torch.device | None = None
) -> Bool[Tensor, " q k"]:
    """$M_{ij}$ is true where the i-th of the *last* `n_query` positions may look at key j."""
    visible = torch.ones(n_query, n_key, dtype=torch.bool, device=device)
    return visible.tril(diagonal=n_key - n_query)


def attention_weights(
    q: Float[Tensor, " b h t d"],
    k: Float[Tensor, " b g s d"],
    mask: Bool[Tensor, " t s"] | None = None,
) -> Float[Tensor, " b h t s"]:
    r"""How much every query looks at every key (Vaswani et al. 2017 (arXiv:1706.03762), eq. 1).

    $$w_{ij} = \mathrm{softmax}_j\Big(\frac{q_i^\top k_j}{\sqrt d} + \log M_{ij}\Big)$$
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
    *,
    fused: bool = False,
    causal: bool = False,
) -> Float[Tensor, " b h t e"]:
    r"""Scaled dot-product attention with grouped queries.

    $$o_i = \sum_j w_{ij}\, v_j$$

    With `g` < `h` key-value heads, `h / g` query heads share one (Ainslie et al. 2023,
    arXiv:2305.13245, section 2.2). `fused` is torch's kernel: equal values without the table of
    weights. `causal` stands for the mask of that name, and skips what it would hide.
    """
    n_head = q.shape[1]
    n_group = k.shape[1]
    if n_head % n_group:
        raise ValueError(f"{n_group} key-value heads do not divide {n_head} query heads")
    if n_group < n_head:
        k, v = (a.repeat_interleave(n_head // n_group, dim=1) for a in (k, v))
    if causal and mask is not None:
        raise ValueError("attention: a mask and causal exclude each other")
    causal = causal and q.shape[2] > 1  # one query is the last, and may look at all keys
    if causal and not (fused and q.shape[2] == k.shape[2]):  # the kernel masks squares only
        mask, causal = causal_mask(q.shape[2], k.shape[2], q.device), False
    if not fused:
        return attention_weights(q, k, mask) @ v
    _require_keys(mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)


def _require_keys(mask: Tensor | None) -> None:
    if mask is not None and not mask.is_meta and not bool(mask.any(-1).all()):
        query = int(mask.any(-1).flatten().logical_not().nonzero()[0])
        raise ValueError(f"the mask leaves query {query} without a key, expected at least one each")


def split_heads(x: Float[Tensor, " b t c"], n_head: int) -> Float[Tensor, " b h t d"]:
    """Cut the features into heads: `(b, t, h * d)` to `(b, h, t, d)`."""
    b, t, c = x.shape
    if n_head < 1 or c % n_head:
        raise ValueError(f"{n_head} heads do not divide {c} features")
    return x.reshape(b, t, n_head, c // n_head).transpose(1, 2)


def join_heads(x: Float[Tensor, " *b h t d"]) -> Float[Tensor, " *b t c"]:
    """Concatenate the heads again: the inverse of `split_heads`."""
    return x.transpose(-3, -2).flatten(-2)


class KeyValue(NamedTuple):
    """Keys and values of the positions that one attention layer has already seen."""

    k: Float[Tensor, " b g t d"]
    v: Float[Tensor, " b g t d"]
    room: "Room | None" = None  # where both lie, if there is place behind them

    def then(self, k: Float[Tensor, " b g s d"], v: Float[Tensor, " b g s d"]) -> "KeyValue":
        """These, and the new ones behind them."""
        require_alike(past=self.k[:, :, :0], new=k[:, :, :0])  # one row would broadcast to many
        if torch.is_grad_enabled():
            return KeyValue(torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2))
        return _in_room(self, k, v)  # the same values, and only the new ones are copied


Cache = tuple[KeyValue, ...]  # one entry per layer; () means nothing seen yet


def n_seen(cache: Cache) -> int:
    """Number of positions whose keys and values a cache holds."""
    return cache[0].k.shape[2] if cache else 0


class SelfAttention(nn.Module):
    r"""Multi-head self-attention (Vaswani, 3.2.2): rotary positions, grouped queries, a cache.

    $$\mathrm{out} = \big[\mathrm{head}_1; \dots; \mathrm{head}_h\big] W_o, \qquad
    \mathrm{head}_a = \mathrm{attention}(R\,x W_q^{(a)},\; R\,x W_k^{(a)},\; x W_v^{(a)})$$
    """

    def __init__(
        self,
        d_model: int,
        n_head: int,
        n_kv_head: int,
        *,
        bias: bool = False,
        fused: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.n_head = n_head
        self.n_kv_head = n_kv_head
        self.fused = fused
        self.causal = causal
        d_kv = d_model // n_head * n_kv_head
        self.w_q = nn.Linear(d_model, d_model, bias=bias)
        self.w_k = nn.Linear(d_model, d_kv, bias=bias)
        self.w_v = nn.Linear(d_model, d_kv, bias=bias)
        self.w_o = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, " b t c"],
        turns: Turns,
        mask: Bool[Tensor, " t s"] | None,
        past: KeyValue | None = None,
    ) -> tuple[Tensor, KeyValue]:
        q = split_heads(self.w_q(x), self.n_head)
        k = split_heads(self.w_k(x), self.n_kv_head)
        v = split_heads(self.w_v(x), self.n_kv_head)
        if turns is not None:
            q = turn(q, *turns)
            k = turn(k, *turns)
        # what was computed for earlier positions is used as it stands
        seen = KeyValue(k, v) if past is None else past.then(k, v)
        causal = self.causal and mask is None
        heads = attention(q, seen.k, seen.v, mask, fused=self.fused, causal=causal)
        return self.w_o(join_heads(heads)), seen


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another: how an image reads a text."""

    def __init__(self, d_model: int, d_context: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.w_q = nn.Linear(d_model, d_model, bias=False)
        self.w_k = nn.Linear(d_context, d_model, bias=False)
        self.w_v = nn.Linear(d_context, d_model, bias=False)
        self.w_o = nn.Linear(d_model, d_model, bias=False)

    def forward(
        self, x: Float[Tensor, " b t c"], context: Float[Tensor, " b s e"]
    ) -> Float[Tensor, " b t c"]:
        q = split_heads(self.w_q(x), self.n_head)
        k = split_heads(self.w_k(context), self.n_head)
        v = split_heads(self.w_v(context), self.n_head)
        return self.w_o(join_heads(attention(q, k, v)))


# `KeyValue.then` without copying the past at every token: room for twice as many positions


class Room:
    """Memory for the keys and values of more positions than the `n` that are filled."""

    def __init__(self, like: Float[Tensor, " b g s d"], capacity: int) -> None:
        b, g, _, d = like.shape
        self.n = 0
        self.k = like.new_empty(b, g, capacity, d)
        self.v = like.new_empty(b, g, capacity, d)

    def append(self, k: Float[Tensor, " b g s d"], v: Float[Tensor, " b g s d"]) -> KeyValue:
        """Write behind what is filled; return everything up to there."""
        end = self.n + k.shape[2]
        self.k[:, :, self.n : end] = k
        self.v[:, :, self.n : end] = v
        self.n = end
        return KeyValue(self.k[:, :, :end], self.v[:, :, :end], self)

    def may_follow(self, n_past: int, n_new: int) -> bool:
        """Tell whether `n_new` positions can be written behind the first `n_past`."""
        if self.n != n_past:  # another text went on from the same past, and stands there
            return False
        if self.k.is_inference() and not torch.is_inference_mode_enabled():
            return False  # torch forbids writing into such tensors
        return n_past + n_new <= self.k.shape[2]


def _in_room(
    past: KeyValue, k: Float[Tensor, " b g s d"], v: Float[Tensor, " b g s d"]
) -> KeyValue:
    """Append to the room of `past`, or to a new one of twice the size that is needed."""
    n_past = past.k.shape[2]
    n_new = k.shape[2]
    room = past.room
    if room is None or not room.may_follow(n_past, n_new):
        room = Room(past.k, 2 * (n_past + n_new))
        room.append(past.k, past.v)
    return room.append(k, v)


check_public(__name__)
