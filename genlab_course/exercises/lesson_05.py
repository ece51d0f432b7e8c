"""Exercises of lesson 05: latent variables and the ELBO."""

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# 05.other-side: decoder .3, .9, prior 1/2, q(1) = .6, and x = 0
def _kl(p: Array, q: Array) -> float:
    return float((p * np.log(p / q)).sum())


_LIK, _PRIOR, _Q = np.array([0.7, 0.1]), np.array([0.5, 0.5]), np.array([0.4, 0.6])
_POST = _LIK * _PRIOR / (_LIK * _PRIOR).sum()
_LOG_P = float(np.log((_LIK * _PRIOR).sum()))


def _row(lik: Array, q: Array) -> Array:
    log_p, recon, kl = np.log((lik * _PRIOR).sum()), float(q @ np.log(lik)), _kl(q, _PRIOR)
    return np.array([recon, kl, recon - kl, float(log_p) - recon + kl])


_RIGHT_ROW = _row(_LIK, _Q)


def _row_from(recon: float, log_p: float) -> Array:
    """A row with another reconstruction, or another log p(x); the divergence is right."""
    kl = float(_RIGHT_ROW[1])
    return np.array([recon, kl, recon - kl, log_p - recon + kl])


# 05.split: reconstruction minus KL to the prior
def _split(log_lik: Array, prior: Array, q: Array) -> float:
    return float(q @ log_lik) - _kl(q, prior)


_CASES_SPLIT = (
    (np.log(np.array([0.2, 0.8])), np.array([0.5, 0.5]), np.array([0.3, 0.7])),
    (np.log(np.array([0.1, 0.6, 0.3])), np.array([0.2, 0.5, 0.3]), np.array([0.25, 0.6, 0.15])),
)


# 05.mean-field: the best product of normals for a normal posterior
def _mean_field(cov: Array) -> float:
    precision = np.linalg.inv(cov)
    return 0.5 * float(np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])


def _reverse_direction(cov: Array) -> float:
    return 0.5 * float(np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1])


_CASES_FIELD = (
    (np.array([[0.5, 0.2], [0.2, 0.4]]),),
    (np.array([[1.0, 0.6, 0.1], [0.6, 0.9, 0.2], [0.1, 0.2, 0.3]]),),
)


# 05.log-mean-weight: log of the mean, safely
def _log_mean(log_w: Array) -> Array:
    top = log_w.max(0)
    return np.asarray(top + np.log(np.exp(log_w - top).mean(0)))


def _shifted(log_w: Array, top: float) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(np.exp(log_w - top).mean(0)))


_NEAR = np.array([[-1.0, 0.3], [-2.0, 0.1], [0.5, -0.7]])
_APART = _NEAR - np.array([1000.0, 0.0])  # one example whose weights are far below the other's
_CASES_WEIGHT = ((_NEAR,), (_NEAR - 1000.0,), (_APART,))


# 05.m-step: means from responsibilities
def _means(x: Array, q: Array) -> Array:
    return np.asarray(q.T @ x / q.sum(0)[:, None])


_X = np.array([[0.0, 1.0], [1.0, 2.0], [4.0, 0.0], [5.0, 3.0], [3.0, 3.0]])
_R = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]])


# 05.information: does the code say which image it came from?
def _information(q: Array) -> float:
    return float((q * np.log(q / q.mean(0))).sum(1).mean())


_CODES = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])


OTHER_SIDE = Exercise(
    id="05.other-side",
    right=_RIGHT_ROW,
    mistakes=Mistake.pairs(
        _row(np.array([0.3, 0.9]), _Q),
        "These are the numbers for x = 1; the decoder's probabilities are those of x = 1.",
        np.array([*_RIGHT_ROW[:2], _RIGHT_ROW[:2].sum(), _LOG_P - _RIGHT_ROW[:2].sum()]),
        "You added the divergence; a code that departs from the prior is charged for it.",
        _RIGHT_ROW[[0, 1, 3, 2]],
        "ELBO and gap are exchanged: the gap is what the bound leaves out, and positive.",
        np.array([*_RIGHT_ROW[:3], _kl(_POST, _Q)]),
        "Your gap is KL(posterior || q), averaged under the wrong distribution.",
        np.array([*_RIGHT_ROW[:3], -_RIGHT_ROW[3]]),
        "Your gap is negative: it says that a lower bound lies above what it bounds.",
        _row_from(float(_Q[::-1] @ np.log(_LIK)), _LOG_P),
        "In the reconstruction the weights of z = 0 and z = 1 are exchanged.",
        _row_from(float(_RIGHT_ROW[0]), float(np.log(_LIK.sum()))),
        "Your log p(x) adds up the decoder's probabilities without the prior's weights.",
        _row_from(float(np.log(_Q @ _LIK)), _LOG_P),
        "Your reconstruction is the log of an average; it is the average of a log.",
        np.array([*_RIGHT_ROW[:3], _RIGHT_ROW[1]]),
        "Your gap is the price, a divergence from the prior; it is one from the posterior.",
    ),
)
SPLIT = Exercise(
    id="05.split",
    right=_split,
    cases=_CASES_SPLIT,
    mistakes=Mistake.pairs(
        lambda log_lik, prior, q: float(q @ (log_lik + np.log(prior))),
        "This is the mean of log p(x, z) under q: the entropy of q is still missing.",
        lambda log_lik, prior, q: _split(log_lik, prior, q) / len(q),
        "You took the mean over the values of z; an average under q is a sum weighed by q.",
        lambda log_lik, prior, q: float(q @ log_lik) + _kl(q, prior),
        "The sign of the divergence is flipped: you reward codes that leave the prior.",
        lambda log_lik, prior, q: float(q @ log_lik) - _kl(prior, q),
        "Your divergence is KL(prior || q): the average must be taken under q.",
        lambda log_lik, prior, q: float(prior @ log_lik) - _kl(q, prior),
        "You average the reconstruction under the prior, but the codes come from q.",
        lambda log_lik, p, q: _split(log_lik, np.exp(log_lik) * p / (p @ np.exp(log_lik)), q),
        "You subtract the divergence from the posterior. That is the gap, not the price.",
        lambda log_lik, prior, q: float(q @ log_lik),
        "This is the reconstruction alone; the code has a price.",
        lambda log_lik, prior, q: float(q @ log_lik) - float((q * np.log(q)).sum()),
        "Your second term does not contain the prior: it is the entropy of q alone.",
        lambda log_lik, prior, q: float(np.log(q @ np.exp(log_lik))) - _kl(q, prior),
        "Your first term is the log of an average; the bound has the average of a log.",
    ),
)
MEAN_FIELD = Exercise(
    id="05.mean-field",
    right=_mean_field,
    cases=_CASES_FIELD,
    mistakes=Mistake.pairs(
        lambda cov: (
            0.5 * (np.diag(np.linalg.inv(cov)) @ np.diag(cov) - len(cov)) - _reverse_direction(cov)
        ),
        "You gave q the posterior's own variances; a narrower q loses less.",
        lambda cov: -_reverse_direction(cov),
        "You inverted the diagonal of cov; what is needed is the diagonal of its inverse.",
        lambda cov: _mean_field(cov) - np.linalg.slogdet(cov)[1],
        "The log-determinant has the wrong sign: those of a matrix and its inverse differ.",
        lambda cov: 1 / np.diag(np.linalg.inv(cov)),
        "These are the best variances of q; asked for is what they still lose, one number.",
        _reverse_direction,
        "This is the best value of KL(posterior || q), the other direction.",
    ),
)
LOG_MEAN_WEIGHT = Exercise(
    id="05.log-mean-weight",
    right=_log_mean,
    cases=_CASES_WEIGHT,
    mistakes=Mistake.pairs(
        lambda log_w: log_w.mean(0),
        "You took the mean of the logs. It is a bound too, but K draws gain it nothing.",
        lambda log_w: _log_mean(log_w) + np.log(len(log_w)),
        "You took the log of the sum; your 'bound' grows without end with K.",
        lambda log_w: _shifted(log_w, 0.0),
        "Right on paper, but weights near exp(-1000) are 0 in floating point, so you "
        "return minus infinity.",
        lambda log_w: _shifted(log_w, log_w.max()),
        "You took one and the same number out of all columns; an example whose weights are "
        "far smaller than another's still underflows.",
        lambda log_w: _log_mean(log_w) - log_w.max(0),
        "You took the largest weight out and did not put it back.",
        lambda log_w: log_w.max(0),
        "You kept the largest weight; the bound averages all K.",
    ),
)
M_STEP = Exercise(
    id="05.m-step",
    right=_means,
    cases=((_X, _R),),
    mistakes=Mistake.pairs(
        lambda x, q: q.T @ x / len(x),
        "You divided by the number of all points; a component owns only a fraction of them.",
        lambda x, q: _means(x, np.eye(q.shape[1])[q.argmax(1)]),
        "You gave each point wholly to its likeliest component. That is k-means, not EM.",
        lambda x, q: q.T @ x,
        "These are weighted sums: for a mean the weights of one component must add up to 1 "
        "over the points (the rows of q add up to 1 over the components).",
        lambda x, q: _means(x, q).T,
        "Your rows are coordinates and your columns components; turn the matrix round.",
        lambda x, q: np.repeat(x.mean(0, keepdims=True), q.shape[1], 0),
        "All components got the mean of all data: the responsibilities were not used.",
    ),
)
INFORMATION = Exercise(
    id="05.information",
    right=_information,
    cases=((_CODES,),),
    mistakes=Mistake.pairs(
        lambda q: float((q * np.log(q * q.shape[1])).sum(1).mean()),
        "You measured against a uniform prior; compare with the codes' own average.",
        lambda q: len(q) * _information(q),
        "You summed over the images; each is one of n equally likely ones.",
        lambda q: float(-(q * np.log(q)).sum(1).mean()),
        "This is the mean entropy of the codes: large when they say little.",
        lambda q: float(-(q.mean(0) * np.log(q.mean(0))).sum()),
        "This is the entropy of the average code; an uncertain code says less.",
        lambda q: float((q * np.log(q / q.mean(0))).mean()),
        "You averaged over the values of z too; there the terms are summed.",
        lambda q: float((q.mean(0) * np.log(q.mean(0) / q)).sum(1).mean()),
        "Your divergence is KL(q(z) || q(z|x)); average under the image's own code.",
    ),
)

EXERCISES = bank(globals())
