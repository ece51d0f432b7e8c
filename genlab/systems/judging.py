r"""How many words of a caption does a picture keep?

$$\text{score of a kind} = \frac{\#\{\text{pictures whose measured word is the claimed one}\}}
{\#\{\text{captions that claim a word of that kind}\}}$$

The digit is read by a judge fitted on images that no generator saw; colour, stroke and slant are
measured as they were on the real pictures.

Lesson: notebooks/systems/glide.ipynb
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.data.captioned import (
    Attributes,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
)
from genlab.data.captions import Claims
from genlab.metrics.judge import DigitJudge

Judge = Callable[[Tensor], Tensor]  # grey pictures to digits


@cache
def digit_judge() -> DigitJudge:
    """Fit the judge on its own 4,000 digits, once in a process (some seconds).

    Returns:
        The judge.
    """
    grey, attributes = load_captioned("judge", 16)
    return DigitJudge(grey, attributes.digit)


def measure(
    images: Float[Tensor, " n 3 s s"], digit: Int[Tensor, " n"], judge: Judge
) -> Attributes:
    """Measure everything that a caption can say about pictures.

    Args:
        images: in [0, 1]; values outside are clipped.
        digit: the digit that each picture should show: its stroke is compared with that class.
        judge: reads the digits.

    Returns:
        What was found, in the indices of `genlab.data.captioned`.
    """
    images = images.clamp(0, 1)
    grey = grey_of(images)
    return Attributes(
        judge(grey), measure_colour(images), measure_stroke(grey, digit), measure_slant(grey)
    )


def kept_words(
    images: Float[Tensor, " n 3 s s"], claims: Sequence[Claims], judge: Judge
) -> dict[str, Float[Tensor, " n"]]:
    """For each picture and kind of word: 1 where the word is kept, 0 where not, nan unclaimed.

    Args:
        images: one picture for each caption, in [0, 1].
        claims: what the captions say, from `genlab.data.captions.read`.
        judge: reads the digits.

    Returns:
        Rows "digit", "colour", "stroke", "slant" and "all" (every claimed word is kept).

    Raises:
        ValueError: there is not one caption for each picture.
    """
    if len(images) != len(claims):
        raise ValueError(f"{len(images)} pictures have {len(claims)} captions")
    digit = torch.tensor([c.digit for c in claims])
    found = measure(images, digit, judge)
    kept = {}
    for kind in ("digit", "colour", "stroke", "slant"):
        claimed = [getattr(c, kind) for c in claims]
        said = torch.tensor([-1 if value is None else value for value in claimed])
        right = (getattr(found, kind) == said).double()
        kept[kind] = torch.where(said < 0, torch.nan, right)
    kept["all"] = torch.stack([v.nan_to_num(1.0) for v in kept.values()]).amin(0)
    return kept


def word_scores(
    images: Float[Tensor, " n 3 s s"], claims: Sequence[Claims], judge: Judge
) -> dict[str, float]:
    """Share of the claimed words that pictures keep, by kind.

    Args:
        images: one picture for each caption, in [0, 1].
        claims: what the captions say.
        judge: reads the digits.

    Returns:
        Shares in [0, 1] for "digit", "colour", "stroke", "slant" and "all".

    Lesson: notebooks/systems/glide.ipynb
    """
    return {kind: float(v.nanmean()) for kind, v in kept_words(images, claims, judge).items()}
