"""Distributions whose every answer is known: what models and samplers are held against."""

from genlab.oracles.empirical import Empirical
from genlab.oracles.gaussian import Gaussian, kl_gaussian, wasserstein2
from genlab.oracles.linear_latent import LinearLatent
from genlab.oracles.markov import MarkovChain
from genlab.oracles.mixture import GaussianMixture
from genlab.oracles.tokens import TokenTable, total_correlation

__all__ = [
    "Empirical",
    "Gaussian",
    "GaussianMixture",
    "LinearLatent",
    "MarkovChain",
    "TokenTable",
    "kl_gaussian",
    "total_correlation",
    "wasserstein2",
]
