"""Exercises of lesson 04: normalizing flows."""

import math

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

PARALLELOGRAM = Exercise(
    id="04.parallelogram",
    right=0.2,
    mistakes=(
        Mistake(5.0, "You multiplied by the determinant: more room means a thinner spread."),
        Mistake(1 / 6, "You took the product of the diagonal; this matrix is not triangular."),
        Mistake(1 / 7, "You added the two products of the determinant; one is subtracted."),
        Mistake(1.0, "You kept the density of the square; its area has changed."),
    ),
)


# 04.stretch: log-density of x = a z + b, z standard normal
def _log_phi(z: float) -> float:
    return -0.5 * z * z - 0.5 * math.log(2 * math.pi)


STRETCH = Exercise(
    id="04.stretch",
    right=lambda x, a, b: _log_phi((x - b) / a) - math.log(abs(a)),
    cases=((0.7, 2.0, 1.0), (-1.0, -0.5, 0.3), (4.0, 3.0, -2.0), (0.2, 0.1, 0.2)),
    mistakes=Mistake.pairs(
        lambda x, a, b: _log_phi((x - b) / a) + math.log(abs(a)),
        "You multiplied by the stretch where mass is spread thinner: the sign is wrong.",
        lambda x, a, b: _log_phi((x - b) / a),
        "You forgot the Jacobian: this does not integrate to 1 over x.",
        lambda x, a, b: _log_phi(x) - math.log(abs(a)),
        "You asked the base for its density at x; ask it at the z that x came from.",
        lambda x, a, b: _log_phi(x / a - b) - math.log(abs(a)),
        "You undid the scale before the shift; the last thing done is undone first.",
        lambda x, a, b: _log_phi((x - b) / a) - abs(a),
        "You subtracted the stretch itself, not its logarithm.",
    ),
)


# 04.coupling-inverse: undo x_B = exp(s(z_A)) z_B + t(z_A)
_X_A, _X_B = np.array([0.3, -1.2]), np.array([1.5, 0.4])
_NETS = (lambda a: 0.5 * np.sin(3 * a), lambda a: a**2 - 1)

COUPLING_INVERSE = Exercise(
    id="04.coupling-inverse",
    right=lambda x_A, x_B, s, t: (x_B - t(x_A)) * np.exp(-s(x_A)),
    cases=((_X_A, _X_B, *_NETS), (_X_B, _X_A, *_NETS[::-1])),
    mistakes=Mistake.pairs(
        lambda x_A, x_B, s, t: x_B - t(x_A),
        "You undid the shift and left the scaling in; no rounding error is that large.",
        lambda x_A, x_B, s, t: x_B * np.exp(-s(x_A)) - t(x_A),
        "You undid the scaling first; the shift came last and must go first.",
        lambda x_A, x_B, s, t: (x_B - t(x_A)) * np.exp(s(x_A)),
        "You scaled once more where the scaling must be undone: a sign is missing.",
        lambda x_A, x_B, s, t: (x_B - t(x_B)) * np.exp(-s(x_B)),
        "You let the networks read the half that moved; on the way in they read the other.",
    ),
)


LOG_DET = Exercise(
    id="04.log-det",
    right=lambda log_scale: -log_scale.sum(1),
    cases=((np.array([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]]),), (np.array([[3.0], [-2.0]]),)),
    mistakes=Mistake.pairs(
        lambda log_scale: log_scale.sum(1),
        "You gave the log-determinant of the other direction, from z to x.",
        lambda log_scale: -log_scale.mean(1),
        "You averaged over the coordinates; a determinant is a product, its log a sum.",
        lambda log_scale: np.exp(-log_scale.sum(1)),
        "That is the determinant itself; its logarithm was asked for.",
        lambda log_scale: -np.exp(log_scale).sum(1),
        "You summed the scales; it is their logarithms that add up.",
    ),
)


# 04.evaluations: network evaluations along the longest chain
_KINDS = tuple(
    (kind, direction, d)
    for kind in ("coupling", "maf", "iaf")
    for direction in ("sample", "score")
    for d in (2, 64)
)

EVALUATIONS = Exercise(
    id="04.evaluations",
    right=lambda kind, direction, d: (
        d if (kind, direction) in {("maf", "sample"), ("iaf", "score")} else 1
    ),
    cases=_KINDS,
    mistakes=Mistake.pairs(
        lambda kind, direction, d: 1,
        "You believed that every flow samples with one evaluation; one of the three does not.",
        lambda kind, direction, d: (
            d if (kind, direction) in {("iaf", "sample"), ("maf", "score")} else 1
        ),
        "You exchanged MAF and IAF: ask which of z and x the parameters read.",
        lambda kind, direction, d: 1 if kind == "coupling" else d,
        "You made the autoregressive flows slow in both directions; one of them is not.",
        lambda kind, direction, d: d if direction == "sample" else 1,
        "You made every flow slow to sample; look at what a coupling layer keeps.",
    ),
)


BITS = Exercise(
    id="04.bits",
    right=lambda nll_nats, n_dims, levels: (
        (nll_nats + n_dims * math.log(levels)) / (n_dims * math.log(2))
    ),
    cases=((-96.2, 64, 17), (10.0, 3, 256), (-5.0, 2, 2)),
    mistakes=Mistake.pairs(
        lambda nll, n_dims, levels: nll / (n_dims * math.log(2)),
        "You left out the width of the bins: a density on [0, 1] is not a probability yet.",
        lambda nll, n_dims, levels: (nll + math.log(levels)) / (n_dims * math.log(2)),
        "You counted the width of one bin; the bin has a width in every dimension.",
        lambda nll_nats, n_dims, levels: (
            (nll_nats - n_dims * math.log(levels)) / (n_dims * math.log(2))
        ),
        "You made the bins wider than the interval: the sign of the constant is wrong.",
        lambda nll, n_dims, levels: (nll + n_dims * math.log(levels)) / math.log(2),
        "You gave the bits of the whole image; divide them by its dimensions.",
    ),
)

EXERCISES = bank(globals())
