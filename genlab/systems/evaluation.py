r"""How many words of a caption does a picture keep?

$$\text{score of a kind} = \frac{\#\{\text{pictures whose measured word is the claimed one}\}}
{\#\{\text{captions that claim a word of that kind}\}}$$

The digit is read by a judge fitted on images that no generator saw; colour, stroke and slant are
measured as they were on the real pictures.

Lesson: notebooks/systems/glide.ipynb
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.data.captions import (
    Attributes,
    Claims,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
)
from genlab.data.moving import MOTIONS, N_FRAMES, SHIFT, TURN, draw, measure_motion, small_digits
from genlab.metrics.features import DigitJudge

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
        What was found, in the indices of `genlab.data.captions`.
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


Films = Float[Tensor, " n 3 f h w"]
Grey = Float[Tensor, " n f h w"]
Labels = Int[Tensor, " n"]
WAY, ANGLE = 2 * SHIFT / (N_FRAMES - 1), 2 * TURN / (N_FRAMES - 1)  # of one frame


class Wanted(NamedTuple):
    """What captions claim of films, as indices into the tables of words."""

    digit: Labels
    colour: Labels
    motion: Labels


def wanted(n: int, *, seed: int = 0) -> Wanted:
    """Draw claims: every digit and motion equally often, colours at random.

    Args:
        n: how many.
        seed: of the colours.

    Returns:
        Claims, whose captions `write_moving(*claims)` are.

    Example:
        >>> claims = wanted(100)
        >>> claims.digit.bincount().unique(), claims.motion.bincount().unique()
        (tensor([10]), tensor([20]))
    """
    k = torch.arange(n)
    colour = torch.randint(6, (n,), generator=torch.Generator().manual_seed(seed))
    return Wanted(k % 10, colour, k // 10 % len(MOTIONS))


@cache
def film_judge() -> DigitJudge:
    """Fit the judge on its own 4,000 digits, at the films' size (once in a process, some seconds).

    Returns:
        The judge.
    """
    grey, digit = small_digits("judge")
    still = torch.zeros(len(grey), dtype=grey.dtype)
    return DigitJudge(draw(grey, still, still, still), digit)


def read_frames(grey: Grey, motion: Labels, judge: Judge) -> Int[Tensor, " n f"]:
    """Read the digit in every frame; frames of films that should turn are turned back first.

    Args:
        grey: films of 8 frames, in [0, 1].
        motion: `(n,)`, the motion that each caption claims.
        judge: reads upright digits.

    Returns:
        Digits 0..9.
    """
    turning = (motion == MOTIONS.index("turning")).to(grey.dtype)
    rest = torch.zeros_like(turning)
    angles = torch.linspace(-TURN, TURN, grey.shape[1]).tolist()
    back = [draw(grey[:, f], rest, rest, -a * turning) for f, a in enumerate(angles)]
    return torch.stack([judge(frame) for frame in back], 1)


def motion_residual(grey: Grey) -> Float[Tensor, " n"]:
    """Share of each next frame that the best of seven motions leaves unexplained, film by film.

    Args:
        grey: in [0, 1].

    Returns:
        `(n,)`: 0 for frames that follow from each other, about 1 for strangers.

    Example:
        >>> motion_residual(torch.ones(1, 1, 4, 4).expand(1, 3, 4, 4))
        tensor([0.])
    """
    now, then = grey[:, :-1].flatten(0, 1), grey[:, 1:].flatten(0, 1)
    ones = torch.ones(len(now), dtype=grey.dtype)
    moves = [(0.0, 0.0, 0.0), (-WAY, 0, 0), (WAY, 0, 0), (0, -WAY, 0), (0, WAY, 0)]
    moves += [(0, 0, ANGLE), (0, 0, -ANGLE)]
    left = torch.stack(
        [
            (draw(now, ones * right, ones * down, ones * turn, grey.shape[-1]) - then)
            .square()
            .sum((1, 2))
            for right, down, turn in moves
        ]
    ).amin(0)
    share = left / then.square().sum((1, 2)).clamp(min=1e-6)
    return share.reshape(len(grey), -1).mean(1)


def film_scores(films: Films, claims: Wanted, judge: Judge) -> dict[str, float]:
    """Measure films against their captions and against themselves.

    Args:
        films: one for each claim, in [0, 1].
        claims: what the captions say.
        judge: reads digits.

    Returns:
        Shares "motion", "colour" (of frames), "digit" (read right in all frames), "same digit" (the
        same in all frames, right or wrong), "all words", and the mean "residual".

    Raises:
        ValueError: there is not one claim for each film.
    """
    if len(films) != len(claims.digit):
        raise ValueError(f"{len(films)} films have {len(claims.digit)} captions")
    grey = films.amax(1)
    read = read_frames(grey, claims.motion, judge)
    frames = films.transpose(1, 2)
    colour = torch.stack([measure_colour(frame) for frame in frames], 0)
    kept = {
        "motion": measure_motion(grey) == claims.motion,
        "colour": (colour == claims.colour[:, None]).all(1),
        "digit": (read == claims.digit[:, None]).all(1),
    }
    shares = {name: float(k.double().mean()) for name, k in kept.items()}
    shares["same digit"] = float((read == read[:, :1]).all(1).double().mean())
    shares["all words"] = float(torch.stack(list(kept.values())).all(0).double().mean())
    return shares | {"residual": float(motion_residual(grey).mean())}
