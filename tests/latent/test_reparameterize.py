"""The reparameterised draw: its law and its gradients."""

import math

import torch

from genlab.latent import reparameterize


def test_worked_step_of_the_course():
    z = reparameterize(torch.tensor([[0.5]]), torch.zeros(1, 1), torch.tensor([[-0.3]]))
    torch.testing.assert_close(z, torch.tensor([[0.2]]))


def test_draws_have_the_mean_and_variance_asked_for(generator):
    n, mu, log_var = 200_000, -1.3, math.log(0.49)
    eps = torch.randn(n, 1, generator=generator)
    z = reparameterize(torch.full((n, 1), mu), torch.full((n, 1), log_var), eps)
    # Monte Carlo: five standard errors of a mean and of a variance of n normal draws.
    assert abs(z.mean().item() - mu) < 5 * 0.7 / math.sqrt(n)
    assert abs(z.var().item() - 0.49) < 5 * 0.49 * math.sqrt(2 / n)


def test_gradients_are_those_of_the_closed_form():
    mu = torch.tensor([[0.7]], requires_grad=True)
    log_var = torch.tensor([[0.4]], requires_grad=True)
    eps = torch.tensor([[1.5]])
    reparameterize(mu, log_var, eps).sum().backward()
    assert mu.grad is not None
    assert log_var.grad is not None
    assert mu.grad.item() == 1
    assert abs(log_var.grad.item() - 0.5 * math.exp(0.2) * 1.5) < 1e-12  # rounding
