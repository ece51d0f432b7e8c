r"""A small U-Net: an image in, an image of the same size out, told the time (and what to draw).

Going down, the image shrinks and gains channels; going up, each level is joined with the one it
came from, so detail need not squeeze through the bottom. Every residual block is told the time by
a shift and a scale of its normalised features,

$$a = \mathrm{norm}\big(\mathrm{conv}\,\phi(\mathrm{norm}\,h)\big), \qquad
h \leftarrow h + \mathrm{conv}\,\phi\big((1 + s(e))\,a + b(e)\big),$$

where $e$ embeds the time and the class. Self-attention at the bottom lets distant parts agree;
cross-attention there reads a text. Made for images of 8 x 8 to 32 x 32.

Lesson: notebooks/12_diffusion_i.ipynb (used from there on)
Sources: Ronneberger et al. 2015 (arXiv:1505.04597); Ho et al. 2020 (arXiv:2006.11239),
    appendix B; Dhariwal and Nichol 2021 (arXiv:2105.05233), section 3.1.
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from genlab.nn.attention import CrossAttention, attention, join_heads, split_heads
from genlab.nn.embedding import time_embedding


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a U-Net."""

    c_in: int = 1  # channels of the input image
    c_out: int = 1  # channels of the output image
    width: int = 32  # channels at full resolution; a multiple of 8
    mults: tuple[int, ...] = (1, 2)  # channels of each level, in units of width
    n_block: int = 1  # residual blocks per level and direction
    n_head: int = 4  # heads of the attention at the bottom
    time_scale: float = 1.0  # 1 for integer steps, 1000 for times in [0, 1]
    n_classes: int = 0  # 0 = not told the class; row n_classes of the table means "no class"
    d_context: int = 0  # width of text states read by cross-attention; 0 = none
    d_pooled: int = 0  # width of a vector added to the time's embedding (a text's mean); 0 = none
    dropout: float = 0.0  # inside every residual block


def modulate(
    h: Float[Tensor, " b c h w"], shift: Float[Tensor, " b c"], scale: Float[Tensor, " b c"]
) -> Tensor:
    r"""Shift and scale whole channels: $(1 + s)\,h + b$.

    Example:
        >>> modulate(torch.ones(1, 2, 1, 1), torch.tensor([[0.0, 1.0]]), torch.ones(1, 2)).flatten()
        tensor([2., 3.])
    """
    return (1 + scale[:, :, None, None]) * h + shift[:, :, None, None]


@final
class ResBlock(nn.Module):
    """Two convolutions around a modulation by the embedding, added to the (projected) input.

    The last convolution starts at zero, so the block starts as its shortcut.
    """

    def __init__(self, c_in: int, c_out: int, d_emb: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(8, c_in)
        self.conv_1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.to_shift_scale = nn.Linear(d_emb, 2 * c_out)
        self.norm_2 = nn.GroupNorm(8, c_out)
        self.dropout = nn.Dropout(dropout)
        self.conv_2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        nn.init.zeros_(self.conv_2.weight)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Float[Tensor, " b c h w"], emb: Float[Tensor, " b e"]) -> Tensor:
        """Features of the same height and width."""
        h = self.conv_1(F.silu(self.norm_1(x)))
        shift, scale = self.to_shift_scale(emb).chunk(2, dim=-1)
        h = F.silu(modulate(self.norm_2(h), shift, scale))
        out: Tensor = self.shortcut(x) + self.conv_2(self.dropout(h))
        return out


@final
class SpatialAttention(nn.Module):
    """Every place of the image looks at every other, and at the text if there is one."""

    def __init__(self, channels: int, n_head: int, d_context: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.norm = nn.GroupNorm(8, channels)
        self.to_qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        self.norm_text = nn.LayerNorm(channels) if d_context else None
        self.read_text = CrossAttention(channels, d_context, n_head) if d_context else None

    def forward(
        self, x: Float[Tensor, " b c h w"], context: Float[Tensor, " b s e"] | None
    ) -> Tensor:
        """Features of the same shape."""
        tokens = x.flatten(2).mT
        q, k, v = self.to_qkv(self.norm(x).flatten(2).mT).chunk(3, dim=-1)
        heads = attention(*(split_heads(a, self.n_head) for a in (q, k, v)))
        tokens = tokens + self.to_out(join_heads(heads))
        if self.read_text is not None and self.norm_text is not None and context is not None:
            tokens = tokens + self.read_text(self.norm_text(tokens), context)
        out: Tensor = tokens.mT.reshape(x.shape)
        return out


@final
class UNet(nn.Module):
    r"""$(x, t) \mapsto$ an image like $x$, optionally told a class and a text.

    Args:
        config: the sizes.

    Raises:
        ValueError: `width` is not a multiple of 8; the image does not halve often enough; a class,
            a text or a pooled vector is given to a network that was not built for one.

    Example:
        >>> net = UNet(UNetConfig(width=8, n_classes=10))
        >>> x, t = torch.zeros(2, 1, 8, 8), torch.tensor([0, 5])
        >>> net(x, t).shape, net(x, t, label=torch.tensor([3, 10])).shape
        (torch.Size([2, 1, 8, 8]), torch.Size([2, 1, 8, 8]))

    Source: Ho et al. 2020 (arXiv:2006.11239), appendix B; shift and scale as in Dhariwal and
        Nichol 2021 (arXiv:2105.05233), section 3.1; attention at the lowest level only.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        if config.width % 8:
            raise ValueError(f"width must be a multiple of 8, got {config.width}")
        self.config = config
        channels = [config.width * m for m in config.mults]
        d_emb = 4 * config.width
        self.embed_time = nn.Sequential(
            nn.Linear(config.width, d_emb), nn.SiLU(), nn.Linear(d_emb, d_emb)
        )
        self.embed_class = nn.Embedding(config.n_classes + 1, d_emb) if config.n_classes else None
        self.embed_pooled = nn.Linear(config.d_pooled, d_emb) if config.d_pooled else None
        self.stem = nn.Conv2d(config.c_in, channels[0], 3, padding=1)

        def block(c_in: int, c_out: int) -> ResBlock:
            return ResBlock(c_in, c_out, d_emb, config.dropout)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c, skips = channels[0], []
        for c_level in channels:
            for _ in range(config.n_block):
                self.down.append(block(c, c_level))
                c = c_level
                skips.append(c)
        self.middle_1, self.middle_2 = block(c, c), block(c, c)
        self.attention = SpatialAttention(c, config.n_head, config.d_context)
        for c_level in reversed(channels):
            for _ in range(config.n_block):
                self.up.append(block(c + skips.pop(), c_level))
                c = c_level
        self.norm_out = nn.GroupNorm(8, c)
        self.conv_out = nn.Conv2d(c, config.c_out, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def embedding(
        self,
        t: Shaped[Tensor, " b"],
        label: Int[Tensor, " b"] | None,
        pooled: Float[Tensor, " b p"] | None = None,
    ) -> Tensor:
        """What every block is told: the time, plus the class and the pooled vector, if any."""
        waves = time_embedding(t, self.config.width, scale=self.config.time_scale)
        e: Tensor = self.embed_time(waves.to(self.stem.weight.dtype))
        if self.embed_pooled is not None and pooled is not None:
            e = e + self.embed_pooled(pooled)
        if self.embed_class is None:
            return F.silu(e)
        if label is None:
            label = torch.full(t.shape, self.config.n_classes, device=t.device)
        return F.silu(e + self.embed_class(label))

    def forward(
        self,
        x: Float[Tensor, " b i h w"],
        t: Shaped[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
        context: Float[Tensor, " b s e"] | None = None,
        pooled: Float[Tensor, " b p"] | None = None,
    ) -> Float[Tensor, " b o h w"]:
        """Predict an image like `x`.

        Args:
            x: the (noisy) image; height and width divisible by `2 ** (len(mults) - 1)`.
            t: `(b,)` the time of each image, in the unit that `time_scale` was chosen for.
            label: `(b,)` class 0..n_classes-1, or n_classes for "no class"; None: all "no class".
            context: `(b, s, d_context)` states of a text; None: nothing is read.
            pooled: `(b, d_pooled)` what every block is told beside the time; None: nothing.
        """
        self._check(x, label, context, pooled)
        n, emb = self.config.n_block, self.embedding(t, label, pooled)
        h, skips = self.stem(x), []
        for i, block in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i and i % n == 0 else h
            h = block(h, emb)
            skips.append(h)
        h = self.middle_2(self.attention(self.middle_1(h, emb), context), emb)
        for i, block in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2.0, mode="nearest") if i and i % n == 0 else h
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        out: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return out

    def _check(
        self, x: Tensor, label: Tensor | None, context: Tensor | None, pooled: Tensor | None
    ) -> None:
        """Refuse what the network was not built for."""
        factor = 2 ** (len(self.config.mults) - 1)
        if x.shape[-1] % factor or x.shape[-2] % factor:
            raise ValueError(f"height and width must be multiples of {factor}, got {x.shape[-2:]}")
        if label is not None and self.embed_class is None:
            raise ValueError("a label was given, but n_classes is 0")
        if context is not None and not self.config.d_context:
            raise ValueError("a context was given, but d_context is 0")
        if pooled is not None and not self.config.d_pooled:
            raise ValueError("a pooled vector was given, but d_pooled is 0")
