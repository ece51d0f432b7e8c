"""The proportion of the words of captions that pictures, or videos, keep, kind by kind."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.data.captions import (
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
    paint,
)
from genlab.data.language import MOTIONS, Attributes, Claims, read_caption, write_captions
from genlab.data.moving import N_FRAMES, SHIFT, TURN, measure_motion, render, small_digits
from genlab.metrics.coverage import PrecisionRecall, precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import DigitJudge, WaveletFeatures, gradient_histograms

Classifier = Callable[[Tensor], Tensor]  # grey pictures to digits
KINDS = ("digit", "colour", "stroke", "slant")
STEP = 2 * SHIFT / (N_FRAMES - 1)
ANGLE = 2 * TURN / (N_FRAMES - 1)  # motion from frame to frame


@cache
def digit_evaluator() -> DigitJudge:
    """The classifier of digits, fitted on its own 4,000, once in a process (some seconds)."""
    grey, attributes = load_captioned("judge", 16)
    return DigitJudge(grey, attributes.digit)


@cache
def video_evaluator() -> DigitJudge:
    """The same for digits at the videos' size."""
    grey, digit = small_digits("judge")
    still = torch.zeros(len(grey), dtype=grey.dtype)
    return DigitJudge(render(grey, still, still, still), digit)


def measure(
    images: Float[Tensor, " n 3 s s"], digit: Int[Tensor, " n"], classifier: Classifier
) -> Attributes:
    """What captions can say of pictures in [0, 1]; strokes are compared within `digit`'s class."""
    images = images.clamp(0, 1)
    grey = grey_of(images)
    colour = measure_colour(images)
    return Attributes(classifier(grey), colour, measure_stroke(grey, digit), measure_slant(grey))


def kept_words(
    images: Float[Tensor, " n 3 s s"], claims: Sequence[Claims], classifier: Classifier
) -> dict[str, Float[Tensor, " n"]]:
    """For each picture and kind of word: 1 where the word is kept, 0 where not, nan unclaimed.

    Rows "digit", "colour", "stroke", "slant" and "all" (every claimed word is kept).
    """
    if len(images) != len(claims):
        raise ValueError(f"{len(images)} pictures have {len(claims)} captions")
    found = measure(images, torch.tensor([c.digit for c in claims]), classifier)
    kept = {}
    for kind in KINDS:
        claimed = [getattr(c, kind) for c in claims]
        said = torch.tensor([-1 if value is None else value for value in claimed])
        right = (getattr(found, kind) == said).double()
        kept[kind] = torch.where(said < 0, torch.nan, right)
    kept["all"] = torch.stack([v.nan_to_num(1.0) for v in kept.values()]).amin(0)
    return kept


def word_scores(
    images: Float[Tensor, " n 3 s s"],
    claims: Sequence[Claims],
    classifier: Classifier | None = None,
) -> dict[str, float]:
    """Proportion of the claimed words that pictures keep, by kind and for "all"."""
    kept = kept_words(images, claims, classifier or digit_evaluator())
    return {kind: float(v.nanmean()) for kind, v in kept.items()}


def claims_of(caption: str) -> Claims | None:
    """What a text claims, or None when it is not of the language of captions."""
    try:
        return read_caption(caption)
    except ValueError:
        return None


def drawn_scores(
    captions: Sequence[str], images: Float[Tensor, " n 3 s s"], classifier: Classifier | None = None
) -> dict[str, float]:
    """`word_scores` of pictures in [0, 1] by their captions; a text that is none keeps no word."""
    claims = {k: claim for k, text in enumerate(captions) if (claim := claims_of(text))}
    scores = word_scores(images[list(claims)], list(claims.values()), classifier)
    return scores | {"all": scores["all"] * len(claims) / len(captions)}


def read_scores(texts: Sequence[str], truth: Attributes) -> dict[str, float]:
    """Proportion of the words in descriptions that are true of the pictures, by kind.

    "all": every word said is true; a text, less `<end>`, that is no caption counts as wrong.
    """
    right: dict[str, list[bool]] = {kind: [] for kind in (*KINDS, "all")}
    for text, row in zip(texts, torch.stack(truth, 1).tolist(), strict=True):
        said = claims_of(text.removesuffix("<end>"))
        pairs = {} if said is None else dict(zip(KINDS, zip(said, row, strict=True), strict=True))
        found = {kind: a == b for kind, (a, b) in pairs.items() if a is not None}
        for kind, value in found.items():
            right[kind].append(value)
        right["all"].append(said is not None and all(found.values()))
    return {kind: sum(values) / max(1, len(values)) for kind, values in right.items()}


def held_out_pictures(size: int = 16) -> tuple[Float[Tensor, " n 3 s s"], Attributes]:
    """The 1,000 digits that no training saw, coloured, in [0, 1], and what is true of them."""
    grey, attributes = load_captioned("test", size)
    return paint(grey, attributes.colour), attributes


def held_out_captions(n: int = 1000) -> list[str]:
    """Captions of the first held-out digits, with every word that is true of them."""
    return write_captions(load_captioned("test", 32).attributes)[:n]


def free_captions(n: int, generator: Generator) -> list[str]:
    """Captions whose four words are drawn independently, also where such digits are rare."""
    words = [torch.randint(k, (n,), generator=generator) for k in (10, 6, 2, 3)]
    return write_captions(Attributes(words[0], words[1], 2 * words[2], words[3]))


class Likeness(NamedTuple):
    """How like real pictures a set is, in wavelet features."""

    frechet: float  # squared distance, in units of the real pictures' variance
    precision: float  # fraction of the set that looks real
    recall: float  # fraction of real pictures that the set reaches


@cache
def _wavelets(size: int) -> WaveletFeatures:
    return WaveletFeatures(load_captioned("judge", size).grey)


@cache
def _real_wavelets(size: int, n: int) -> Tensor:
    return _wavelets(size)(load_captioned("judge", size).grey[-n:])


def likeness(pictures: Float[Tensor, " n 3 s s"]) -> Likeness:
    """Compare pictures in [0, 1] with as many real ones; colours do not count."""
    size = pictures.shape[-1]
    n = len(pictures)
    fake = _wavelets(size)(grey_of(pictures))
    real = _real_wavelets(size, n)
    both = precision_recall(real, fake)
    return Likeness(frechet_distance(real, fake).item(), both.precision, both.recall)


@cache
def _held_out_shapes() -> Float[Tensor, " 1000 f"]:
    return gradient_histograms(load_captioned("test", 16).grey.float())


def realism(grey: Float[Tensor, " n 16 16"]) -> PrecisionRecall:
    """Precision and recall of grey digits in [0, 1] against the 1,000 held out, by histograms.

    Two sets of 1,000 real digits have about 0.86 and 0.85: the ceiling.
    """
    return precision_recall(_held_out_shapes(), gradient_histograms(grey.float()), 3)


def proportion(right: Tensor) -> float:
    """Fraction of a mask that is true."""
    return float(right.double().mean())


class VideoClaims(NamedTuple):
    """What captions claim of videos, as indices into the tables of words."""

    digit: Int[Tensor, " n"]
    colour: Int[Tensor, " n"]
    motion: Int[Tensor, " n"]


def balanced_claims(n: int, *, seed: int = 0) -> VideoClaims:
    """Claims for n videos: every digit and motion equally often, colours at random."""
    k = torch.arange(n)
    colour = torch.randint(6, (n,), generator=torch.Generator().manual_seed(seed))
    return VideoClaims(k % 10, colour, k // 10 % len(MOTIONS))


def classify_frames(
    grey: Float[Tensor, " n f h w"], motion: Int[Tensor, " n"], classifier: Classifier
) -> Int[Tensor, " n f"]:
    """The digit in every frame; frames of videos that should turn are turned back first."""
    turning = (motion == MOTIONS.index("turning")).to(grey.dtype)
    rest = torch.zeros_like(turning)
    angles = torch.linspace(-TURN, TURN, grey.shape[1]).tolist()
    back = [render(grey[:, f], rest, rest, -a * turning) for f, a in enumerate(angles)]
    return torch.stack([classifier(frame) for frame in back], 1)


def motion_residual(grey: Float[Tensor, " n f h w"]) -> Float[Tensor, " n"]:
    """Fraction of each next frame that the best of seven motions leaves unexplained, per video."""
    now = grey[:, :-1].flatten(0, 1)
    then = grey[:, 1:].flatten(0, 1)
    ones = torch.ones(len(now), dtype=grey.dtype)
    moves = [(0.0, 0.0, 0.0), (-STEP, 0, 0), (STEP, 0, 0), (0, -STEP, 0), (0, STEP, 0)]
    moves += [(0, 0, ANGLE), (0, 0, -ANGLE)]
    size = grey.shape[-1]
    moved = [render(now, ones * x, ones * y, ones * turn, size) for x, y, turn in moves]
    left = torch.stack([(frame - then).square().sum((1, 2)) for frame in moved]).amin(0)
    unexplained = left / then.square().sum((1, 2)).clamp(min=1e-6)
    return unexplained.reshape(len(grey), -1).mean(1)


def video_scores(
    videos: Float[Tensor, " n 3 f h w"], claims: VideoClaims, classifier: Classifier
) -> dict[str, float]:
    """Measure videos in [0, 1] against their captions and against themselves.

    Fractions "motion", "colour" and "digit" (right in all frames), "same digit", "all words", and
    the mean "residual".
    """
    if len(videos) != len(claims.digit):
        raise ValueError(f"{len(videos)} videos have {len(claims.digit)} captions")
    grey = videos.amax(1)
    read = classify_frames(grey, claims.motion, classifier)
    colour = torch.stack([measure_colour(frames) for frames in videos.transpose(1, 2)], 0)
    kept = {
        "motion": measure_motion(grey) == claims.motion,
        "colour": (colour == claims.colour[:, None]).all(1),
        "digit": (read == claims.digit[:, None]).all(1),
    }
    return {
        **{name: proportion(right) for name, right in kept.items()},
        "same digit": proportion((read == read[:, :1]).all(1)),
        "all words": proportion(torch.stack(list(kept.values())).all(0)),
        "residual": float(motion_residual(grey).mean()),
    }
