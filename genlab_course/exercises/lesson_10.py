"""Exercises of lesson 10: energies, their constant, and chains."""

import math
from typing import Any

import numpy as np

from genlab_course.grading import Exercise, Mistake, bank

QUADRATIC_Z = Exercise(
    id="10.quadratic-z",
    right=lambda c, mu: math.sqrt(2 * math.pi / c),
    cases=((1.0, 0.0), (4.0, 1.5), (0.3, -2.0)),
    mistakes=Mistake.pairs(
        lambda c, mu: math.sqrt(2 * math.pi),
        "this is right for c = 1 only; a steeper valley holds less mass.",
        lambda c, mu: math.sqrt(2 * math.pi * c),
        "you scaled the wrong way: a steeper valley (large c) is narrower and holds less.",
        lambda c, mu: math.sqrt(2 * math.pi) / c,
        "substitute u = sqrt(c) (x - mu): dx is du over the *square root* of c.",
        lambda c, mu: math.sqrt(2 * math.pi / c) * math.exp(-c * mu**2 / 2),
        "moving a valley does not change what it holds: no mu in the integral over the line.",
        lambda c, mu: math.sqrt(c / (2 * math.pi)),
        "this is 1/Z, the factor in front of the density.",
    ),
)


SETTLED_VARIANCE = Exercise(
    id="10.settled-variance",
    right=lambda eta, c: 1 / (c * (1 - eta * c / 2)),
    cases=((0.1, 1.0), (0.5, 1.0), (0.2, 3.0)),
    mistakes=Mistake.pairs(
        lambda eta, c: 1 / c,
        "this is the variance of the target; a step of finite size misses it.",
        lambda eta, c: 1 / (1 - eta * c / 2),
        "you forgot that the target's own variance is not 1 when c is not 1.",
        lambda eta, c: 1 / (c * (1 - eta / 2)),
        "the step contracts by 1 - eta c, not by 1 - eta: the bias depends on the curvature too.",
        lambda eta, c: 1 / (2 * c * (1 - eta * c / 2)),
        "you gave the noise the variance eta; it is 2 eta, from the factor sqrt(2 eta).",
        lambda eta, c: 2 * eta / (1 - (1 - eta * c)),
        "in v' = a^2 v + 2 eta the contraction a is squared: variances scale with squares.",
    ),
)


# 10.gradient-in-c: of log p for E = c/2 x^2
_POINTS = np.array([-1.5, 0.0, 0.3, 2.0])

GRADIENT_IN_C = Exercise(
    id="10.gradient-in-c",
    right=lambda x, c: 1 / (2 * c) - x**2 / 2,
    cases=((_POINTS, 1.0), (_POINTS, 4.0)),
    mistakes=Mistake.pairs(
        lambda x, c: -(x**2) / 2,
        "this is the positive phase alone: Z depends on c, so it may not be left out.",
        lambda x, c: x**2 / 2 - 1 / (2 * c),
        "the sign of the whole is wrong: p = exp(-E) / Z, so the data's energy enters "
        "with a minus. This would push the energy of the data up.",
        lambda x, c: -(x**2) / 2 - 1 / (2 * c),
        "the negative phase raises the energy where the model's own samples are: the wrong sign.",
        lambda x, c: 1 / (2 * math.sqrt(c)) - x**2 / 2,
        "the model's own average of x^2 / 2 uses its variance, not its standard deviation.",
        lambda x, c: -c * x,
        "this is the gradient in x, the score; the question is about the parameter c.",
    ),
)


# 10.acceptance: Metropolis' logarithmic ratio for a Langevin proposal
def _log_acceptance(x: float, y: float, energy: Any, slope: Any, eta: float) -> float:
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return float(min(0.0, energy(x) - energy(y) + back - forth))


_QUARTIC = (lambda x: x**4 / 4, lambda x: x**3)  # an energy and its slope
_MOVES = ((0.2, 1.3, *_QUARTIC, 0.3), (1.8, 0.9, *_QUARTIC, 0.2), (-0.5, 0.9, *_QUARTIC, 0.5))


def exchanged_the_proposals(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(x) - energy(y) + forth - back)


def turned_the_ratio_upside_down(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(y) - energy(x) + forth - back)


def divided_by_the_variance_alone(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (2 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (2 * eta)
    return min(0.0, energy(x) - energy(y) + back - forth)


def gave_the_probability(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return math.exp(min(0.0, energy(x) - energy(y) + back - forth))


def took_no_minimum(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return energy(x) - energy(y) + back - forth


ACCEPTANCE = Exercise(
    id="10.acceptance",
    right=_log_acceptance,
    cases=_MOVES,
    mistakes=Mistake.pairs(
        lambda x, y, energy, slope, eta: min(0.0, energy(x) - energy(y)),
        "this is Metropolis' rule for symmetric proposals; Langevin's drifts downhill, so "
        "going there and coming back are not equally likely.",
        exchanged_the_proposals,
        "the two proposals are exchanged: the way *back* belongs in the numerator.",
        turned_the_ratio_upside_down,
        "the ratio is upside down: moves to lower energy must be the ones accepted.",
        divided_by_the_variance_alone,
        "the proposal has the variance 2 eta, so its exponent is divided by 4 eta.",
        gave_the_probability,
        "this is the probability itself; its logarithm was asked for.",
        took_no_minimum,
        "a probability is at most 1, so its logarithm is at most 0: take the minimum.",
    ),
)


# 10.annealed-weights: log of the AIS weight from the values along the path
_PATH = (np.array([0.0, 0.2, 0.5, 1.0]), np.array([-1.0, -1.2, -2.0]), np.array([3.0, 2.0, 0.5]))
_SHORT = (np.array([0.0, 1.0]), np.array([-0.9]), np.array([0.4]))

ANNEALED_WEIGHTS = Exercise(
    id="10.annealed-weights",
    right=lambda betas, log_q, energy: float(np.sum(np.diff(betas) * (-energy - log_q))),
    cases=(_PATH, _SHORT),
    mistakes=Mistake.pairs(
        lambda b, q, e: float(np.sum(np.diff(b) * -e)),
        "you left out the base: between two levels log f changes by both terms.",
        lambda b, q, e: float(np.sum(np.diff(b) * (-e + q))),
        "the base loses weight as beta grows: its term enters with a minus.",
        lambda b, q, e: float(np.sum(np.diff(b) * (e + q))),
        "the sign is turned round: log f contains -E, and this estimates 1/Z.",
        lambda b, q, e: float(np.sum(-e - q)),
        "each term counts only for the *change* of beta at its point.",
        lambda b, q, e: float(np.sum(b[1:] * (-e - q))),
        "you used the levels themselves: a weight collects differences of levels.",
    ),
)

EXERCISES = bank(globals())
