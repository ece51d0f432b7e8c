"""The transformer: blocks of Llama and of GPT-2, and the stack between tokens and logits."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.nn.attention import Cache, KeyValue, SelfAttention, Turns, n_seen
from genlab.nn.layers import rope_angles


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
    gpt2: bool = False  # `GPT2Block` in place of `Block`


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


class SwiGLU(nn.Module):
    r"""The gated MLP $W_2\,(\mathrm{SiLU}(W_1 x) \odot W_3 x)$ (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w_2 = nn.Linear(d_hidden, d_model, bias=False)
        self.w_3 = nn.Linear(d_model, d_hidden, bias=False)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        return self.w_2(F.silu(self.w_1(x)) * self.w_3(x))


class Block(nn.Module):
    """Llama's block: RMSNorm before attention and before a gated MLP, each added to the stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_1 = RMSNorm(config.d_model, config.norm_eps)
        self.attention = SelfAttention(
            config.d_model,
            config.n_head,
            config.n_kv_head,
            fused=config.fused,
            causal=config.causal,
        )
        self.norm_2 = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = SwiGLU(config.d_model, config.d_hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        h: Float[Tensor, " b t c"],
        turns: Turns,
        mask: Bool[Tensor, " t s"] | None,
        past: KeyValue | None = None,
    ) -> tuple[Tensor, KeyValue]:
        out, seen = self.attention(self.norm_1(h), turns, mask, past)
        h = h + self.dropout(out)
        return h + self.dropout(self.mlp(self.norm_2(h))), seen


class GELUMLP(nn.Module):
    r"""GPT-2's MLP $W_2\,\mathrm{GELU}(W_1 x + b_1) + b_2$ (Radford et al. 2019)."""

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden)
        self.w_2 = nn.Linear(d_hidden, d_model)

    def forward(self, x: Float[Tensor, " *b d"]) -> Tensor:
        return self.w_2(F.gelu(self.w_1(x), approximate="tanh"))


class GPT2Block(nn.Module):
    """GPT-2's block: LayerNorm, biases everywhere, and a plain MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.d_model, config.norm_eps)
        self.attention = SelfAttention(
            config.d_model,
            config.n_head,
            config.n_kv_head,
            bias=True,
            fused=config.fused,
            causal=config.causal,
        )
        self.norm_2 = nn.LayerNorm(config.d_model, config.norm_eps)
        self.mlp = GELUMLP(config.d_model, config.d_hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        h: Float[Tensor, " b t c"],
        turns: Turns,
        mask: Bool[Tensor, " t s"] | None,
        past: KeyValue | None = None,
    ) -> tuple[Tensor, KeyValue]:
        out, seen = self.attention(self.norm_1(h), turns, mask, past)
        h = h + self.dropout(out)
        return h + self.dropout(self.mlp(self.norm_2(h))), seen


class TransformerBody(nn.Module):
    """The blocks and the last norm, vectors in and vectors out: the embedding is the caller's."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        block, norm = (GPT2Block, nn.LayerNorm) if config.gpt2 else (Block, RMSNorm)
        self.blocks = nn.ModuleList(block(config) for _ in range(config.n_layer))
        self.norm = norm(config.d_model, config.norm_eps)

    def turns(self, n_past: int, h: Float[Tensor, " b t c"]) -> Turns:
        """How far the queries and keys at the places of `h` are turned; None where none is."""
        if self.config.n_positions:
            return None
        positions = torch.arange(n_past, n_past + h.shape[1], device=h.device)
        head_dim = self.config.d_model // self.config.n_head
        angles = rope_angles(positions, head_dim, h, base=self.config.rope_base)
        return angles.cos(), angles.sin()

    def forward(self, h: Float[Tensor, " b t c"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        if cache and not self.config.causal:
            raise ValueError("a cache needs a causal body: without the mask, old keys would change")
        n_past = n_seen(cache)
        turns = self.turns(n_past, h)
        seen: list[KeyValue] = []
        for i, block in enumerate(self.blocks):
            h, kv = block(h, turns, None, cache[i] if cache else None)
            seen.append(kv)
        return self.norm(h), tuple(seen)


class Transformer(nn.Module):
    """Tokens in, next-token logits out (Touvron et al. 2023 (arXiv:2302.13971), section 2.2)."""

    def __init__(self, n_tokens: int, config: TransformerConfig) -> None:
        super().__init__()
        self.n_tokens = n_tokens
        self.config = config
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
        h = self.embedding(tokens)
        end = n_past + tokens.shape[1]
        size = self.config.n_positions
        if not size:
            return h
        if end > size:
            raise ValueError(f"{end} tokens, but only {size} positions")
        return h + self.positions.weight[n_past:end]

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


check_public(__name__)
