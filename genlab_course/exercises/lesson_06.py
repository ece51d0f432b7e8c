"""Exercises of lesson 06: the VAE in practice."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# 06.kl: closed-form divergence, summed over the latents
_CODES = tuple((_rng(s).normal(size=(3, 4)), _rng(s + 9).normal(size=(3, 4))) for s in (0, 1))


# 06.step: one training step by hand
def _step(x: float, mu: float, log_var: float, eps: float) -> tuple[float, float, float]:
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    return loss, -(x - z) + mu, -(x - z) * eps * sigma / 2 + (sigma**2 - 1) / 2


def _step_wrong_sigma(x: float, mu: float, log_var: float, eps: float) -> Any:
    sigma = math.exp(log_var)
    z = mu + sigma * eps
    loss = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss += 0.5 * (mu**2 + math.exp(log_var) - 1 - log_var)
    return loss, -(x - z) + mu, -(x - z) * eps * sigma + (sigma - 1) / 2


def _step_without_chain(x: float, mu: float, log_var: float, eps: float) -> Any:
    sigma = math.exp(log_var / 2)
    loss, d_mu, _ = _step(x, mu, log_var, eps)
    return loss, d_mu, -(x - mu - sigma * eps) * eps + (sigma**2 - 1) / 2


def _moved(*inputs: float, times: Any = 1.0, by: Any = 0.0) -> Any:
    return np.array(_step(*inputs)) * times + by


# 06.reinforce: score-function estimator of d/dmu with a leave-one-out baseline
def _reinforce(f: Array, z: Array, mu: float, sigma: float) -> float:
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f - others) * (z - mu) / sigma**2))


def _draws(seed: int) -> tuple[Array, Array, float, float]:
    mu, sigma = 0.4 + seed, 0.7
    z = mu + sigma * _rng(seed).normal(size=5)
    return 10 + z**2, z, mu, sigma


# 06.waste: how far the aggregate of Gaussian codes is from the prior
def _waste(mu: Array, log_var: Array) -> Any:
    """KL(q(z) || p) of the Gaussian with the moments of the aggregate, per latent."""
    mean, var = mu.mean(0), mu.var(0) + np.exp(log_var).mean(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


KL = Exercise(
    id="06.kl",
    right=lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(-1),
    cases=_CODES,
    mistakes=Mistake.pairs(
        lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).mean(-1),
        "you averaged over the latents: a divergence of independent latents adds up, and a "
        "mean silently weighs it down by their number.",
        lambda m, v: 0.5 * (m**2 + np.exp(v / 2) - 1 - v).sum(-1),
        "sigma stands where its square belongs.",
        lambda m, v: 0.5 * (m**2 + np.exp(2 * v) - 1 - 2 * v).sum(-1),
        "you read log_var as the logarithm of sigma; it is that of its square.",
        lambda m, v: 0.5 * (m**2 + np.exp(v) - v).sum(-1),
        "at mu = 0, log_var = 0 your divergence is not zero: a constant is missing.",
        lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).sum(0),
        "you summed over the examples; the sum runs over the latents of each.",
    ),
)
STEP = Exercise(
    id="06.step",
    right=_step,
    cases=((1.2, 0.5, 0.0, -0.3), (-0.4, 0.2, 0.8, 1.1), (2.0, -1.0, -1.2, 0.6)),
    mistakes=Mistake.pairs(
        lambda x, m, v, e: _moved(x, m, v, e, by=(0, -m, (1 - math.exp(v)) / 2)),
        "your gradients are those of the reconstruction alone: the divergence pulls too.",
        _step_wrong_sigma,
        "you took exp(log_var) for sigma; it is the variance.",
        _step_without_chain,
        "another factor leads from log_var to z: the derivative of sigma = exp(log_var / 2).",
        lambda *inputs: _moved(*inputs, by=(0.5, 0, 0)),
        "your divergence is not zero at mu = 0, log_var = 0: it lacks the constant -1.",
        lambda x, m, v, e: _moved(x, m, v, e, times=(1, -1, -1), by=(0, 2 * m, math.exp(v) - 1)),
        "the reconstruction's part has the wrong sign: if z is too small, a larger one costs less.",
        lambda x, m, v, e: _moved(x, m, v, e, times=(1, 1, 2 / math.exp(v / 2))),
        "your last number is the slope in sigma; asked for is that in log_var.",
        lambda *inputs: _moved(*inputs, times=(1, -1, -1)),
        "the loss is right, and both gradients point the other way: these are of the ELBO.",
    ),
)
REINFORCE = Exercise(
    id="06.reinforce",
    right=_reinforce,
    cases=(_draws(0), _draws(1)),
    mistakes=Mistake.pairs(
        lambda f, z, mu, s: float(np.mean(f * (z - mu) / s**2)),
        "unbiased, but the baseline is missing; the constant in f is all noise.",
        lambda f, z, mu, s: float(np.mean((f - f.mean()) * (z - mu) / s**2)),
        "your baseline contains the draw that it is taken from: the estimate is biased "
        "towards zero by the factor (K - 1)/K.",
        lambda f, z, mu, s: len(f) * _reinforce(f, z, mu, s),
        "you added up the draws; the gradient of an average is their mean.",
        lambda f, z, mu, s: float(np.mean((f + (f.sum() - f) / (len(f) - 1)) * (z - mu) / s**2)),
        "you added the baseline instead of taking it off: the noise grows.",
        lambda f, z, mu, s: float(np.mean((f - (f.sum() - f) / len(f)) * (z - mu) / s**2)),
        "your baseline divides the sum of K - 1 others by K; unbiased, but not their mean.",
        lambda f, z, mu, s: _reinforce(f, z, mu, s) * s,
        "the score of a normal in mu has sigma below the line twice.",
        lambda f, z, mu, s: _reinforce(f, z, mu, s) * s**2,
        "the score of a normal in mu has the variance below the line.",
    ),
)
BITS = Exercise(
    id="06.bits",
    right=lambda nll, n_dims, levels, is_density: (
        nll / (n_dims * math.log(2)) + (math.log2(levels) if is_density else 0.0)
    ),
    cases=((90.0, 64, 17, False), (-110.0, 64, 17, True)),
    mistakes=Mistake.pairs(
        lambda nll, d, n, dens: nll / (d * math.log(2)),
        "a density pays for the width of a bin; yours got it free.",
        lambda nll, d, n, dens: nll / (d * math.log(2)) + math.log2(n),
        "a probability of discrete data has no bins to pay for; only the density has.",
        lambda nll, d, n, dens: nll / (d * math.log(2)) + (0.0 if dens else math.log2(n)),
        "you gave the bin's width to the probability; it is the density that lacks it.",
        lambda nll, d, n, dens: nll / (d * math.log(2)) + (math.log(n) if dens else 0),
        "the first term is in bits and the width of the bin in nats.",
        lambda nll, d, n, dens: nll / math.log(2) + (d * math.log2(n) if dens else 0),
        "these are bits for the whole image; each of its dimensions gets an equal part.",
        lambda nll, d, n, dens: nll / (d * math.log(2)) + (math.log2(n) / d if dens else 0),
        "every pixel has a bin of its own: its width counts once for each dimension.",
        lambda nll, d, n, dens: nll / (d * math.log(2)) - (math.log2(n) if dens else 0),
        "the bin's width went in with the wrong sign: a bin of width 1/L makes a "
        "probability *smaller* than the density.",
    ),
)
WASTE = Exercise(
    id="06.waste",
    right=_waste,
    cases=_CODES,
    mistakes=Mistake.pairs(
        lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).mean(0),
        "this is the mean divergence, information and waste together; average the *codes* first.",
        lambda m, v: 0.5 * (m.mean(0) ** 2 + np.exp(v).mean(0) - 1 - np.log(np.exp(v).mean(0))),
        "the aggregate is wider than its parts: its variance lacks the spread of the means.",
        lambda m, v: _waste(m, np.broadcast_to(v.mean(0), v.shape)),
        "you averaged the log-variances; the aggregate holds the mean of the *variances*.",
        lambda m, v: 0.5 * (m.mean(0) ** 2 + np.exp(v.mean(0)) - 1 - v.mean(0)),
        "you averaged the codes' parameters; a mixture of normals is wider than that.",
        lambda m, v: _waste(m, v / 2),
        "you added standard deviations where variances add.",
        lambda m, v: 0.5 * (m.mean(0) ** 2 + m.var(0) - 1 - np.log(m.var(0))),
        "you took the variance of the means alone; each code has a variance of its own.",
    ),
)

EXERCISES = bank(globals())
