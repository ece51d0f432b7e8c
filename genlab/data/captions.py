r"""Captioned digits: MNIST (`genlab.data.digits`), coloured at random, described by measurement.

A digit $g$ in [0, 1] gets a colour $c \in \{0, 1\}^3$, $x = g\,c$, and its caption says what can be
measured on the picture afterwards: digit, colour, *stroke* (thin or bold: the lowest or highest
third of the ink of its class) and *slant*, as in "a thin red seven leaning right". Of the 10,000
images 5,000 are for generators ("painter"), 4,000 for evaluators ("judge"), 1,000 for neither.
"""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from genlab.core.checked import check_public
from genlab.core.stats import ink, slant
from genlab.core.tensors import require_finite
from genlab.data.digits import load_mnist
from genlab.data.language import COLOURS, Attributes

SLANT_EDGES = (0.0, 0.25)
PARTS = {"painter": slice(0, 5000), "judge": slice(5000, 9000), "test": slice(9000, 10000)}


class CaptionedDigits(NamedTuple):
    """Grey images with their attributes; `paint` colours them, `write_captions` describes them."""

    grey: Float[Tensor, " n h w"]  # in [0, 1]
    attributes: Attributes


@cache
def _all_grey() -> tuple[Tensor, Tensor]:
    """All 10,000 digits at 28 x 28 in the order of the split, and their labels."""
    parts = [load_mnist(split) for split in ("train", "val", "test")]
    images = torch.cat([p.images[:, 0].to(torch.uint8) for p in parts])  # kept: an eighth
    return images, torch.cat([p.labels for p in parts])


@cache
def stroke_edges() -> Float[Tensor, " 10 2"]:
    """Ink below which each digit is thin, above which it is bold: thirds of the first part."""
    images, labels = (a[PARTS["painter"]] for a in _all_grey())
    covered = ink(_resize(images.double() / 255, 32))
    thirds = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    return torch.stack([covered[labels == c].quantile(thirds) for c in range(10)])


def _resize(grey: Float[Tensor, " n 28 28"], size: int) -> Float[Tensor, " n s s"]:
    """28 x 28 to 32 x 32 by a border of paper, or to 16 x 16 by means of its 2 x 2 blocks."""
    framed = pad(grey, (2, 2, 2, 2))
    return framed if size == 32 else avg_pool2d(framed[:, None], 2)[:, 0]


def measure_stroke(grey: Float[Tensor, " n h w"], digit: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Stroke of each picture, given which digit it shows: 0 thin, 1 neither, 2 bold."""
    require_finite(grey=grey)
    edges = stroke_edges().to(grey)[digit]
    return (ink(grey)[:, None] > edges).sum(1)


def measure_slant(grey: Float[Tensor, " n h w"]) -> Int[Tensor, " n"]:
    """Slant of each picture: 0 leaning left, 1 upright, 2 leaning right."""
    edges = grey.new_tensor(SLANT_EDGES)
    return (slant(grey)[:, None] > edges).sum(1)


def measure_colour(images: Float[Tensor, " n 3 h w"]) -> Int[Tensor, " n"]:
    r"""Index of the colour nearest to the picture's own.

    $$\arg\min_k \Big\lVert \frac{\sum_{ij} x_{ij}\,m_{ij}}{\sum_{ij} m_{ij}^2} - c_k \Big\rVert,
    \qquad m_{ij} = \max_c x_{cij}$$
    """
    require_finite(images=images)
    strength = images.amax(1, keepdim=True)
    total = (strength**2).sum((2, 3)).clamp(min=1e-12)
    mean = (images * strength).sum((2, 3)) / total
    return torch.cdist(mean, _palette(images)).argmin(1)


def _palette(like: Tensor) -> Float[Tensor, " 6 3"]:
    return like.new_tensor(list(COLOURS.values()))


def paint(grey: Float[Tensor, " n h w"], colour: Int[Tensor, " n"]) -> Float[Tensor, " n 3 h w"]:
    r"""Colour grey digits on black paper: $x = g\,c$."""
    return grey[:, None] * _palette(grey)[colour][:, :, None, None]


def grey_of(images: Float[Tensor, " *n 3 h w"]) -> Float[Tensor, " *n h w"]:
    """Grey digit under the colour: the largest of the three channels."""
    return images.amax(-3)


def load_captioned(part: str = "painter", size: int = 32, *, seed: int = 0) -> CaptionedDigits:
    """Grey digits of one part with what their captions say; colours are drawn from the seed."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {sorted(PARTS)}, got {part!r}")
    if size not in (16, 32):
        raise ValueError(f"size must be 16 or 32, got {size}")
    images, labels = (a[PARTS[part]] for a in _all_grey())
    large = _resize(images.double() / 255, 32)  # words are those of the large picture
    generator = torch.Generator().manual_seed(seed)
    attributes = Attributes(
        labels.clone(),
        torch.randint(len(COLOURS), labels.shape, generator=generator),
        measure_stroke(large, labels),
        torch.cat([measure_slant(part) for part in torch.split(large, 500)]),  # less memory
    )
    grey = large if size == 32 else _resize(images.double() / 255, 16)
    return CaptionedDigits(grey.to(torch.get_default_dtype()), attributes)


check_public(__name__)
