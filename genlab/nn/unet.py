r"""A small U-Net: an image in, an image of the same size out, told the time (and what to draw).

Going down, the image shrinks and gains channels; going up, each level is joined with the one it
came from, so detail need not squeeze through the bottom. Every residual block is told the time by a
shift and a scale of its normalised features,

$$a = \mathrm{norm}\big(\mathrm{conv}\,\phi(\mathrm{norm}\,h)\big), \qquad
h \leftarrow h + \mathrm{conv}\,\phi\big((1 + s(e))\,a + b(e)\big),$$

where $e$ embeds the time and the class. Self-attention at the bottom lets distant parts agree;
cross-attention there reads a text. Made for images of 8 x 8 to 32 x 32.

Ronneberger et al. 2015 (arXiv:1505.04597); Ho et al. 2020 (arXiv:2006.11239), appendix B; Dhariwal
and Nichol 2021 (arXiv:2105.05233), section 3.1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from genlab.nn.layers import frequencies, rotate, time_embedding
from genlab.nn.transformer import CrossAttention, attention, join_heads, split_heads


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
    r"""Shift and scale whole channels: $(1 + s)\,h + b$."""
    return (1 + scale[:, :, None, None]) * h + shift[:, :, None, None]


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
        return self.shortcut(x) + self.conv_2(self.dropout(h))


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
        return tokens.mT.reshape(x.shape)


class UNet(nn.Module):
    r"""$(x, t) \mapsto$ an image like $x$, optionally told a class and a text.

    Ho et al. 2020 (arXiv:2006.11239), appendix B; shift and scale as in Dhariwal and Nichol 2021
    (arXiv:2105.05233), section 3.1; attention at the lowest level only.
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
        """Predict an image like `x`."""
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
        return self.conv_out(F.silu(self.norm_out(h)))

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


ROPE_BASE = 100.0  # the slowest pair of features turns once in about 600 frames
MAX_PERIOD = 100.0  # likewise for the waves that tell a frame its number
GAIN = 8.0  # of what tells a place where it is: it starts at zero, and should not stay there long


@dataclass(frozen=True)
class VideoUNetConfig:
    """Sizes of a U-Net for films."""

    image: UNetConfig  # of one frame, whose channels are those of a block of `patch` x `patch`
    patch: int = 1  # pixels on a side that one place of the network holds
    positions: bool = True  # frames know their number; without it time has no direction
    side: int = 0  # places on a side of a frame that know where they are; 0: none does


def attention_pairs(n_frames: int, n_places: int, *, factorised: bool) -> int:
    r"""Count the (query, key) pairs that one head of a layer weighs.

    $$\text{full: } (FN)^2, \qquad \text{factorised: } FN^2 + NF^2$$

    Ho et al. 2022 (arXiv:2204.03458), section 3.
    """
    f, n = n_frames, n_places
    return f * n**2 + n * f**2 if factorised else (f * n) ** 2


class TemporalAttention(nn.Module):
    r"""Every place looks at itself in all frames; added to its input, and zero at the start.

    $$h_{f} \leftarrow h_{f} + W_o \sum_{g} w_{fg}\,W_v\,\mathrm{norm}(h)_g, \qquad
    w_{fg} = \mathrm{softmax}_g\Big(\tfrac{1}{\sqrt d}\,
    \langle R_f W_q\,\mathrm{norm}(h)_f,\ R_g W_k\,\mathrm{norm}(h)_g\rangle\Big)$$

    The rotations $R$ make a weight depend on $f - g$; without them the layer commutes with every
    permutation of the frames, reversal included.

    Ho et al. 2022 (arXiv:2204.03458), section 3, with rotary positions for its relative position
    embeddings.
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
        x: Float[Tensor, " bf c h w"],
        times: Float[Tensor, " f"] | None,
        joined: Bool[Tensor, " b"] | None,
        n_frames: int | None = None,
    ) -> Tensor:
        """Features of the same shape."""
        f = len(times) if times is not None else n_frames
        if not f or len(x) % f:
            raise ValueError(f"{len(x)} frames are not films of {f} frames")
        bf, c, h, w = x.shape
        tokens = self.norm(x).reshape(bf // f, f, c, h * w).permute(0, 3, 1, 2).flatten(0, 1)
        q, k, v = (split_heads(a, self.n_head) for a in self.to_qkv(tokens).chunk(3, dim=-1))
        if times is not None:
            angles = times.to(x)[:, None] * frequencies(self.head_dim // 2, ROPE_BASE, x)
            q, k = rotate(q, angles), rotate(k, angles)
        out = self.to_out(join_heads(attention(q, k, v)))
        out = out.reshape(bf // f, h * w, f, c).permute(0, 2, 3, 1)
        if joined is not None:
            out = out * joined.to(out)[:, None, None, None]
        return x + out.reshape(x.shape)


class VideoUNet(nn.Module):
    r"""$(x, t) \mapsto$ a film like $x$, $x$ of shape `(b, c, f, h, w)`, optionally told a text.

    Ho et al. 2022 (arXiv:2204.03458), section 3. ValueError: the image network's channels are not
    those of a block of pixels.
    """

    def __init__(self, config: VideoUNetConfig) -> None:
        super().__init__()
        if config.image.c_in % config.patch**2:
            raise ValueError(
                f"c_in is {config.image.c_in}, expected a multiple of {config.patch}^2 pixels"
            )
        self.config, self.image = config, UNet(config.image)
        width, d_emb = config.image.width, 4 * config.image.width
        side = config.side
        self.where = nn.Parameter(torch.zeros(width, side, side)) if side else None
        self.film_told, self.frame_told = nn.Linear(d_emb, d_emb), nn.Linear(width, d_emb)
        self.clock = nn.Linear(d_emb, d_emb)
        for p in self.clock.parameters():
            nn.init.zeros_(p)

        def along_time(levels: list[int]) -> nn.ModuleList:
            return nn.ModuleList(
                TemporalAttention(width * m, config.image.n_head)
                for m in levels
                for _ in range(config.image.n_block)
            )

        mults = list(config.image.mults)
        self.time_down, self.time_up = along_time(mults), along_time(mults[::-1])
        self.time_middle = TemporalAttention(width * mults[-1], config.image.n_head)

    def embedding(
        self,
        t: Shaped[Tensor, " b"],
        times: Float[Tensor, " *b f"],
        pooled: Float[Tensor, " b p"] | None,
    ) -> Float[Tensor, " bf e"]:
        """What the blocks of every frame are told: noise level and text, and its own number.

        "Left" shifts frame 0 to the right and frame 7 to the left: on average over the frames a
        word says nothing of the place, and on average over the words a number says nothing. So what
        a film is told and what a frame is told enter as a product.
        """
        emb = self.image.embedding(t, None, pooled).repeat_interleave(times.shape[-1], 0)
        if not self.config.positions:
            return emb
        numbers = times.expand(len(t), -1).flatten()
        waves = time_embedding(numbers, self.config.image.width, max_period=MAX_PERIOD).to(emb)
        told: Tensor = self.clock(self.film_told(emb) * self.frame_told(waves))
        return emb + told

    def forward(
        self,
        x: Float[Tensor, " b c f h w"],
        t: Shaped[Tensor, " b"],
        context: Float[Tensor, " b s e"] | None = None,
        pooled: Float[Tensor, " b p"] | None = None,
        *,
        joined: Bool[Tensor, " b"] | None = None,
        times: Float[Tensor, " *b f"] | None = None,
    ) -> Float[Tensor, " b c f h w"]:
        """Predict a film like `x`.

        ValueError: films with numbers of their own whose frames see each other.
        """
        net, n_block, n_frames = self.image, self.config.image.n_block, x.shape[2]
        times = torch.arange(n_frames).to(x) if times is None else times
        emb = self.embedding(t, times, pooled)
        context = None if context is None else context.repeat_interleave(n_frames, 0)
        alone = joined is not None and not bool(joined.any())
        if times.ndim == 2 and not alone:
            raise ValueError("frames that see each other are numbered alike in all films")
        seen = times if self.config.positions else None

        def talk(layer: nn.Module, h: Tensor) -> Tensor:
            return h if alone else layer(h, seen, joined, n_frames)

        frames = F.pixel_unshuffle(x.transpose(1, 2).flatten(0, 1), self.config.patch)
        h, skips = net.stem(frames), []
        h = h if self.where is None else h + GAIN * self.where
        for i, (block, layer) in enumerate(zip(net.down, self.time_down, strict=True)):
            h = F.avg_pool2d(h, 2) if i and i % n_block == 0 else h
            h = talk(layer, block(h, emb))
            skips.append(h)
        h = net.attention(net.middle_1(h, emb), context)
        h = net.middle_2(talk(self.time_middle, h), emb)
        for i, (block, layer) in enumerate(zip(net.up, self.time_up, strict=True)):
            h = F.interpolate(h, scale_factor=2.0, mode="nearest") if i and i % n_block == 0 else h
            h = talk(layer, block(torch.cat([h, skips.pop()], dim=1), emb))
        out = F.pixel_shuffle(net.conv_out(F.silu(net.norm_out(h))), self.config.patch)
        return out.reshape(len(x), n_frames, *out.shape[1:]).transpose(1, 2)
