"""Bounds by Gauss-Hermite quadrature, their ascent by autograd, log evidence in closed form."""

import math

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from genlab.core.stats import normal_log_prob
from genlab.oracles import LinearLatent

Z = torch.linspace(-16, 16, 801, dtype=torch.float64)
FINE = torch.linspace(-9, 9, 30_001, dtype=torch.float64)
NODES, WEIGHTS = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(12))
ONE = torch.ones(1, 1, dtype=torch.float64)
STRAIGHT = LinearLatent(ONE, 0 * ONE[0], 0.6)  # x = z + noise


def log_likelihood(decoder, x, z):
    decoded = (z if decoder == "straight" else z**2)[:, None]
    return normal_log_prob(torch.full_like(decoded, x), decoded, 0.6)


def parts(decoder, x, mean, log_width):
    """Reconstruction and KL to the prior; exact, the likelihood being of degree four in z."""
    width = log_width.exp()
    values = log_likelihood(decoder, x, mean + width * NODES)
    reconstruction = (WEIGHTS * values).sum() / math.sqrt(2 * math.pi)
    return reconstruction, kl_divergence(Normal(mean, width), Normal(0 * mean, 1 + 0 * mean))


def log_evidence(decoder, x):
    if decoder == "straight":
        return STRAIGHT.log_prob(x * ONE)[0]
    log_joint = log_likelihood(decoder, x, FINE) + normal_log_prob(FINE[:, None], 0.0, 1.0)
    return torch.trapezoid(log_joint.exp(), FINE).log()


def expected(settings):
    decoder, x = settings["decoder"], settings["x"]
    mean = torch.tensor(settings["mean"], dtype=torch.float64)
    log_width = torch.tensor(settings["width"], dtype=torch.float64).log()
    for _ in range(settings["steps"]):
        mean, log_width = mean.requires_grad_(), log_width.requires_grad_()
        reconstruction, to_prior = parts(decoder, x, mean, log_width)
        by_mean, by_log = torch.autograd.grad(reconstruction - to_prior, (mean, log_width))
        natural = by_mean * log_width.exp() ** 2  # Fisher information: 1 / width^2, and 2
        mean = (mean + (0.2 * natural).clamp(-0.1, 0.1)).detach()
        log_width = (log_width + (0.2 * by_log / 2).clamp(-0.1, 0.1)).detach()
    reconstruction, to_prior = parts(decoder, x, mean, log_width)
    evidence, bound = log_evidence(decoder, x), reconstruction - to_prior
    log_joint = log_likelihood(decoder, x, Z) + normal_log_prob(Z[:, None], 0.0, 1.0)
    return {
        "at": torch.stack([mean, log_width.exp()]), "reconstruction": reconstruction,
        "toPrior": to_prior, "elbo": bound, "evidence": evidence, "gap": evidence - bound,
        "posterior": (log_joint - evidence).exp(),
        "q": Normal(mean, log_width.exp()).log_prob(Z).exp(),
    }  # fmt: skip
