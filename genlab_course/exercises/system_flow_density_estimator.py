"""Exercises of the flow density estimator's lab: neural posterior estimation."""

import math

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

INFORMATION = Exercise(
    id="npe.information",
    right=0.5 * math.log(5),
    mistakes=Mistake.pairs(
        math.log(5),
        "You forgot the half: entropies hold standard deviations.",
        0.5 * math.log(3),
        "You took the noise's standard deviation where its variance belongs.",
        0.5 * math.log(1.25),
        "You compared the data with the noise the wrong way round: a variance of 1.25 is "
        "that of x, and most of it is not noise.",
        0.5 * math.log(2 * math.pi * math.e / 5),
        "You gave the floor itself; asked is how far above it the training starts.",
    ),
)


def _log_phi(z: Array) -> Array:
    return np.asarray(-0.5 * z * z - 0.5 * math.log(2 * math.pi))


# npe.box: from a density of z to one of theta = low + (high - low) Phi(z)
_Z = np.array([[0.3, -1.2], [0.0, 2.0], [-0.7, 0.1]])
_LOG_Q = np.array([-1.0, -3.5, 0.4])

BOX = Exercise(
    id="npe.box",
    right=lambda log_q_z, z, low, high: log_q_z - (math.log(high - low) + _log_phi(z)).sum(1),
    cases=((_LOG_Q, _Z, -1.0, 1.0), (_LOG_Q, _Z, 0.0, 3.0)),
    mistakes=Mistake.pairs(
        lambda log_q_z, z, low, high: log_q_z + (math.log(high - low) + _log_phi(z)).sum(1),
        "You added the log-determinant of the way from z to theta; it is subtracted.",
        lambda log_q_z, z, low, high: log_q_z - _log_phi(z).sum(1),
        "You left out the width of the box: this is a density on the unit cube.",
        lambda log_q_z, z, low, high: log_q_z - math.log(high - low) - _log_phi(z).sum(1),
        "You counted the width of one side; the box has one in every dimension.",
        lambda log_q_z, z, low, high: log_q_z - z.shape[1] * math.log(high - low),
        "You counted the scaling and forgot that Phi bends: its slope is phi.",
        lambda log_q_z, z, low, high: log_q_z - (math.log(high - low) + _log_phi(z)).mean(1),
        "You averaged over the dimensions; a determinant is a product, its log a sum.",
    ),
)


# npe.reweight: draws of one prior's posterior, weighted to another prior
def _weights(log_old: Array, log_new: Array) -> Array:
    ratio = np.exp(log_new - log_old)
    return np.asarray(ratio / ratio.sum())


_OLD, _NEW = np.array([-1.0, -2.0, -0.5]), np.array([-3.0, -1.0, -0.7])


def divided_the_old_by_the_new(log_old, log_new):
    ratio = np.exp(log_old - log_new)
    return ratio / ratio.sum()


REWEIGHT = Exercise(
    id="npe.reweight",
    right=_weights,
    cases=((_OLD, _NEW), (np.zeros(4), np.array([0.0, 1.0, 2.0, -1.0]))),
    mistakes=Mistake.pairs(
        divided_the_old_by_the_new,
        "You divided the old prior by the new one: draws that the new prior likes must gain.",
        lambda log_old, log_new: np.exp(log_new - log_old),
        "You stopped before the weights sum to 1: the evidence of the two priors differs.",
        lambda log_old, log_new: (log_new - log_old) / (log_new - log_old).sum(),
        "You weighted by the difference of logarithms; a ratio of densities is its exp.",
        lambda log_old, log_new: np.exp(log_new) / np.exp(log_new).sum(),
        "You gave the new prior alone: the old one is in the draws already, take it out.",
    ),
)


# npe.ranks: where each truth stands among its draws
_TRUTH = np.array([0.5, -2.0, 1.0, 0.0])
_DRAWS = np.array(
    [[0.1, 0.2, 0.9, 0.7], [-1.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.5, -1.0], [-1, -2, -3, -4.0]]
)

RANKS = Exercise(
    id="npe.ranks",
    right=lambda truth, draws: (draws < truth[:, None]).sum(1),
    cases=((_TRUTH, _DRAWS), (_TRUTH[:2], _DRAWS[2:])),
    mistakes=Mistake.pairs(
        lambda truth, draws: (draws > truth[:, None]).sum(1),
        "You counted the draws above; still uniform, but every slope is mirrored.",
        lambda truth, draws: (draws <= truth[:, None]).sum(1),
        "You counted ties as below; counts of whole numbers would be pushed up.",
        lambda truth, draws: (draws < truth[:, None]).mean(1),
        "You gave a fraction; a rank is a whole number from 0 to L.",
        lambda truth, draws: (draws < truth[:, None]).sum(1) + 1,
        "You started at 1; a truth below all of its draws has rank 0.",
    ),
)

EXERCISES = bank(globals())
