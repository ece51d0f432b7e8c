"""Exercises of the language-and-image lab: one model writes, its states condition a denoiser."""

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

CHANCE = Exercise(
    id="language_and_image.chance",
    right=1 / 120,
    mistakes=Mistake.pairs(
        1 / 180,
        "You asked every caption for its slant; one in four says none and cannot be wrong.",
        1 / 240,
        "You counted captions without a slant as failures; every picture keeps what is not said.",
        1 / 60,
        "You left the slant out; three captions in four do say one.",
        1 / 10 + 1 / 6 + 1 / 2,
        "You added the chances; all words together is a product of independent ones.",
        0.0,
        "A shuffled caption is wrong, but its picture may agree by chance.",
    ),
)


# language_and_image.joint: words exactly, the picture by a bound
_LOG_P = np.array([[-0.1, -2.0, -1.5, -0.3], [-0.2, -0.7, -3.0, -4.0]])
_MINE = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
_BOUND = np.array([-900.0, -1100.5])

JOINT = Exercise(
    id="language_and_image.joint",
    right=lambda log_p, mine, bound: (log_p * mine).sum(1) + bound,
    cases=((_LOG_P, _MINE, _BOUND), (_LOG_P[:1], _MINE[:1], _BOUND[:1])),
    mistakes=Mistake.pairs(
        lambda log_p, mine, bound: log_p.sum(1) + bound,
        "You counted the padding: what stands after the image token is no part of the text.",
        lambda log_p, mine, bound: (log_p * mine).sum(1) / mine.sum(1) + bound,
        "You took a mean over the tokens; the chain rule is a sum, in the picture's unit.",
        lambda log_p, mine, bound: (log_p * mine).sum(1) - bound,
        "You subtracted the picture's part: it is a log-probability too.",
        lambda log_p, mine, bound: np.exp((log_p * mine).sum(1)) + bound,
        "You mixed a probability with a logarithm.",
    ),
)


# language_and_image.share: what zero states take from the words
def _share(scores: Array, n_zero: int) -> float:
    z = float(np.exp(scores).sum())
    return z / (z + n_zero)


_SCORES = np.array([2.0, -1.0, 0.5])


def shifted_the_words_alone(scores, n_zero):
    words = float(np.exp(scores - scores.max()).sum())
    return words / (words + n_zero)


SHARE = Exercise(
    id="language_and_image.share",
    right=_share,
    cases=((_SCORES, 4), (_SCORES, 0), (np.array([-3.0, 0.0]), 11)),
    mistakes=Mistake.pairs(
        lambda scores, n_zero: len(scores) / (len(scores) + n_zero),
        "You counted positions; attention weighs them by the exponentials of their scores.",
        shifted_the_words_alone,
        "You shifted the words' scores by their maximum: the zeros' score is then -max, too.",
        lambda scores, n_zero: float(scores.sum() / (scores.sum() + n_zero)),
        "You forgot the exponential: a softmax weighs by exp of the score.",
        lambda scores, n_zero: 1.0,
        "You let the zeros out of the softmax; without a mask they take part in it.",
        lambda scores, n_zero: n_zero / (float(np.exp(scores).sum()) + n_zero),
        "You gave the part that falls on the zeros.",
    ),
)


# language_and_image.used: which tokens belong to the text
def _used(tokens: Rows, stop: int) -> NDArray[np.bool_]:
    is_stop = tokens == stop
    return np.asarray(is_stop.cumsum(1) - is_stop == 0)


_TOKENS = np.array([[5, 9, 0, 9], [1, 2, 3, 4], [9, 0, 0, 0], [2, 2, 7, 9]])

USED = Exercise(
    id="language_and_image.used",
    right=_used,
    cases=((_TOKENS, 9), (_TOKENS[:2], 2)),
    mistakes=Mistake.pairs(
        lambda tokens, stop: (tokens == stop).cumsum(1) == 0,
        "You left the stop out: its state has read the whole text, its probability is the text's.",
        lambda tokens, stop: (tokens == stop)[:, ::-1].cumsum(1)[:, ::-1] > 0,
        "You went up to the *last* stop, and dropped texts that have none.",
        lambda tokens, stop: tokens != stop,
        "You removed every stop and kept what comes after the first.",
        lambda tokens, stop: (tokens == stop).cumsum(1) <= 1,
        "You kept what follows the first stop, up to the second.",
    ),
)

EXERCISES = bank(globals())
