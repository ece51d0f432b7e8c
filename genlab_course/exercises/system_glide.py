"""Exercises of the GLIDE-style lab: guidance, hidden captions, two stages."""

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

SHARPENED = Exercise(
    id="glide.sharpened",
    right=16 / 7,
    mistakes=Mistake.pairs(
        4.0,
        "You continued the line through the two means; precisions weigh them.",
        2.0,
        "You gave the caption's own mean, which is w = 1.",
        8 / 3,
        "You weighted by one over the standard deviation; a precision is one over the variance.",
        12 / 5,
        "You counted w as 1 + w: in this course w = 1 is the plain conditional distribution.",
        16 / 9,
        "You added the unconditional precision; its exponent 1 - w is negative here.",
        4 / 7,
        "You gave the variance of the sharpened distribution; asked is its mean.",
    ),
)


# glide.classifier: a guess of the data, pulled by a classifier
_GUESS = np.array([[0.2, -0.7], [1.0, 0.1]])
_SLOPE = np.array([[0.5, 0.3], [-0.8, 0.4]])

CLASSIFIER = Exercise(
    id="glide.classifier",
    right=lambda guess, slope, sigma, w: guess + w * sigma**2 * slope,
    cases=((_GUESS, _SLOPE, 2.0, 3.0), (_GUESS, _SLOPE, 0.5, 1.0), (_GUESS, _SLOPE, 0.5, 0.0)),
    mistakes=Mistake.pairs(
        lambda guess, slope, sigma, w: guess + w * sigma * slope,
        "You multiplied by sigma once: that is the factor for the noise, not for the guess.",
        lambda guess, slope, sigma, w: guess - w * sigma**2 * slope,
        "You went down the slope: predicted noise falls where the data's score rises.",
        lambda guess, slope, sigma, w: guess + (1 + w) * sigma**2 * slope,
        "You counted w as 1 + w: here w = 0 must leave the guess alone.",
        lambda guess, slope, sigma, w: guess + w * slope,
        "You left the noise level out: a slope is per unit of x, and must become a length.",
        lambda guess, slope, sigma, w: (1 - w) * guess + w * sigma**2 * slope,
        "You blended two guesses; the slope is a correction, not a guess.",
    ),
)


# glide.hide: which captions are hidden
def _hide(states: Array, u: Array, p: float, nothing: Array) -> Array:
    return np.where((u < p)[:, None, None], nothing, states)


_STATES = np.arange(24.0).reshape(4, 3, 2)
_U = np.array([0.05, 0.5, 0.15, 0.92])
_NOTHING = np.array([-1.0, -2.0])


def hid_the_first_word(states, u, p, nothing):
    states[u < p, 0] = nothing
    return states


HIDE = Exercise(
    id="glide.hide",
    right=_hide,
    cases=((_STATES, _U, 0.1, _NOTHING), (_STATES, _U, 0.2, _NOTHING)),
    mistakes=Mistake.pairs(
        lambda states, u, p, nothing: np.where((u > p)[:, None, None], nothing, states),
        "You hid the fraction 1 - p: hardly any caption would be learned.",
        lambda states, u, p, nothing: np.where((u < p)[:, None, None], 0.0, states),
        "You put zeros in; the network should learn what stands for 'no caption'.",
        hid_the_first_word,
        "You hid the first word and left the others standing: the caption still tells.",
        lambda states, u, p, nothing: states[u >= p],
        "You threw the rows away; then nothing is ever learned without a caption.",
        lambda states, u, p, nothing: np.where(u[0] < p, nothing, states),
        "You hid the whole batch at once; each row has a draw of its own.",
    ),
)


# glide.consistent: a large picture whose block means are those of the small one
def _means(large: Array) -> Array:
    blocks = large.reshape(len(large) // 2, 2, large.shape[1] // 2, 2)
    return np.asarray(blocks.mean((1, 3)))


def _repeat(small: Array) -> Array:
    return small.repeat(2, 0).repeat(2, 1)


_LARGE = np.array(
    [[0.1, 0.5, 0.9, 0.3], [0.2, 0.8, 0.4, 0.7], [0, 0.6, 1, 0.2], [0.3, 0.1, 0.5, 0]]
)
_SMALL = np.array([[0.5, 0.4], [0.3, 0.6]])

CONSISTENT = Exercise(
    id="glide.consistent",
    right=lambda large, small: large + _repeat(small - _means(large)),
    cases=((_LARGE, _SMALL), (_LARGE[:2], _SMALL[:1])),
    mistakes=Mistake.pairs(
        lambda large, small: _repeat(small),
        "You forgot the large picture: this has the right means and no detail at all.",
        lambda large, small: large + _repeat(small),
        "You added the small picture whole; only what is missing should be added.",
        lambda large, small: large - _repeat(small - _means(large)),
        "You moved the wrong way: the error of the means has doubled.",
        lambda large, small: large + _repeat(small - _means(large)) / 4,
        "You shared the error out among four pixels; a mean moves by as much as they do.",
        lambda large, small: large + (small.mean() - large.mean()),
        "You corrected the mean of the whole picture; every block has one of its own.",
    ),
)

EXERCISES = bank(globals())
