"""Exercises of the StyleGAN lab: the lazy penalty, demodulation, truncation, directions."""

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

LAZY = Exercise(
    id="style.lazy",
    right=80.0,
    mistakes=Mistake.pairs(
        160.0,
        "You forgot the half: R1 enters the loss as gamma / 2.",
        5.0,
        "That is its weight if it were computed in every step.",
        10.0,
        "You used gamma as it stands: both the half and the interval are gone.",
        5.0 / 16,
        "You divided by the interval: a penalty that comes seldom must count for more.",
        5.0 * 15,
        "You counted the steps without it; the one that pays is one of the sixteen.",
    ),
)


# style.demodulate: weights (o, i, k) and a style (i,)
def _demodulated(weight: Array, style: Array) -> Array:
    scaled = weight * style[None, :, None]
    return np.asarray(scaled / np.sqrt((scaled**2).sum((1, 2), keepdims=True)))


_RNG = np.random.default_rng(0)
_WEIGHT = _RNG.normal(size=(3, 2, 4))
_STYLES = (np.array([0.5, 3.0]), np.array([2.0, 2.0]))


def modulated_and_stopped(weight, style):
    return weight * style[None, :, None]


def used_one_norm_for_all(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / np.sqrt((scaled**2).sum())


def left_out_the_kernel(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / np.sqrt((scaled**2).sum(1, keepdims=True))


def normalised_the_inputs(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / np.sqrt((scaled**2).sum((0, 2), keepdims=True))


def divided_by_the_norm_before(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / np.sqrt((weight**2).sum((1, 2), keepdims=True))


def divided_by_the_variance(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / (scaled**2).sum((1, 2), keepdims=True)


DEMODULATE = Exercise(
    id="style.demodulate",
    right=_demodulated,
    cases=tuple((_WEIGHT, style) for style in _STYLES),
    mistakes=Mistake.pairs(
        modulated_and_stopped,
        "You modulated and stopped: a loud style still makes a loud output.",
        used_one_norm_for_all,
        "You divided by one norm for all outputs; each output channel has its own.",
        left_out_the_kernel,
        "You summed over the inputs and left out the kernel: every pixel of it adds variance.",
        normalised_the_inputs,
        "You normalised each input channel: that takes the style out again.",
        divided_by_the_norm_before,
        "You divided by the norm of the weights before the style had scaled them.",
        divided_by_the_variance,
        "You divided by the variance; what is divided is a size, so by its root.",
    ),
)


TRUNCATE = Exercise(
    id="style.truncate",
    right=lambda w, mean, psi: mean + psi * (w - mean),
    cases=(
        (np.array([[2.0, 0.0], [4.0, -2.0]]), np.array([1.0, 1.0]), 0.7),
        (np.array([[2.0, 0.5]]), np.array([-1.0, 3.0]), 0.0),
    ),
    mistakes=Mistake.pairs(
        lambda w, mean, psi: psi * w,
        "You drew towards zero: the mean style is another one, and zero may never occur.",
        lambda w, mean, psi: w + psi * (mean - w),
        "You exchanged the ends: psi = 1 must change nothing, psi = 0 give the mean.",
        lambda w, mean, psi: np.clip(w, mean - psi, mean + psi),
        "You cut off what is far; this trick shrinks every style, near or far.",
        lambda w, mean, psi: psi * (w - mean),
        "You shrank the differences and forgot to put the mean back.",
        lambda w, mean, psi: w.mean(0) + psi * (w - w.mean(0)),
        "You took the mean of this batch; it is that of the distribution, known beforehand.",
    ),
)


# style.direction: styles (n, d) and an attribute (n,)
def _direction(w: Array, a: Array) -> Array:
    return np.asarray((w - w.mean(0)).T @ (a - a.mean()) / (len(a) * a.std()))


def _many(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(400, 3)) @ np.array([[1.5, 0, 0], [0.8, 0.5, 0], [0, 0.3, 0.2]]) + 1.0
    return w, np.asarray(w @ np.array([0.5, -1.0, 2.0]) + 0.3 * rng.normal(size=400) + 5.0)


def made_it_a_unit_vector(w, a):
    direction = (w - w.mean(0)).T @ (a - a.mean())
    return direction / np.linalg.norm(direction)


DIRECTION = Exercise(
    id="style.direction",
    right=_direction,
    cases=(_many(1), _many(2)),
    rtol=5e-3,  # n or n - 1, as you like
    atol=2e-3,
    mistakes=Mistake.pairs(
        lambda w, a: np.linalg.lstsq(w - w.mean(0), a - a.mean(), rcond=None)[0],
        "You regressed the attribute on the style: those are a predictor's weights, large "
        "where styles hardly vary. Asked is the style, given the attribute.",
        lambda w, a: (w - w.mean(0)).T @ (a - a.mean()) / (len(a) * a.var()),
        "You divided by the variance: that is the move for one unit of the attribute.",
        lambda w, a: (w - w.mean(0)).T @ (a - a.mean()) / len(a),
        "You gave the covariance: it grows with the unit of the attribute.",
        lambda w, a: w.T @ a / (len(a) * a.std()),
        "You did not take out the means: this is mostly the mean style itself.",
        made_it_a_unit_vector,
        "You made it a unit vector: how far to go for one standard deviation is lost.",
        lambda w, a: w[a > a.mean()].mean(0) - w[a <= a.mean()].mean(0),
        "You subtracted the means of two halves: near, but 1.6 standard deviations apart.",
    ),
)

EXERCISES = bank(globals())
