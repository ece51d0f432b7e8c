"""Tests."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable, likelihood_kind
from genlab.oracles.continuous import (
    Empirical,
    Gaussian,
    GaussianMixture,
    LinearLatent,
    kl_gaussian,
)


def make(seed=0, d=3):
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, generator=g)
    return Gaussian(torch.randn(d, generator=g), root @ root.T + 0.3 * torch.eye(d))


_log_prob: HasLogProb = make()
_sampleable: Sampleable = make()


def test_log_prob_agrees_with_torch_distributions():
    p, x = make(), torch.randn(5, 3)
    theirs = torch.distributions.MultivariateNormal(p.mean, p.cov).log_prob(x)
    torch.testing.assert_close(p.log_prob(x), theirs)


def test_density_integrates_to_one_in_the_plane():
    p = Gaussian(torch.tensor([0.5, -0.5]), torch.tensor([[1.0, 0.6], [0.6, 0.8]]))
    axis = torch.linspace(-10, 10, 401)
    total = p.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (20 / 400) ** 2
    assert abs(total.item() - 1) < 1e-9  # the trapezoidal rule is spectrally accurate here


def test_score_is_the_gradient_of_log_prob():
    p = make()
    x = torch.randn(4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(p.log_prob(x).sum(), x)
    torch.testing.assert_close(p.score(x), gradient)


def test_samples_have_the_stated_mean_and_covariance(generator):
    p = make()
    n = 200_000
    x = p.sample(n, generator=generator)
    assert bool(((x.mean(0) - p.mean).abs() < 5 * (p.cov.diagonal() / n).sqrt()).all())
    # Monte Carlo: var of a product of two normals is C_ii C_jj + C_ij^2
    variances = p.cov.diagonal()
    spread = ((variances[:, None] * variances + p.cov**2) / n).sqrt()
    assert bool(((torch.cov(x.T) - p.cov).abs() < 5 * spread).all())


def test_entropy_is_minus_the_mean_log_prob(generator):
    p = make()
    values = p.log_prob(p.sample(50_000, generator=generator))
    assert abs(p.entropy() + values.mean()) < 5 * values.std() / 50_000**0.5


def test_entropy_of_a_narrow_normal_is_negative():
    narrow = Gaussian(torch.zeros(1), torch.tensor([[1e-4]]))
    assert math.isclose(narrow.entropy().item(), 0.5 * math.log(2 * math.pi * math.e * 1e-4))


def test_noised_distribution_is_the_law_of_the_noised_samples(generator):
    p, n = make(), 200_000
    noisy = 0.6 * p.sample(n, generator=generator) + 0.8 * torch.randn(n, 3, generator=generator)
    q = p.noised(0.6, 0.8)
    assert bool(((noisy.mean(0) - q.mean).abs() < 5 * (q.cov.diagonal() / n).sqrt()).all())
    assert bool(((noisy.var(0) / q.cov.diagonal() - 1).abs() < 5 * (2 / n) ** 0.5).all())


@given(alpha=st.floats(0.1, 2.0), sigma=st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=20)
def test_denoiser_and_noised_score_obey_tweedie(alpha, sigma):
    # x_t + sigma^2 score = alpha E[x0 | x_t]: two formulas that share no intermediate result
    p, x_t = make(), torch.linspace(-2, 2, 12).reshape(4, 3)
    left = x_t + sigma**2 * p.noised(alpha, sigma).score(x_t)
    torch.testing.assert_close(left, alpha * p.denoiser(x_t, alpha, sigma))


def test_denoiser_takes_one_noise_level_for_each_example():
    p, x_t = make(), torch.randn(3, 3)
    alpha, sigma = torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.2, 0.5, 1.0])
    rows = [p.denoiser(x_t[i : i + 1], float(alpha[i]), float(sigma[i])) for i in range(3)]
    torch.testing.assert_close(p.denoiser(x_t, alpha, sigma), torch.cat(rows))


def test_kl_agrees_with_torch_distributions():
    p, q = make(0), make(1)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.MultivariateNormal(p.mean, p.cov),
        torch.distributions.MultivariateNormal(q.mean, q.cov),
    )
    torch.testing.assert_close(kl_gaussian(p, q), theirs)


def test_kl_of_a_distribution_from_itself_is_zero():
    assert abs(kl_gaussian(make(), make()).item()) < 1e-12


@pytest.mark.parametrize(
    ("mean", "cov", "message"),
    [
        (torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "eigenvalue"),
    ],
)
def test_matrices_that_are_no_covariance_are_refused(mean, cov, message):
    with pytest.raises(ValueError, match=message):
        Gaussian(mean, cov)


def test_shapes_that_do_not_fit_are_refused():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        Gaussian(torch.zeros(2), torch.eye(3))


def test_sampling_leaves_grad_mode_alone_and_follows_its_generator():
    a = make().sample(3, generator=torch.Generator().manual_seed(4))
    b = make().sample(3, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert torch.is_grad_enabled()


def make_mixture():
    return GaussianMixture(
        weights=torch.tensor([0.2, 0.5, 0.3]),
        means=torch.tensor([[-2.0, 0.0], [1.0, 1.0], [0.5, -1.5]]),
        stds=torch.tensor([0.5, 0.8, 0.3]),
    )


_log_prob_mixture: HasLogProb = make_mixture()
_sampleable_mixture: Sampleable = make_mixture()


def test_log_prob_agrees_with_torch_distributions_mixture():
    p, x = make_mixture(), torch.randn(6, 2)
    components = torch.distributions.Independent(
        torch.distributions.Normal(p.means, p.stds[:, None].expand(3, 2)), 1
    )
    theirs = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(p.weights), components
    )
    torch.testing.assert_close(p.log_prob(x), theirs.log_prob(x))


def test_density_integrates_to_one_in_the_plane_mixture():
    axis = torch.linspace(-8, 8, 401)
    total = make_mixture().log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (16 / 400) ** 2
    assert abs(total.item() - 1) < 1e-9  # the trapezoidal rule is spectrally accurate here


def test_score_is_the_gradient_of_log_prob_mixture():
    x = torch.randn(6, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(make_mixture().log_prob(x).sum(), x)
    torch.testing.assert_close(make_mixture().score(x), gradient)


def test_score_survives_far_from_every_component():
    far = torch.tensor([[1e3, -1e3]])
    assert bool(torch.isfinite(make_mixture().score(far)).all())


def test_responsibilities_follow_bayes():
    p, x = make_mixture(), torch.randn(6, 2)
    parts = torch.stack(
        [Gaussian(p.means[k], p.stds[k] ** 2 * torch.eye(2)).log_prob(x).exp() for k in range(3)], 1
    )
    expected = p.weights * parts / (p.weights * parts).sum(1, keepdim=True)
    torch.testing.assert_close(p.responsibilities(x), expected)


def test_one_component_is_a_gaussian():
    single = GaussianMixture(torch.ones(1), torch.tensor([[1.0, 2.0]]), torch.tensor([0.7]))
    gaussian = Gaussian(torch.tensor([1.0, 2.0]), 0.49 * torch.eye(2))
    x = torch.randn(5, 2)
    torch.testing.assert_close(single.log_prob(x), gaussian.log_prob(x))
    torch.testing.assert_close(single.denoiser(x, 0.8, 0.6), gaussian.denoiser(x, 0.8, 0.6))


def test_samples_have_the_stated_moments(generator):
    n = 200_000
    x, q = make_mixture().sample(n, generator=generator), make_mixture().moment_match()
    assert bool(((x.mean(0) - q.mean).abs() < 5 * (q.cov.diagonal() / n).sqrt()).all())
    fourth = ((x - q.mean) ** 4).mean(0)
    spread = ((fourth - q.cov.diagonal() ** 2) / n).sqrt()
    assert bool(((x.var(0) - q.cov.diagonal()).abs() < 5 * spread).all())


def test_moments_equal_an_integral():
    axis = torch.linspace(-8, 8, 401)
    x = torch.cartesian_prod(axis, axis)
    mass = make_mixture().log_prob(x).exp() * (16 / 400) ** 2
    mean = mass @ x
    cov = (mass[:, None] * (x - mean)).T @ (x - mean)
    q = make_mixture().moment_match()
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.cov, cov)


def test_samples_follow_the_component_that_is_asked_for(generator):
    x = make_mixture().sample(10_000, cond=torch.full((10_000,), 2), generator=generator)
    # Monte Carlo: 5 standard errors of a mean
    assert bool(((x.mean(0) - make_mixture().means[2]).abs() < 5 * 0.3 / 10_000**0.5).all())


@given(alpha=st.floats(0.1, 2.0), sigma=st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=20)
def test_denoiser_and_noised_score_obey_tweedie_mixture(alpha, sigma):
    # x_t + sigma^2 score = alpha E[x0 | x_t]: two formulas that share no intermediate result
    x_t = torch.linspace(-2, 2, 10).reshape(5, 2)
    left = x_t + sigma**2 * make_mixture().noised(alpha, sigma).score(x_t)
    torch.testing.assert_close(left, alpha * make_mixture().denoiser(x_t, alpha, sigma))


def test_denoiser_equals_an_integral_over_the_clean_example():
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [2.0]]), torch.tensor([0.5, 0.2])
    )
    x0 = torch.linspace(-6, 6, 4001)[:, None]
    x_t = torch.tensor([[0.4]])
    joint = (p.log_prob(x0) - 0.5 * ((x_t - 0.8 * x0).squeeze(1) / 0.6) ** 2).exp()
    expected = (joint @ x0) / joint.sum()
    torch.testing.assert_close(p.denoiser(x_t, 0.8, 0.6).squeeze(0), expected)


def test_denoiser_takes_one_noise_level_for_each_example_mixture():
    p, x_t = make_mixture(), torch.randn(3, 2)
    alpha, sigma = torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.2, 0.5, 1.0])
    rows = [p.denoiser(x_t[i : i + 1], float(alpha[i]), float(sigma[i])) for i in range(3)]
    torch.testing.assert_close(p.denoiser(x_t, alpha, sigma), torch.cat(rows))


@pytest.mark.parametrize(
    ("weights", "means", "stds", "message"),
    [
        ([0.5, 0.6], [[0.0], [1.0]], [1.0, 1.0], "weights are"),
        ([1.5, -0.5], [[0.0], [1.0]], [1.0, 1.0], "weights are"),
        ([0.5, 0.5], [[0.0], [1.0]], [1.0, 0.0], "stds are"),
    ],
)
def test_parameters_out_of_range_are_refused(weights, means, stds, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(torch.tensor(weights), torch.tensor(means), torch.tensor(stds))


def test_a_mixture_can_be_fitted_by_gradient():
    # warnings are errors here: checking the parameters must not touch their graph
    weights = torch.tensor([0.4, 0.6], requires_grad=True)
    means = torch.tensor([[-1.0], [1.0]], requires_grad=True)
    stds = torch.tensor([0.5, 0.7], requires_grad=True)
    GaussianMixture(weights, means, stds).log_prob(torch.zeros(3, 1)).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in (weights, means, stds))


def test_shapes_that_do_not_fit_are_refused_mixture():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        GaussianMixture(torch.tensor([0.5, 0.5]), torch.zeros(1, 1), torch.ones(2))


def make_empirical(n=6, event=(2, 2)):
    return Empirical(torch.randn(n, *event, generator=torch.Generator().manual_seed(0)))


_sampleable_empirical: Sampleable = make_empirical()


def test_point_masses_have_no_likelihood():
    assert likelihood_kind(make_empirical()) == "none"


def test_denoiser_is_that_of_a_mixture_whose_components_have_no_width():
    # the mixture's own code path, with widths so small that only rounding remains
    data, x_t = make_empirical(event=(3,)), torch.randn(4, 3)
    noised = data.noised(0.7, 0.5)
    tweedie = (x_t + 0.5**2 * noised.score(x_t)) / 0.7
    torch.testing.assert_close(data.denoiser(x_t, 0.7, 0.5), tweedie)


def test_denoiser_returns_the_nearest_point_when_the_noise_is_small():
    data = make_empirical()
    x_t = data.points + 1e-3
    torch.testing.assert_close(data.denoiser(x_t, 1.0, 0.01), data.points)


def test_denoiser_returns_the_mean_when_the_noise_is_overwhelming():
    data = make_empirical()
    guess = data.denoiser(torch.zeros(1, 2, 2), 1.0, 1e6)
    torch.testing.assert_close(guess[0], data.points.mean(0))


def test_denoiser_takes_one_noise_level_for_each_example_empirical():
    data, x_t = make_empirical(), torch.randn(2, 2, 2)
    alpha, sigma = torch.tensor([0.9, 0.3]), torch.tensor([0.2, 0.8])
    rows = [data.denoiser(x_t[i : i + 1], float(alpha[i]), float(sigma[i])) for i in range(2)]
    torch.testing.assert_close(data.denoiser(x_t, alpha, sigma), torch.cat(rows))


def test_denoiser_is_the_best_guess(generator):
    data = make_empirical(event=(1,))
    x0 = data.sample(20_000, generator=generator)
    x_t = x0 + 0.5 * torch.randn(x0.shape, generator=generator)
    best = data.denoiser(x_t, 1.0, 0.5)
    error = ((best - x0) ** 2).mean()
    for factor in (0.9, 1.1):
        assert ((factor * best - x0) ** 2).mean() > error


def test_noised_data_are_a_kernel_density_estimate():
    data = make_empirical(event=(2,))
    x = torch.randn(3, 2)
    kernel = torch.distributions.MultivariateNormal(torch.zeros(2), 0.25 * torch.eye(2))
    expected = torch.stack([kernel.log_prob(x - 0.5 * p).exp() for p in data.points]).mean(0).log()
    torch.testing.assert_close(data.noised(0.5, 0.5).log_prob(x), expected)


def test_samples_are_points():
    data = make_empirical()
    assert data.nearest(data.sample(20)).max() == 0


def test_nearest_measures_the_root_mean_square_distance():
    data = Empirical(torch.zeros(1, 2, 2))
    torch.testing.assert_close(data.nearest(torch.full((1, 2, 2), 3.0)), torch.tensor([3.0]))


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Empirical(torch.zeros(0, 2))


def make_linear_latent(orthogonal=False):
    weight = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [2.0, 0.3]])
    if orthogonal:
        weight = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    return LinearLatent(weight, torch.tensor([0.3, -0.2, 1.0]), std=0.6)


_log_prob_linear_latent: HasLogProb = make_linear_latent()
_sampleable_linear_latent: Sampleable = make_linear_latent()


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
    model, x = make_linear_latent(), torch.randn(4, 3)
    mean, cov = model.posterior(x)
    z = torch.randn(4, 2)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    posterior = torch.stack(
        [Gaussian(m, cov).log_prob(z[i : i + 1])[0] for i, m in enumerate(mean)]
    )
    torch.testing.assert_close(model.cond_log_prob(x, z) + prior - posterior, model.log_prob(x))


def test_bound_is_tight_at_the_exact_posterior():
    model, x = (
        make_linear_latent(orthogonal=True),
        torch.randn(5, 3),
    )  # here the posterior has no correlations
    mean, cov = model.posterior(x)
    log_var = cov.diagonal().log().expand(5, 2)
    torch.testing.assert_close(model.elbo_of(x, mean, log_var), model.log_prob(x))


@given(seed=st.integers(0, 100))
@settings(deadline=None, max_examples=20)
def test_gap_of_the_bound_is_the_divergence_from_the_posterior(seed):
    g = torch.Generator().manual_seed(seed)
    model, x = make_linear_latent(), torch.randn(1, 3, generator=g)
    mu, log_var = torch.randn(1, 2, generator=g), torch.randn(1, 2, generator=g)
    mean, cov = model.posterior(x)
    gap = kl_gaussian(Gaussian(mu[0], log_var[0].exp().diag()), Gaussian(mean[0], cov))
    torch.testing.assert_close(model.log_prob(x)[0] - model.elbo_of(x, mu, log_var)[0], gap)


def test_samples_have_the_moments_of_the_marginal(generator):
    model, n = make_linear_latent(), 200_000
    x, p = model.sample(n, generator=generator), model.marginal()
    assert bool(((x.mean(0) - p.mean).abs() < 5 * (p.cov.diagonal() / n).sqrt()).all())
    assert bool(((x.var(0) / p.cov.diagonal() - 1).abs() < 5 * (2 / n) ** 0.5).all())


def test_samples_follow_the_latent_that_is_given(generator):
    z = torch.tensor([[1.0, -1.0]]).expand(10_000, 2)
    x = make_linear_latent().sample(10_000, cond=z, generator=generator)
    target = make_linear_latent().decode(z[:1])[0]
    assert bool(((x.mean(0) - target).abs() < 5 * 0.6 / math.sqrt(10_000)).all())


def test_a_width_of_zero_is_refused():
    with pytest.raises(ValueError, match="std is 0"):
        LinearLatent(torch.zeros(2, 1), torch.zeros(2), std=0.0)


def test_shapes_that_do_not_fit_are_refused_linear_latent():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        LinearLatent(torch.zeros(2, 1), torch.zeros(3), std=1.0)
