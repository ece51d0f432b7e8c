"""Distributions whose every answer is known: what models and samplers are held against."""

from genlab.oracles.continuous import (
    Empirical,
    Gaussian,
    GaussianMixture,
    LinearLatent,
    kl_gaussian,
    wasserstein2,
)
from genlab.oracles.discrete import MarkovChain, TokenTable, total_correlation

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
