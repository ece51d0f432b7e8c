"""Exercises of lesson 05: latent variables and the ELBO.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, bank

Array = NDArray[np.float64]
Schedule = Callable[[int, int], float]

LOSS = Prediction("05.predict-loss", choices=("0.3", "0.03", "0.003"), unit="nats")
BETTER = Prediction("05.predict-better", choices=("A", "B", "cannot say"))
USED = Prediction("05.predict-used", choices=("12", "6", "0"), unit="of 12")


# 05.other-side: decoder .3, .9, prior 1/2, q(1) = .6, and x = 0; unchanged, so the id stays
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
        "these are the numbers for x = 1; the decoder's probabilities are those of x = 1.",
        np.array(
            [_RECONSTRUCTION, _PRICE, _RECONSTRUCTION + _PRICE, _LOG_P - _RECONSTRUCTION - _PRICE]
        ),
        "you added the divergence; a guess that departs from the prior is charged for it.",
        np.array([_RECONSTRUCTION, _PRICE, _LOG_P - _ELBO, _ELBO]),
        "ELBO and gap are exchanged: the gap is what the bound leaves out, and positive.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _kl(_POSTERIOR, _Q)]),
        "your gap is KL(posterior || q), averaged under the wrong distribution.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _ELBO - _LOG_P]),
        "your gap is negative: it says that a lower bound lies above what it bounds.",
        _row(_Q[::-1] @ np.log(_LIKELIHOOD), _PRICE, _LOG_P),
        "in the reconstruction the weights of z = 0 and z = 1 are exchanged.",
        _row(_RECONSTRUCTION, _PRICE, np.log(_LIKELIHOOD.sum())),
        "your log p(x) adds up the decoder's probabilities without the prior's weights.",
        _row(np.log(_Q @ _LIKELIHOOD), _PRICE, _LOG_P),
        "your reconstruction is the log of an average; it is the average of a log.",
        np.array([_RECONSTRUCTION, _PRICE, _ELBO, _PRICE]),
        "your gap is the price, a divergence from the prior; it is one from the posterior.",
    ),
)


# 05.e-step
def e_step(x: Tensor, log_weights: Tensor, log_tables: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior of the template (n, k), and log p(x) (n,), for one-hot pictures (n, d, l)."""
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    log_px = log_joint.logsumexp(1)
    return (log_joint - log_px[:, None]).exp(), log_px


def _pictures(seed: int, n: int, d: int, levels: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return F.one_hot(torch.randint(levels, (n, d), generator=g), levels).double()


def _mixture(seed: int, k: int, d: int, levels: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    weights = torch.rand(k, generator=g, dtype=torch.float64) + 0.1
    tables = torch.randn(k, d, levels, generator=g, dtype=torch.float64).log_softmax(-1)
    return (weights / weights.sum()).log(), tables


def forgot_the_prior(x, log_weights, log_tables):
    log_lik = torch.einsum("ndl,kdl->nk", x, log_tables)
    return log_lik.softmax(1), log_lik.logsumexp(1)


def softmax_over_the_pictures(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.softmax(0), log_joint.logsumexp(1)


def left_the_logarithm(x, log_weights, log_tables):
    joint = torch.einsum("ndl,kdl->nk", x, log_tables).exp() * log_weights.exp()
    p_x = joint.sum(1)
    return joint / p_x[:, None], p_x.log()


def added_probabilities_of_the_pixels(x, log_weights, log_tables):
    joint = torch.einsum("ndl,kdl->nk", x, log_tables.exp()) * log_weights.exp()
    p_x = joint.sum(1)
    return joint / p_x[:, None], p_x.log()


def averaged_over_the_pixels(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) / x.shape[1] + log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1)


def kept_the_likeliest(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    hard = F.one_hot(log_joint.argmax(1), log_joint.shape[1]).to(x)
    return hard, log_joint.logsumexp(1)


def returned_log_probabilities(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.log_softmax(1), log_joint.logsumexp(1)


def returned_the_largest(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.softmax(1), log_joint.max(1).values


def summed_the_log_joints(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.softmax(1), log_joint.sum(1)


def returned_p_itself(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1).exp()


def multiplied_by_the_log_prior(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) * log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1)


def returned_only_q(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    return log_joint.softmax(1)


_MANY = _pictures(3, 3, 300, 17)  # log p(x) near -1000: exp is 0 in 64 bits, too
_E_CASES = (
    (_pictures(0, 6, 3, 4), *_mixture(0, 5, 3, 4)),
    (_pictures(1, 4, 2, 3), *_mixture(1, 2, 2, 3)),
    (_MANY, *_mixture(2, 4, 300, 17)),
)

E_STEP = Exercise(
    id="05.e-step",
    right=e_step,
    cases=_E_CASES,
    mistakes=Mistake.pairs(
        forgot_the_prior,
        "the weights of the templates are missing: the joint is prior times likelihood.",
        softmax_over_the_pictures,
        "your q sums to 1 over the pictures; each picture shares itself out over the templates.",
        left_the_logarithm,
        "right on paper, but a product of many pixels is 0 in floating point, and 0/0 is nan. "
        "Stay in logarithms: logsumexp, or softmax.",
        added_probabilities_of_the_pixels,
        "you added the pixels' probabilities; given z they are independent, so they multiply.",
        averaged_over_the_pixels,
        "you averaged the pixels' logarithms; a product of probabilities is their sum.",
        kept_the_likeliest,
        "you gave each picture wholly to its likeliest template. That is k-means; Bayes' rule "
        "keeps the doubt.",
        returned_log_probabilities,
        "log p(x) is right; the first answer is log q, and q was asked for.",
        returned_the_largest,
        "q is right; log p(x) adds up all templates, and this is the likeliest one alone.",
        summed_the_log_joints,
        "q is right; log p(x) is the log of a sum of joints, not the sum of their logs.",
        returned_p_itself,
        "q is right; the second answer is p(x), and its logarithm was asked for.",
        multiplied_by_the_log_prior,
        "you multiplied by the log of the weights; in logarithms, prior and likelihood are added.",
        returned_only_q,
        "q is right; log p(x) of each picture is wanted as well: return a pair.",
    ),
    rtol=1e-3,  # a sum of 300 terms in 32 bits
)


# 05.m-step-tables (05.m-step asked for the means of a Gaussian mixture)
def m_step(x: Tensor, q: Tensor, pseudo_count: float) -> tuple[Tensor, Tensor]:
    """Log-weights (k,) and log-tables (k, d, l) from one-hot pictures (n, d, l) and q (n, k)."""
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def _guess(seed: int, n: int, k: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(n, k, generator=g, dtype=torch.float64)).softmax(1)


def counted_hard(x, q, pseudo_count):
    hard = F.one_hot(q.argmax(1), q.shape[1]).to(q)
    counts = torch.einsum("nk,ndl->kdl", hard, x) + pseudo_count
    return hard.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def divided_by_all_pictures(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / len(x)).log()


def forgot_the_pseudo_count(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x)
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def did_not_count_the_pseudo_counts(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x)
    return q.mean(0).log(), ((counts + pseudo_count) / counts.sum(-1, keepdim=True)).log()


def added_it_after_dividing(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x)
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True) + pseudo_count).log()


def normalised_over_the_templates(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum(0, keepdim=True)).log()


def normalised_over_the_pixels(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum(1, keepdim=True)).log()


def normalised_over_pixels_and_levels(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum((1, 2), keepdim=True)).log()


def averaged_q_over_the_templates(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(1).log(), (counts / counts.sum(-1, keepdim=True)).log()


def summed_the_weights(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.sum(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def took_equal_weights(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    equal = torch.full_like(q[0], 1 / q.shape[1])
    return equal.log(), (counts / counts.sum(-1, keepdim=True)).log()


def returned_probabilities(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0), counts / counts.sum(-1, keepdim=True)


def returned_log_counts(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), counts.log()


def averaged_log_q(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.log().mean(0), (counts / counts.sum(-1, keepdim=True)).log()


def ignored_q(x, q, pseudo_count):
    counts = x.sum(0).expand(q.shape[1], *x.shape[1:]) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def swapped_the_pair(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return (counts / counts.sum(-1, keepdim=True)).log(), q.mean(0).log()


M_STEP = Exercise(
    id="05.m-step-tables",
    right=m_step,
    cases=(
        (_pictures(4, 6, 3, 4), _guess(4, 6, 5), 0.3),
        (_pictures(5, 7, 5, 3), _guess(5, 7, 2), 1.0),
    ),
    mistakes=Mistake.pairs(
        counted_hard,
        "you gave each picture wholly to its likeliest template. That is k-means; EM counts "
        "fractions of pictures.",
        divided_by_all_pictures,
        "you divided by the number of all pictures; a template owns only a part of them.",
        forgot_the_pseudo_count,
        "the pseudo-count is missing: a level never seen gets probability 0 for ever.",
        did_not_count_the_pseudo_counts,
        "your tables sum to more than 1: divide by the counts *with* the pseudo-counts.",
        added_it_after_dividing,
        "you added the pseudo-count to a probability; it is added to the counts.",
        normalised_over_the_templates,
        "your tables sum to 1 over the templates; each pixel's table sums to 1 over its levels.",
        normalised_over_the_pixels,
        "your tables sum to 1 over the pixels; each pixel's table sums to 1 over its levels.",
        normalised_over_pixels_and_levels,
        "each template sums to 1 in all; each of its pixels has a table of its own.",
        averaged_q_over_the_templates,
        "the weights: you averaged q over the templates, which is 1/k for every picture; "
        "average over the pictures.",
        summed_the_weights,
        "the tables are right; the weights must sum to 1, so divide by the number of pictures.",
        took_equal_weights,
        "the tables are right; the weights are not equal: a template weighs what it owns.",
        returned_probabilities,
        "these are probabilities; their logarithms were asked for.",
        returned_log_counts,
        "the tables are logs of counts: divide each by its sum over the levels first.",
        averaged_log_q,
        "the tables are right; the weight is the log of the mean of q, not the mean of its log.",
        ignored_q,
        "all templates got the counts of all pictures: q was not used.",
        swapped_the_pair,
        "the pair is the other way round: weights first, then tables.",
    ),
)


# 05.guesser-elbo (05.split asked for the ELBO from a prior and a likelihood)
def guesser_elbo(logits: Tensor, log_joint: Tensor) -> Tensor:
    """ELBO of each picture, nats, for q = softmax(logits); both arguments are (..., k)."""
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


def _scores(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    logits, joint = torch.randn(2, *shape, generator=g, dtype=torch.float64)
    return 2 * logits, 3 * joint - 20


_SURE = (torch.tensor([[0.0, 1.0, -2.0], [0.0, -900.0, 1.0]]).double(), _scores(2, 2, 3)[1])


def took_the_log_of_the_softmax(logits, log_joint):
    q = logits.softmax(-1)
    return (q * (log_joint - q.log())).sum(-1)


def forgot_the_entropy(logits, log_joint):
    return (logits.softmax(-1) * log_joint).sum(-1)


def turned_the_entropy(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint + log_q)).sum(-1)


def took_the_logits_for_log_q(logits, log_joint):
    return (logits.softmax(-1) * (log_joint - logits)).sum(-1)


def averaged_over_z(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).mean(-1)


def did_not_weigh(logits, log_joint):
    return (log_joint - logits.log_softmax(-1)).sum(-1)


def did_not_weigh_but_averaged(logits, log_joint):
    return (log_joint - logits.log_softmax(-1)).mean(-1)


def softmax_down_the_batch(logits, log_joint):
    log_q = logits.log_softmax(0)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


def gave_the_likelihood(logits, log_joint):
    return log_joint.logsumexp(-1)


def gave_the_log_of_the_average(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * log_joint.exp()).sum(-1).log()


def gave_the_loss(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return -(log_q.exp() * (log_joint - log_q)).sum(-1)


def averaged_over_the_batch(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1).mean()


def subtracted_the_divergence_from_the_joint(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - (log_q - log_joint.log_softmax(-1)))).sum(-1)


def took_the_likeliest(logits, log_joint):
    best = logits.argmax(-1, keepdim=True)
    return log_joint.gather(-1, best).squeeze(-1)


def detached_the_guess(logits, log_joint):
    log_q = logits.detach().log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


def kept_zero_log_zero_out_of_the_value_alone(logits, log_joint):
    q = logits.softmax(-1)
    return (q * log_joint - torch.xlogy(q, q)).sum(-1)


def detached_q_in_front(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp().detach() * (log_joint - log_q)).sum(-1)


NOT_PULLED = (
    "the value is right, but the logits get no gradient: do not detach them, and stay with tensors."
)
HALF_PULLED = (
    "the value is right, but its slope in the logits is not that of the ELBO: q stands in two "
    "places, and both must move with the logits."
)


SLOPE_LOST = (
    "the value is right, but where the guesser is very sure its slope is nan, and the training is "
    "lost: the slope of q log q at q = 0 is minus infinity. log_softmax never takes log 0."
)


def _slope_in_logits(
    answer: Callable[[Tensor, Tensor], Tensor], scores: Tensor, log_joint: Tensor
) -> Tensor:
    logits = scores.clone().requires_grad_()
    value = answer(logits, log_joint).sum()
    if not getattr(value, "requires_grad", False):  # numpy's numbers have no such name
        return torch.zeros_like(logits)
    (slope,) = torch.autograd.grad(value, logits, allow_unused=True)
    return torch.zeros_like(logits) if slope is None else slope


def _judge_slope(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """The value is right by now; is the slope?"""
    mild = _scores(7, 4, 3)
    yours = _slope_in_logits(answer, *mild)
    if not torch.allclose(yours, _slope_in_logits(guesser_elbo, *mild)):
        return HALF_PULLED if yours.any() else NOT_PULLED
    return "" if _slope_in_logits(answer, *_SURE).isfinite().all() else SLOPE_LOST


GUESSER_ELBO = Exercise(
    id="05.guesser-elbo",
    right=guesser_elbo,
    cases=(_scores(0, 4, 3), _scores(1, 3, 5), _SURE),
    mistakes=Mistake.pairs(
        took_the_log_of_the_softmax,
        "right until the guesser is very sure: then an entry of softmax is 0 in floating point, "
        "0 * log 0 is nan, and the training is lost. Use log_softmax.",
        forgot_the_entropy,
        "this is the mean of log p(x, z) under q; minus log q is missing.",
        turned_the_entropy,
        "the sign of log q: it stands below in the weight p(x, z) / q(z), so it is subtracted.",
        took_the_logits_for_log_q,
        "logits are not log-probabilities yet: log_softmax makes them so.",
        averaged_over_z,
        "you averaged over the values of z; q weighs already, so add up.",
        did_not_weigh,
        "you added the log-weights without weighing them by q.",
        did_not_weigh_but_averaged,
        "you took the plain mean over z; the average is under q.",
        softmax_down_the_batch,
        "your softmax runs over the pictures; each picture has a guess of its own.",
        gave_the_likelihood,
        "this is log p(x), the sum over all z. For a real model it is out of reach, and the guess "
        "does not occur in it.",
        gave_the_log_of_the_average,
        "this is the log of an average; the ELBO is the average of a log.",
        gave_the_loss,
        "the sign: this is minus the ELBO. The training loop turns it round itself.",
        averaged_over_the_batch,
        "you averaged over the pictures; return one number for each.",
        subtracted_the_divergence_from_the_joint,
        "you subtracted the divergence from the posterior, which is the gap, from a mean that "
        "still lacks the entropy.",
        took_the_likeliest,
        "you took the likeliest z alone; average over all of them, and subtract log q.",
        detached_the_guess,
        NOT_PULLED,
        detached_q_in_front,
        HALF_PULLED,
        kept_zero_log_zero_out_of_the_value_alone,
        SLOPE_LOST,
    ),
    judge=_judge_slope,
)


# 05.log-mean-weight: log of the mean, safely; it still asks for the same
def log_mean_weight(log_w: Tensor) -> Tensor:
    """Importance-weighted bound of each example, nats, from log-weights (K, n)."""
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


_NEAR = torch.tensor([[-1.0, 0.3], [-2.0, 0.1], [0.5, -0.7]]).double()
_APART = _NEAR - torch.tensor([1000.0, 0.0])  # one example whose weights are far below the other's
_SPREAD = torch.tensor([[-900.0, -1000.0], [-5000.0, -1090.0], [-5000.0, -9001.0]]).double()
_WEIGHT_CASES = ((_NEAR,), (_NEAR - 1000.0,), (_APART,), (_SPREAD,))


def took_the_log_of_the_sum(log_w):
    return log_w.logsumexp(0)


def did_not_shift(log_w):
    return log_w.exp().mean(0).log()


def shifted_all_columns_alike(log_w):
    top = log_w.max()
    return top + (log_w - top).exp().mean(0).log()


def shifted_by_the_mean(log_w):
    middle = log_w.mean(0)
    return middle + (log_w - middle).exp().mean(0).log()


def did_not_shift_back(log_w):
    top = log_w.max(0).values
    return (log_w - top).exp().mean(0).log()


def averaged_over_the_examples(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


def divided_the_logarithm(log_w):
    return log_w.logsumexp(0) / len(log_w)


def averaged_everything(log_w):
    return (log_w.logsumexp(0) - math.log(len(log_w))).mean()


LOG_MEAN_WEIGHT = Exercise(
    id="05.log-mean-weight",
    right=log_mean_weight,
    cases=_WEIGHT_CASES,
    mistakes=Mistake.pairs(
        lambda log_w: log_w.mean(0),
        "you took the mean of the logs. It is a bound too, but K draws gain it nothing.",
        took_the_log_of_the_sum,
        "you took the log of the sum; your 'bound' grows without end with K.",
        did_not_shift,
        "right on paper, but weights near exp(-1000) are 0 in floating point, so you "
        "return minus infinity.",
        shifted_all_columns_alike,
        "you took one and the same number out of all columns; an example whose weights are "
        "far smaller than another's still underflows.",
        shifted_by_the_mean,
        "you took out the mean; a weight far above it still overflows. Take out the largest.",
        did_not_shift_back,
        "you took the largest weight out and did not put it back.",
        lambda log_w: log_w.max(0).values,
        "you kept the largest weight; the bound averages all K.",
        averaged_over_the_examples,
        "you averaged over the examples; the draws stand in the rows, dimension 0.",
        divided_the_logarithm,
        "you divided the logarithm by K; divide the sum by K, inside it.",
        averaged_everything,
        "right, and then you averaged over the examples: return one number for each.",
    ),
)


# 05.information: does the code say which picture it came from? It still asks for the same
def information(q: Tensor) -> Tensor:
    """Mutual information of picture and code, nats, for codes q (n, k) of n equally likely ones."""
    average = q.mean(0)
    return torch.xlogy(q, q / average).sum(1).mean()


_CODES = torch.tensor(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]
).double()
_CERTAIN = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]).double()


def compared_with_a_uniform_code(q):
    return torch.xlogy(q, q * q.shape[1]).sum(1).mean()


def summed_over_the_pictures(q):
    return torch.xlogy(q, q / q.mean(0)).sum()


def gave_the_entropy_of_the_codes(q):
    return -torch.xlogy(q, q).sum(1).mean()


def gave_the_entropy_of_the_average(q):
    return -torch.xlogy(q.mean(0), q.mean(0)).sum()


def averaged_over_z_too(q):
    return torch.xlogy(q, q / q.mean(0)).mean()


def reversed_the_divergence(q):
    average = q.mean(0)
    return (average * (average.log() - q.clamp_min(1e-30).log())).sum(1).mean()


def turned_the_sign(q):
    return -torch.xlogy(q, q / q.mean(0)).sum(1).mean()


def forgot_zero_log_zero(q):
    return (q * (q / q.mean(0)).log()).sum(1).mean()


def counted_in_bits(q):
    return torch.xlogy(q, q / q.mean(0)).sum(1).mean() / math.log(2)


INFORMATION = Exercise(
    id="05.information",
    right=information,
    cases=((_CODES,), (_CERTAIN,)),
    mistakes=Mistake.pairs(
        compared_with_a_uniform_code,
        "this is the KL to a uniform prior, the price; it can be paid for codes that are all "
        "alike. Compare with the codes' own average.",
        summed_over_the_pictures,
        "you summed over the pictures; each is one of n equally likely ones.",
        gave_the_entropy_of_the_codes,
        "this is the mean entropy of the codes: large when they say little.",
        gave_the_entropy_of_the_average,
        "this is the entropy of the average code; an uncertain code says less.",
        averaged_over_z_too,
        "you averaged over the values of z too; there the terms are summed.",
        reversed_the_divergence,
        "your divergence is KL(q(z) || q(z|x)); average under the picture's own code.",
        turned_the_sign,
        "the sign: your answer is never positive.",
        forgot_zero_log_zero,
        "right until a code is certain: 0 * log 0 must be 0, and floating point says nan "
        "(torch.xlogy knows).",
        counted_in_bits,
        "these are bits; nats were asked for.",
    ),
)


# 05.warm-start
def schedule(step: int, n_steps: int) -> float:
    """Weight of the KL: half at first, the true bound for the second half of the training."""
    return 0.5 if step < n_steps / 2 else 1.0


def always_one(step, n_steps):
    return 1.0


def half_for_ever(step, n_steps):
    return 0.5


def no_price_for_ever(step, n_steps):
    return 0.0


def from_dear_to_true(step, n_steps):
    return 2.0 if step < n_steps / 2 else 1.0


def cheap_at_the_end(step, n_steps):
    return 1.0 if step < n_steps / 2 else 0.5


def the_ramp_ends_too_late(step, n_steps):
    return step / n_steps


def a_few_steps_only(step, n_steps):
    return 0.5 if step < 5 else 1.0


def up_and_beyond(step, n_steps):
    return 2 * step / n_steps


def rewarded_the_price(step, n_steps):
    return -1.0 if step < n_steps / 2 else 1.0


_TRIED = 400  # steps of training, for six starts at once


def beta_of_each_step(answer: Schedule) -> Iterator[float]:
    for step in range(_TRIED):
        yield float(answer(step, _TRIED))


@cache
def _trained(betas: tuple[float, ...]) -> float:
    """The least information of six trainings of the strong decoder on 00 and 11."""
    starts = [torch.Generator().manual_seed(100 + seed) for seed in range(6)]
    draw = [0.1 * torch.randn(2, 2, 4, generator=g, dtype=torch.float64) for g in starts]
    tables = torch.stack([d[0] for d in draw]).requires_grad_()  # (6, z, table entry)
    logits = torch.stack([d[1, :, :2] for d in draw]).requires_grad_()  # (6, picture, z)
    adam = torch.optim.Adam([tables, logits], lr=0.1)
    for beta in betas:
        recon = tables.log_softmax(-1)[..., [0, 3]].transpose(1, 2)  # (6, picture, z)
        log_q = logits.log_softmax(-1)
        price = log_q + math.log(2)  # against a prior of one half each
        loss = -(log_q.exp() * (recon - beta * price)).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return min(float(information(code)) for code in logits.detach().softmax(-1))


NOT_A_WEIGHT = "a weight of the price must be a finite number, not below 0, in every step."
NO_BOUND = (
    "in the last tenth of the steps your weight is not 1 all the time: what you raise there is not "
    "the ELBO, so its value is no bound to report."
)
DEARER = "a weight above 1 makes z dearer, not cheaper: the codes fall silent."
COLLAPSED = "this is the loss that left z unused, and z says next to nothing again."
TOO_SHORT = (
    "z is cheap for too short a time, and says too little in the end. Decoder and codes must have "
    "learned to depend on z before the whole price is due."
)


def _judge_schedule(answer: Schedule) -> str:
    """Is it the ELBO that is raised at the end, and is z used then?"""
    betas = tuple(beta_of_each_step(answer))
    if not all(math.isfinite(beta) and beta >= 0 for beta in betas):
        return NOT_A_WEIGHT
    if any(beta != 1 for beta in betas[-_TRIED // 10 :]):
        return NO_BOUND
    if max(betas) > 1:
        return DEARER
    if _trained(betas) > 0.6:
        return ""
    return COLLAPSED if min(betas) == 1 else TOO_SHORT


WARM_START = Exercise(
    id="05.warm-start",
    right=schedule,
    judge=_judge_schedule,
    mistakes=Mistake.pairs(
        always_one,
        COLLAPSED,
        half_for_ever,
        NO_BOUND,
        no_price_for_ever,
        NO_BOUND,
        cheap_at_the_end,
        NO_BOUND,
        the_ramp_ends_too_late,
        NO_BOUND,
        up_and_beyond,
        NO_BOUND,
        from_dear_to_true,
        DEARER,
        a_few_steps_only,
        TOO_SHORT,
        rewarded_the_price,
        NOT_A_WEIGHT,
    ),
)

EXERCISES = bank(globals())
