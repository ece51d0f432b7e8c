"""The bound against models whose marginal likelihood and posterior are known."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from genlab.latent import elbo, importance_bound, log_weight

W = torch.tensor([[1.0, 0.2], [-0.4, 0.8], [0.3, -1.1]], dtype=torch.float64)
B = torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64)
S = 0.7


def linear_decoder(x: Tensor, z: Tensor) -> Tensor:
    """Probabilistic PCA, written with torch.distributions rather than with genlab."""
    return Normal(z @ W.T + B, S).log_prob(x).sum(1)


def marginal(x: Tensor) -> Tensor:
    covariance = W @ W.T + S**2 * torch.eye(3)
    return MultivariateNormal(B, covariance).log_prob(x)


def scalar_decoder(x: Tensor, z: Tensor) -> Tensor:
    return Normal(z, 1.0).log_prob(x).sum(1)


def test_worked_step_of_the_course():
    x, mu, eps = (torch.tensor([[v]]) for v in (1.2, 0.5, -0.3))
    value = elbo(x, mu, torch.zeros(1, 1), eps, decoder_log_prob=scalar_decoder)
    by_hand = -0.5 * math.log(2 * math.pi) - 0.5 * (1.2 - 0.2) ** 2 - 0.5 * 0.5**2
    assert abs(value.item() - by_hand) < 1e-12  # rounding
    assert abs(value.item() + 1.5439385) < 1e-7  # the printed digits


def test_gradients_of_the_worked_step():
    x, eps = torch.tensor([[1.2]]), torch.tensor([[-0.3]])
    mu = torch.tensor([[0.5]], requires_grad=True)
    log_var = torch.zeros(1, 1, requires_grad=True)
    (-elbo(x, mu, log_var, eps, decoder_log_prob=scalar_decoder)).sum().backward()
    assert mu.grad is not None
    assert log_var.grad is not None
    assert abs(mu.grad.item() + 0.5) < 1e-12
    assert abs(log_var.grad.item() - 0.15) < 1e-12


def test_elbo_with_the_exact_posterior_averages_to_the_marginal(generator):
    # One latent dimension, so that q may be diagonal and still be the exact posterior.
    w, n = torch.tensor([[1.3], [-0.6]]), 20_000
    variance = 1 / (1 + (w**2).sum().item() / S**2)
    x = torch.tensor([[0.8, 0.3]])
    mean = variance * (x @ w).item() / S**2
    eps = torch.randn(n, 1, generator=generator)
    values = elbo(
        x.expand(n, 2),
        torch.full((n, 1), mean),
        torch.full((n, 1), math.log(variance)),
        eps,
        decoder_log_prob=lambda x, z: Normal(z @ w.T, S).log_prob(x).sum(1),
    )
    truth = MultivariateNormal(torch.zeros(2), w @ w.T + S**2 * torch.eye(2)).log_prob(x).item()
    # Monte Carlo: five standard errors.
    assert abs(values.mean().item() - truth) < 5 * values.std().item() / math.sqrt(n)


def test_log_weight_with_the_exact_posterior_is_the_marginal_for_every_draw(generator):
    w = torch.tensor([[1.3], [-0.6]])
    variance = 1 / (1 + (w**2).sum() / S**2)
    x = torch.randn(6, 2, generator=generator)
    mu = variance * (x @ w) / S**2
    values = log_weight(
        x,
        mu,
        variance.log().expand(6, 1),
        torch.randn(6, 1, generator=generator),
        decoder_log_prob=lambda x, z: Normal(z @ w.T, S).log_prob(x).sum(1),
    )
    truth = MultivariateNormal(torch.zeros(2), w @ w.T + S**2 * torch.eye(2)).log_prob(x)
    torch.testing.assert_close(values, truth)  # no Monte Carlo error: the weight is constant


def test_gap_is_the_divergence_from_the_exact_posterior(generator):
    n, x = 100_000, torch.tensor([[0.4, -1.0, 0.9]])
    mu, log_var = torch.tensor([[0.2, -0.5]]), torch.tensor([[-0.4, 0.1]])
    precision = W.T @ W / S**2 + torch.eye(2)
    posterior = MultivariateNormal(
        torch.linalg.solve(precision, W.T @ (x[0] - B) / S**2), precision_matrix=precision
    )
    q = MultivariateNormal(mu[0], torch.diag(log_var[0].exp()))
    gap = torch.distributions.kl_divergence(q, posterior).item()
    eps = torch.randn(n, 2, generator=generator)
    values = elbo(
        x.expand(n, 3), mu.expand(n, 2), log_var.expand(n, 2), eps, decoder_log_prob=linear_decoder
    )
    error = values.std().item() / math.sqrt(n)
    assert abs(marginal(x).item() - values.mean().item() - gap) < 5 * error  # Monte Carlo


def test_mean_weight_is_the_marginal_density(generator):
    n, x = 100_000, torch.tensor([[0.4, -1.0, 0.9]])
    mu, log_var = torch.zeros(n, 2), torch.zeros(n, 2)  # q is the prior
    eps = torch.randn(n, 2, generator=generator)
    weights = log_weight(x.expand(n, 3), mu, log_var, eps, decoder_log_prob=linear_decoder).exp()
    error = weights.std().item() / math.sqrt(n)
    assert abs(weights.mean().item() - marginal(x).exp().item()) < 5 * error  # Monte Carlo


def test_importance_bound_rises_towards_the_marginal(generator):
    x = torch.tensor([[0.4, -1.0, 0.9]]).expand(4000, 3)
    mu, log_var = torch.zeros(4000, 2), torch.zeros(4000, 2)

    def bound(k: int) -> float:
        eps = torch.randn(k, 4000, 2, generator=generator)
        return importance_bound(x, mu, log_var, eps, decoder_log_prob=linear_decoder).mean().item()

    one, eight, many = bound(1), bound(8), bound(128)
    truth = marginal(x[:1]).item()
    assert one < eight < many < truth + 0.01  # the gap at 128 draws is about 0.006
    assert truth - many < 0.02


def test_importance_bound_with_one_draw_is_the_log_weight(generator):
    x, mu, log_var, eps = (torch.randn(5, d, generator=generator) for d in (3, 2, 2, 2))
    torch.testing.assert_close(
        importance_bound(x, mu, log_var, eps[None], decoder_log_prob=linear_decoder),
        log_weight(x, mu, log_var, eps, decoder_log_prob=linear_decoder),
    )


def test_each_example_is_bounded_on_its_own(generator):
    x, mu, log_var, eps = (torch.randn(6, d, generator=generator) for d in (3, 2, 2, 2))
    whole = elbo(x, mu, log_var, eps, decoder_log_prob=linear_decoder)
    halves = [
        elbo(x[r], mu[r], log_var[r], eps[r], decoder_log_prob=linear_decoder)
        for r in (slice(0, 3), slice(3, 6))
    ]
    torch.testing.assert_close(whole, torch.cat(halves))


def test_no_draws_are_refused():
    zero = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="no draws"):
        importance_bound(zero, zero, zero, torch.zeros(0, 1, 1), decoder_log_prob=scalar_decoder)
