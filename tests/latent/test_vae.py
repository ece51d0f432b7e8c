"""The VAE as a model: its capabilities, its law and that it learns."""

import math

import pytest
import torch
from torch import nn

from genlab.core import HasElbo, Sampleable, Trainable, likelihood_kind
from genlab.latent import VAE
from genlab.train import fit, minibatches


def linear_vae() -> VAE:
    torch.manual_seed(1)
    return VAE(nn.Linear(3, 4), nn.Linear(2, 3), latent_dim=2, event_shape=(3,), log_scale=-0.5)


def test_a_vae_has_a_bound_and_no_density():
    vae = linear_vae()
    _: HasElbo = vae
    _s: Sampleable = vae
    _t: Trainable = vae
    assert likelihood_kind(vae) == "bound"
    assert not hasattr(vae, "log_prob")


def test_samples_follow_the_marginal_of_the_linear_model(generator):
    vae, n = linear_vae(), 100_000
    x = vae.sample(n, generator=generator)
    w, b = vae.decoder.weight.detach(), vae.decoder.bias.detach()
    covariance = w @ w.T + math.exp(-1.0) * torch.eye(3)
    std = covariance.diagonal().sqrt()
    # Monte Carlo: five standard errors of means and covariances of normal draws.
    assert ((x.mean(0) - b).abs() < 5 * std / math.sqrt(n)).all()
    allowed = 5 * math.sqrt(2 / n) * std[:, None] * std
    assert ((torch.cov(x.T) - covariance).abs() < allowed).all()


def test_elbo_averages_below_the_exact_marginal_and_the_importance_bound_closes_the_gap(generator):
    vae = linear_vae()
    nn.init.zeros_(vae.encoder.weight)  # q is the prior, which covers every posterior
    nn.init.zeros_(vae.encoder.bias)
    x = vae.sample(200, generator=generator)
    w, b = vae.decoder.weight.detach(), vae.decoder.bias.detach()
    truth = torch.distributions.MultivariateNormal(b, w @ w.T + math.exp(-1.0) * torch.eye(3))
    with torch.no_grad():
        bound = torch.stack([vae.elbo(x, generator=generator) for _ in range(50)]).mean().item()
        tight = vae.importance_bound(x, 2_000, generator=generator).mean().item()
    exact = truth.log_prob(x).mean().item()
    assert bound < exact - 0.05
    assert abs(tight - exact) < 0.02  # 2,000 draws for each of 200 points


def test_same_generator_same_elbo_and_same_sample():
    vae, x = linear_vae(), torch.ones(4, 3)
    g = [torch.Generator().manual_seed(7) for _ in range(4)]
    torch.testing.assert_close(vae.elbo(x, generator=g[0]), vae.elbo(x, generator=g[1]))
    torch.testing.assert_close(vae.sample(3, generator=g[2]), vae.sample(3, generator=g[3]))


def test_samples_carry_no_gradient_and_the_loss_does(generator):
    vae = linear_vae()
    assert not vae.sample(2, generator=generator).requires_grad
    assert vae.loss(torch.ones(2, 3), generator=generator).requires_grad


def test_loss_is_minus_the_mean_elbo():
    vae, x = linear_vae(), torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    loss = vae.loss(x, generator=torch.Generator().manual_seed(3))
    values = vae.elbo(x, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(loss, -values.mean())


def test_training_learns_the_scale_and_the_likelihood_of_a_gaussian(generator):
    data = torch.randn(2000, 3, generator=generator) * 0.5
    vae = linear_vae()
    list(fit(vae, minibatches(data, 250, generator=generator), n_steps=600, lr=0.01,
             generator=generator))  # fmt: skip
    with torch.no_grad():
        bound = vae.elbo(data, generator=generator).mean().item()
    entropy = 3 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.5))
    assert abs(bound + entropy) < 0.08  # nats; the best bound is the entropy itself


def test_conditions_and_empty_latents_are_refused():
    vae = linear_vae()
    with pytest.raises(ValueError, match="cond must be None"):
        vae.sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="cond must be None"):
        vae.loss(torch.zeros(1, 3), cond=torch.zeros(1))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        VAE(nn.Identity(), nn.Identity(), latent_dim=0, event_shape=(2,))
