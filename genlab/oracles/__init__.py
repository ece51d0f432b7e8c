"""Distributions whose every answer is known: what models and samplers are held against."""

# fmt: off
# ruff: noqa: I001
from genlab.oracles.continuous import (
    Empirical, Gaussian, GaussianMixture, LinearLatent, kl_gaussian
)
from genlab.oracles.discrete import TokenTable, total_correlation
