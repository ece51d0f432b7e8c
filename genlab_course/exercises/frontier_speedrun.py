"""Exercises of the notebook on the speed-run: a floor, Muon's iteration, rates, levels, means."""

import torch

from genlab_course.grading import Exercise, Mistake, bank

FLOOR = Exercise(
    id="speed.floor",
    right=0.064,
    mistakes=Mistake.pairs(
        0.032,
        "Both means are random, not one.",
        0.002,
        "That is one coordinate of the 32.",
        0.253,
        "The Fréchet distance adds the squared distance of the means: no root.",
    ),
)


def newton_schulz(g: torch.Tensor, n_steps: int = 5) -> torch.Tensor:
    """Bring the singular values of a matrix near 1, and leave its directions."""
    x = g / g.norm()
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


G = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def took_the_classical_coefficients(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        x = 1.5 * x - 0.5 * x @ x.mT @ x
    return x


def raised_the_entries_to_powers(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return x


def divided_by_the_spectral_norm(g, n_steps):
    x = g / torch.linalg.matrix_norm(g, 2)
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def multiplied_by_the_norm_again(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x * g.norm()


ROOTS = Exercise(
    id="speed.newton-schulz",
    right=newton_schulz,
    cases=((G[0], 1), (G[1], 5)),
    mistakes=Mistake.pairs(
        took_the_classical_coefficients,
        "These are the classical coefficients, slow at the start: take the three of the text.",
        raised_the_entries_to_powers,
        "You raised each entry to a power; the powers are those of matrices, X X^T X.",
        divided_by_the_spectral_norm,
        "You divided by the spectral norm; the Frobenius norm, which the text takes, needs no SVD.",
        multiplied_by_the_norm_again,
        "Do not multiply by the norm again.",
    ),
)


def rate(part: float, rise: float = 0.03, fall: float = 0.5) -> float:
    """The rate over its peak: up in the first `rise` of the time, down to 0 in the last `fall`."""
    return min(1.0, part / rise, (1 - part) / fall)


RATE = Exercise(
    id="speed.rate",
    right=rate,
    cases=((0.01, 0.03, 0.5), (0.4, 0.1, 0.3), (0.9, 0.1, 0.2)),
    mistakes=Mistake.pairs(
        lambda part, rise, fall: max(part / rise, 1) * (1 - part) / fall,
        "It never rises: take min, not max.",
        lambda part, rise, fall: min(part / rise, 1) * (1 - part) / fall,
        "It exceeds 1: a product has no ceiling.",
        lambda part, rise, fall: min(1, part / rise, 1 - part),
        "It falls at once; first it should stay at 1.",
        lambda part, rise, fall: min(1, part / rise, (1 - part) / (1 - fall)),
        "It falls too long.",
    ),
)
LEVELS = Exercise(
    id="speed.levels",
    right=0.1857,
    mistakes=Mistake.pairs(
        0.1253,
        "That is for the old mean, -1.2.",
        0.2525,
        "That is everything above 0, not up to 1.",
        0.176,
        "Divide both distances by the standard deviation of log sigma, 1.2.",
    ),
)


DECAY = Exercise(
    id="speed.decay",
    right=401 / 410,
    rtol=1e-3,
    mistakes=Mistake.pairs(
        0.998,
        "The smaller of the two numbers counts.",
        45.6,
        "That is the horizon, 1 / (1 - d).",
        0.995,
        "That was the old cap. What does the ramp say at k = 400?",
    ),
)

EXERCISES = bank(globals())
