r"""A diffusion transformer (DiT): squares of an image as tokens, the time as shifts and scales.

$$h \leftarrow h + \alpha_1 \odot \mathrm{attention}\big((1 + \gamma_1) \odot \mathrm{norm}(h) +
\beta_1\big), \qquad
h \leftarrow h + \alpha_2 \odot \mathrm{MLP}\big((1 + \gamma_2) \odot \mathrm{norm}(h) +
\beta_2\big)$$

Each block starts as the identity (adaLN-zero: Peebles and Xie 2023, arXiv:2212.09748, section 3.2);
a text is read between the two (Chen et al. 2023, arXiv:2310.00426, section 2.3).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_positive
from genlab.nn.attention import CrossAttention, attention, join_heads, split_heads
from genlab.nn.layers import time_embedding


@dataclass(frozen=True)
class DiTConfig:
    """Sizes of a diffusion transformer."""

    c_in: int = 4  # channels of the input image
    c_out: int = 4  # channels of the output image
    side: int = 8  # pixels on a side
    patch: int = 1  # pixels on a side of the square that one token stands for
    width: int = 96  # of a token
    n_layer: int = 4
    n_head: int = 4
    mlp: int = 4  # width of the MLP, in units of width
    time_scale: float = 1000.0  # 1 for integer steps, 1000 for times in [0, 1]
    d_context: int = 0  # width of the text states read by cross-attention; 0 = none

    def __post_init__(self) -> None:
        sizes = {"c_in": self.c_in, "c_out": self.c_out, "side": self.side, "patch": self.patch}
        more = {"width": self.width, "n_layer": self.n_layer, "n_head": self.n_head}
        require_between(1, math.inf, **sizes, **more, mlp=self.mlp)
        require_between(0, math.inf, d_context=self.d_context)
        require_positive(time_scale=self.time_scale)


def modulate(
    x: Float[Tensor, " b n d"], shift: Float[Tensor, " b d"], scale: Float[Tensor, " b d"]
) -> Float[Tensor, " b n d"]:
    r"""$(1 + \gamma)\,x + \beta$: one shift and one scale for all tokens of an example."""
    return x * (1 + scale[:, None]) + shift[:, None]


class DiTBlock(nn.Module):
    """Self-attention, cross-attention to the text, and an MLP; adaLN-zero around the outer two."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        d, self.n_head = config.width, config.n_head
        self.norm_1 = nn.LayerNorm(d, elementwise_affine=False, eps=1e-6)
        self.to_qkv = nn.Linear(d, 3 * d)
        self.to_out = nn.Linear(d, d)
        self.norm_text = nn.LayerNorm(d) if config.d_context else None
        text = config.d_context
        self.read_text = CrossAttention(d, text, config.n_head) if text else None
        self.norm_2 = nn.LayerNorm(d, elementwise_affine=False, eps=1e-6)
        self.mlp_in = nn.Linear(d, config.mlp * d)
        self.mlp_out = nn.Linear(config.mlp * d, d)
        self.to_modulation = nn.Linear(d, 6 * d)
        at_zero: list[Tensor] = [*self.to_modulation.parameters()]
        if self.read_text is not None:
            at_zero.append(self.read_text.w_o.weight)
        for p in at_zero:
            nn.init.zeros_(p)

    def forward(
        self,
        h: Float[Tensor, " b n d"],
        emb: Float[Tensor, " b d"],
        context: Float[Tensor, " b s e"] | None,
    ) -> Float[Tensor, " b n d"]:
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = self.to_modulation(emb).chunk(6, 1)
        qkv = self.to_qkv(modulate(self.norm_1(h), shift_1, scale_1)).chunk(3, -1)
        heads = attention(*(split_heads(a, self.n_head) for a in qkv), fused=True)
        h = h + gate_1[:, None] * self.to_out(join_heads(heads))
        if self.read_text is not None and self.norm_text is not None and context is not None:
            h = h + self.read_text(self.norm_text(h), context)
        a = F.gelu(self.mlp_in(modulate(self.norm_2(h), shift_2, scale_2)), approximate="tanh")
        return h + gate_2[:, None] * self.mlp_out(a)


class DiT(nn.Module):
    r"""$(x, t) \mapsto$ an image like $x$, conditioned on a text if wanted; 0 at the start."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        if config.side % config.patch:
            raise ValueError(f"patches of {config.patch} do not divide a side of {config.side}")
        self.config, d, n_in = config, config.width, config.c_in * config.patch**2
        self.n_places = (config.side // config.patch) ** 2
        self.embed_patch = nn.Linear(n_in, d)
        self.where = nn.Parameter(0.5 * torch.randn(self.n_places, d))
        self.embed_time = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d), nn.SiLU())
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.n_layer))
        self.norm_out = nn.LayerNorm(d, elementwise_affine=False, eps=1e-6)
        self.to_modulation = nn.Linear(d, 2 * d)
        self.project = nn.Linear(d, config.c_out * config.patch**2)
        for p in (*self.to_modulation.parameters(), *self.project.parameters()):
            nn.init.zeros_(p)

    def forward(
        self,
        x: Float[Tensor, " b c h w"],
        t: Shaped[Tensor, " b"],
        *,
        context: Float[Tensor, " b s e"] | None = None,
    ) -> Float[Tensor, " b o h w"]:
        """Predict an image like `x`."""
        config, (b, _, side, _) = self.config, x.shape
        if x.shape[-2:] != (config.side, config.side):
            raise ValueError(f"built for {config.side} x {config.side}, got {tuple(x.shape[-2:])}")
        emb = self.embed_time(time_embedding(t, config.width, scale=config.time_scale).to(x))
        h = self.embed_patch(F.pixel_unshuffle(x, config.patch).flatten(2).mT) + self.where
        for block in self.blocks:
            h = block(h, emb, context)
        shift, scale = self.to_modulation(emb).chunk(2, 1)
        out = self.project(modulate(self.norm_out(h), shift, scale))
        places = side // config.patch
        return F.pixel_shuffle(out.mT.reshape(b, -1, places, places), config.patch)


check_public(__name__)
