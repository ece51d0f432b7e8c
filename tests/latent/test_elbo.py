"""Bounds against closed forms and enumeration, and gradients against their exact values."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from genlab.core import kl_categorical, last
from genlab.latent import (
    aggregated_posterior,
    discrete_elbo,
    discrete_posterior,
    doubly_reparameterized,
    elbo,
    importance_bound,
    log_marginal,
    log_mean_weight,
    log_weight,
    mutual_information,
    refine,
    score_function,
    signal_to_noise,
)
from genlab.latent.elbo import mean_field_gap
from genlab.oracles import LinearLatent

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


def test_worked_step_of_the_course_elbo():
    x, mu, eps = (torch.tensor([[v]]) for v in (1.2, 0.5, -0.3))
    value = elbo(x, mu, torch.zeros(1, 1), eps, decoder_log_prob=scalar_decoder)
    by_hand = -0.5 * math.log(2 * math.pi) - 0.5 * (1.2 - 0.2) ** 2 - 0.5 * 0.5**2
    assert abs(value.item() - by_hand) < 1e-12  # rounding
    assert abs(value.item() + 1.5439385) < 1e-7  # the printed digits


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


Q = (0.3, 0.7)  # a guess for two values of z
W_IMPORTANCE = (0.1 / 0.3, 0.4 / 0.7)  # its weights p(x, z) / q(z); their mean is p(x) = 0.5


def expected_bound(k: int) -> float:
    """Enumerate all 2^k sequences of draws."""
    total = 0.0
    for zs in itertools.product((0, 1), repeat=k):
        log_w = torch.tensor([[math.log(W_IMPORTANCE[z])] for z in zs])
        total += math.prod(Q[z] for z in zs) * log_mean_weight(log_w).item()
    return total


def test_expected_bound_never_falls_with_the_number_of_draws():
    values = [expected_bound(k) for k in range(1, 11)]
    assert abs(values[0] + 0.721315) < 5e-7  # the ELBO: the printed digits
    assert all(a < b for a, b in itertools.pairwise(values))
    assert values[-1] < math.log(0.5)


def _log_weights(mu, log_var, eps, *, through_z_only):
    """Weights of x = 1 under z ~ N(0, 1), x | z ~ N(z, 1): the marginal is N(0, 2)."""
    k, n = eps.shape[:2]
    flat = (mu.expand(k, n, 1), log_var.expand(k, n, 1), eps)
    rows = [t.reshape(k * n, 1) for t in flat]
    log_w = log_weight(
        torch.ones(k * n, 1),
        *rows,
        decoder_log_prob=lambda x, z: Normal(z, 1.0).log_prob(x).sum(1),
        through_z_only=through_z_only,
    )
    return log_w.reshape(k, n)


def _gradients(k, n, generator, *, doubly, mu=0.2, log_var=-0.3):
    """n independent estimates of the gradient of the bound in (mu, log_var)."""
    m = torch.full((n, 1), mu, requires_grad=True)
    v = torch.full((n, 1), log_var, requires_grad=True)
    eps = torch.randn(k, n, 1, generator=generator)
    log_w = _log_weights(m, v, eps, through_z_only=doubly)
    value = doubly_reparameterized(log_w) if doubly else log_mean_weight(log_w)
    return torch.cat(torch.autograd.grad(value.sum(), (m, v)), 1)


@pytest.mark.parametrize("k", [1, 2, 8])
def test_both_gradients_estimate_the_same_quantity(generator, k):
    n = 60_000
    plain = _gradients(k, n, generator, doubly=False)
    doubly = _gradients(k, n, generator, doubly=True)
    error = ((plain.var(0) + doubly.var(0)) / n).sqrt()
    assert ((plain.mean(0) - doubly.mean(0)).abs() < 5 * error).all()  # Monte Carlo


def test_at_the_posterior_the_doubly_reparameterised_gradient_has_no_noise(generator):
    # Posterior of x = 1: N(1/2, 1/2). The weight is constant there.
    exact = _gradients(4, 50, generator, doubly=True, mu=0.5, log_var=math.log(0.5))
    assert exact.abs().max().item() < 1e-12  # rounding
    plain = _gradients(4, 50, generator, doubly=False, mu=0.5, log_var=math.log(0.5))
    assert plain.std(0).min().item() > 0.1


def test_signal_to_noise_falls_with_draws_for_the_plain_gradient_and_rises_for_the_other(generator):
    plain = [signal_to_noise(_gradients(k, 20_000, generator, doubly=False)) for k in (4, 64)]
    doubly = [signal_to_noise(_gradients(k, 20_000, generator, doubly=True)) for k in (4, 64)]
    assert (plain[1] < 0.5 * plain[0]).all()  # theory: a quarter
    assert (doubly[1] > 2 * doubly[0]).all()  # theory: four times


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


DOUBLE = {"dtype": torch.float64}
MODEL = LinearLatent(torch.tensor([[1.0], [0.5]], **DOUBLE), torch.zeros(2, **DOUBLE), std=0.7)


def climb(x, n_steps=400):
    start = torch.zeros(len(x), 1), torch.zeros(len(x), 1)
    return last(
        refine(
            x, *start, decoder_log_prob=MODEL.cond_log_prob, n_steps=n_steps, n_draws=8,
            generator=torch.Generator().manual_seed(1),
        )
    )  # fmt: skip


def test_with_one_latent_it_finds_the_posterior_of_the_linear_model(generator):
    x = MODEL.sample(20, generator=generator)
    found = climb(x)
    mean, cov = MODEL.posterior(x)
    # The last steps are short, and each still sees the noise of 8 draws.
    torch.testing.assert_close(found.mu, mean, atol=0.06, rtol=0)
    torch.testing.assert_close(found.log_var, cov.log().expand(20, 1), atol=0.1, rtol=0)


TABLE = [  # p(1|0), p(1|1), q(1), log p, posterior, elbo, gap
    (0.2, 0.8, 0.7, -0.693147, 0.8, -0.721315, 0.028168),
    (0.2, 0.8, 0.8, -0.693147, 0.8, -0.693147, 0.0),
    (0.3, 0.9, 0.6, -0.510826, 0.75, -0.564941, 0.054115),
    (0.3, 0.9, 0.75, -0.510826, 0.75, -0.510826, 0.0),
]


@pytest.mark.parametrize(("p0", "p1", "q1", "log_p", "posterior", "bound", "gap"), TABLE)
def test_every_row_of_the_worked_table(p0, p1, q1, log_p, posterior, bound, gap):
    joint = torch.tensor([[0.5 * p0, 0.5 * p1]]).log()
    q = torch.tensor([[1 - q1, q1]])
    value = discrete_elbo(q, joint).item()
    printed = 6e-7  # the digits of the table
    assert abs(log_marginal(joint).item() - log_p) < printed
    assert abs(discrete_posterior(joint)[0, 1].item() - posterior) < 1e-12
    assert abs(value - bound) < printed
    assert abs(log_p - value - gap) < 2 * printed


tables = st.lists(st.floats(-6, 0), min_size=3, max_size=3)


@given(tables, st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_what_the_bound_misses_is_the_divergence_from_the_posterior(log_joint, q):
    joint = torch.tensor([log_joint])
    guess = torch.tensor([q]) / sum(q)
    gap = log_marginal(joint) - discrete_elbo(guess, joint)
    torch.testing.assert_close(
        gap, kl_categorical(guess, discrete_posterior(joint)), atol=1e-10, rtol=0.0
    )  # rounding


def test_a_guess_may_exclude_a_value():
    joint = torch.tensor([[0.1, 0.4]]).log()
    value = discrete_elbo(torch.tensor([[0.0, 1.0]]), joint).item()
    assert abs(value - math.log(0.4)) < 1e-12


def test_mean_divergence_to_the_prior_splits_into_information_and_mismatch(generator):
    q = torch.rand(20, 4, generator=generator)
    q = q / q.sum(1, keepdim=True)
    prior = torch.tensor([0.4, 0.3, 0.2, 0.1])
    whole = kl_categorical(q, prior.expand(20, 4)).mean()
    parts = mutual_information(q) + kl_categorical(aggregated_posterior(q), prior)
    torch.testing.assert_close(whole, parts)


def test_the_importance_bound_of_given_draws_by_a_plain_loop(generator):
    x, mu, log_var = (torch.randn(4, d, generator=generator) for d in (3, 2, 2))
    eps, std = torch.randn(5, 4, 2, generator=generator), (0.5 * log_var).exp()
    log_w = []
    for e in eps:
        z = mu + std * e
        log_p = linear_decoder(x, z) + Normal(0.0, 1.0).log_prob(z).sum(1)
        log_w.append(log_p - Normal(mu, std).log_prob(z).sum(1))
    by_hand = torch.stack(log_w).exp().mean(0).log()
    found = importance_bound(x, mu, log_var, eps, decoder_log_prob=linear_decoder)
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("d", [1, 3])
def test_the_gap_of_independent_entries_is_torchs_divergence_and_least_at_scale_one(
    d, scale, generator
):
    root = torch.randn(d, d, generator=generator)
    precision = root @ root.T + torch.eye(d)
    zero = torch.zeros(d)
    guess = MultivariateNormal(zero, (scale**2 / precision.diagonal()).diag())
    truth = MultivariateNormal(zero, precision_matrix=precision)
    found = mean_field_gap(precision, scale)
    torch.testing.assert_close(found, torch.distributions.kl_divergence(guess, truth))
    assert scale == 1 or found > mean_field_gap(precision)


@pytest.mark.parametrize("q", [[[0.5, 0.4]], [[0.5, 0.5], [0.6, 0.6]], [[1.5, -0.5]]])
def test_q_must_be_a_distribution(q):
    for call in (lambda q: discrete_elbo(q, q), aggregated_posterior):
        with pytest.raises(ValueError, match=r"q sums to|q holds -0\.5"):
            call(torch.tensor(q))
