r"""Captioned digits: real handwriting, coloured at random and described by measurement.

A MNIST digit $g$ in [0, 1] is painted with a colour $c \in \{0, 1\}^3$, $x = g\,c$, and its caption
says what can be measured on the picture afterwards:

- the *digit*, its class;
- the *colour*;
- the *stroke*: "thin" or "bold" when its ink is in the lowest or the highest third of its class,
  and no word for the middle third;
- the *slant*: "leaning left" below 0, "leaning right" above 0.25, else "upright" (about a third of
  the digits each).

"a thin red seven leaning right" is then a claim that a generated picture keeps or breaks: the
digit by a classifier that no generator has seen, the other words by the same measurement.

The 10,000 images are split into 5,000 for generators ("painter"), 4,000 for classifiers that judge
them ("judge") and 1,000 held out from both ("test").

Lesson: notebooks/systems/glide.ipynb
Source: MNIST (see `genlab.data.mnist`); captions in the manner of our own.
"""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from genlab.core.guards import require_finite
from genlab.core.moments import ink, slant

from .mnist import load_mnist

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "magenta": (1.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
}
STROKES = ("thin", "", "bold")  # lowest, middle and highest third of the ink of a class
SLANTS = ("leaning left", "upright", "leaning right")
SLANT_EDGES = (0.0, 0.25)
PARTS = {"painter": slice(0, 5000), "judge": slice(5000, 9000), "test": slice(9000, 10000)}

Grey = Float[Tensor, " n h w"]
Labels = Int[Tensor, " n"]


class Attributes(NamedTuple):
    """What a caption can say, as indices into the tables of words; one entry for each image."""

    digit: Labels  # 0..9
    colour: Labels  # 0..5, in the order of COLOURS
    stroke: Labels  # 0 thin, 1 neither, 2 bold
    slant: Labels  # 0 leaning left, 1 upright, 2 leaning right


class CaptionedDigits(NamedTuple):
    """Grey images with their attributes; `paint` colours them, `write` describes them."""

    grey: Grey  # in [0, 1]
    attributes: Attributes


@cache
def _all_grey() -> tuple[Tensor, Tensor]:
    """All 10,000 digits at 28 x 28 in the order of the split, and their labels."""
    parts = [load_mnist(split) for split in ("train", "val", "test")]
    images = torch.cat([p.images[:, 0].to(torch.uint8) for p in parts])  # kept: an eighth
    return images, torch.cat([p.labels for p in parts])


@cache
def stroke_edges() -> Float[Tensor, " 10 2"]:
    """Ink below which each digit counts as thin, and above which as bold: thirds of the painter's.

    Returns:
        `(10, 2)` float64, in units of `ink` of a 32 x 32 picture.

    Example:
        >>> edges = stroke_edges()
        >>> bool((edges[:, 0] < edges[:, 1]).all()), int(edges[:, 1].argmin())
        (True, 1)
    """
    images, labels = _all_grey()
    images, labels = images[PARTS["painter"]], labels[PARTS["painter"]]
    share = ink(_resize(images.double() / 255, 32))
    thirds = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    return torch.stack([share[labels == c].quantile(thirds) for c in range(10)])


def _resize(grey: Float[Tensor, " n 28 28"], size: int) -> Float[Tensor, " n s s"]:
    """28 x 28 to 32 x 32 by a border of paper, or to 16 x 16 by means of its 2 x 2 blocks."""
    framed = pad(grey, (2, 2, 2, 2))
    return framed if size == 32 else avg_pool2d(framed[:, None], 2)[:, 0]


def measure_stroke(grey: Grey, digit: Labels) -> Labels:
    """Stroke of each picture, given which digit it shows: 0 thin, 1 neither, 2 bold.

    Args:
        grey: in [0, 1], a digit with the border of the 32 x 32 pictures, at any size.
        digit: `(n,)`, 0..9.

    Returns:
        `(n,)`, indices into `STROKES`.

    Example:
        >>> grey, attributes = load_captioned("test", size=32)
        >>> bool((measure_stroke(grey, attributes.digit) == attributes.stroke).all())
        True
    """
    require_finite(grey=grey)
    edges = stroke_edges().to(grey)[digit]
    return (ink(grey)[:, None] > edges).sum(1)


def measure_slant(grey: Grey) -> Labels:
    """Slant of each picture: 0 leaning left, 1 upright, 2 leaning right.

    Args:
        grey: in [0, 1].

    Returns:
        `(n,)`, indices into `SLANTS`.

    Example:
        >>> measure_slant(torch.eye(8).flip(1)[None])
        tensor([2])
    """
    edges = torch.tensor(SLANT_EDGES, dtype=grey.dtype, device=grey.device)
    return (slant(grey)[:, None] > edges).sum(1)


def measure_colour(images: Float[Tensor, " n 3 h w"]) -> Labels:
    r"""Index of the colour nearest to the picture's own.

    $$\arg\min_k \Big\lVert \frac{\sum_{ij} x_{ij}\,m_{ij}}{\sum_{ij} m_{ij}^2} - c_k \Big\rVert,
    \qquad m_{ij} = \max_c x_{cij}$$

    Args:
        images: red, green and blue, in [0, 1].

    Returns:
        `(n,)`, 0..5; meaningless for a picture without ink.

    Example:
        >>> measure_colour(paint(torch.ones(2, 4, 4), torch.tensor([3, 5])))
        tensor([3, 5])
    """
    require_finite(images=images)
    strength = images.amax(1, keepdim=True)
    total = (strength**2).sum((2, 3)).clamp(min=1e-12)
    mean = (images * strength).sum((2, 3)) / total
    return torch.cdist(mean, _palette(images)).argmin(1)


def _palette(like: Tensor) -> Float[Tensor, " 6 3"]:
    return torch.tensor(list(COLOURS.values()), dtype=like.dtype, device=like.device)


def paint(grey: Grey, colour: Labels) -> Float[Tensor, " n 3 h w"]:
    r"""Colour grey digits on black paper: $x = g\,c$.

    Args:
        grey: in [0, 1].
        colour: `(n,)`, 0..5.

    Returns:
        `(n, 3, h, w)` in [0, 1]; `grey_of` gives the digits back exactly.

    Example:
        >>> paint(torch.full((1, 1, 1), 0.5), torch.tensor([3])).flatten()
        tensor([0.5000, 0.5000, 0.0000])
    """
    return grey[:, None] * _palette(grey)[colour][:, :, None, None]


def grey_of(images: Float[Tensor, " n 3 h w"]) -> Grey:
    """Grey digit under the colour: the largest of the three channels.

    Args:
        images: in [0, 1].

    Returns:
        `(n, h, w)`.

    Example:
        >>> grey_of(paint(torch.full((1, 2, 2), 0.5), torch.tensor([1]))).unique()
        tensor([0.5000])
    """
    return images.amax(1)


def load_captioned(part: str = "painter", size: int = 32, *, seed: int = 0) -> CaptionedDigits:
    """Grey digits of one part with what their captions say; colours are drawn from the seed.

    A training loop may draw fresh colours at every step: `paint` and `write` take any.

    Args:
        part: "painter" (5,000 digits), "judge" (4,000) or "test" (1,000).
        size: 32, or 16 for means of 2 x 2 blocks.
        seed: of the colours.

    Returns:
        `CaptionedDigits(grey, attributes)`: grey `(n, size, size)` in torch's default dtype, in
        [0, 1].

    Raises:
        ValueError: the part is none of the three, or the size none of the two.

    Example:
        >>> grey, attributes = load_captioned("test", size=16)
        >>> grey.shape, len(attributes.digit)
        (torch.Size([1000, 16, 16]), 1000)

    Lesson: notebooks/systems/glide.ipynb
    """
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
