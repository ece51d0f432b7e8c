r"""A U-Net for films: convolutions and attention in each frame, attention along time at each place.

A film of F frames with N places each would need $(FN)^2$ pairs in full attention. Factorised, every
place looks at its own frame, then at itself in the other frames,

$$\underbrace{F N^2}_{\text{space}} + \underbrace{N F^2}_{\text{time}} = FN\,(N + F)
\quad\text{pairs instead of}\quad (FN)^2 .$$

The network *is* an image U-Net (`image`), run on all frames at once, with a residual layer of
temporal attention behind each of its blocks. Those layers start at zero, and so does what tells a
frame its number and a place where it is: an untrained film network is the image network on every
frame, and a trained one is again whenever `joined` is false.

Lesson: notebooks/systems/text_to_video.ipynb
Sources: Ho et al. 2022 (arXiv:2204.03458), section 3 (factorised attention, joint training on
    images); Singer et al. 2022 (arXiv:2209.14792), section 3.2 (temporal layers that start as the
    identity).
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from genlab.nn.attention import attention, join_heads, split_heads
from genlab.nn.embedding import frequencies, rotate, time_embedding
from genlab.nn.unet import UNet, UNetConfig

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

    Args:
        n_frames: F.
        n_places: N, of one frame.
        factorised: space then time, or everything with everything.

    Returns:
        The number of pairs.

    Example:
        >>> attention_pairs(8, 64, factorised=False), attention_pairs(8, 64, factorised=True)
        (262144, 36864)

    Source: Ho et al. 2022 (arXiv:2204.03458), section 3.
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    f, n = n_frames, n_places
    return f * n**2 + n * f**2 if factorised else (f * n) ** 2


@final
class TemporalAttention(nn.Module):
    r"""Every place looks at itself in all frames; added to its input, and zero at the start.

    $$h_{f} \leftarrow h_{f} + W_o \sum_{g} w_{fg}\,W_v\,\mathrm{norm}(h)_g, \qquad
    w_{fg} = \mathrm{softmax}_g\Big(\tfrac{1}{\sqrt d}\,
    \langle R_f W_q\,\mathrm{norm}(h)_f,\ R_g W_k\,\mathrm{norm}(h)_g\rangle\Big)$$

    The rotations $R$ make a weight depend on $f - g$; without them the layer commutes with every
    permutation of the frames, reversal included.

    Args:
        channels: of the features; a multiple of 8.
        n_head: heads; divides `channels`, with an even quotient.

    Example:
        >>> layer = TemporalAttention(8, n_head=2)
        >>> x = torch.randn(2 * 3, 8, 4, 4)  # two films of three frames
        >>> torch.equal(layer(x, torch.arange(3.0), None), x)
        True

    Source: Ho et al. 2022 (arXiv:2204.03458), section 3, with rotary positions for its relative
        position embeddings.
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
        """Features of the same shape.

        Args:
            x: frames of all films, film after film.
            times: number of each frame; None: frames have no positions.
            joined: films whose frames see each other; None: all.
            n_frames: F, needed where `times` is None.
        """
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
        joint: Tensor = x + out.reshape(x.shape)
        return joint


@final
class VideoUNet(nn.Module):
    r"""$(x, t) \mapsto$ a film like $x$, $x$ of shape `(b, c, f, h, w)`, optionally told a text.

    Args:
        config: the sizes.

    Raises:
        ValueError: the image network's channels are not those of a block of pixels.

    Example:
        >>> net = VideoUNet(VideoUNetConfig(UNetConfig(c_in=3, c_out=3, width=8)))
        >>> film, t = torch.randn(2, 3, 5, 8, 8), torch.tensor([0, 5])
        >>> net(film, t).shape
        torch.Size([2, 3, 5, 8, 8])

    Source: Ho et al. 2022 (arXiv:2204.03458), section 3.
    Lesson: notebooks/systems/text_to_video.ipynb
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
        word says nothing of the place, and on average over the words a number says nothing. So
        what a film is told and what a frame is told enter as a product.
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

        Args:
            x: the (noisy) film.
            t: `(b,)` the noise level of each film: one for all of its frames.
            context: `(b, s, d_context)` states of a text; None: nothing is read.
            pooled: `(b, d_pooled)` the text as one vector; None: nothing.
            joined: films whose frames see each other; None: all. Elsewhere each frame is predicted
                from itself, its number and the text.
            times: number of each frame; None: 0, 1, ..., f - 1. `(b, f)` where films differ, which
                only frames that do not see each other may.

        Raises:
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
            out: Tensor = h if alone else layer(h, seen, joined, n_frames)
            return out

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
        film: Tensor = out.reshape(len(x), n_frames, *out.shape[1:]).transpose(1, 2)
        return film
