"""Exercises of lesson 08: Wasserstein distance and the gradient penalty."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlab.adversarial.gan import gradient_penalty
from genlab_course.grading import Exercise, Mistake, bank

# 08.w1-on-a-line: from two histograms on sorted places
_PLACES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
_UNEVEN = np.array([0.0, 0.5, 2.0, 5.0])
_THIRDS = (_PLACES, np.array([1.0, 1, 1, 0, 0]) / 3, np.array([0.0, 0, 1, 1, 1]) / 3)
_CROSSING = (_UNEVEN, np.array([0.5, 0.0, 0.1, 0.4]), np.array([0.2, 0.6, 0.2, 0.0]))

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


# 08.gradient-penalty: build it
def _critic(x: Tensor) -> Tensor:
    return (x**2).sum(1) + torch.sin(x[:, 0])


def _pair(seed: int) -> tuple[Any, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, 4, 2, generator=g, dtype=torch.float64)
    return _critic, real, fake, torch.rand(4, generator=g, dtype=torch.float64)


def averaged_before_the_square(critic, real, fake, u):
    between = u[:, None] * real + (1 - u[:, None]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    gap = slope.norm(dim=1).mean() - 1
    return gap**2 * torch.ones_like(u)


def took_the_slope_at_the_real_points(critic, real, fake, u):
    real = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(real).sum(), real)
    return (slope.norm(dim=1) - 1) ** 2


def squared_the_norm(critic, real, fake, u):
    between = u[:, None] * real + (1 - u[:, None]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return (slope.square().sum(1) - 1) ** 2


def used_one_weight_for_all(critic, real, fake, u):
    between = u[0] * real + (1 - u[0]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return (slope.norm(dim=1) - 1) ** 2


def took_the_slope_at_the_fakes(critic, real, fake, u):
    fake = fake.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(fake).sum(), fake)
    return (slope.norm(dim=1) - 1) ** 2


def exchanged_the_weights(critic, real, fake, u):
    between = (1 - u[:, None]) * real + u[:, None] * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return (slope.norm(dim=1) - 1) ** 2


def punished_steep_slopes_only(critic, real, fake, u):
    between = u[:, None] * real + (1 - u[:, None]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return (slope.norm(dim=1) - 1).clamp(min=0) ** 2


def multiplied_by_the_weight_of_the_loss(critic, real, fake, u):
    between = u[:, None] * real + (1 - u[:, None]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return 10 * (slope.norm(dim=1) - 1) ** 2


def took_one_norm_for_the_batch(critic, real, fake, u):
    between = u[:, None] * real + (1 - u[:, None]) * fake
    between = between.requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between)
    return (slope.norm() - 1) ** 2


GRADIENT_PENALTY = Exercise(
    id="08.gradient-penalty",
    right=lambda critic, real, fake, u: gradient_penalty(critic, real, fake, u).detach(),
    cases=(_pair(0), _pair(1)),
    mistakes=Mistake.pairs(
        averaged_before_the_square,
        "you averaged over the batch before the square: a steep point and a flat one cancel.",
        took_the_slope_at_the_real_points,
        "your slopes are those at the real points; the constraint is needed on the way between.",
        squared_the_norm,
        "you compared the squared norm with 1: another penalty, much harsher on steep critics.",
        used_one_weight_for_all,
        "you used one weight for the whole batch: each pair needs its own.",
        took_the_slope_at_the_fakes,
        "your slopes are those at the generated points; they are needed on the way between.",
        exchanged_the_weights,
        "u belongs to the real example and 1 - u to the generated one; you exchanged them "
        "(on average that is the same, for these numbers it is not).",
        punished_steep_slopes_only,
        "you punish slopes above 1 only; that is a known variant, here both sides count.",
        multiplied_by_the_weight_of_the_loss,
        "the weight of ten belongs to the loss; asked for is the penalty without it.",
        took_one_norm_for_the_batch,
        "your norm runs over the whole batch; each point has a gradient of its own.",
    ),
)


# 08.lipschitz-of-a-stack: largest possible slope of W2 relu(W1 x)
_STACK = (
    [np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5]])],
    [np.array([[1.0, 2.0], [0.0, 1.0], [1.0, -1.0]]), np.array([[1.0, 0.0, 2.0]])],
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
