"""Paradigm 2: a latent variable explains the data, and training raises a bound on log p(x)."""

from .elbo import elbo as elbo
from .elbo import importance_bound as importance_bound
from .elbo import log_weight as log_weight
from .reparameterize import reparameterize as reparameterize
from .vae import VAE as VAE
