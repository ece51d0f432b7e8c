"""Exercises of lesson 05: latent variables and the ELBO."""

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# 05.other-side: decoder .3, .9, prior 1/2, q(1) = .6, and x = 0
def _kl(p: Array, q: Array) -> float:
    return float((p * np.log(p / q)).sum())


_LIKELIHOOD, _PRIOR, _Q = np.array([0.7, 0.1]), np.array([0.5, 0.5]), np.array([0.4, 0.6])
_OTHER = np.array([0.3, 0.9])  # the likelihood of x = 1
_POSTERIOR = _LIKELIHOOD * _PRIOR / (_LIKELIHOOD @ _PRIOR)
_LOG_P = np.log(_LIKELIHOOD @ _PRIOR)
_RECONSTRUCTION = _Q @ np.log(_LIKELIHOOD)
_PRICE = _kl(_Q, _PRIOR)
_ELBO = _RECONSTRUCTION - _PRICE


def _row(reconstruction: float, price: float, log_p: float) -> Array:
    elbo = reconstruction - price
    return np.array([reconstruction, price, elbo, log_p - elbo])


OTHER_SIDE = Exercise(
    id="05.other-side",
    right=_row(_RECONSTRUCTION, _PRICE, _LOG_P),
    mistakes=Mistake.pairs(
        _row(_Q @ np.log(_OTHER), _PRICE, np.log(_OTHER @ _PRIOR)),
        "These are the numbers for x = 1; the decoder's probabilities are those of x = 1.",
        np.array(
            [_RECONSTRUCTION, _PRICE, _RECONSTRUCTION + _PRICE, _LOG_P - _RECONSTRUCTION - _PRICE]
        ),
        "You added the divergence; a code that departs from the prior is charged for it.",
        np.array([_RECONSTRUCTION, _PRICE, _LOG_P - _ELBO, _ELBO]),
        "ELBO and gap are exchanged: the gap is what the bound leaves out, and positive.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _kl(_POSTERIOR, _Q)]),
        "Your gap is KL(posterior || q), averaged under the wrong distribution.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _ELBO - _LOG_P]),
        "Your gap is negative: it says that a lower bound lies above what it bounds.",
        _row(_Q[::-1] @ np.log(_LIKELIHOOD), _PRICE, _LOG_P),
        "In the reconstruction the weights of z = 0 and z = 1 are exchanged.",
        _row(_RECONSTRUCTION, _PRICE, np.log(_LIKELIHOOD.sum())),
        "Your log p(x) adds up the decoder's probabilities without the prior's weights.",
        _row(np.log(_Q @ _LIKELIHOOD), _PRICE, _LOG_P),
        "Your reconstruction is the log of an average; it is the average of a log.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _PRICE]),
        "Your gap is the price, a divergence from the prior; it is one from the posterior.",
    ),
)


# 05.split: reconstruction minus KL to the prior
def _split(log_lik: Array, prior: Array, q: Array) -> float:
    return float(q @ log_lik - (q * np.log(q / prior)).sum())


_CASES_SPLIT = (
    (np.log(np.array([0.2, 0.8])), np.array([0.5, 0.5]), np.array([0.3, 0.7])),
    (np.log(np.array([0.1, 0.6, 0.3])), np.array([0.2, 0.5, 0.3]), np.array([0.25, 0.6, 0.15])),
)


def split_from_the_posterior(log_lik, prior, q):
    likelihood = np.exp(log_lik)
    posterior = likelihood * prior / (likelihood @ prior)
    return float(q @ log_lik) - float((q * np.log(q / posterior)).sum())


def split_with_a_log_of_an_average(log_lik, prior, q):
    reconstruction = np.log(q @ np.exp(log_lik))
    return float(reconstruction - (q * np.log(q / prior)).sum())


SPLIT = Exercise(
    id="05.split",
    right=_split,
    cases=_CASES_SPLIT,
    mistakes=Mistake.pairs(
        lambda log_lik, prior, q: float(q @ (log_lik + np.log(prior))),
        "This is the mean of log p(x, z) under q: the entropy of q is still missing.",
        lambda log_lik, prior, q: float((q * (log_lik - np.log(q / prior))).mean()),
        "You took the mean over the values of z; an average under q is a sum weighed by q.",
        lambda log_lik, prior, q: float(q @ log_lik) + float((q * np.log(q / prior)).sum()),
        "The sign of the divergence is flipped: you reward codes that leave the prior.",
        lambda log_lik, prior, q: float(q @ log_lik) - float((prior * np.log(prior / q)).sum()),
        "Your divergence is KL(prior || q): the average must be taken under q.",
        lambda log_lik, prior, q: float(prior @ log_lik) - float((q * np.log(q / prior)).sum()),
        "You average the reconstruction under the prior, but the codes come from q.",
        split_from_the_posterior,
        "You subtract the divergence from the posterior. That is the gap, not the price.",
        lambda log_lik, prior, q: float(q @ log_lik),
        "This is the reconstruction alone; the code has a price.",
        lambda log_lik, prior, q: float(q @ log_lik) - float((q * np.log(q)).sum()),
        "Your second term does not contain the prior: it is the entropy of q alone.",
        split_with_a_log_of_an_average,
        "Your first term is the log of an average; the bound has the average of a log.",
    ),
)


# 05.mean-field: the best product of normals for a normal posterior
def _mean_field(cov: Array) -> float:
    precision = np.linalg.inv(cov)
    return 0.5 * float(np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])


_CASES_FIELD = (
    (np.array([[0.5, 0.2], [0.2, 0.4]]),),
    (np.array([[1.0, 0.6, 0.1], [0.6, 0.9, 0.2], [0.1, 0.2, 0.3]]),),
)


def kept_the_marginal_variances(cov):
    variances = np.diag(cov)
    precision = np.linalg.inv(cov)
    log_det = np.linalg.slogdet(cov)[1]
    trace = np.diag(precision) @ variances
    return 0.5 * (trace - len(cov) + log_det - np.log(variances).sum())


def inverted_the_diagonal(cov):
    precision = np.linalg.inv(cov)
    diagonal = 1 / np.diag(cov)
    return 0.5 * float(np.log(diagonal).sum() - np.linalg.slogdet(precision)[1])


def added_the_log_determinant(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * float(np.log(np.diag(precision)).sum() + np.linalg.slogdet(precision)[1])


def took_the_other_direction(cov):
    return 0.5 * float(np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1])


MEAN_FIELD = Exercise(
    id="05.mean-field",
    right=_mean_field,
    cases=_CASES_FIELD,
    mistakes=Mistake.pairs(
        kept_the_marginal_variances,
        "You gave q the posterior's own variances; a narrower q loses less.",
        inverted_the_diagonal,
        "You inverted the diagonal of cov; what is needed is the diagonal of its inverse.",
        added_the_log_determinant,
        "The log-determinant has the wrong sign: those of a matrix and its inverse differ.",
        lambda cov: 1 / np.diag(np.linalg.inv(cov)),
        "These are the best variances of q; asked for is what they still lose, one number.",
        took_the_other_direction,
        "This is the best value of KL(posterior || q), the other direction.",
    ),
)


# 05.log-mean-weight: log of the mean, safely
def _log_mean(log_w: Array) -> Array:
    top = log_w.max(0)
    return np.asarray(top + np.log(np.exp(log_w - top).mean(0)))


_NEAR = np.array([[-1.0, 0.3], [-2.0, 0.1], [0.5, -0.7]])
_APART = _NEAR - np.array([1000.0, 0.0])  # one example whose weights are far below the other's
_CASES_WEIGHT = ((_NEAR,), (_NEAR - 1000.0,), (_APART,))


def took_the_log_of_the_sum(log_w):
    top = log_w.max(0)
    return top + np.log(np.exp(log_w - top).sum(0))


def did_not_shift(log_w):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_w).mean(0))


def shifted_all_columns_alike(log_w):
    top = log_w.max()
    with np.errstate(divide="ignore"):
        return top + np.log(np.exp(log_w - top).mean(0))


def did_not_shift_back(log_w):
    top = log_w.max(0)
    return np.log(np.exp(log_w - top).mean(0))


LOG_MEAN_WEIGHT = Exercise(
    id="05.log-mean-weight",
    right=_log_mean,
    cases=_CASES_WEIGHT,
    mistakes=Mistake.pairs(
        lambda log_w: log_w.mean(0),
        "You took the mean of the logs. It is a bound too, but K draws gain it nothing.",
        took_the_log_of_the_sum,
        "You took the log of the sum; your 'bound' grows without end with K.",
        did_not_shift,
        "Right on paper, but weights near exp(-1000) are 0 in floating point, so you "
        "return minus infinity.",
        shifted_all_columns_alike,
        "You took one and the same number out of all columns; an example whose weights are "
        "far smaller than another's still underflows.",
        did_not_shift_back,
        "You took the largest weight out and did not put it back.",
        lambda log_w: log_w.max(0),
        "You kept the largest weight; the bound averages all K.",
    ),
)


# 05.m-step: means from responsibilities
def _means(x: Array, q: Array) -> Array:
    return np.asarray(q.T @ x / q.sum(0)[:, None])


_X = np.array([[0.0, 1.0], [1.0, 2.0], [4.0, 0.0], [5.0, 3.0], [3.0, 3.0]])
_R = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]])


def gave_points_to_one_component(x, q):
    hard = np.eye(q.shape[1])[q.argmax(1)]
    return hard.T @ x / hard.sum(0)[:, None]


M_STEP = Exercise(
    id="05.m-step",
    right=_means,
    cases=((_X, _R),),
    mistakes=Mistake.pairs(
        lambda x, q: q.T @ x / len(x),
        "You divided by the number of all points; a component owns only a fraction of them.",
        gave_points_to_one_component,
        "You gave each point wholly to its likeliest component. That is k-means, not EM.",
        lambda x, q: q.T @ x,
        "These are weighted sums: for a mean the weights of one component must add up to 1 "
        "over the points (the rows of q add up to 1 over the components).",
        lambda x, q: (q.T @ x / q.sum(0)[:, None]).T,
        "Your rows are coordinates and your columns components; turn the matrix round.",
        lambda x, q: np.repeat(x.mean(0, keepdims=True), q.shape[1], 0),
        "All components got the mean of all data: the responsibilities were not used.",
    ),
)


# 05.information: does the code say which image it came from?
def _information(q: Array) -> float:
    return float((q * np.log(q / q.mean(0))).sum(1).mean())


_CODES = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])

INFORMATION = Exercise(
    id="05.information",
    right=_information,
    cases=((_CODES,),),
    mistakes=Mistake.pairs(
        lambda q: float((q * np.log(q * q.shape[1])).sum(1).mean()),
        "You measured against a uniform prior; compare with the codes' own average.",
        lambda q: float((q * np.log(q / q.mean(0))).sum()),
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
