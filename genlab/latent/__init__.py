"""Paradigm 2: a latent variable explains the data, and training raises a bound on log p(x)."""

from .discrete import aggregated_posterior as aggregated_posterior
from .discrete import discrete_elbo as discrete_elbo
from .discrete import discrete_posterior as discrete_posterior
from .discrete import log_marginal as log_marginal
from .discrete import mutual_information as mutual_information
from .elbo import elbo as elbo
from .elbo import importance_bound as importance_bound
from .elbo import log_weight as log_weight
from .em import HalfStep as HalfStep
from .em import categorical_m_step as categorical_m_step
from .em import em as em
from .em import gaussian_m_step as gaussian_m_step
from .importance import doubly_reparameterized as doubly_reparameterized
from .importance import effective_sample_size as effective_sample_size
from .importance import log_mean_weight as log_mean_weight
from .importance import signal_to_noise as signal_to_noise
from .mixture import AmortizedMixture as AmortizedMixture
from .mixture import CategoricalMixture as CategoricalMixture
from .ppca import ppca_elbo as ppca_elbo
from .ppca import ppca_m_step as ppca_m_step
from .ppca import ppca_ml as ppca_ml
from .reparameterize import reparameterize as reparameterize
from .vae import VAE as VAE
