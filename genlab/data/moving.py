r"""Moving digits: eight frames of 16 x 16 in which a captioned digit moves or turns.

$$\delta_f = \Big(\frac{2f}{7} - 1\Big)\,\delta, \qquad f = 0, \dots, 7,$$

with $\delta$ = 2.5 pixels for "moving left", "right", "up" and "down", and 35 degrees for
"turning".
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import require_finite, require_index
from genlab.data.captions import PARTS
from genlab.data.digits import load_mnist
from genlab.data.language import COLOURS, MOTIONS

N_FRAMES = 8
SIZE = 16
SHIFT = 2.5  # pixels from the middle to either end
TURN = 35.0  # degrees from upright to either end
_TOWARDS = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.0, 0.0))  # (right, down)


class MovingDigits(NamedTuple):
    """Grey videos with what their captions say."""

    videos: Float[Tensor, " n f h w"]  # in [0, 1], 8 frames of 16 x 16
    digit: Int[Tensor, " n"]  # 0..9
    colour: Int[Tensor, " n"]  # 0..5, in the order of COLOURS
    motion: Int[Tensor, " n"]  # 0..4, in the order of MOTIONS


def render(
    grey: Float[Tensor, " n h w"],
    right: Float[Tensor, " n"],
    down: Float[Tensor, " n"],
    clockwise: Float[Tensor, " n"],
    size: int = SIZE,
) -> Float[Tensor, " n s s"]:
    r"""Draw pictures moved and turned on a larger paper, by bilinear interpolation.

    $$y(q) = x\big(R(-\theta)\,(q - \delta)\big), \qquad \text{both centred at the origin}$$
    """
    angle = clockwise * (math.pi / 180)
    cos = angle.cos()
    sin = angle.sin()
    # The grid wants, for each place of the paper, the place of the picture, in half sides.
    turn = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)
    turn = turn * (size / grey.shape[-1])
    shift = -turn @ (torch.stack([right, down], -1) * 2 / size)[:, :, None]
    grid = F.affine_grid(
        torch.cat([turn, shift], -1), [len(grey), 1, size, size], align_corners=False
    )
    return F.grid_sample(grey[:, None], grid, align_corners=False)[:, 0]


def animate(
    grey: Float[Tensor, " n 14 14"], motion: Int[Tensor, " n"]
) -> Float[Tensor, " n f h w"]:
    """Let each digit carry out its motion."""
    require_index(len(MOTIONS), motion=motion)
    right, down = SHIFT * grey.new_tensor(_TOWARDS)[motion].T
    angle = TURN * (motion == MOTIONS.index("turning")).to(grey.dtype)
    ways = torch.linspace(-1, 1, N_FRAMES, dtype=grey.dtype).tolist()
    return torch.stack([render(grey, a * right, a * down, a * angle) for a in ways], 1)


def load_moving(part: str = "painter", *, seed: int = 0) -> MovingDigits:
    """Videos of every digit of one part; motions and colours are drawn from the seed."""
    grey, digit = small_digits(part)
    generator = torch.Generator().manual_seed(seed)
    colour = torch.randint(len(COLOURS), digit.shape, generator=generator)
    motion = torch.randint(len(MOTIONS), digit.shape, generator=generator)
    return MovingDigits(animate(grey, motion), digit, colour, motion)


def small_digits(part: str = "painter") -> tuple[Float[Tensor, " n 14 14"], Int[Tensor, " n"]]:
    """Digits of one part as means of 2 x 2 blocks, for `animate`, and their labels."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {sorted(PARTS)}, got {part!r}")
    splits = [load_mnist(split) for split in ("train", "val", "test")]
    images = torch.cat([s.images for s in splits])[PARTS[part]].double() / 255
    digit = torch.cat([s.labels for s in splits])[PARTS[part]]
    return F.avg_pool2d(images, 2)[:, 0].to(torch.get_default_dtype()), digit


def measure_motion(videos: Float[Tensor, " n f h w"]) -> Int[Tensor, " n"]:
    """Motion of each video: the way of its centre of mass, or else whether it turned.

    The way counts from 2 pixels on, a turn from 15 degrees clockwise on, in steps of five.
    """
    require_finite(videos=videos)
    first = videos[:, 0]
    last = videos[:, -1]
    moved = _centre(last) - _centre(first)  # (n, 2): right, down
    ways = moved @ videos.new_tensor(_TOWARDS[:4]).T  # (n, 4): how far each way
    far, way = ways.max(1)
    turned = torch.where(_angle(first, last) >= 15, MOTIONS.index("turning"), -1)
    return torch.where(far >= 2, way, turned)


def _centre(frames: Float[Tensor, " n h w"]) -> Float[Tensor, " n 2"]:
    """Centre of mass, pixels to the right and downwards."""
    mass = frames.sum((1, 2)).clamp(min=torch.finfo(frames.dtype).tiny)
    down, right = (torch.arange(k).to(frames) for k in frames.shape[-2:])
    return torch.stack([frames.sum(1) @ right / mass, frames.sum(2) @ down / mass], 1)


def _angle(first: Float[Tensor, " n s s"], last: Float[Tensor, " n s s"]) -> Float[Tensor, " n"]:
    """Degrees clockwise, a multiple of 5 up to 90, that carry one frame best onto the other."""
    n, size, _ = first.shape
    middle = (size - 1) / 2
    zero = first.new_zeros(n)
    shifts = [(middle - _centre(x)).T for x in (first, last)]
    pairs = zip((first, last), shifts, strict=True)
    centred = [render(x, to[0], to[1], zero, size) for x, to in pairs]
    angles = [float(a) for a in range(-90, 91, 5)]
    turned = (render(centred[0], zero, zero, torch.full_like(zero, a), size) for a in angles)
    goal = centred[1].flatten(1)
    alike = torch.stack([F.cosine_similarity(x.flatten(1), goal) for x in turned])
    return first.new_tensor(angles)[alike.argmax(0)]


def frames_in_colour(
    videos: Float[Tensor, " n f h w"], colour: Int[Tensor, " n"]
) -> Float[Tensor, " n 3 f h w"]:
    """Paint each video in its colour, channels before frames as networks for video expect."""
    rgb = videos.new_tensor(list(COLOURS.values()))[colour]
    return videos[:, None] * rgb[:, :, None, None, None]


check_public(__name__)
