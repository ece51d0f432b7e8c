r"""Captioned digits: MNIST (`genlab.data.digits`), coloured at random, described by measurement.

A digit $g$ in [0, 1] gets a colour $c \in \{0, 1\}^3$, $x = g\,c$, and its caption says what can be
measured on the picture afterwards: digit, colour, *stroke* (thin or bold: the lowest or highest
third of the ink of its class) and *slant*, as in "a thin red seven leaning right". Of the 10,000
images 5,000 are for generators ("painter"), 4,000 for evaluators ("judge"), 1,000 for neither.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from genlab.core.checked import check_public
from genlab.core.stats import ink, slant
from genlab.core.tensors import require_between, require_finite, require_index
from genlab.data.digits import load_mnist

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


class Attributes(NamedTuple):
    """What a caption can say, as indices into the tables of words; one entry for each image."""

    digit: Int[Tensor, " n"]  # 0..9
    colour: Int[Tensor, " n"]  # 0..5, in the order of COLOURS
    stroke: Int[Tensor, " n"]  # 0 thin, 1 neither, 2 bold
    slant: Int[Tensor, " n"]  # 0 leaning left, 1 upright, 2 leaning right


class CaptionedDigits(NamedTuple):
    """Grey images with their attributes; `paint` colours them, `write` describes them."""

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


PAD = "<pad>"
WORDS = (
    *(PAD, "a", "thin", "bold", *COLOURS, *DIGITS, "leaning", "left", "right", "upright"),
    *("moving", "up", "down", "turning"),  # of `genlab.data.moving`
)
MAX_WORDS = 6


class Claims(NamedTuple):
    """What one caption claims; None where it says nothing."""

    digit: int
    colour: int
    stroke: int | None
    slant: int | None


def write(
    attributes: Attributes,
    *,
    say_stroke: Bool[Tensor, " n"] | None = None,
    say_slant: Bool[Tensor, " n"] | None = None,
) -> list[str]:
    """Describe images in words."""
    always = torch.ones_like(attributes.digit, dtype=torch.bool)
    said = (always if told is None else told for told in (say_stroke, say_slant))
    colours, captions = list(COLOURS), []
    for d, c, k, s, stroke, lean in zip(*(a.tolist() for a in (*attributes, *said)), strict=True):
        words = ["a", STROKES[k] * stroke, colours[c], DIGITS[d], SLANTS[s] * lean]
        captions.append(" ".join(filter(None, words)))
    return captions


def read(caption: str) -> Claims:
    """Say what a caption claims."""
    left = caption.lower().strip().rstrip(".").split()
    next_word(caption, left, ("a",))
    stroke = STROKES.index(left.pop(0)) if left and left[0] in ("thin", "bold") else None
    colour = list(COLOURS).index(next_word(caption, left, tuple(COLOURS)))
    digit = DIGITS.index(next_word(caption, left, DIGITS))
    slant = None
    if left:
        if (phrase := " ".join(left)) not in SLANTS:
            raise ValueError(f"{caption!r} ends in {phrase!r}; expected one of {', '.join(SLANTS)}")
        slant = SLANTS.index(phrase)
    return Claims(digit, colour, stroke, slant)


def next_word(caption: str, left: list[str], options: tuple[str, ...]) -> str:
    """Remove the next word of a caption and return it, if it is one of the options."""
    found = left.pop(0) if left else "nothing"
    if found not in options:
        raise ValueError(
            f"{caption!r} has {found!r} where one of {', '.join(options)} was expected; "
            "a caption looks like 'a thin red seven leaning right'"
        )
    return found


def encode(captions: Sequence[str]) -> Int[Tensor, " n 6"]:
    """Turn captions into rows of word numbers, filled up with padding."""
    rows = torch.zeros(len(captions), MAX_WORDS, dtype=torch.int64)
    for row, caption in zip(rows, captions, strict=True):
        words = caption.split()
        if len(words) > MAX_WORDS:
            raise ValueError(f"{caption!r} has {len(words)} words, expected at most {MAX_WORDS}")
        for k, word in enumerate(words):
            if word not in WORDS[1:]:
                raise ValueError(f"{caption!r} has the unknown word {word!r}; known: {WORDS[1:]}")
            row[k] = WORDS.index(word)
    return rows


def decode(rows: Int[Tensor, " n w"]) -> list[str]:
    """Turn rows of word numbers back into captions; padding is left out."""
    require_index(len(WORDS), rows=rows)
    return [" ".join(WORDS[k] for k in row if k) for row in rows.tolist()]


END = ""  # what "follows" a caption that is complete


class CaptionDistribution(NamedTuple):
    """Every caption with its probability, and the distribution of the digits described."""

    captions: tuple[str, ...]
    p: Float[Tensor, " n"]  # sums to 1, float64
    attributes: Float[Tensor, " digit colour stroke slant"]  # sums to 1, float64


def caption_distribution(
    attributes: Attributes, *, say_stroke: float = 0.75, say_slant: float = 0.75
) -> CaptionDistribution:
    """Enumerate the captions that can be written of some digits, in random colours."""
    require_between(0, 1, say_stroke=say_stroke, say_slant=say_slant)
    table = torch.zeros(len(DIGITS), len(COLOURS), len(STROKES), len(SLANTS), dtype=torch.float64)
    digits, _, strokes, slants = (a.tolist() for a in attributes)
    for digit, stroke, lean in zip(digits, strokes, slants, strict=True):
        table[digit, :, stroke, lean] += 1
    table /= table.sum()
    found = table.nonzero()
    weights = table[tuple(found.T)]
    total: dict[str, float] = {}
    for stroke, lean in product((False, True), repeat=2):
        p_said = (say_stroke if stroke else 1 - say_stroke) * (say_slant if lean else 1 - say_slant)
        said = [torch.full((len(found),), value) for value in (stroke, lean)]
        captions = write(Attributes(*found.T), say_stroke=said[0], say_slant=said[1])
        for caption, weight in zip(captions, weights.tolist(), strict=True):
            total[caption] = total.get(caption, 0.0) + p_said * weight
    kept = sorted(caption for caption, p in total.items() if p > 0)
    p = torch.tensor([total[c] for c in kept], dtype=torch.float64)
    return CaptionDistribution(tuple(kept), p, table)


def next_word_probs(truth: CaptionDistribution, prompt: str) -> dict[str, float]:
    r"""What follows a beginning: exact conditional probabilities of the next word.

    $$p(w \mid \text{prompt}) =
    \frac{\sum p(\text{captions that begin with prompt}, w)}
    {\sum p(\text{captions that begin with prompt})}$$
    """
    start = prompt.split()
    follow: dict[str, float] = {}
    for caption, p in zip(truth.captions, truth.p.tolist(), strict=True):
        words = caption.split()
        if words[: len(start)] == start:
            word = words[len(start)] if len(words) > len(start) else END
            follow[word] = follow.get(word, 0.0) + p
    total = sum(follow.values())
    return {word: follow[word] / total for word in sorted(follow)}


def chance(truth: CaptionDistribution, captions: Sequence[str] | None = None) -> dict[str, float]:
    r"""Score of a perfect generator conditioned on somebody else's caption.

    $$\sum_{c} p(c) \sum_a p(a)\,[\text{attributes } a \text{ keep the words of } c]$$

    Given captions weigh equally.
    """
    p_digit, p_colour, p_slant = (
        truth.attributes.sum([k for k in range(4) if k != d]) for d in (0, 1, 3)
    )
    rows: dict[str, list[tuple[float, float]]]
    rows = {k: [] for k in ("digit", "colour", "slant", "all")}
    weights = truth.p.tolist() if captions is None else [1.0] * len(captions)
    for caption, weight in zip(captions or truth.captions, weights, strict=True):
        c = read(caption)
        fits = truth.attributes[c.digit, c.colour]
        fits = fits if c.stroke is None else fits[c.stroke : c.stroke + 1]
        fits = fits if c.slant is None else fits[:, c.slant]
        rows["all"].append((weight, float(fits.sum())))
        rows["digit"].append((weight, float(p_digit[c.digit])))
        rows["colour"].append((weight, float(p_colour[c.colour])))
        if c.slant is not None:
            rows["slant"].append((weight, float(p_slant[c.slant])))
    return {kind: sum(w * v for w, v in r) / sum(w for w, _ in r) for kind, r in rows.items()}


check_public(__name__)
