r"""Attention: a weighted average of values, the weights read from queries and keys.

$$\mathrm{attention}(q, k, v)_i = \sum_j w_{ij} v_j, \qquad
w_{ij} = \frac{M_{ij}\,\exp(q_i^\top k_j / \sqrt d)}
                {\sum_{j'} M_{ij'}\,\exp(q_i^\top k_{j'} / \sqrt d)}$$

The mask $M$ says who may look at whom. With $M_{ij} = [j \le i]$ the layer is *causal*: position
$i$ cannot see the future, however the weights are trained. Since $w_{ij} v_j$ needs only the keys
and values of the past, those can be kept: that is the whole of the key-value cache.

Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Ainslie et al. 2023 (arXiv:2305.13245), grouped
queries.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.nn.layers import rope_angles, rotate


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

    ValueError: more queries than keys.
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
) -> Float[Tensor, " b h t e"]:
    r"""Scaled dot-product attention with grouped queries.

    $$o_i = \sum_j w_{ij}\, v_j$$

    With `g` < `h` key-value heads, `h / g` query heads in a row share one of them: the cache
    shrinks by that factor.

    Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Ainslie et al. 2023 (arXiv:2305.13245), section
    2.2. ValueError: `g` does not divide `h`.
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

    Dao et al. 2022 (arXiv:2205.14135), algorithm 1. ValueError: `g` does not divide `h`.
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


class SelfAttention(nn.Module):
    r"""Multi-head self-attention with rotary positions, grouped queries and an explicit cache.

    $$\mathrm{out} = \big[\mathrm{head}_1; \dots; \mathrm{head}_h\big] W_o, \qquad
    \mathrm{head}_a = \mathrm{attention}(R\,x W_q^{(a)},\; R\,x W_k^{(a)},\; x W_v^{(a)})$$

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2. ValueError: the sizes do not divide.
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
        """Attend from the new positions to the past ones and to themselves."""
        q, k = split_heads(self.w_q(x), self.n_head), split_heads(self.w_k(x), self.n_kv_head)
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        v = split_heads(self.w_v(x), self.n_kv_head)
        if past is not None:
            k, v = torch.cat([past.k, k], dim=2), torch.cat([past.v, v], dim=2)
        attend = fused_attention if self.fused else attention
        out: Tensor = self.w_o(join_heads(attend(q, k, v, mask)))
        return out, KeyValue(k, v)


class CrossAttention(nn.Module):
    r"""Queries from one sequence, keys and values from another: how an image reads a text.

    ValueError: `n_head` does not divide `d_model`.
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
        return self.w_o(join_heads(attention(q, k, v)))


Cache = tuple[KeyValue, ...]  # one entry per layer; () means nothing seen yet


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
    layer_norm: bool = False  # LayerNorm (GPT-2) in place of RMSNorm (Llama)
    gelu: bool = False  # two-matrix GELU MLP (GPT-2) in place of SwiGLU (Llama)
    bias: bool = False  # biases in attention and MLP (GPT-2)


def rms_norm(x: Float[Tensor, " *b d"], weight: Float[Tensor, " d"], eps: float) -> Tensor:
    r"""Divide by the root mean square of the features, then scale each one.

    $$y_i = \frac{x_i}{\sqrt{\tfrac1d \sum_j x_j^2 + \epsilon}}\; g_i$$

    Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4.
    """
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps) * weight


class RMSNorm(nn.Module):
    """`rms_norm` with learned gains, started at 1."""

    def __init__(self, d: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(d)), eps

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Normalise the last axis."""
        return rms_norm(x, self.weight, self.eps)


class SwiGLU(nn.Module):
    r"""Gated MLP: $W_2\,(\mathrm{SiLU}(W_1 x) \odot W_3 x)$, without biases.

    Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=False)
        self.w_3 = nn.Linear(d_model, d_hidden, bias=False)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Map the last axis to itself."""
        return self.w_2(F.silu(self.w_1(x)) * self.w_3(x))


class GELUMLP(nn.Module):
    r"""Plain MLP of GPT-2: $W_2\,\mathrm{GELU}(W_1 x + b_1) + b_2$, GELU by its tanh formula.

    $$\mathrm{GELU}(a) \approx \tfrac{a}{2}\Big(1 +
    \tanh\big(\sqrt{2/\pi}\,(a + 0.044715\,a^3)\big)\Big)$$

    Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
    """

    def __init__(self, d_model: int, d_hidden: int, *, bias: bool = True) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=bias)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=bias)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Map the last axis to itself."""
        return self.w_2(F.gelu(self.w_1(x), approximate="tanh"))


def _norm(config: TransformerConfig) -> nn.Module:
    kind = nn.LayerNorm if config.layer_norm else RMSNorm
    return kind(config.d_model, config.norm_eps)


class Block(nn.Module):
    """One pre-norm block: attention, then the MLP, each added to the stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d, d_hidden, bias = config.d_model, config.d_hidden, config.bias
        self.norm_1 = _norm(config)
        self.attention = SelfAttention(
            d, config.n_head, config.n_kv_head, bias=bias, fused=config.fused
        )
        self.norm_2 = _norm(config)
        self.mlp: nn.Module = (
            GELUMLP(d, d_hidden, bias=bias) if config.gelu else SwiGLU(d, d_hidden)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        h: Float[Tensor, " b t c"],
        angles: Float[Tensor, " t half"] | None,
        mask: Tensor | None,
        past: KeyValue | None = None,
    ) -> tuple[Tensor, KeyValue]:
        """The stream after this block, and the keys and values seen so far."""
        out, seen = self.attention(self.norm_1(h), angles, mask, past)
        h = h + self.dropout(out)
        return h + self.dropout(self.mlp(self.norm_2(h))), seen


class TransformerBody(nn.Module):
    """The blocks and the last norm: vectors in, vectors out.

    Image transformers and text encoders put their own embedding before it.

    ValueError: a cache is given to a body that is not causal.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = _norm(config)

    def forward(self, h: Float[Tensor, " b t c"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Run the blocks on new positions."""
        if cache and not self.config.causal:
            raise ValueError("a cache needs a causal body: without the mask, old keys would change")
        n_past, n_new, angles = n_seen(cache), h.shape[1], None
        if not self.config.n_positions:
            positions = torch.arange(n_past, n_past + n_new, device=h.device)
            head_dim = self.config.d_model // self.config.n_head
            angles = rope_angles(positions, head_dim, h, base=self.config.rope_base)
        mask = causal_mask(n_new, n_past + n_new, h.device) if self.config.causal else None
        seen: list[KeyValue] = []
        for i, block in enumerate(self.blocks):
            h, kv = block(h, angles, mask, cache[i] if cache else None)
            seen.append(kv)
        return self.norm(h), tuple(seen)


def n_seen(cache: Cache) -> int:
    """Number of positions whose keys and values a cache holds."""
    return cache[0].k.shape[2] if cache else 0


class Transformer(nn.Module):
    r"""Tokens in, next-token logits out (Touvron et al. 2023 (arXiv:2302.13971), section 2.2).

    `logits[:, i]` parameterises $p(x_{i+1} \mid x_{\le i})$: it sees token $i$ and those before.

    ValueError: a text is longer than the table of learned positions, if there is one.
    """

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

    def embed(self, tokens: Int[Tensor, " b t"], n_past: int = 0) -> Float[Tensor, " b t c"]:
        """What enters the first block: the tokens' vectors, and learned positions if there are."""
        h: Tensor = self.embedding(tokens)
        if not (size := self.config.n_positions):
            return h
        if n_past + tokens.shape[1] > size:
            raise ValueError(f"{n_past + tokens.shape[1]} tokens, but only {size} positions")
        return h + self.positions.weight[n_past : n_past + tokens.shape[1]]

    def hidden(self, tokens: Int[Tensor, " b t"]) -> Float[Tensor, " b t c"]:
        """The normed residual stream after the last block (what other networks may read)."""
        return self.body(self.embed(tokens))[0]

    def forward(self, tokens: Int[Tensor, " b t"]) -> Float[Tensor, " b t v"]:
        """Logits of the token after each position, all positions in one pass."""
        return self.head(self.hidden(tokens))

    def extend(self, tokens: Int[Tensor, " b t"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Logits after each *new* token, given the cache of those before; and the new cache."""
        h, cache = self.body(self.embed(tokens, n_seen(cache)), cache)
        return self.head(h), cache


def init_weights(module: nn.Module) -> None:
    """Small normal weights (standard deviation 0.02) for linear maps and embeddings."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


PADDING = 0  # the piece that fills up a row


class Text(NamedTuple):
    """What an image network reads of a caption."""

    states: Float[Tensor, " b s d"]  # one for each piece, for cross-attention
    pooled: Float[Tensor, " b d"]  # one for the whole, to be added to the time's embedding


class TextEncoder(nn.Module):
    """Rows of word numbers to states and a pooled vector.

    Nichol et al. 2021 (arXiv:2112.10741), section 4, with a mean over the words for its last state.
    """

    def __init__(self, n_words: int, *, d: int = 64, n_layer: int = 2, n_head: int = 4) -> None:
        super().__init__()
        config = TransformerConfig(
            d_model=d, n_layer=n_layer, n_head=n_head, n_kv_head=n_head, d_hidden=2 * d,
            causal=False, rope_base=100.0,
        )  # fmt: skip
        self.d = d
        self.embedding = nn.Embedding(n_words, d)
        self.body = TransformerBody(config)
        self.apply(init_weights)
        nn.init.normal_(self.embedding.weight)

    def forward(self, rows: Int[Tensor, " b s"]) -> Text:
        """Read captions."""
        states: Tensor = self.body(self.embedding(rows))[0]
        word = (rows != PADDING).to(states)[:, :, None]
        return Text(states, (word * states).sum(1) / word.sum(1).clamp(min=1))


class NoCaption(nn.Module):
    """One learned state that stands for "told nothing": what dropped captions are replaced by.

    Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1, line 3.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.state = nn.Parameter(torch.zeros(d))
        self.pooled = nn.Parameter(torch.zeros(d))

    def forward(self, text: Text, hidden: Bool[Tensor, " b"]) -> Text:
        """Hide the captions of some rows."""
        return Text(
            torch.where(hidden[:, None, None], self.state, text.states),
            torch.where(hidden[:, None], self.pooled, text.pooled),
        )
