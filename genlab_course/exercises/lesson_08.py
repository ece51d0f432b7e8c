"""Exercises of lesson 08: Wasserstein distance and the gradient penalty."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlab.adversarial.gan import gradient_penalty, slopes
from genlab_course.grading import Exercise, Mistake, bank

# 08.w1-on-a-line: from two histograms on sorted places
_PLACES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
_UNEVEN = np.array([0.0, 0.5, 2.0, 5.0])
_THIRDS = (_PLACES, np.array([1.0, 1, 1, 0, 0]) / 3, np.array([0.0, 0, 1, 1, 1]) / 3)
_CROSSING = (_UNEVEN, np.array([0.5, 0.0, 0.1, 0.4]), np.array([0.2, 0.6, 0.2, 0.0]))


# 08.gradient-penalty: build it
def _critic(x: Tensor) -> Tensor:
    return (x**2).sum(1) + torch.sin(x[:, 0])


def _pair(seed: int) -> tuple[Any, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, 4, 2, generator=g, dtype=torch.float64)
    return _critic, real, fake, torch.rand(4, generator=g, dtype=torch.float64)


def _between(real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    return u[:, None] * real + (1 - u[:, None]) * fake


# 08.lipschitz-of-a-stack: largest possible slope of W2 relu(W1 x)
_STACK = (
    [np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5]])],
    [np.array([[1.0, 2.0], [0.0, 1.0], [1.0, -1.0]]), np.array([[1.0, 0.0, 2.0]])],
)


W1_ON_A_LINE = Exercise(
    id="08.w1-on-a-line",
    right=lambda x, p, q: float(np.abs(np.cumsum(p - q))[:-1] @ np.diff(x)),
    cases=(_THIRDS, _CROSSING),
    mistakes=Mistake.pairs(
        lambda x, p, q: float(np.cumsum(p - q)[:-1] @ np.diff(x)),
        "you let the two distribution functions cancel where they cross: mass that must "
        "travel right and mass that must travel left both cost something.",
        lambda x, p, q: float(np.abs(np.cumsum(p - q)).sum()),
        "you added up gaps between the distribution functions as if all points were one "
        "unit apart: each gap lasts as long as the way to the next point.",
        lambda x, p, q: float(np.abs(np.cumsum(p - q)).max()),
        "this is the largest gap of the distribution functions; the area is asked for.",
        lambda x, p, q: abs(float(x @ (p - q))),
        "you compared the means. Where mass crosses in both directions, the means do not see it.",
        lambda x, p, q: float(0.5 * np.abs(p - q).sum()),
        "this is how much mass must move (the total variation distance), not how far.",
        lambda x, p, q: float(np.abs(p - q)[:-1] @ np.diff(x)),
        "you compared point by point; what crosses is the *sum* of the differences to the left.",
    ),
)
JS_OF_THIRDS = Exercise(
    id="08.js-of-thirds",
    right=2 / 3 * math.log(2),
    mistakes=Mistake.pairs(
        math.log(2),
        "this is the ceiling, reached only if no outcome is shared.",
        math.log(2) / 3,
        "you counted the shared outcome; where p = q, nothing is contributed.",
        4 / 3 * math.log(2),
        "the two divergences are averaged, not added: JS has a half.",
    ),
)
SOFT_SLOPE = Exercise(
    id="08.soft-slope",
    right=lambda w, lam: 1 + w / (2 * lam),
    cases=((3.0, 10.0), (1.0, 0.5), (5.0, 2.0)),
    mistakes=Mistake.pairs(
        lambda w, lam: 1.0,
        "this is a hard constraint's slope; a penalty is a price, and more slope is worth some.",
        lambda w, lam: 1 + w / lam,
        "the derivative of the square brings down a factor 2; you lost it.",
        lambda w, lam: w * (1 + w / (2 * lam)),
        "this is the gap that the critic reports, slope times distance; give the slope alone.",
        lambda w, lam: 1 + 2 * lam / w,
        "your fraction is upside down: a heavier penalty must pull the slope nearer to 1.",
        lambda w, lam: 1 + 1 / (2 * lam),
        "the reward grows with the distance w; it is missing.",
        lambda w, lam: w / (2 * lam),
        "you penalised the distance of the slope from 0; the penalty pulls it to 1.",
        lambda w, lam: 1 - w / (2 * lam),
        "a sign slipped: the first term rewards steepness, so the optimum is above 1.",
    ),
)
GRADIENT_PENALTY = Exercise(
    id="08.gradient-penalty",
    right=lambda critic, real, fake, u: gradient_penalty(critic, real, fake, u).detach(),
    cases=(_pair(0), _pair(1)),
    mistakes=Mistake.pairs(
        lambda f, x, y, u: (slopes(f, _between(x, y, u)).mean() - 1).square().expand(len(u)),
        "you averaged over the batch before the square: a steep point and a flat one cancel.",
        lambda f, x, y, u: (slopes(f, x) - 1).square(),
        "your slopes are those at the real points; the constraint is needed on the way between.",
        lambda f, x, y, u: (slopes(f, _between(x, y, u)).square() - 1).square(),
        "you compared the squared norm with 1: another penalty, much harsher on steep critics.",
        lambda f, x, y, u: (slopes(f, _between(x, y, u[:1].expand(len(u)))) - 1).square(),
        "you used one weight for the whole batch: each pair needs its own.",
        lambda f, x, y, u: (slopes(f, y) - 1).square(),
        "your slopes are those at the generated points; they are needed on the way between.",
        lambda f, x, y, u: (slopes(f, _between(y, x, u)) - 1).square(),
        "u belongs to the real example and 1 - u to the generated one; you exchanged them "
        "(on average that is the same, for these numbers it is not).",
        lambda f, x, y, u: (slopes(f, _between(x, y, u)) - 1).clamp_min(0).square(),
        "you punish slopes above 1 only; that is a known variant, here both sides count.",
        lambda f, x, y, u: 10 * (slopes(f, _between(x, y, u)) - 1).square(),
        "the weight of ten belongs to the loss; asked for is the penalty without it.",
        lambda f, x, y, u: (slopes(f, _between(x, y, u)).norm() - 1).square(),
        "your norm runs over the whole batch; each point has a gradient of its own.",
    ),
)
LIPSCHITZ_OF_A_STACK = Exercise(
    id="08.lipschitz-of-a-stack",
    right=lambda weights: float(np.prod([np.linalg.norm(w, 2) for w in weights])),
    cases=((_STACK[0],), (_STACK[1],)),
    mistakes=Mistake.pairs(
        lambda ws: float(np.prod([np.linalg.norm(w) for w in ws])),
        "this is the Frobenius norm: an upper bound too, but a looser one; a matrix "
        "stretches no vector by more than its largest singular value.",
        lambda ws: float(np.prod([np.abs(w).max() for w in ws])),
        "the largest entry bounds nothing that a matrix does: many small entries add up.",
        lambda ws: float(np.linalg.norm(ws[1] @ ws[0], 2)),
        "you multiplied the matrices first; between them stands a ReLU, which can switch "
        "off the entries that would have cancelled.",
        lambda ws: float(np.prod([np.linalg.norm(w, 2) ** 2 for w in ws])),
        "you multiplied eigenvalues of W^T W; the stretching factor is their square root.",
        lambda ws: float(max(np.linalg.norm(w, 2) for w in ws)),
        "you kept the steepest layer; the others stretch what it puts out.",
        lambda ws: float(sum(np.linalg.norm(w, 2) for w in ws)),
        "layers are applied one after another, so their stretching factors multiply.",
    ),
)

EXERCISES = bank(globals())
