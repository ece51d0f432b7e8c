import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable
from genlab.oracles.gaussian import Gaussian, kl_gaussian
from genlab.oracles.linear_latent import LinearLatent


def make(orthogonal=False):
    weight = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [2.0, 0.3]])
    if orthogonal:
        weight = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    return LinearLatent(weight, torch.tensor([0.3, -0.2, 1.0]), std=0.6)


_log_prob: HasLogProb = make()
_sampleable: Sampleable = make()


def test_marginal_equals_an_integral_over_the_latent():
    model = LinearLatent(torch.tensor([[0.7], [-1.2]]), torch.tensor([0.1, 0.2]), std=0.5)
    x = torch.tensor([[0.4, -0.9], [1.5, 0.0]])
    z = torch.linspace(-10, 10, 4001)[:, None]
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).squeeze(1)
    for row in x:
        likelihood = model.cond_log_prob(row.expand(len(z), 2), z)
        integral = (prior + likelihood).exp().sum() * (20 / 4000)
        torch.testing.assert_close(model.log_prob(row[None])[0], integral.log())


def test_bayes_theorem_holds_at_any_latent():
    model, x = make(), torch.randn(4, 3)
    mean, cov = model.posterior(x)
    z = torch.randn(4, 2)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    posterior = torch.stack(
        [Gaussian(m, cov).log_prob(z[i : i + 1])[0] for i, m in enumerate(mean)]
    )
    torch.testing.assert_close(model.cond_log_prob(x, z) + prior - posterior, model.log_prob(x))


def test_bound_is_tight_at_the_exact_posterior():
    model, x = make(orthogonal=True), torch.randn(5, 3)  # here the posterior has no correlations
    mean, cov = model.posterior(x)
    log_var = cov.diagonal().log().expand(5, 2)
    torch.testing.assert_close(model.elbo_of(x, mean, log_var), model.log_prob(x))


@given(seed=st.integers(0, 100))
@settings(deadline=None, max_examples=20)
def test_gap_of_the_bound_is_the_divergence_from_the_posterior(seed):
    g = torch.Generator().manual_seed(seed)
    model, x = make(), torch.randn(1, 3, generator=g)
    mu, log_var = torch.randn(1, 2, generator=g), torch.randn(1, 2, generator=g)
    mean, cov = model.posterior(x)
    gap = kl_gaussian(Gaussian(mu[0], log_var[0].exp().diag()), Gaussian(mean[0], cov))
    torch.testing.assert_close(model.log_prob(x)[0] - model.elbo_of(x, mu, log_var)[0], gap)


def test_samples_have_the_moments_of_the_marginal(generator):
    model, n = make(), 200_000
    x, p = model.sample(n, generator=generator), model.marginal()
    assert bool(((x.mean(0) - p.mean).abs() < 5 * (p.cov.diagonal() / n).sqrt()).all())
    assert bool(((x.var(0) / p.cov.diagonal() - 1).abs() < 5 * (2 / n) ** 0.5).all())


def test_samples_follow_the_latent_that_is_given(generator):
    z = torch.tensor([[1.0, -1.0]]).expand(10_000, 2)
    x = make().sample(10_000, cond=z, generator=generator)
    target = make().decode(z[:1])[0]
    assert bool(((x.mean(0) - target).abs() < 5 * 0.6 / math.sqrt(10_000)).all())


def test_a_width_of_zero_is_refused():
    with pytest.raises(ValueError, match="std is 0"):
        LinearLatent(torch.zeros(2, 1), torch.zeros(2), std=0.0)


def test_shapes_that_do_not_fit_are_refused():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        LinearLatent(torch.zeros(2, 1), torch.zeros(3), std=1.0)
