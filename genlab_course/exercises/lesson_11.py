"""Exercises of lesson 11: score matching, its constant, Tweedie's formula and the noise ladder."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.score.matching import dsm_loss, noise_ladder
from genlab_course.grading import Exercise, Mistake, bank

Array: TypeAlias = NDArray[np.float64]
Model: TypeAlias = Callable[[Tensor], Tensor]

PARABOLA = Exercise(
    id="11.parabola",
    right=lambda a, s: 0.5 * (a - 1 / s**2) ** 2 * s**2,
    cases=((0.0, 2.0), (0.7, 0.5), (1.0, 1.5)),
    mistakes=Mistake.pairs(
        lambda a, s: 0.5 * (1 - a) ** 2,
        "right for variance 1; what is the score of N(0, s^2), and what is the mean of x^2?",
        lambda a, s: 0.5 * (a - 1 / s**2) ** 2,
        "you compared the slopes but did not average x^2 over the data.",
        lambda a, s: -a + 0.5 * a**2 * s**2,
        "this is Hyvarinen's form, another by a constant: a mean square is never negative.",
        lambda a, s: 0.5 * (a - 1 / s) ** 2 * s**2,
        "the score of N(0, s^2) divides x by the variance, not by the standard deviation.",
    ),
)


FLOOR = Exercise(
    id="11.floor",
    right=lambda s, sigma: s**2 / (2 * sigma**2 * (s**2 + sigma**2)),
    cases=((1.0, 1.0), (2.0, 0.5), (0.3, 2.0)),
    mistakes=Mistake.pairs(
        lambda s, sigma: 0.0,
        "from a noisy example nobody can tell which noise was drawn: the loss has a floor.",
        lambda s, sigma: 1 / (2 * sigma**2),
        "this is the loss of the model that always answers 0; the best one does better.",
        lambda s, sigma: s**2 / (2 * (s**2 + sigma**2)),
        "this is the floor of the loss multiplied by sigma^2, that of noise prediction.",
        lambda s, sigma: 1 / (2 * (s**2 + sigma**2)),
        "this is half the true score's mean square: *take it off* the loss of answering 0.",
    ),
)


# 11.dsm-loss: build it
def _model(x: Tensor) -> Tensor:
    return torch.sin(x) - 0.3 * x.flip(1)


def _noisy(seed: int, sigma: float) -> tuple[Model, Tensor, Tensor, float]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 5, 3, generator=g, dtype=torch.float64)
    return _model, x0, eps, sigma


def asked_for_the_noise(model, x0, eps, sigma):
    target = -eps
    return 0.5 * ((model(x0 + sigma * eps) - target) ** 2).sum(1)


def pointed_along_the_noise(model, x0, eps, sigma):
    target = eps / sigma
    return 0.5 * ((model(x0 + sigma * eps) - target) ** 2).sum(1)


def divided_by_sigma_twice(model, x0, eps, sigma):
    target = -eps / sigma**2
    return 0.5 * ((model(x0 + sigma * eps) - target) ** 2).sum(1)


def averaged_over_an_example(model, x0, eps, sigma):
    target = -eps / sigma
    return 0.5 * ((model(x0 + sigma * eps) - target) ** 2).mean(1)


def showed_the_clean_example(model, x0, eps, sigma):
    target = -eps / sigma
    return 0.5 * ((model(x0) - target) ** 2).sum(1)


DSM_LOSS = Exercise(
    id="11.dsm-loss",
    right=lambda model, x0, eps, sigma: dsm_loss(model, x0, eps, sigma=sigma),
    cases=(_noisy(0, 0.4), _noisy(1, 2.5)),
    mistakes=Mistake.pairs(
        asked_for_the_noise,
        "your target is the noise; the slope of its log-density grows as the noise gets small.",
        pointed_along_the_noise,
        "the sign: the score points back towards the clean example, against the noise.",
        divided_by_sigma_twice,
        "you divided by sigma twice: (x_t - x0) / sigma^2 is already eps / sigma.",
        averaged_over_an_example,
        "you averaged over the numbers of an example; the definition sums them.",
        showed_the_clean_example,
        "you showed the clean example to the model; it must see the noisy one.",
    ),
)


# 11.tweedie: from the score to the clean example
_SEEN = (np.array([2.5, -1.0]), np.array([-1.25, 0.7]), 1.0, 0.8)
_SCALED = (np.array([0.4, 3.0, -2.0]), np.array([0.1, -0.9, 1.1]), 0.6, 1.7)

TWEEDIE = Exercise(
    id="11.tweedie",
    right=lambda x_t, score, alpha, sigma: (x_t + sigma**2 * score) / alpha,
    cases=(_SEEN, _SCALED),
    mistakes=Mistake.pairs(
        lambda x_t, score, alpha, sigma: (x_t + sigma * score) / alpha,
        "sigma times the score is minus the noise of size 1; how large is the noise in x_t?",
        lambda x_t, score, alpha, sigma: (x_t - sigma**2 * score) / alpha,
        "the sign: the score points to where the data are, so go along it.",
        lambda x_t, score, alpha, sigma: x_t + sigma**2 * score,
        "this estimates alpha x0, the signal as it stands in x_t.",
        lambda x_t, score, alpha, sigma: x_t / alpha + sigma**2 * score,
        "you undid the scaling of x_t only: the whole estimate of alpha x0 is to be divided.",
    ),
)


# 11.ladder: levels and steps
def _ladder(sigma_max: float, sigma_min: float, n_levels: int, rate: float) -> Array:
    sigmas = noise_ladder(sigma_max, sigma_min, n_levels).double().numpy()
    return np.stack([sigmas, rate * sigmas**2])


def spaced_the_levels_evenly(sigma_max, sigma_min, n_levels, rate):
    sigmas = np.linspace(sigma_max, sigma_min, n_levels)
    return np.stack([sigmas, rate * sigmas**2])


def climbed_the_ladder(sigma_max, sigma_min, n_levels, rate):
    sigmas = np.geomspace(sigma_min, sigma_max, n_levels)
    return np.stack([sigmas, rate * sigmas**2])


def stepped_in_proportion_to_sigma(sigma_max, sigma_min, n_levels, rate):
    sigmas = np.geomspace(sigma_max, sigma_min, n_levels)
    return np.stack([sigmas, rate * sigmas])


def stopped_above_the_last_level(sigma_max, sigma_min, n_levels, rate):
    ratio = (sigma_min / sigma_max) ** (1 / n_levels)
    sigmas = sigma_max * ratio ** np.arange(n_levels)
    return np.stack([sigmas, rate * sigmas**2])


LADDER = Exercise(
    id="11.ladder",
    right=_ladder,
    cases=((10.0, 0.2, 14, 0.1), (4.0, 0.5, 4, 0.3)),
    mistakes=Mistake.pairs(
        spaced_the_levels_evenly,
        "your levels have one *difference*: low down a rung is then many times the next.",
        climbed_the_ladder,
        "your ladder is climbed: sampling starts where all modes are one hill.",
        stepped_in_proportion_to_sigma,
        "steps in proportion to sigma: the score is 1/sigma long and its noise the square "
        "root of a step, so the two lose their balance.",
        stopped_above_the_last_level,
        "n levels have n - 1 gaps: your ladder stops above sigma_min.",
    ),
)

EXERCISES = bank(globals())
