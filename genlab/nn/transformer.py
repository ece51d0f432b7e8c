"""Attention with its key-value cache, the transformer, and a text encoder made of it."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_alike
from genlab.nn.layers import rope_angles, turn

Queries = Float[Tensor, " b h t d"]
Keys = Float[Tensor, " b g s d"]
Values = Float[Tensor, " b g s e"]
Mask = Bool[Tensor, " t s"] | None  # true where a query may look at a key
Turns = tuple[Float[Tensor, " t half"], Float[Tensor, " t half"]] | None  # cosines and sines
Stream = Float[Tensor, " b t c"]
Tokens = Int[Tensor, " b t"]


def causal_mask(
    n_query: int, n_key: int, device: torch.device | None = None
) -> Bool[Tensor, " q k"]:
    """$M_{ij}$ is true where the i-th of the *last* `n_query` positions may look at key j."""
    visible = torch.ones(n_query, n_key, dtype=torch.bool, device=device)
    return visible.tril(diagonal=n_key - n_query)


def attention_weights(q: Queries, k: Keys, mask: Mask = None) -> Float[Tensor, " b h t s"]:
    r"""How much every query looks at every key (Vaswani et al. 2017 (arXiv:1706.03762), eq. 1).

    $$w_{ij} = \mathrm{softmax}_j\Big(\frac{q_i^\top k_j}{\sqrt d} + \log M_{ij}\Big)$$
    """
    _require_keys(mask)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1)


def attention(
    q: Queries, k: Keys, v: Values, mask: Mask = None, *, fused: bool = False, causal: bool = False
) -> Float[Tensor, " b h t e"]:
    r"""Scaled dot-product attention with grouped queries.

    $$o_i = \sum_j w_{ij}\, v_j$$

    With `g` < `h` key-value heads, `h / g` query heads share one (Ainslie et al. 2023,
    arXiv:2305.13245, section 2.2). `fused` is torch's kernel: equal values without the table of
    weights. `causal` stands for the mask of that name, and skips what it would hide.
    """
    n_head, n_group = q.shape[1], k.shape[1]
    if n_head % n_group:
        raise ValueError(f"{n_group} key-value heads do not divide {n_head} query heads")
    if n_group < n_head:
        k, v = (a.repeat_interleave(n_head // n_group, dim=1) for a in (k, v))
    if causal and mask is not None:
        raise ValueError("attention: a mask and causal exclude each other")
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


def split_heads(x: Stream, n_head: int) -> Queries:
    """Cut the features into heads: `(b, t, h * d)` to `(b, h, t, d)`."""
    b, t, c = x.shape
    if n_head < 1 or c % n_head:
        raise ValueError(f"{n_head} heads do not divide {c} features")
    return x.reshape(b, t, n_head, c // n_head).transpose(1, 2)


def join_heads(x: Float[Tensor, " *b h t d"]) -> Float[Tensor, " *b t c"]:
    """Concatenate the heads again: the inverse of `split_heads`."""
    return x.transpose(-3, -2).flatten(-2)


class Room:
    """Memory for keys and values of more positions than `n` that are filled."""

    def __init__(self, k: Keys, capacity: int) -> None:
        b, g, self.n, d = k.shape
        self.k, self.v = k.new_empty(2, b, g, capacity, d)


class KeyValue(NamedTuple):
    """Keys and values of the positions that one attention layer has already seen."""

    k: Float[Tensor, " b g t d"]
    v: Float[Tensor, " b g t d"]
    room: Room | None = None  # where both lie, if there is place behind them

    def then(self, k: Keys, v: Keys) -> "KeyValue":
        """These and the new ones; nothing is copied but these, until the room has to double."""
        n, end, room = self.k.shape[2], self.k.shape[2] + k.shape[2], self.room
        require_alike(past=self.k[:, :, :0], new=k[:, :, :0])  # one row would broadcast to many
        if torch.is_grad_enabled():
            return KeyValue(torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2))
        frozen = (
            room is not None and room.k.is_inference() and not torch.is_inference_mode_enabled()
        )
        if room is None or frozen or room.n > n or end > room.k.shape[2]:  # or another text went on
            room = Room(self.k, 2 * end)
            room.k[:, :, :n], room.v[:, :, :n] = self.k, self.v
        room.k[:, :, n:end], room.v[:, :, n:end], room.n = k, v, end
        return KeyValue(room.k[:, :, :end], room.v[:, :, :end], room)


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
        self, d_model: int, n_head: int, n_kv_head: int, *, bias: bool = False, fused: bool = False
    ) -> None:
        super().__init__()
        self.n_head, self.n_kv_head, self.fused, self.causal = n_head, n_kv_head, fused, False
        d_kv = d_model // n_head * n_kv_head
        self.w_q = nn.Linear(d_model, d_model, bias=bias)
        self.w_k = nn.Linear(d_model, d_kv, bias=bias)
        self.w_v = nn.Linear(d_model, d_kv, bias=bias)
        self.w_o = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self, x: Stream, turns: Turns, mask: Mask, past: KeyValue | None = None
    ) -> tuple[Tensor, KeyValue]:
        q, k = split_heads(self.w_q(x), self.n_head), split_heads(self.w_k(x), self.n_kv_head)
        if turns is not None:
            q, k = turn(q, *turns), turn(k, *turns)
        v = split_heads(self.w_v(x), self.n_kv_head)
        # what was computed for earlier positions is used as it stands
        seen = KeyValue(k, v) if past is None else past.then(k, v)
        causal = self.causal and past is None
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

    def forward(self, x: Stream, context: Float[Tensor, " b s e"]) -> Stream:
        q = split_heads(self.w_q(x), self.n_head)
        k = split_heads(self.w_k(context), self.n_head)
        v = split_heads(self.w_v(context), self.n_head)
        return self.w_o(join_heads(attention(q, k, v)))


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a transformer."""

    d_model: int = 64  # width of the residual stream
    n_layer: int = 2  # number of blocks
    n_head: int = 4  # query heads
    n_kv_head: int = 4  # key-value heads; fewer than n_head = grouped queries
    d_hidden: int = 128  # width inside the gated MLP
    rope_base: float = 10_000.0  # longest rotary period, in units of 2 pi positions
    norm_eps: float = 1e-6  # keeps the norm of a zero vector finite
    dropout: float = 0.0  # on what each sub-layer writes into the stream
    causal: bool = True  # False = every position sees all others (an encoder)
    fused: bool = False  # attention by torch's fused kernel: same values, less memory
    tied: bool = False  # the head reuses the embedding: logits are inner products with it
    n_positions: int = 0  # size of a table of learned positions (GPT-2); 0 = rotary (Llama)
    gpt2: bool = False  # LayerNorm, a plain GELU MLP and biases in place of RMSNorm and SwiGLU


def rms_norm(x: Float[Tensor, " *b d"], weight: Float[Tensor, " d"], eps: float) -> Tensor:
    r"""Divide by the features' root mean square (Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4).

    $$y_i = \frac{x_i}{\sqrt{\tfrac1d \sum_j x_j^2 + \epsilon}}\; g_i$$
    """
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps) * weight


class RMSNorm(nn.Module):
    """`rms_norm` with learned gains, started at 1."""

    def __init__(self, d: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(d)), eps

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class FeedForward(nn.Module):
    r"""Llama's gated MLP $W_2\,(\mathrm{SiLU}(W_1 x) \odot W_3 x)$ (Shazeer 2020), or GPT-2's."""

    def __init__(self, d_model: int, d_hidden: int, *, gpt2: bool = False) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=gpt2)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=gpt2)
        self.w_3 = None if gpt2 else nn.Linear(d_model, d_hidden, bias=False)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        if self.w_3 is None:
            return self.w_2(F.gelu(self.w_1(x), approximate="tanh"))
        return self.w_2(F.silu(self.w_1(x)) * self.w_3(x))


def _norm(config: TransformerConfig) -> nn.Module:
    kind = nn.LayerNorm if config.gpt2 else RMSNorm
    return kind(config.d_model, config.norm_eps)


class Block(nn.Module):
    """One pre-norm block: attention, then the MLP, each added to the stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_1 = _norm(config)
        self.attention = SelfAttention(
            config.d_model, config.n_head, config.n_kv_head, bias=config.gpt2, fused=config.fused
        )
        self.attention.causal = config.causal
        self.norm_2 = _norm(config)
        self.mlp = FeedForward(config.d_model, config.d_hidden, gpt2=config.gpt2)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, h: Stream, turns: Turns, mask: Mask, past: KeyValue | None = None
    ) -> tuple[Tensor, KeyValue]:
        out, seen = self.attention(self.norm_1(h), turns, mask, past)
        h = h + self.dropout(out)
        return h + self.dropout(self.mlp(self.norm_2(h))), seen


class TransformerBody(nn.Module):
    """The blocks and the last norm, vectors in and vectors out: the embedding is the caller's."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = _norm(config)

    def forward(self, h: Stream, cache: Cache = ()) -> tuple[Tensor, Cache]:
        if cache and not self.config.causal:
            raise ValueError("a cache needs a causal body: without the mask, old keys would change")
        n_past, n_new, turns, mask = n_seen(cache), h.shape[1], None, None
        if not self.config.n_positions:
            positions = torch.arange(n_past, n_past + n_new, device=h.device)
            head_dim = self.config.d_model // self.config.n_head
            angles = rope_angles(positions, head_dim, h, base=self.config.rope_base)
            turns = angles.cos(), angles.sin()
        if self.config.causal and n_past and n_new > 1:  # one new query may look at all keys
            mask = causal_mask(n_new, n_past + n_new, h.device)
        seen: list[KeyValue] = []
        for i, block in enumerate(self.blocks):
            h, kv = block(h, turns, mask, cache[i] if cache else None)
            seen.append(kv)
        return self.norm(h), tuple(seen)


class Transformer(nn.Module):
    """Tokens in, next-token logits out (Touvron et al. 2023 (arXiv:2302.13971), section 2.2)."""

    def __init__(self, n_tokens: int, config: TransformerConfig) -> None:
        super().__init__()
        self.n_tokens, self.config = n_tokens, config
        self.embedding = nn.Embedding(n_tokens, config.d_model)
        if config.n_positions:
            self.positions = nn.Embedding(config.n_positions, config.d_model)
        self.body = TransformerBody(config)
        self.head = nn.Linear(config.d_model, n_tokens, bias=False)
        self.apply(init_weights)
        if config.tied:
            self.head.weight = self.embedding.weight

    def embed(self, tokens: Tokens, n_past: int = 0) -> Stream:
        """What enters the first block: the tokens' vectors, and learned positions if there are."""
        h, end, size = self.embedding(tokens), n_past + tokens.shape[1], self.config.n_positions
        if not size:
            return h
        if end > size:
            raise ValueError(f"{end} tokens, but only {size} positions")
        return h + self.positions.weight[n_past:end]

    def hidden(self, tokens: Tokens) -> Stream:
        """The normed residual stream after the last block (what other networks may read)."""
        return self.body(self.embed(tokens))[0]

    def forward(self, tokens: Tokens) -> Float[Tensor, " b t v"]:
        """Logits of the token after each position, all positions in one pass."""
        return self.head(self.hidden(tokens))

    def extend(self, tokens: Tokens, cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Logits after each *new* token, given the cache of those before; and the new cache."""
        h, cache = self.body(self.embed(tokens, n_seen(cache)), cache)
        return self.head(h), cache


def init_weights(module: nn.Module) -> None:
    """Small normal weights (standard deviation 0.02) for linear maps and embeddings."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


class TextEncoder(nn.Module):
    """Rows of token numbers to one state a token: embeddings, learned positions, a transformer.

    Every token sees every other one (Nichol et al. 2021 (arXiv:2112.10741), section 4).
    """

    def __init__(
        self, n_tokens: int, length: int, *, d: int = 64, n_layer: int = 1, n_head: int = 4
    ) -> None:
        super().__init__()
        config = TransformerConfig(
            d, n_layer, n_head, n_head, d_hidden=2 * d, causal=False, n_positions=length
        )
        self.d, self.body = d, TransformerBody(config)
        self.apply(init_weights)
        self.words = nn.Embedding(n_tokens, d)
        self.positions = nn.Parameter(torch.randn(length, d))

    def forward(self, rows: Tokens) -> Stream:
        """Encode captions; padding is a token like any other, with a state of its own."""
        return self.body(self.words(rows) + self.positions)[0]


class NoCaption(nn.Module):
    """What dropped captions are replaced by, learned (Ho and Salimans 2022, algorithm 1)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.state = nn.Parameter(torch.zeros(d))

    def forward(self, states: Stream, hidden: Bool[Tensor, " b"]) -> Stream:
        """Replace all states of the `hidden` rows by one."""
        return torch.where(hidden[:, None, None], self.state, states)


check_public(__name__)
