"""Paradigm 2: a latent variable explains the data, and training raises a bound on log p(x)."""

# fmt: off
# ruff: noqa: I001
from genlab.core.stats import effective_sample_size
from genlab.latent.elbo import (
    aggregated_posterior, discrete_elbo, discrete_posterior, doubly_reparameterized,
    elbo, importance_bound, log_marginal, log_mean_weight,
    log_weight, mutual_information, refine, reparameterize, score_function, signal_to_noise
)
from genlab.latent.em import (
    CategoricalMixture, categorical_m_step, em, ppca_m_step, ppca_ml
)
from genlab.latent.quantize import (
    codebook_loss, codebook_usage, finite_scalar_index, finite_scalar_quantize, straight_through,
    vector_quantize
)
from genlab.latent.vae import (
    VAE, CategoricalVAE, active_units, bernoulli_log_prob, categorical_log_prob, code_information,
    kl_per_unit
)
