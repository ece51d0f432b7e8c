r"""The transformer decoder: a residual stream that attention and small MLPs write into.

$$h \leftarrow h + \mathrm{Attention}(\mathrm{RMSNorm}(h)), \qquad
h \leftarrow h + \mathrm{SwiGLU}(\mathrm{RMSNorm}(h))$$

Pre-norm blocks, RMS normalisation, gated MLP, rotary positions, grouped queries: the layout of
Llama, so weights in that format can be copied in name by name (`genlab.nn.pretrained`). Four
switches turn it into GPT-2: learned positions, LayerNorm, a GELU MLP and biases. The class knows
no objective: it maps tokens to logits. `extend` does the same for new tokens only, given the cache
of the old ones.

Lesson: notebooks/02_autoregressive.ipynb, notebooks/systems/language_model.ipynb
Sources: Vaswani et al. 2017 (arXiv:1706.03762); Touvron et al. 2023 (arXiv:2302.13971),
    section 2.2; Zhang and Sennrich 2019 (arXiv:1910.07467); Shazeer 2020 (arXiv:2002.05202);
    Radford et al. 2019 ("Language models are unsupervised multitask learners"), section 2.3.
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.nn.attention import KeyValue, SelfAttention, causal_mask
from genlab.nn.embedding import rope_angles

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

    Args:
        x: any batch of vectors.
        weight: the gains $g$.
        eps: small and positive.

    Returns:
        Like `x`; its mean square is 1 before the gains (up to `eps`).

    Example:
        >>> rms_norm(torch.tensor([3.0, 4.0]), torch.ones(2), 0.0).square().mean()
        tensor(1.)

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4.
    """
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps) * weight


@final
class RMSNorm(nn.Module):
    """`rms_norm` with learned gains, started at 1."""

    def __init__(self, d: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(d)), eps

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Normalise the last axis."""
        return rms_norm(x, self.weight, self.eps)


@final
class SwiGLU(nn.Module):
    r"""Gated MLP: $W_2\,(\mathrm{SiLU}(W_1 x) \odot W_3 x)$, without biases.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=False)
        self.w_3 = nn.Linear(d_model, d_hidden, bias=False)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Map the last axis to itself."""
        out: Tensor = self.w_2(F.silu(self.w_1(x)) * self.w_3(x))
        return out


@final
class GELUMLP(nn.Module):
    r"""Plain MLP of GPT-2: $W_2\,\mathrm{GELU}(W_1 x + b_1) + b_2$, GELU by its tanh formula.

    $$\mathrm{GELU}(a) \approx \tfrac{a}{2}\Big(1 +
    \tanh\big(\sqrt{2/\pi}\,(a + 0.044715\,a^3)\big)\Big)$$

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
    """

    def __init__(self, d_model: int, d_hidden: int, *, bias: bool = True) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=bias)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=bias)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        """Map the last axis to itself."""
        out: Tensor = self.w_2(F.gelu(self.w_1(x), approximate="tanh"))
        return out


def _norm(config: TransformerConfig) -> nn.Module:
    kind = nn.LayerNorm if config.layer_norm else RMSNorm
    return kind(config.d_model, config.norm_eps)


@final
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


@final
class TransformerBody(nn.Module):
    """The blocks and the last norm: vectors in, vectors out.

    Image transformers and text encoders put their own embedding before it.

    Args:
        config: the sizes.

    Raises:
        ValueError: a cache is given to a body that is not causal.

    Example:
        >>> body = TransformerBody(TransformerConfig(d_model=8, n_head=2, n_kv_head=2))
        >>> h, cache = body(torch.zeros(1, 5, 8))
        >>> h.shape, len(cache), cache[0].k.shape
        (torch.Size([1, 5, 8]), 2, torch.Size([1, 2, 5, 4]))
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = _norm(config)

    def forward(self, h: Float[Tensor, " b t c"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Run the blocks on new positions.

        Args:
            h: `(b, t, d_model)` the new positions.
            cache: what the positions before left behind; () when these are the first.

        Returns:
            The normed stream at the new positions, and the cache of all positions so far.
        """
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


@final
class Transformer(nn.Module):
    r"""Tokens in, next-token logits out.

    `logits[:, i]` parameterises $p(x_{i+1} \mid x_{\le i})$: it sees token $i$ and those before.

    Args:
        n_tokens: size of the vocabulary.
        config: the other sizes.

    Raises:
        ValueError: a text is longer than the table of learned positions, if there is one.

    Example:
        >>> net = Transformer(11, TransformerConfig(d_model=8, n_head=2, n_kv_head=1))
        >>> tokens = torch.tensor([[1, 2, 3]])
        >>> full = net(tokens)
        >>> first, cache = net.extend(tokens[:, :2])
        >>> last, cache = net.extend(tokens[:, 2:], cache)
        >>> torch.allclose(full, torch.cat([first, last], dim=1), atol=1e-6)
        True

    Source: Touvron et al. 2023 (arXiv:2302.13971), section 2.2.
    Lesson: notebooks/02_autoregressive.ipynb
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
        h: Tensor = self.body(self.embed(tokens))[0]
        return h

    def forward(self, tokens: Int[Tensor, " b t"]) -> Float[Tensor, " b t v"]:
        """Logits of the token after each position, all positions in one pass."""
        logits: Tensor = self.head(self.hidden(tokens))
        return logits

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
