"""Exercises of lesson 03: maximum likelihood and the KL view."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab_course.checks import as_array
from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# 03.kl-value: p = (0.6, 0.3, 0.1), q = (0.3, 0.3, 0.4)
_P, _Q = np.array([0.6, 0.3, 0.1]), np.array([0.3, 0.3, 0.4])
_KL = float(np.sum(_P * np.log(_P / _Q)))
_CROSS = float(-np.sum(_P * np.log(_Q)))

KL_VALUE = Exercise(
    id="03.kl-value",
    right=_KL,
    mistakes=Mistake.pairs(
        float(np.sum(_Q * np.log(_Q / _P))),
        "You averaged under q; the average runs under the first argument.",
        _CROSS,
        "That is the cross-entropy; it still contains the entropy of p.",
        float(np.sum(np.log(_P / _Q))),
        "You added the log-ratios without weighing them by how often they happen.",
    ),
)


# 03.nll-from-counts: mean NLL of a data set given as counts
def _nll(counts: Any, q: Any) -> float:
    n = as_array(counts)
    return float(-np.sum(n * np.log(as_array(q))) / n.sum())


_COUNTS = (
    (np.array([4.0, 4.0, 2.0]), np.array([0.5, 0.3, 0.2])),
    (np.array([1.0, 7.0, 3.0, 9.0]), np.array([0.1, 0.2, 0.3, 0.4])),
)


def gave_the_entropy_of_the_counts(counts, q):
    p = counts / counts.sum()
    return -np.sum(p * np.log(p))


def gave_the_divergence(counts, q):
    p = counts / counts.sum()
    return np.sum(p * np.log(p / q))


NLL_FROM_COUNTS = Exercise(
    id="03.nll-from-counts",
    right=_nll,
    cases=_COUNTS,
    mistakes=Mistake.pairs(
        lambda counts, q: -np.sum(counts * np.log(q)),
        "You summed over the observations; the mean was asked for.",
        lambda counts, q: -np.mean(np.log(q)),
        "You averaged over the outcomes as if each had been seen equally often.",
        lambda counts, q: -np.mean(counts * np.log(q)),
        "You divided by the number of outcomes; divide by the number of observations.",
        gave_the_entropy_of_the_counts,
        "That is the entropy of the counts: the model q does not occur in it.",
        gave_the_divergence,
        "That is the KL from the counts; you subtracted their entropy.",
    ),
)


# 03.forward-fit: the Gaussian that minimises the forward KL to a mixture
def _fit(weights: Array, means: Array, stds: Array) -> Array:
    mean = np.sum(weights * means)
    variance = np.sum(weights * (stds**2 + (means - mean) ** 2))
    return np.array([mean, np.sqrt(variance)])


_MIXTURES = (
    (np.array([0.6, 0.4]), np.array([-2.0, 2.0]), np.array([0.6, 0.8])),
    (np.array([0.2, 0.5, 0.3]), np.array([0.0, 1.0, 4.0]), np.array([0.5, 1.0, 0.3])),
)


def forgot_the_spread_of_the_means(weights, means, stds):
    mean = np.sum(weights * means)
    variance = np.sum(weights * stds**2)
    return np.array([mean, np.sqrt(variance)])


def forgot_the_spread_within_components(weights, means, stds):
    mean = np.sum(weights * means)
    variance = np.sum(weights * (means - mean) ** 2)
    return np.array([mean, np.sqrt(variance)])


def gave_the_variance(weights, means, stds):
    mean = np.sum(weights * means)
    variance = np.sum(weights * (stds**2 + (means - mean) ** 2))
    return np.array([mean, variance])


def weighted_all_alike(weights, means, stds):
    mean = np.mean(means)
    variance = np.mean(stds**2 + (means - mean) ** 2)
    return np.array([mean, np.sqrt(variance)])


def sat_on_one_mode(weights, means, stds):
    k = weights.argmax()
    return np.array([means[k], stds[k]])


FORWARD_FIT = Exercise(
    id="03.forward-fit",
    right=_fit,
    cases=_MIXTURES,
    mistakes=Mistake.pairs(
        forgot_the_spread_of_the_means,
        "Your standard deviation averages those of the components and forgets the spread of means.",
        forgot_the_spread_within_components,
        "Your standard deviation counts how far apart the components are and forgets their own.",
        lambda weights, means, stds: np.array([np.sum(weights * means), np.sum(weights * stds)]),
        "You averaged the standard deviations. Variances add up, and so does the means' spread.",
        gave_the_variance,
        "You returned the variance where the standard deviation is asked for.",
        weighted_all_alike,
        "You gave every component the same weight.",
        sat_on_one_mode,
        "That sits on one mode: what the other direction of the divergence does.",
    ),
)


FISHER_POISSON = Exercise(
    id="03.fisher-poisson",
    right=lambda rate: 1 / rate,
    cases=((0.5,), (2.0,), (7.0,)),
    mistakes=Mistake.pairs(
        lambda rate: rate,
        "That is the variance of n itself, or of the best estimate: not the information.",
        lambda rate: 1 / rate**2,
        "That is the information of waiting times; you left E[n] out of the average.",
        lambda rate: 1 / math.sqrt(rate),
        "That is a square root too many: the information is not a standard deviation.",
    ),
)


# 03.error-bar: mean bits per dimension and its standard error
def _report(log_probs: Any, n_dims: int) -> Array:
    bits = -as_array(log_probs) / (n_dims * math.log(2))
    return np.array([bits.mean(), bits.std(ddof=1) / math.sqrt(len(bits))])


# About a thousand draws, so that dividing by N or by N - 1 makes no difference here.
_SCORES = tuple(
    (np.random.default_rng(seed).normal(-90.0, 12.0, size=1000), n_dims)
    for seed, n_dims in ((0, 64), (1, 100))
)


def gave_the_spread(log_probs, n_dims):
    bits = -log_probs / (n_dims * math.log(2))
    error = bits.std(ddof=1)
    return np.array([bits.mean(), error])


def divided_the_spread_by_the_number(log_probs, n_dims):
    bits = -log_probs / (n_dims * math.log(2))
    error = bits.std(ddof=1) / len(bits)
    return np.array([bits.mean(), error])


def left_the_error_in_nats(log_probs, n_dims):
    bits = -log_probs / (n_dims * math.log(2))
    error = log_probs.std(ddof=1) / math.sqrt(len(bits))
    return np.array([bits.mean(), error])


def forgot_the_dimensions(log_probs, n_dims):
    bits = -log_probs / math.log(2)
    error = bits.std(ddof=1) / math.sqrt(len(bits))
    return np.array([bits.mean(), error])


def lost_the_sign(log_probs, n_dims):
    bits = log_probs / (n_dims * math.log(2))
    error = bits.std(ddof=1) / math.sqrt(len(bits))
    return np.array([bits.mean(), error])


ERROR_BAR = Exercise(
    id="03.error-bar",
    right=_report,
    cases=_SCORES,
    mistakes=Mistake.pairs(
        gave_the_spread,
        "Your second number is the spread of single images, not the error of their mean.",
        divided_the_spread_by_the_number,
        "You divided the spread by N; averaging helps only with its root.",
        left_the_error_in_nats,
        "The error bar is still in nats per image: convert it too.",
        forgot_the_dimensions,
        "You did not divide the bits by the number of dimensions.",
        lost_the_sign,
        "The sign is off: a loss is minus the log-probability.",
    ),
    rtol=1e-3,  # N or N - 1 in the spread: both are fine here
)


# 03.smoothing: additive smoothing of a table of counts
def _smooth(counts: Any, alpha: float) -> Array:
    c = as_array(counts) + alpha
    return np.asarray(c / c.sum(1, keepdims=True))


_TABLES = (
    (np.array([[3.0, 0.0, 1.0], [0.0, 5.0, 5.0]]), 0.5),
    (np.array([[0.0, 0.0, 2.0, 7.0]]), 1.0),
    (np.array([[1.0, 2.0], [4.0, 0.0], [6.0, 6.0]]), 0.1),
)


def filled_the_zeros_only(counts, alpha):
    c = np.where(counts == 0, alpha, counts)
    return c / c.sum(1, keepdims=True)


def gave_log_probabilities(counts, alpha):
    c = counts + alpha
    return np.log(c / c.sum(1, keepdims=True))


SMOOTHING = Exercise(
    id="03.smoothing",
    right=_smooth,
    cases=_TABLES,
    mistakes=Mistake.pairs(
        lambda counts, alpha: (counts + alpha) / counts.sum(1, keepdims=True),
        "The rows sum to more than 1: the added counts are counts.",
        lambda counts, alpha: (counts + alpha) / (counts.sum(1, keepdims=True) + alpha),
        "You added alpha once to the denominator, but it was added to every outcome.",
        filled_the_zeros_only,
        "You gave pseudo-counts only to the zeros: every outcome gets the same.",
        lambda counts, alpha: (counts + alpha) / (counts + alpha).sum(),
        "You divided by the sum of the whole table, not of each row.",
        gave_log_probabilities,
        "Those are log-probabilities; probabilities were asked for.",
    ),
)

EXERCISES = bank(globals())
