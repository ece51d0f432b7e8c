"""A small U-Net: an image (or a video) and a time in, a prediction of the same size out."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_positive
from genlab.nn.attention import CrossAttention, attention, join_heads, split_heads
from genlab.nn.layers import frequencies, rotate, time_embedding


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
    n_classes: int = 0  # 0 = unconditional; row n_classes of the table is the null condition
    d_context: int = 0  # width of text states read by cross-attention; 0 = none
    dropout: float = 0.0  # inside every residual block
    everywhere: bool = False  # attention after every block, not at the bottom alone
    side: int = 0  # height and width of a learned map added after the stem; 0 = none

    def __post_init__(self) -> None:
        sizes = {"c_in": self.c_in, "c_out": self.c_out, "width": self.width}
        require_between(1, math.inf, **sizes, n_block=self.n_block, n_head=self.n_head)
        require_between(0, math.inf, n_classes=self.n_classes, d_context=self.d_context)
        require_between(0, math.inf, side=self.side)
        require_between(0, 1, dropout=self.dropout)
        require_positive(time_scale=self.time_scale, mults=torch.tensor(self.mults))


class ResBlock(nn.Module):
    r"""Two convolutions around a shift and a scale by the embedding $e$, added to the input.

    $$a = \mathrm{norm}\big(\mathrm{conv}\,\phi(\mathrm{norm}\,h)\big), \qquad
    h \leftarrow h + \mathrm{conv}\,\phi\big((1 + s(e))\,a + b(e)\big)$$

    It starts as its shortcut. Dhariwal and Nichol 2021 (arXiv:2105.05233), section 3.1.
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

    def forward(self, x: Float[Tensor, " b c h w"], emb: Float[Tensor, " b d"]) -> Tensor:
        a = self.norm_2(self.conv_1(F.silu(self.norm_1(x))))
        shift, scale = self.to_shift_scale(emb)[:, :, None, None].chunk(2, dim=1)
        return self.shortcut(x) + self.conv_2(self.dropout(F.silu((1 + scale) * a + shift)))


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
    ) -> Float[Tensor, " b c h w"]:
        q, k, v = self.to_qkv(self.norm(x).flatten(2).mT).chunk(3, dim=-1)
        heads = attention(*(split_heads(a, self.n_head) for a in (q, k, v)))
        tokens = x.flatten(2).mT + self.to_out(join_heads(heads))
        if self.read_text is not None and self.norm_text is not None and context is not None:
            tokens = tokens + self.read_text(self.norm_text(tokens), context)
        return tokens.mT.reshape(x.shape)


class UNet(nn.Module):
    r"""$(x, t) \mapsto$ an image like $x$, given a class, a text (Ho et al. 2020, appendix B)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        d_emb = 4 * width
        self.embed_time = nn.Sequential(nn.Linear(width, d_emb), nn.SiLU(), nn.Linear(d_emb, d_emb))
        self.embed_class = nn.Embedding(config.n_classes + 1, d_emb) if config.n_classes else None
        going_down = [width * m for m in config.mults for _ in range(config.n_block)]
        going_up = going_down[::-1]
        first = going_down[0]
        bottom = going_down[-1]
        self.stem = nn.Conv2d(config.c_in, first, 3, padding=1)
        side = config.side
        self.where = nn.Parameter(0.5 * torch.randn(first, side, side)) if side else None

        def blocks(c_ins: list[int], c_outs: list[int]) -> list[ResBlock]:
            pairs = zip(c_ins, c_outs, strict=True)
            return [ResBlock(i, o, d_emb, config.dropout) for i, o in pairs]

        self.down = nn.ModuleList(blocks([first, *going_down[:-1]], going_down))
        # Created last, registered before the middle: the order of creation decides the random
        # initial weights, the order of registration that of parameters for optimizers and files.
        self.up = nn.ModuleList()
        self.middle_1, self.middle_2 = blocks([bottom, bottom], [bottom, bottom])
        self.attention = SpatialAttention(bottom, config.n_head, config.d_context)
        below = [bottom, *going_up[:-1]]  # what a block gets from below
        with_skip = [a + b for a, b in zip(below, going_up, strict=True)]
        self.up.extend(blocks(with_skip, going_up))
        at = going_down + going_up if config.everywhere else []
        self.attentions = nn.ModuleList(
            SpatialAttention(c, config.n_head, config.d_context) for c in at
        )
        self.norm_out = nn.GroupNorm(8, first)
        self.conv_out = nn.Conv2d(first, config.c_out, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def embedding(
        self, t: Shaped[Tensor, " b"], label: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, " b d"]:
        """What every block is conditioned on: the time, plus the class."""
        waves = time_embedding(t, self.config.width, scale=self.config.time_scale)
        e: Tensor = self.embed_time(waves.to(self.stem.weight.dtype))
        if self.embed_class is None:
            return F.silu(e)
        if label is None:
            label = torch.full(t.shape, self.config.n_classes, device=t.device)
        return F.silu(e + self.embed_class(label))

    def forward(
        self,
        x: Float[Tensor, " b c h w"],
        t: Shaped[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
        context: Float[Tensor, " b s e"] | None = None,
    ) -> Float[Tensor, " b o h w"]:
        """Predict an image like `x`; a ValueError names a condition it was not built for."""
        self.require_size(x)
        for given, name in ((label, "n_classes"), (context, "d_context")):
            if given is not None and not getattr(self.config, name):
                raise ValueError(f"a condition was given, but {name} is 0")
        emb = self.embedding(t, label)
        h = self.enter(x)
        skips = []
        for level, pairs in enumerate(self.levels_down()):
            if level:
                h = F.avg_pool2d(h, 2)
            for block, look in pairs:
                h = _look_around(look, block(h, emb), context)
                skips.append(h)
        h = self.attention(self.middle_1(h, emb), context)
        h = self.middle_2(h, emb)
        for level, pairs in enumerate(self.levels_up()):
            if level:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            for block, look in pairs:
                h = block(torch.cat([h, skips.pop()], dim=1), emb)
                h = _look_around(look, h, context)
        return self.leave(h)

    def require_size(self, x: Float[Tensor, " b c h w"]) -> None:
        """Refuse an image that cannot be halved often enough, or that the learned map misses."""
        factor = 2 ** (len(self.config.mults) - 1)
        if x.shape[-1] % factor or x.shape[-2] % factor:
            raise ValueError(f"height and width must be multiples of {factor}, got {x.shape[-2:]}")
        side = self.config.side
        if side and x.shape[-2:] != (side, side):
            raise ValueError(f"built for {side} x {side}, got {x.shape[-2]} x {x.shape[-1]}")

    def enter(self, x: Float[Tensor, " b c h w"]) -> Tensor:
        """Pixels to features, with what is learned of each place."""
        h = self.stem(x)
        return h if self.where is None else h + self.where

    def leave(self, h: Tensor) -> Tensor:
        """Features to pixels."""
        return self.conv_out(F.silu(self.norm_out(h)))

    def levels_down(self) -> "list[Level]":
        """The way down: for each level, from the finest, its blocks with their attentions."""
        looks = [*self.attentions][: len(self.down)] or [None] * len(self.down)
        return self._by_level([*zip(self.down, looks, strict=True)])

    def levels_up(self) -> "list[Level]":
        """The way up, from the coarsest level."""
        looks = [*self.attentions][len(self.down) :] or [None] * len(self.up)
        return self._by_level([*zip(self.up, looks, strict=True)])

    def _by_level(self, pairs: list[Any]) -> "list[Level]":
        n = self.config.n_block
        return [pairs[i : i + n] for i in range(0, len(pairs), n)]


Level = list[tuple[ResBlock, SpatialAttention | None]]


def _look_around(
    look: SpatialAttention | None,
    h: Float[Tensor, " b c h w"],
    context: Float[Tensor, " b s e"] | None,
) -> Float[Tensor, " b c h w"]:
    """The attention of a block, where it has one."""
    return h if look is None else look(h, context)


ROPE_BASE = MAX_PERIOD = 100.0  # the slowest wave of a frame's number: once in about 600 frames


@dataclass(frozen=True)
class VideoUNetConfig:
    """Sizes of a U-Net for videos."""

    image: UNetConfig  # of one frame, whose channels are those of a block of `patch` x `patch`
    patch: int = 1  # pixels on a side that one place of the network holds
    positions: bool = True  # frames know their number; without it time has no direction


def attention_pairs(n_frames: int, n_places: int, *, factorised: bool) -> int:
    r"""(Query, key) pairs that one head weighs: $(FN)^2$, or factorised $FN^2 + NF^2$.

    Ho et al. 2022 (arXiv:2204.03458), section 3.
    """
    f, n = n_frames, n_places
    return f * n**2 + n * f**2 if factorised else (f * n) ** 2


class TemporalAttention(nn.Module):
    r"""Every place looks at itself in all frames; added to its input, and zero at the start.

    $$h_{f} \leftarrow h_{f} + W_o \sum_{g} w_{fg}\,W_v\,\mathrm{norm}(h)_g, \qquad
    w_{fg} = \mathrm{softmax}_g\Big(\tfrac{1}{\sqrt d}\,
    \langle R_f W_q\,\mathrm{norm}(h)_f,\ R_g W_k\,\mathrm{norm}(h)_g\rangle\Big)$$

    Ho et al. 2022 (arXiv:2204.03458), section 3, with rotary positions $R$ for its relative ones.
    """

    def __init__(self, channels: int, n_head: int) -> None:
        super().__init__()
        self.n_head, self.head_dim = n_head, channels // n_head
        self.norm = nn.GroupNorm(8, channels)
        self.to_qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self,
        x: Float[Tensor, " b c h w"],
        times: Float[Tensor, " f"] | None,
        joined: Bool[Tensor, " n"] | None,
        n_frames: int = 1,
    ) -> Tensor:
        """Features of the same shape; videos that are not `joined` are left alone."""
        (_, c, h, w), f = x.shape, n_frames if times is None else len(times)
        tokens = self.norm(x).reshape(-1, f, c, h * w).permute(0, 3, 1, 2).flatten(0, 1)
        q, k, v = (split_heads(a, self.n_head) for a in self.to_qkv(tokens).chunk(3, dim=-1))
        if times is not None:
            angles = times.to(x)[:, None] * frequencies(self.head_dim // 2, ROPE_BASE, x)
            q = rotate(q, angles)
            k = rotate(k, angles)
        out = self.to_out(join_heads(attention(q, k, v)))
        out = out.reshape(-1, h * w, f, c).permute(0, 2, 3, 1)
        if joined is not None:
            out = out * joined.to(out)[:, None, None, None]
        return x + out.reshape(x.shape)


class VideoUNet(nn.Module):
    r"""$(x, t) \mapsto$ a video like $x$, $x$ of shape `(b, c, f, h, w)`, conditioned on a text.

    The image network on each frame, temporal layers between: Ho et al. 2022 (arXiv:2204.03458).
    """

    def __init__(self, config: VideoUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.image = UNet(config.image)
        width = config.image.width
        d = config.image.d_context
        self.word_told = nn.Linear(d, d)  # U
        self.frame_told = nn.Linear(width, d)  # V
        self.clock = nn.Linear(d, d)  # W
        for p in self.clock.parameters():
            nn.init.zeros_(p)

        def along_time(mults: tuple[int, ...]) -> list[TemporalAttention]:
            widths = [width * m for m in mults for _ in range(config.image.n_block)]
            return [TemporalAttention(w, config.image.n_head) for w in widths]

        mults = config.image.mults
        self.time_down = nn.ModuleList(along_time(mults))
        self.time_up = nn.ModuleList(along_time(mults[::-1]))
        self.time_middle = TemporalAttention(width * mults[-1], config.image.n_head)

    def words(
        self, states: Float[Tensor, " b s e"] | None, times: Float[Tensor, " *n f"]
    ) -> Tensor | None:
        r"""A text as each frame f reads it: $h + W\,((U h)\odot(V\,\mathrm{waves}(f)))$."""
        if states is None:
            return None
        each = states.repeat_interleave(times.shape[-1], 0)
        if not self.config.positions:
            return each
        numbers = times.expand(len(states), -1).flatten()
        waves = time_embedding(numbers, self.config.image.width, max_period=MAX_PERIOD).to(each)
        return each + self.clock(self.word_told(each) * self.frame_told(waves)[:, None])

    def forward(
        self,
        x: Float[Tensor, " b c f h w"],
        t: Shaped[Tensor, " b"],
        context: Float[Tensor, " b s e"] | None = None,
        *,
        joined: Bool[Tensor, " b"] | None = None,
        times: Float[Tensor, " *b f"] | None = None,
    ) -> Float[Tensor, " b c f h w"]:
        """Predict a video like `x`; the frames of one that is not `joined` are images alone."""
        n_frames = x.shape[2]
        patch = self.config.patch
        times = torch.arange(n_frames).to(x) if times is None else times
        alone = joined is not None and not bool(joined.any())
        if times.ndim == 2 and not alone:
            raise ValueError("frames that see each other are numbered alike in all videos")
        seen = times if self.config.positions else None
        emb = self.image.embedding(t).repeat_interleave(n_frames, 0)
        words = self.words(context, times)

        def along_time(layer: nn.Module, h: Tensor) -> Tensor:
            return h if alone else layer(h, seen, joined, n_frames)

        frames = F.pixel_unshuffle(x.transpose(1, 2).flatten(0, 1), patch)
        self.image.require_size(frames)
        h = self.image.enter(frames)
        skips = []
        layers = iter(self.time_down)
        for level, pairs in enumerate(self.image.levels_down()):
            if level:
                h = F.avg_pool2d(h, 2)
            for block, look in pairs:
                h = along_time(next(layers), _look_around(look, block(h, emb), words))
                skips.append(h)
        h = self.image.attention(self.image.middle_1(h, emb), words)
        h = self.image.middle_2(along_time(self.time_middle, h), emb)
        layers = iter(self.time_up)
        for level, pairs in enumerate(self.image.levels_up()):
            if level:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            for block, look in pairs:
                h = block(torch.cat([h, skips.pop()], dim=1), emb)
                h = along_time(next(layers), _look_around(look, h, words))
        out = F.pixel_shuffle(self.image.leave(h), patch)
        return out.reshape(len(x), n_frames, *out.shape[1:]).transpose(1, 2)


check_public(__name__)
