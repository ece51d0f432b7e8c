r"""How good are the pictures? Words kept, distance and coverage, against the guidance scale.

$$w \mapsto \big(\text{words kept},\ d_F,\ \text{precision},\ \text{recall}\big)$$

Nothing here shares code or weights with a generator: words are read by a support vector machine and
by measurement, pictures are compared in wavelets, and both were fitted on digits that
no painter saw.

Lesson: notebooks/systems/glide.ipynb
Sources: Nichol et al. 2021 (arXiv:2112.10741), figure 6 (the curves); Heusel et al. 2017
    (arXiv:1706.08500), eq. 6; Kynkaanniemi et al. 2019 (arXiv:1904.06991), eqs. 2 and 3.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.data.captions import Attributes, grey_of, load_captioned, paint, read, write
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import WaveletFeatures
from genlab.systems.evaluation import digit_judge, word_scores
from genlab.systems.glide import bicubic, sharpen
from genlab.zoo.cards import Figures

Pictures = Float[Tensor, " n 3 s s"]  # in [0, 1]
Draw = Callable[[list[str], float, Generator], Tensor]  # captions, w, noise to pictures in [0, 1]
AMOUNTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # of sharpening; 0 is bicubic alone


class Likeness(NamedTuple):
    """How like real pictures a set is, in wavelet features."""

    frechet: float  # squared distance, in units of the real pictures' variance
    precision: float  # share of the set that looks real
    recall: float  # share of real pictures that the set reaches


@cache
def _features(size: int) -> WaveletFeatures:
    """The features of one size, fitted once in a process."""
    return WaveletFeatures(load_captioned("judge", size).grey)


@cache
def _real(size: int, n: int) -> Tensor:
    """Features of the last `n` of the digits that no painter saw."""
    return _features(size)(load_captioned("judge", size).grey[-n:])


def likeness(pictures: Pictures) -> Likeness:
    """Compare pictures with as many real ones.

    Args:
        pictures: of 16 x 16 or 32 x 32, in [0, 1], as many as there are real ones to compare, at
            most.

    Returns:
        Frechet distance, precision and recall; colours do not count.
    """
    size, n = pictures.shape[-1], len(pictures)
    fake, real = _features(size)(grey_of(pictures)), _real(size, n)
    both = precision_recall(real, fake)
    return Likeness(frechet_distance(real, fake).item(), both.precision, both.recall)


def held_out_captions(n: int) -> list[str]:
    """Captions of the first held-out digits, with every word that is true of them.

    Args:
        n: how many, at most 1,000.

    Example:
        >>> held_out_captions(2)
        ['a blue eight leaning right', 'a thin yellow four leaning left']
    """
    return write(load_captioned("test", 32).attributes)[:n]


def free_captions(n: int, generator: Generator) -> list[str]:
    """Captions whose four words are drawn independently, also where such digits are rare.

    Args:
        n: how many.
        generator: of the words.

    Example:
        >>> free_captions(2, torch.Generator().manual_seed(0))
        ['a bold cyan four upright', 'a bold red nine upright']
    """
    words = [torch.randint(k, (n,), generator=generator) for k in (10, 6, 2, 3)]
    return write(Attributes(words[0], words[1], 2 * words[2], words[3]))


def judged(pictures: Pictures, captions: Sequence[str]) -> Figures:
    """Words kept and likeness of pictures that were drawn for held-out captions.

    Args:
        pictures: one for each caption.
        captions: what they should show.

    Returns:
        "digit", "colour", "stroke", "slant", "all", "frechet", "precision", "recall".
    """
    words = word_scores(pictures, [read(c) for c in captions], digit_judge())
    return {**words, **likeness(pictures)._asdict()}


def guidance_curve(draw: Draw, scales: Sequence[float], n: int, seed: int) -> list[Figures]:
    """Judge the same captions and the same noise at several guidance scales.

    Args:
        draw: captions, scale and noise to pictures.
        scales: values of w.
        n: pictures at each.
        seed: of the noise.

    Returns:
        What `judged` says, for each scale.
    """
    captions = held_out_captions(n)
    return [judged(draw(captions, w, Generator().manual_seed(seed)), captions) for w in scales]


def enlarged(small: Pictures, amount: float) -> Float[Tensor, " n 3 t t"]:
    """Double pictures without a network: bicubic, then sharpened.

    Args:
        small: in [0, 1].
        amount: of the sharpening.

    Returns:
        In [0, 1].
    """
    return (sharpen(bicubic(2 * small - 1), amount) + 1) / 2


def best_sharpening(small: Pictures) -> tuple[float, Likeness]:
    """The amount of sharpening that comes nearest to real pictures, judged by the answer.

    Args:
        small: in [0, 1].

    Returns:
        The amount and its likeness: the most that sharpening can claim.
    """
    found = [(amount, likeness(enlarged(small, amount))) for amount in AMOUNTS]
    return min(found, key=lambda pair: pair[1].frechet)


def small_pictures(n: int) -> Pictures:
    """The first held-out digits, painted, at 16 x 16: means of 2 x 2 blocks of the real ones.

    Args:
        n: how many.

    Returns:
        In [0, 1], torch's default dtype.
    """
    grey, attributes = load_captioned("test", 16)
    return paint(grey, attributes.colour)[:n]
