"""The score-function estimator: unbiased for anything, and its baselines."""

import math

import pytest
import torch

from genlab.latent import leave_one_out, score_function


def estimates(f, generator, *, mu=0.4, log_std=-0.3, n=100_000, baseline=0.0):
    """Gradients in the mean and in the log of the standard deviation, one for each draw."""
    m = torch.full((n,), mu, requires_grad=True)
    s = torch.full((n,), log_std, requires_grad=True)
    z = (m + s.exp() * torch.randn(n, generator=generator)).detach()
    log_q = torch.distributions.Normal(m, s.exp()).log_prob(z)
    return torch.autograd.grad(score_function(log_q, f(z), baseline).sum(), (m, s))


def near(samples, truth):
    # Monte Carlo: five standard errors of the mean.
    return abs(samples.mean().item() - truth) < 5 * samples.std().item() / math.sqrt(len(samples))


def test_gradient_of_a_square_is_the_closed_form(generator):
    d_mu, d_log_std = estimates(lambda z: z**2, generator)
    assert near(d_mu, 2 * 0.4)  # E z^2 = mu^2 + s^2
    assert near(d_log_std, 2 * math.exp(-0.6))


def test_a_step_has_a_gradient_although_it_has_no_derivative(generator):
    d_mu, _ = estimates(lambda z: (z > 0).double(), generator)
    normal = torch.distributions.Normal(0.4, math.exp(-0.3))
    assert near(d_mu, normal.log_prob(torch.tensor(0.0)).exp().item())


def test_a_baseline_moves_no_mean_and_lowers_the_variance(generator):
    plain, _ = estimates(lambda z: 10 + z**2, generator)
    lower, _ = estimates(lambda z: 10 + z**2, generator, baseline=torch.tensor(10.5))
    assert near(plain, 0.8)
    assert near(lower, 0.8)
    assert lower.var() < plain.var() / 20


def test_no_gradient_flows_through_the_value_or_the_baseline():
    log_q = torch.zeros(3, requires_grad=True)
    value = torch.ones(3, requires_grad=True)
    base = torch.full((3,), 0.25, requires_grad=True)
    score_function(log_q, 2 * value, base).sum().backward()
    assert value.grad is None
    assert base.grad is None
    torch.testing.assert_close(log_q.grad, torch.full((3,), 1.75))


def test_leaving_one_out_ignores_the_draw_itself(generator):
    value = torch.randn(6, 2, generator=generator)
    changed = value.clone()
    changed[3] += 100
    torch.testing.assert_close(leave_one_out(changed)[3], leave_one_out(value)[3])
    torch.testing.assert_close(leave_one_out(value)[0], value[1:].mean(0))


def test_leave_one_out_leaves_the_estimate_unbiased(generator):
    z = 0.4 + torch.randn(2, 100_000, generator=generator)
    gradients = (z**2 - leave_one_out(z**2)) * (z - 0.4)
    assert near(gradients.mean(0), 0.8)


def test_one_draw_has_no_others():
    with pytest.raises(ValueError, match="1 draws, expected at least two"):
        leave_one_out(torch.ones(1))
