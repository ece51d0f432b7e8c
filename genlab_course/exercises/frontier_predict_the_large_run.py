"""Exercises of the lab that predicts a large run: plan, budget, law, line, score and shards."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank


def plan(width: int) -> tuple[int, int, int, float]:
    """Weights in the matrices, characters to read, steps of 64 of them, and the learning rate."""
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n // 64, 0.8 / width


def best_split(c: float, a: float, b: float, alpha: float, beta: float) -> tuple[float, float]:
    """The N and D with 6 N D = c that make a / N^alpha + b / D^beta least."""
    n = (alpha * a / (beta * b) * (c / 6) ** beta) ** (1 / (alpha + beta))
    return n, c / (6 * n)


def fit_at(gamma: float, c: Tensor, loss: Tensor, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Floor (not below 0) and k of the best law floor + k c^-gamma, and its chi squared."""
    x = c**-gamma
    design = torch.stack([torch.ones_like(x), x], 1) / error[:, None]
    floor, k = torch.linalg.lstsq(design, loss / error).solution
    if floor < 0:
        floor, k = floor.clamp(min=0), (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def log_score(mean: float, std: float, outcome: float) -> float:
    """Log of the normal density of a forecast at the outcome, nats."""
    return -(((outcome - mean) / std) ** 2) / 2 - math.log(std) - math.log(2 * math.pi) / 2


def _by_numpy(low: float, g: float, c: Tensor, loss: Tensor, error: Tensor) -> tuple[Any, ...]:
    k, floor = np.polyfit(c**-g, loss, 1, w=1 / error)
    return (e := max(floor, low)), k, (((loss - e - k * c**-g) / error) ** 2).sum()


_C, _ERR, _A, _B = torch.tensor(
    [[1, 4, 16, 64], [0.03, 0.02, 0.02, 0.01], [2.6, 2, 1.8, 1.7], [3, 2.6, 2, 1]]
).double()
PLAN = Exercise(id="large.plan", right=plan, cases=((16,), (128,)), mistakes=Mistake.pairs(
    lambda w: ((n := 5 * w**2 + 120 * w), 20 * n, 20 * n, 0.00625), "All three faults are there.",
    lambda w: ((n := 5 * w**2 + 120 * w), 20 * n, 20 * n // 64, 0.8 / w),
    "Two faults are mended. Looking up an embedding multiplies nothing: which weights count?",
    lambda w: (*plan(w)[:2], plan(w)[1], plan(w)[3]), "One step reads a whole batch.",
    lambda w: (*plan(w)[:3], 0.00625), "Two faults are mended. What must the rate depend on?",
))  # fmt: skip
SPLIT = Exercise(id="large.split", right=best_split, mistakes=Mistake.pairs(
    lambda c, a, b, p, q: best_split(c, a, b, q, p), "The exponents alpha and beta are exchanged.",
    lambda c, a, b, p, q: best_split(6 * c, a, b, p, q), "A weight costs 6 operations a character.",
    lambda c, a, b, p, q: best_split(c, b / p**2, a / q**2, p, q), "Invert alpha A / (beta B).",
    lambda c, a, b, p, q: best_split(c, a / p, b / q, p, q),
    "You made the two errors equal; it is their slopes, times alpha and beta, that balance.",
), cases=((6e9, 400.0, 410.0, 0.34, 0.28), (1e15, 2.0, 3.0, 0.5, 0.25)))  # fmt: skip
FIT = Exercise(id="large.fit", right=fit_at, mistakes=Mistake.pairs(
    lambda *a: _by_numpy(-math.inf, *a), "A loss is never below 0, so neither is its floor.",
    lambda *a: _by_numpy(0.0, *a), "When the floor is held at 0, k has to be found once more.",
    lambda *a: ((f := fit_at(*a))[1], f[0], f[2]), "The order is E, k, chi squared.",
    lambda g, c, y, e: fit_at(g, c, y, e / e), "Each run counts by its error: divide by it.",
), cases=((0.1, _C, _A, _ERR), (0.1, _C, _B, _ERR)))  # fmt: skip
LINE = Exercise(id="large.line", right=1.9**2 / 2.6, mistakes=Mistake.pairs(
    1.2, "You took off the difference again; on log axes it is the ratio that repeats.",
    1.9, "That is the loss of the last run.", 1.9 / 2.6, "That is the ratio of the two losses.",
))  # fmt: skip
SCORE = Exercise(id="large.score", right=log_score, mistakes=Mistake.pairs(
    lambda m, s, y: log_score(m, s, y) + math.log(s), "Without log std, a vague bet costs nothing.",
    lambda m, s, y: log_score(m, s**0.5, y), "std is the standard deviation, not the variance.",
    lambda m, s, y: math.exp(log_score(m, s, y)), "That is the density; the score is its log.",
    lambda m, s, y: log_score(m, s, y) + math.log(2 * math.pi) / 2, "log(2 pi) / 2 is missing.",
), cases=((1.5, 0.05, 1.45), (1.4, 0.2, 1.5)))  # fmt: skip
BYTES = Exercise(id="large.bytes", right=56.875, mistakes=Mistake.pairs(
    112, "That is one process without sharding.", 1.75, "Only the moments are cut, not the rest.",
    56, "Each process still keeps its part of the moments.", 28.875, "Gradients are missing.",
    29.3125, "You cut the gradients, too; that is stage 2.",
))  # fmt: skip
EXERCISES = bank(globals())
