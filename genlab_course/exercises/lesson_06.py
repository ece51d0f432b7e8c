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

KL = Exercise(
    id="06.kl",
    right=lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(-1),
    cases=_CODES,
    mistakes=Mistake.pairs(
        lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).mean(-1),
        "you averaged over the latents: a divergence of independent latents adds up, and a "
        "mean silently weighs it down by their number.",
        lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var / 2) - 1 - log_var).sum(-1),
        "sigma stands where its square belongs.",
        lambda mu, log_var: 0.5 * (mu**2 + np.exp(2 * log_var) - 1 - 2 * log_var).sum(-1),
        "you read log_var as the logarithm of sigma; it is that of its square.",
        lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var) - log_var).sum(-1),
        "at mu = 0, log_var = 0 your divergence is not zero: a constant is missing.",
        lambda mu, log_var: 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(0),
        "you summed over the examples; the sum runs over the latents of each.",
    ),
)


# 06.step: one training step by hand
def _step(x: float, mu: float, log_var: float, eps: float) -> tuple[float, float, float]:
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * eps * sigma / 2 + (sigma**2 - 1) / 2
    return loss, d_mu, d_log_var


def forgot_the_pull_of_the_divergence(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = -(x - z)
    d_log_var = -(x - z) * eps * sigma / 2
    return loss, d_mu, d_log_var


def took_the_variance_for_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + math.exp(log_var) - 1 - log_var)
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * eps * sigma + (sigma - 1) / 2
    return loss, d_mu, d_log_var


def forgot_the_slope_of_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * eps + (sigma**2 - 1) / 2
    return loss, d_mu, d_log_var


def lost_the_minus_one(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - log_var)
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * eps * sigma / 2 + (sigma**2 - 1) / 2
    return loss, d_mu, d_log_var


def pushed_the_code_away(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = (x - z) + mu
    d_log_var = (x - z) * eps * sigma / 2 + (sigma**2 - 1) / 2
    return loss, d_mu, d_log_var


def differentiated_in_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = -(x - z) + mu
    d_sigma = -(x - z) * eps + sigma - 1 / sigma
    return loss, d_mu, d_sigma


def climbed_the_elbo(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    loss = nll + 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * eps * sigma / 2 + (sigma**2 - 1) / 2
    return loss, -d_mu, -d_log_var


STEP = Exercise(
    id="06.step",
    right=_step,
    cases=((1.2, 0.5, 0.0, -0.3), (-0.4, 0.2, 0.8, 1.1), (2.0, -1.0, -1.2, 0.6)),
    mistakes=Mistake.pairs(
        forgot_the_pull_of_the_divergence,
        "your gradients are those of the reconstruction alone: the divergence pulls too.",
        took_the_variance_for_sigma,
        "you took exp(log_var) for sigma; it is the variance.",
        forgot_the_slope_of_sigma,
        "another factor leads from log_var to z: the derivative of sigma = exp(log_var / 2).",
        lost_the_minus_one,
        "your divergence is not zero at mu = 0, log_var = 0: it lacks the constant -1.",
        pushed_the_code_away,
        "the reconstruction's part has the wrong sign: if z is too small, a larger one costs less.",
        differentiated_in_sigma,
        "your last number is the slope in sigma; asked for is that in log_var.",
        climbed_the_elbo,
        "the loss is right, and both gradients point the other way: these are of the ELBO.",
    ),
)


# 06.reinforce: score-function estimator of d/dmu with a leave-one-out baseline
def _reinforce(f: Array, z: Array, mu: float, sigma: float) -> float:
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f - others) * (z - mu) / sigma**2))


def _draws(seed: int) -> tuple[Array, Array, float, float]:
    mu, sigma = 0.4 + seed, 0.7
    z = mu + sigma * _rng(seed).normal(size=5)
    return 10 + z**2, z, mu, sigma


def used_no_baseline(f, z, mu, sigma):
    return float(np.mean(f * (z - mu) / sigma**2))


def put_the_draw_into_its_baseline(f, z, mu, sigma):
    return float(np.mean((f - f.mean()) * (z - mu) / sigma**2))


def added_up_the_draws(f, z, mu, sigma):
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.sum((f - others) * (z - mu) / sigma**2))


def added_the_baseline(f, z, mu, sigma):
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f + others) * (z - mu) / sigma**2))


def divided_by_all_draws(f, z, mu, sigma):
    others = (f.sum() - f) / len(f)
    return float(np.mean((f - others) * (z - mu) / sigma**2))


def divided_by_sigma_once(f, z, mu, sigma):
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f - others) * (z - mu) / sigma))


def forgot_the_variance(f, z, mu, sigma):
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f - others) * (z - mu)))


REINFORCE = Exercise(
    id="06.reinforce",
    right=_reinforce,
    cases=(_draws(0), _draws(1)),
    mistakes=Mistake.pairs(
        used_no_baseline,
        "unbiased, but the baseline is missing; the constant in f is all noise.",
        put_the_draw_into_its_baseline,
        "your baseline contains the draw that it is taken from: the estimate is biased "
        "towards zero by the factor (K - 1)/K.",
        added_up_the_draws,
        "you added up the draws; the gradient of an average is their mean.",
        added_the_baseline,
        "you added the baseline instead of taking it off: the noise grows.",
        divided_by_all_draws,
        "your baseline divides the sum of K - 1 others by K; unbiased, but not their mean.",
        divided_by_sigma_once,
        "the score of a normal in mu has sigma below the line twice.",
        forgot_the_variance,
        "the score of a normal in mu has the variance below the line.",
    ),
)


def left_out_the_width_of_a_bin(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    return bits


def gave_every_number_a_bin(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    bits += math.log2(levels)
    return bits


def gave_the_probability_a_bin(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    if not is_density:
        bits += math.log2(levels)
    return bits


def mixed_nats_and_bits(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    if is_density:
        bits += math.log(levels)
    return bits


def gave_the_whole_image(nll, n_dims, levels, is_density):
    bits = nll / math.log(2)
    if is_density:
        bits += n_dims * math.log2(levels)
    return bits


def counted_one_bin_an_image(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    if is_density:
        bits += math.log2(levels) / n_dims
    return bits


def subtracted_the_width(nll, n_dims, levels, is_density):
    bits = nll / (n_dims * math.log(2))
    if is_density:
        bits -= math.log2(levels)
    return bits


BITS = Exercise(
    id="06.bits",
    right=lambda nll, n_dims, levels, is_density: (
        nll / (n_dims * math.log(2)) + (math.log2(levels) if is_density else 0.0)
    ),
    cases=((90.0, 64, 17, False), (-110.0, 64, 17, True)),
    mistakes=Mistake.pairs(
        left_out_the_width_of_a_bin,
        "a density pays for the width of a bin; yours got it free.",
        gave_every_number_a_bin,
        "a probability of discrete data has no bins to pay for; only the density has.",
        gave_the_probability_a_bin,
        "you gave the bin's width to the probability; it is the density that lacks it.",
        mixed_nats_and_bits,
        "the first term is in bits and the width of the bin in nats.",
        gave_the_whole_image,
        "these are bits for the whole image; each of its dimensions gets an equal part.",
        counted_one_bin_an_image,
        "every pixel has a bin of its own: its width counts once for each dimension.",
        subtracted_the_width,
        "the bin's width went in with the wrong sign: a bin of width 1/L makes a "
        "probability *smaller* than the density.",
    ),
)


# 06.waste: how far the aggregate of Gaussian codes is from the prior
def _waste(mu: Array, log_var: Array) -> Any:
    """KL(q(z) || p) of the Gaussian with the moments of the aggregate, per latent."""
    mean, var = mu.mean(0), mu.var(0) + np.exp(log_var).mean(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


def averaged_the_divergences(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).mean(0)


def forgot_the_spread_of_the_means(mu, log_var):
    mean = mu.mean(0)
    var = np.exp(log_var).mean(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


def averaged_the_log_variances(mu, log_var):
    mean = mu.mean(0)
    var = mu.var(0) + np.exp(log_var.mean(0))
    return 0.5 * (mean**2 + var - 1 - np.log(var))


def averaged_the_parameters(mu, log_var):
    mean = mu.mean(0)
    var = np.exp(log_var.mean(0))
    return 0.5 * (mean**2 + var - 1 - np.log(var))


def added_standard_deviations(mu, log_var):
    mean = mu.mean(0)
    var = mu.var(0) + np.exp(log_var / 2).mean(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


def took_the_variance_of_the_means(mu, log_var):
    mean = mu.mean(0)
    var = mu.var(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


WASTE = Exercise(
    id="06.waste",
    right=_waste,
    cases=_CODES,
    mistakes=Mistake.pairs(
        averaged_the_divergences,
        "this is the mean divergence, information and waste together; average the *codes* first.",
        forgot_the_spread_of_the_means,
        "the aggregate is wider than its parts: its variance lacks the spread of the means.",
        averaged_the_log_variances,
        "you averaged the log-variances; the aggregate holds the mean of the *variances*.",
        averaged_the_parameters,
        "you averaged the codes' parameters; a mixture of normals is wider than that.",
        added_standard_deviations,
        "you added standard deviations where variances add.",
        took_the_variance_of_the_means,
        "you took the variance of the means alone; each code has a variance of its own.",
    ),
)

EXERCISES = bank(globals())
