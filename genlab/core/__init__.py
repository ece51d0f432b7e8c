"""What every layer shares: capabilities, shapes, a few formulas, seeded noise, iteration."""

# fmt: off
# ruff: noqa: I001
from genlab.core.capabilities import (
    Adversarial, HasElbo, HasEnergy, HasLogProb, Kind, NoLikelihoodError, Sampleable,
    Trainable, likelihood_kind, log_likelihood
)
from genlab.core.stats import (
    bits_per_dim, cross_entropy, dequantize, entropy, integrate, kl_categorical, kl_diag_normal,
    kl_on_grid, normal_log_prob, std_normal_log_prob
)
from genlab.core.tensors import (
    Event, Level, PerExample, Rng, Scalar, drawn, expand, last, make_generator, mean_event,
    randn, sum_event
)
