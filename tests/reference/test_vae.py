"""The kernels of the VAE beside torch.distributions and SciPy."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

from genlab import latent
from genlab.core.stats import kl_diag_normal, normal_log_prob

pytestmark = pytest.mark.reference
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}  # double precision, a few hundred terms


@pytest.fixture
def codes(generator):
    """Means, log-variances and noise of five codes of three numbers."""
    return torch.randn(3, 5, 3, generator=generator)


def test_decoders_have_the_probabilities_of_their_distributions(generator):
    logits = 5 * torch.randn(4, 1, 3, 3, generator=generator)
    tables = 3 * torch.randn(4, 1, 3, 3, 17, generator=generator)
    coins = torch.bernoulli(torch.full(logits.shape, 0.5), generator=generator)
    levels = torch.randint(17, logits.shape, generator=generator)
    for ours, law, x in (
        (latent.bernoulli_log_prob(coins, logits), Bernoulli(logits=logits), coins),
        (latent.categorical_log_prob(levels, tables), Categorical(logits=tables), levels),
    ):
        torch.testing.assert_close(ours, Independent(law, 3).log_prob(x), **ROUNDING)


def test_the_divergence_of_a_code_is_theirs(codes):
    mu, log_var, _ = codes
    q, p = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    torch.testing.assert_close(latent.kl_per_unit(mu, log_var), kl_divergence(q, p), **ROUNDING)
    torch.testing.assert_close(kl_diag_normal(mu, log_var), kl_divergence(q, p).sum(1), **ROUNDING)


def test_gradients_around_a_draw_are_those_of_the_surrogate(codes):
    mu, log_var = codes[0].requires_grad_(), codes[1].requires_grad_()
    q = Normal(mu, (log_var / 2).exp())
    z = q.sample()
    value = z.sin().sum(1)
    surrogate = (q.log_prob(z).sum(1) * (value - 0.25)).sum()
    log_q = normal_log_prob(z, mu, (log_var / 2).exp())
    ours = latent.score_function(log_q, value, baseline=0.25).sum()
    for a, b in zip(
        torch.autograd.grad(ours, (mu, log_var)),
        torch.autograd.grad(surrogate, (mu, log_var)),
        strict=True,
    ):
        torch.testing.assert_close(a, b, **ROUNDING)


def decoder(x, z):
    """Pixels around the code, standard deviation 1/2; x has as many as z."""
    return normal_log_prob(x, z, 0.5)


def test_a_weight_is_the_ratio_of_their_densities(codes, generator):
    mu, log_var, eps = codes
    x = torch.randn(5, 3, generator=generator)
    z, sigma = (mu + (log_var / 2).exp() * eps).numpy(), (log_var / 2).exp().numpy()
    scipys = (
        scipy.stats.norm(z, 0.5).logpdf(x.numpy())
        + scipy.stats.norm().logpdf(z)
        - scipy.stats.norm(mu.numpy(), sigma).logpdf(z)
    ).sum(1)
    ours = latent.log_weight(x, mu, log_var, eps, decoder_log_prob=decoder)
    np.testing.assert_allclose(ours, scipys, rtol=1e-11)


def test_the_bound_of_many_draws_is_scipys_logsumexp(codes, generator):
    mu, log_var, _ = codes
    x, eps = torch.randn(5, 3, generator=generator), torch.randn(7, 5, 3, generator=generator)
    log_w = [latent.log_weight(x, mu, log_var, e, decoder_log_prob=decoder).numpy() for e in eps]
    scipys = scipy.special.logsumexp(log_w, axis=0, b=1 / 7)
    ours = latent.importance_bound(x, mu, log_var, eps, decoder_log_prob=decoder)
    np.testing.assert_allclose(ours, scipys, rtol=1e-12)


def test_what_a_code_says_is_measured_against_their_mixture(codes):
    mu, log_var, eps = codes
    q = Independent(Normal(mu, (log_var / 2).exp()), 1)
    together = MixtureSameFamily(Categorical(torch.ones(5)), q)
    z = latent.reparameterize(mu, log_var, eps)
    theirs = q.log_prob(z) - together.log_prob(z)
    torch.testing.assert_close(latent.code_information(mu, log_var, eps), theirs, **ROUNDING)
