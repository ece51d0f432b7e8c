"""What every layer shares: capabilities, shapes, a few formulas, seeded noise, iteration."""

from genlab.core.iterate import every, last
from genlab.core.protocols import (
    Adversarial,
    HasElbo,
    HasEnergy,
    HasLogProb,
    HasScore,
    Kind,
    NoLikelihoodError,
    Sampleable,
    Trainable,
    likelihood_kind,
    log_likelihood,
)
from genlab.core.quadrature import integrate, kl_on_grid
from genlab.core.rng import make_generator, randn
from genlab.core.shapes import Event, PerExample, expand, mean_event, sum_event
from genlab.core.stats import (
    bits_per_dim,
    cross_entropy,
    dequantize,
    entropy,
    kl_categorical,
    kl_diag_normal,
    normal_log_prob,
    std_normal_log_prob,
)

__all__ = [
    "Adversarial",
    "Event",
    "HasElbo",
    "HasEnergy",
    "HasLogProb",
    "HasScore",
    "Kind",
    "NoLikelihoodError",
    "PerExample",
    "Sampleable",
    "Trainable",
    "bits_per_dim",
    "cross_entropy",
    "dequantize",
    "entropy",
    "every",
    "expand",
    "integrate",
    "kl_categorical",
    "kl_diag_normal",
    "kl_on_grid",
    "last",
    "likelihood_kind",
    "log_likelihood",
    "make_generator",
    "mean_event",
    "normal_log_prob",
    "randn",
    "std_normal_log_prob",
    "sum_event",
]
