"""The bound in nats, against a chain whose marginal likelihood is known exactly."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genlab.score import (
    Bins,
    alphas_bar_from_betas,
    bin_log_prob,
    ddpm_vlb,
    ddpm_vlb_term,
    ddpm_vlb_terms,
    posterior_variances,
)

S = 0.5  # standard deviation of the data


def tables(n_steps: int):
    betas = -torch.expm1(-torch.linspace(0.1, 15, n_steps, dtype=torch.float64) / n_steps)
    return betas, betas


def exact_eps(betas):
    bar = alphas_bar_from_betas(betas)

    def model(x, t):
        a = bar[t][:, None]
        return (1 - a).sqrt() * x / (a * S**2 + 1 - a)

    return model


def chain_variance(betas, variances):
    """Variance of x_0 under the model: every step is linear, so variances obey a recursion."""
    var = 1.0
    for t in range(len(betas) - 1, -1, -1):
        a, b = alphas_bar_from_betas(betas)[t].item(), betas[t].item()
        slope = (1 - b / (a * S**2 + 1 - a)) / math.sqrt(1 - b)
        var = slope**2 * var + variances[t].item()
    return var


def bound(n_steps, x, n_draws, generator, scale=1.0):
    betas, variances = tables(n_steps)
    model = exact_eps(betas)
    x = x.expand(n_draws, 1)
    eps = torch.randn(n_steps, n_draws, 1, generator=generator)
    return ddpm_vlb(lambda x, t: scale * model(x, t), x, eps, betas=betas, variances=variances)


@pytest.mark.parametrize("value", [0.0, 0.6, -1.2])
def test_bound_stays_below_the_exact_likelihood_of_the_chain_and_comes_close(value, generator):
    x, n_steps = torch.tensor([[value]]), 200
    values = bound(n_steps, x, 4000, generator)
    exact = Normal(0.0, math.sqrt(chain_variance(*tables(n_steps)))).log_prob(x).item()
    error = values.std().item() / math.sqrt(len(values))
    assert values.mean().item() < exact + 5 * error  # Monte Carlo
    assert values.mean().item() > exact - 0.05 - 5 * error  # gap of a 200-step chain


def test_more_steps_make_a_tighter_bound_on_average_over_the_data(generator):
    n = 20_000
    x = Normal(0.0, S).icdf((torch.arange(n)[:, None] + 0.5) / n)
    entropy = 0.5 * math.log(2 * math.pi * math.e * S**2)
    bounds = [bound(k, x, n, generator) for k in (5, 20, 80)]
    gaps = [-entropy - b.mean().item() for b in bounds]
    error = bounds[2].std().item() / math.sqrt(n)
    assert gaps[0] > gaps[1] > gaps[2] > -5 * error  # Monte Carlo


def test_a_worse_network_has_a_worse_bound(generator):
    x = torch.tensor([[0.6]])
    good, bad = (bound(50, x, 3000, generator, scale).mean() for scale in (1.0, 1.3))
    assert bad < good - 0.05


def test_a_term_is_the_divergence_between_two_gaussian_steps():
    betas, variances = tables(20)
    bar, model, t = alphas_bar_from_betas(betas), exact_eps(betas), 12
    x0, eps = torch.tensor([[0.8]]), torch.tensor([[-0.4]])
    x_t = bar[t].sqrt() * x0 + (1 - bar[t]).sqrt() * eps
    # Route 2: the two Gaussians themselves, Bayes' rule for q, the algorithm's mean for p.
    beta, a_t, a_s = betas[t], bar[t], bar[t - 1]
    precision = 1 / (1 - a_s) + (1 - beta) / beta
    mean_q = (a_s.sqrt() * x0 / (1 - a_s) + (1 - beta).sqrt() * x_t / beta) / precision
    q = Normal(mean_q, precision**-0.5)
    eps_hat = model(x_t, torch.tensor([t]))
    mean_p = (x_t - beta / (1 - a_t).sqrt() * eps_hat) / (1 - beta).sqrt()
    for v in (variances, posterior_variances(betas)):
        expected = kl_divergence(q, Normal(mean_p, v[t].sqrt()))[0]
        got = ddpm_vlb_term(model, x0, torch.tensor([t]), eps, betas=betas, variances=v)
        torch.testing.assert_close(got, expected)


def test_the_last_step_is_a_negative_log_density():
    betas, variances = tables(20)
    model = exact_eps(betas)
    x0, eps = torch.tensor([[0.8, 0.1]]), torch.tensor([[-0.4, 1.0]])
    x_1 = (1 - betas[0]).sqrt() * x0 + betas[0].sqrt() * eps
    mean = (x_1 - betas[0].sqrt() * model(x_1, torch.tensor([0]))) / (1 - betas[0]).sqrt()
    expected = -Normal(mean, variances[0].sqrt()).log_prob(x0).sum(1)
    got = ddpm_vlb_term(model, x0, torch.tensor([0]), eps, betas=betas, variances=variances)
    torch.testing.assert_close(got, expected)


def test_bound_adds_the_terms_and_the_prior(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.8], [-0.3]])
    eps = torch.randn(6, 2, 1, generator=generator)
    a = alphas_bar_from_betas(betas)[-1]
    prior = kl_divergence(Normal(a.sqrt() * x0, (1 - a).sqrt()), Normal(0.0, 1.0)).sum(1)
    terms = [
        ddpm_vlb_term(model, x0, torch.full((2,), t), eps[t], betas=betas, variances=variances)
        for t in range(6)
    ]
    torch.testing.assert_close(
        ddpm_vlb(model, x0, eps, betas=betas, variances=variances), -prior - sum(terms)
    )


GREY = Bins(0.08, -2.0, 2.0)  # levels about as far apart as the noise of the last step is wide


@pytest.mark.parametrize("level", [-0.8, 0.0, 0.4])
def test_bound_on_a_grey_level_stays_below_its_exact_probability(level, generator):
    # Every step of the model is linear, so x_0 before cutting into bins is normal with a known
    # variance, and the probability of a level is the mass of its bin.
    n_steps, n = 200, 4000
    betas, variances = tables(n_steps)
    x = torch.full((n, 1), level)
    eps = torch.randn(n_steps, n, 1, generator=generator)
    values = ddpm_vlb(exact_eps(betas), x, eps, betas=betas, variances=variances, bins=GREY)
    sd = torch.tensor(math.sqrt(chain_variance(betas, variances)))
    exact = bin_log_prob(x[:1], torch.zeros(1, 1), sd, GREY).item()
    error = values.std().item() / math.sqrt(n)
    assert values.mean().item() < exact + 5 * error  # Monte Carlo
    # q aims at the level, the true posterior at its whole bin: a gap that 0.5 nats cover here.
    assert values.mean().item() > exact - 0.5 - 5 * error


def test_bins_change_the_last_step_only(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.4], [-0.8]])
    eps = torch.randn(6, 2, 1, generator=generator)
    plain, cut = (
        ddpm_vlb_terms(model, x0, eps, betas=betas, variances=variances, bins=bins)
        for bins in (None, GREY)
    )
    torch.testing.assert_close(plain[1:], cut[1:])
    assert (cut[0] > 0).all()  # minus the logarithm of a probability
    x_1 = (1 - betas[0]).sqrt() * x0 + betas[0].sqrt() * eps[0]
    mean = x_1 - betas[0].sqrt() * model(x_1, torch.tensor([0, 0]))
    mean = mean / (1 - betas[0]).sqrt()
    torch.testing.assert_close(cut[0], -bin_log_prob(x0, mean, variances[0].sqrt(), GREY))


def test_bins_of_a_fine_grid_are_a_density_times_a_width(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.3, -0.2]])
    eps = torch.randn(6, 1, 2, generator=generator)
    width = 1e-4
    plain, cut = (
        ddpm_vlb(model, x0, eps, betas=betas, variances=variances, bins=bins)
        for bins in (None, Bins(width, -5.0, 5.0))
    )
    torch.testing.assert_close(cut, plain + 2 * math.log(width), rtol=1e-6, atol=1e-6)


def test_every_divergence_is_positive_and_the_rows_are_in_order(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.8], [-0.3]])
    eps = torch.randn(6, 2, 1, generator=generator)
    rows = ddpm_vlb_terms(model, x0, eps, betas=betas, variances=variances)
    assert rows.shape == (7, 2)
    assert (rows[1:] >= 0).all()
    for t in range(6):
        alone = ddpm_vlb_term(
            model, x0, torch.full((2,), t), eps[t], betas=betas, variances=variances
        )
        torch.testing.assert_close(rows[t], alone)


def test_missing_draws_and_vanishing_variances_are_refused():
    betas, variances = tables(6)
    x0 = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="each of 6 steps, got 5"):
        ddpm_vlb(lambda x, t: x, x0, torch.zeros(5, 1, 1), betas=betas, variances=variances)
    with pytest.raises(ValueError, match="variances must be positive"):
        ddpm_vlb(lambda x, t: x, x0, torch.zeros(6, 1, 1), betas=betas, variances=0 * betas)
