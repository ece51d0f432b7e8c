"""Exercises of the notebook on the speed-run: a floor, Muon's iteration, rates, levels, means."""

from functools import reduce

import torch

from genlab_course.grading import Exercise, Mistake, bank


def newton_schulz(g: torch.Tensor, n_steps: int = 5) -> torch.Tensor:
    """Bring the singular values of a matrix near 1, and leave its directions."""
    x = g / g.norm()
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def rate(part: float, rise: float = 0.03, fall: float = 0.5) -> float:
    """The rate over its peak: up in the first `rise` of the time, down to 0 in the last `fall`."""
    return min(1.0, part / rise, (1 - part) / fall)


G = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
FLOOR = Exercise("speed.floor", 0.064, mistakes=Mistake.pairs(
    0.032, "Both means are random, not one.", 0.002, "That is one coordinate of the 32.",
    0.253, "The Fréchet distance adds the squared distance of the means: no root."))  # fmt: skip
ROOTS = Exercise("speed.newton-schulz", newton_schulz, ((G[0], 1), (G[1], 5)), Mistake.pairs(
    lambda g, n: reduce(lambda x, _: 1.5 * x - 0.5 * x @ x.mT @ x, range(n), g / g.norm()),
    "These are the classical coefficients, slow at the start: take the three of the text.",
    lambda g, n: reduce(lambda x, _: 3.4445*x - 4.775*x**3 + 2.0315*x**5, range(n), g / g.norm()),
    "You raised each entry to a power; the powers are those of matrices, X X^T X.",
    lambda g, n: reduce(lambda x, _: 3.4445*x + (-4.775*(s := x @ x.mT) + 2.0315*s @ s) @ x,
                        range(n), g / torch.linalg.matrix_norm(g, 2)),
    "You divided by the spectral norm; the Frobenius norm, which the text takes, needs no SVD.",
    lambda g, n: g.norm() * newton_schulz(g, n), "Do not multiply by the norm again."))  # fmt: skip
RATE = Exercise("speed.rate", rate, ((0.01, 0.03, 0.5), (0.4, 0.1, 0.3), (0.9, 0.1, 0.2)), (
    Mistake(lambda p, r, f: max(p / r, 1) * (1 - p) / f, "It never rises: take min, not max."),
    Mistake(lambda p, r, f: min(p / r, 1) * (1 - p) / f, "It exceeds 1: a product has no ceiling."),
    Mistake(lambda p, r, f: min(1, p / r, 1 - p), "It falls at once; first it should stay at 1."),
    Mistake(lambda p, r, f: min(1, p / r, (1 - p) / (1 - f)), "It falls too long.")))  # fmt: skip
LEVELS = Exercise("speed.levels", 0.1857, mistakes=Mistake.pairs(
    0.1253, "That is for the old mean, -1.2.", 0.2525, "That is everything above 0, not up to 1.",
    0.176, "Divide both distances by the standard deviation of log sigma, 1.2."))  # fmt: skip
DECAY = Exercise("speed.decay", 401 / 410, rtol=1e-3, mistakes=Mistake.pairs(
    0.998, "The smaller of the two numbers counts.", 45.6, "That is the horizon, 1 / (1 - d).",
    0.995, "That was the old cap. What does the ramp say at k = 400?"))  # fmt: skip
EXERCISES = bank(globals())
