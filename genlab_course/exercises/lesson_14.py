"""Exercises of lesson 14: score SDEs, probability flow and flow matching."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]
Field = Callable[[Array, float], Array]

FORGOTTEN_HALF = Exercise(
    id="14.forgotten-half",
    right=math.exp(-2),
    mistakes=Mistake.pairs(
        1.0,
        "with the right factor nothing would move; here the score counts twice as much.",
        math.exp(2),
        "you followed the velocity with time growing; sampling runs from T down to 0.",
        math.exp(-1),
        "each *point* shrinks by this factor; a variance goes with its square.",
        math.exp(-4),
        "your velocity is x; the drift -x/2 takes back a half of what the score adds.",
    ),
)


STRENGTH_OF_A_PATH = Exercise(
    id="14.strength-of-a-path",
    right=lambda sigma, d_sigma, alpha, d_alpha: (
        2 * sigma * d_sigma - 2 * d_alpha / alpha * sigma**2
    ),
    cases=((0.6, 0.5, 0.8, -0.375), (0.3, 1.0, 0.7, -1.0), (2.0, 3.0, 1.0, 0.0)),
    mistakes=Mistake.pairs(
        lambda sigma, d_sigma, alpha, d_alpha: 2 * sigma * d_sigma,
        "you let the noise pay for the growth of the variance alone: the drift stretches "
        "or shrinks what is already there. Right only where alpha stands still.",
        lambda sigma, d_sigma, alpha, d_alpha: 2 * sigma * d_sigma + 2 * d_alpha / alpha * sigma**2,
        "a sign slipped: solve d sigma^2/dt = 2 a sigma^2 + g^2 for g^2.",
        lambda sigma, d_sigma, alpha, d_alpha: 2 * sigma * d_sigma - d_alpha / alpha * sigma**2,
        "a variance is stretched twice as fast as a length: a factor 2 is missing.",
        lambda sigma, d_sigma, alpha, d_alpha: 2 * sigma * d_sigma - 2 * d_alpha * sigma**2,
        "the rate of the drift is the slope of log alpha, not of alpha.",
        lambda sigma, d_sigma, alpha, d_alpha: d_sigma - 2 * d_alpha / alpha * sigma**2,
        "the balance is one of variances: differentiate sigma^2, not sigma.",
    ),
)


# 14.flow-step: dx = -x/2 dt + dW, so sigma^2 = 1 - exp(-t)
def _flow_step(x: float, eps: float, t: float, h: float) -> float:
    score = -eps / math.sqrt(1 - math.exp(-t))
    return x - h * (-0.5 * x - 0.5 * score)


FLOW_STEP = Exercise(
    id="14.flow-step",
    right=_flow_step,
    cases=((1.2, 0.8, 0.5, 0.05), (-0.7, 0.4, 1.5, 0.1), (0.3, -1.1, 0.2, 0.02)),
    mistakes=Mistake.pairs(
        lambda x, eps, t, h: x + h * (-0.5 * x + 0.5 * eps / math.sqrt(1 - math.exp(-t))),
        "you stepped towards the noise: time falls, so the velocity counts negatively.",
        lambda x, eps, t, h: x - h * (-0.5 * x + eps / math.sqrt(1 - math.exp(-t))),
        "this is the drift of the reverse SDE; without its noise the score counts half.",
        lambda x, eps, t, h: x - h * (-0.5 * x - 0.5 * eps / math.sqrt(1 - math.exp(-t))),
        "the score points against the predicted noise: a sign was lost in the conversion.",
        lambda x, eps, t, h: x - h * (-0.5 * x + 0.5 * eps),
        "you used -eps as the score; it still has to be divided by the noise's standard deviation.",
        lambda x, eps, t, h: x - h * (-0.5 * x + 0.5 * eps / (1 - math.exp(-t))),
        "you divided by the noise's variance; the score is -eps over its *root*.",
    ),
)


# 14.ode-log-prob: Euler steps for the point and for the integral of the divergence
def _log_density(velocity: Field, divergence: Field, x0: Array, n: int) -> Array:
    """Log-density of the data at x0, with a standard normal prior at t = 1."""
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return np.asarray(-0.5 * x**2 - 0.5 * math.log(2 * math.pi) + total)


_POINTS = np.array([-1.2, 0.1, 0.8])
_FIELDS: tuple[tuple[Any, ...], ...] = (
    (lambda x, t: -np.sinh(x) * (0.5 + t), lambda x, t: -np.cosh(x) * (0.5 + t), _POINTS, 8),
    (lambda x, t: (1 + t) * x + 0.3, lambda x, t: np.full_like(x, 1 + t), _POINTS, 5),
)


def subtracted_the_divergence(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return -0.5 * x**2 - 0.5 * math.log(2 * math.pi) - total


def took_the_prior_at_the_data(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return -0.5 * x0**2 - 0.5 * math.log(2 * math.pi) + total


def forgot_the_length_of_a_step(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t)
        x = x + velocity(x, t) / n
    return -0.5 * x**2 - 0.5 * math.log(2 * math.pi) + total


def asked_after_the_move(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        x = x + velocity(x, t) / n
        total = total + divergence(x, t) / n
    return -0.5 * x**2 - 0.5 * math.log(2 * math.pi) + total


def left_out_the_prior(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return total


def read_the_clock_backwards(velocity, divergence, x0, n):
    x, total = x0, np.zeros(len(x0))
    for k in range(n):
        t = 1 - k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return -0.5 * x**2 - 0.5 * math.log(2 * math.pi) + total


ODE_LOG_PROB = Exercise(
    id="14.ode-log-prob",
    right=_log_density,
    cases=_FIELDS,
    mistakes=Mistake.pairs(
        subtracted_the_divergence,
        "points that spread towards the noise were *denser* at the data: the divergence's sign?",
        took_the_prior_at_the_data,
        "the prior is the density at t = 1: evaluate it where the point arrives.",
        forgot_the_length_of_a_step,
        "you added up the divergence without the length of the step: an integral needs it.",
        asked_after_the_move,
        "you asked for the divergence after the move; it belongs where the step began.",
        left_out_the_prior,
        "this is the change of volume only; the density at the other end is missing.",
        read_the_clock_backwards,
        "you read the clock from 1 down to 0, but the point travels from the data to the noise.",
    ),
)


# 14.flow-matching-pair
_X0, _EPS = np.array([1.0, -2.0, 0.4]), np.array([0.3, 0.9, -1.5])

FLOW_MATCHING_PAIR = Exercise(
    id="14.flow-matching-pair",
    right=lambda x0, eps, t: np.stack([(1 - t) * x0 + t * eps, eps - x0]),
    cases=((_X0, _EPS, 0.25), (_X0, _EPS, 0.8)),
    mistakes=Mistake.pairs(
        lambda x0, eps, t: np.stack([(1 - t) * x0 + t * eps, x0 - eps]),
        "your target leads to the data: the papers' clock. Here time grows towards the noise.",
        lambda x0, eps, t: np.stack([t * x0 + (1 - t) * eps, eps - x0]),
        "your point is at the wrong end: at t = 0 it must be the data.",
        lambda x0, eps, t: np.stack([t * x0 + (1 - t) * eps, x0 - eps]),
        "consistent, but in the papers' clock: there noise is at 0 and data at 1.",
        lambda x0, eps, t: np.stack([(1 - t) * x0 + t * eps, eps]),
        "this is the target of noise prediction; a velocity is the derivative of x_t.",
        lambda x0, eps, t: np.stack([np.sqrt(1 - t) * x0 + np.sqrt(t) * eps, eps - x0]),
        "with square roots the path is not straight (it preserves variance): another velocity.",
    ),
)

EXERCISES = bank(globals())
