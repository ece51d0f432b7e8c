"""Every answer of the oracles, against torch, integrals and identities that share no step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.oracles.continuous import (
    Empirical,
    Gaussian,
    GaussianMixture,
    LinearLatent,
    kl_gaussian,
)


def make(seed=0, d=3):
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, generator=g, dtype=torch.float64)
    mean = torch.randn(d, generator=g, dtype=torch.float64)
    return Gaussian(mean, root @ root.T + 0.3 * torch.eye(d, dtype=torch.float64))


def mixture_of(weights, stds, means=((0.0,), (1.0,))):
    return GaussianMixture(*(torch.tensor(x, dtype=torch.float64) for x in (weights, means, stds)))


def make_mixture():
    return mixture_of([0.2, 0.5, 0.3], [0.5, 0.8, 0.3], [[-2.0, 0.0], [1.0, 1.0], [0.5, -1.5]])


def make_empirical(n=6, event=(2, 2)):
    g = torch.Generator().manual_seed(0)
    return Empirical(torch.randn(n, *event, generator=g, dtype=torch.float64))


def make_linear_latent(weight=((1.0, 0.5), (-0.5, 1.0), (2.0, 0.3))):
    weight = torch.tensor(weight, dtype=torch.float64)
    return LinearLatent(weight, torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64), std=0.6)


ORACLES = pytest.mark.parametrize("p", [make(d=2), make_mixture()], ids=["normal", "mixture"])


def test_log_prob_agrees_with_torch_distributions():
    p, x = make(), torch.randn(5, 3)
    theirs = torch.distributions.MultivariateNormal(p.mean, p.cov).log_prob(x)
    torch.testing.assert_close(p.log_prob(x), theirs)


@pytest.mark.parametrize(
    "p",
    [Gaussian(torch.tensor([0.5, -0.5]), torch.tensor([[1.0, 0.6], [0.6, 0.8]])), make_mixture()],
)
def test_density_integrates_to_one_in_the_plane(p):
    axis = torch.linspace(-10, 10, 401)
    total = p.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (20 / 400) ** 2
    assert abs(total.item() - 1) < 1e-9  # the trapezoidal rule is spectrally accurate here


@ORACLES
def test_score_is_the_gradient_of_log_prob(p):
    x = torch.randn(4, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(p.log_prob(x).sum(), x)
    torch.testing.assert_close(p.score(x), gradient)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (make(), make()),
        (make_mixture(), make_mixture().moment_match()),
        (make_linear_latent(), make_linear_latent().marginal()),
    ],
)
def test_samples_have_the_stated_mean_and_covariance(p, q, generator):
    n = 200_000
    x = p.sample(n, generator=generator)
    assert bool(((x.mean(0) - q.mean).abs() < 5 * (q.cov.diagonal() / n).sqrt()).all())
    # Monte Carlo: the spread of the products of two coordinates
    centred = x - q.mean
    products = centred[:, :, None] * centred[:, None]
    assert bool(((products.mean(0) - q.cov).abs() < 5 * products.std(0) / n**0.5).all())


@ORACLES
@given(alpha=st.floats(0.1, 2.0), sigma=st.floats(0.1, 2.0))
def test_denoiser_and_noised_score_obey_tweedie(p, alpha, sigma):
    # x_t + sigma^2 score = alpha E[x0 | x_t]: two formulas that share no intermediate result
    x_t = torch.linspace(-2, 2, 12).reshape(6, 2)
    left = x_t + sigma**2 * p.noised(alpha, sigma).score(x_t)
    torch.testing.assert_close(left, alpha * p.denoiser(x_t, alpha, sigma))


@pytest.mark.parametrize("p", [make(d=2), make_mixture(), make_empirical(event=(2,))])
def test_denoiser_takes_one_noise_level_for_each_example(p):
    x_t = torch.randn(3, 2)
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


def test_log_prob_agrees_with_torch_distributions_mixture():
    p, x = make_mixture(), torch.randn(6, 2)
    components = torch.distributions.Independent(
        torch.distributions.Normal(p.means, p.stds[:, None].expand(3, 2)), 1
    )
    theirs = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(p.weights), components
    )
    torch.testing.assert_close(p.log_prob(x), theirs.log_prob(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Gaussian(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),
        (lambda: Gaussian(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]])), "eigenvalue"),
        (lambda: Gaussian(torch.zeros(1), torch.tensor([[-1.0]])), "eigenvalue -1"),
        (lambda: Gaussian(torch.zeros(2), torch.diag(torch.tensor([1.0, 0.0]))), "eigenvalue 0"),
        (lambda: mixture_of([0.5, 0.6], [1.0, 1.0]), "weights are"),
        (lambda: mixture_of([0.0, 1.0], [1.0, 1.0]), "weights are"),
        (lambda: Empirical(torch.zeros(0, 2)), "points"),
        (lambda: mixture_of([0.5, 0.5], [1.0, 0.0]), "stds are"),
        (lambda: LinearLatent(torch.zeros(2, 1), torch.zeros(2), std=0.0), "std is 0"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: Gaussian(torch.zeros(2), torch.eye(3)),
        lambda: Gaussian(torch.zeros(1, 2), torch.eye(2)),
        lambda: mixture_of([0.5, 0.5], [1.0, 1.0], [[0.0]]),
        lambda: mixture_of([0.5, 0.5], [1.0]),
        lambda: mixture_of([[0.5, 0.5]], [1.0, 1.0]),
        lambda: LinearLatent(torch.zeros(2, 1), torch.zeros(3), std=1.0),
        lambda: LinearLatent(torch.zeros(2), torch.zeros(2), std=1.0),
    ],
)
def test_parameters_whose_shapes_do_not_fit_are_refused(build, as_a_user):
    with pytest.raises(ValueError, match="has shape"):
        build()


def test_denoiser_of_points_obeys_tweedie():
    data, x_t = make_empirical(event=(3,)), torch.randn(4, 3)
    noised = data.noised(0.7, 0.5)
    tweedie = (x_t + 0.5**2 * noised.score(x_t)) / 0.7
    torch.testing.assert_close(data.denoiser(x_t, 0.7, 0.5), tweedie)


def test_bayes_theorem_holds_at_any_latent():
    model, x = make_linear_latent(), torch.randn(4, 3)
    mean, cov = model.posterior(x)
    z = torch.randn(4, 2)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    posterior = torch.stack(
        [Gaussian(m, cov).log_prob(z[i : i + 1])[0] for i, m in enumerate(mean)]
    )
    torch.testing.assert_close(model.cond_log_prob(x, z) + prior - posterior, model.log_prob(x))


@given(seed=st.integers(0, 100))
def test_gap_of_the_bound_is_the_divergence_from_the_posterior(seed):
    g = torch.Generator().manual_seed(seed)
    model, x = make_linear_latent(), torch.randn(1, 3, generator=g)
    mu, log_var = torch.randn(1, 2, generator=g), torch.randn(1, 2, generator=g)
    mean, cov = model.posterior(x)
    gap = kl_gaussian(Gaussian(mu[0], log_var[0].exp().diag()), Gaussian(mean[0], cov))
    torch.testing.assert_close(model.log_prob(x)[0] - model.elbo_of(x, mu, log_var)[0], gap)


def test_samples_follow_what_is_given(generator):
    n = 10_000  # Monte Carlo: 5 standard errors of a mean
    x = make_mixture().sample(n, cond=torch.full((n,), 2), generator=generator)
    assert bool(((x.mean(0) - make_mixture().means[2]).abs() < 5 * 0.3 / n**0.5).all())
    z = torch.tensor([[1.0, -1.0]]).expand(n, 2)
    x = make_linear_latent().sample(n, cond=z, generator=generator)
    assert bool(
        ((x.mean(0) - make_linear_latent().decode(z[:1])[0]).abs() < 5 * 0.6 / n**0.5).all()
    )


def test_entropy_agrees_with_torch_distributions_and_may_be_negative():
    p = make()
    theirs = torch.distributions.MultivariateNormal(p.mean, p.cov).entropy()
    torch.testing.assert_close(p.entropy(), theirs)
    assert Gaussian(torch.zeros(1), torch.tensor([[1e-4]])).entropy() < 0


def assert_normal(x, mean, cov):
    """Mean and covariance, each within 5 standard errors of those of normals."""
    n, var = len(x), cov.diag()
    assert ((x.mean(0) - mean).abs() < 5 * (var / n).sqrt()).all()
    error = ((var[:, None] * var + cov**2) / n).sqrt()
    assert ((x.T.cov() - cov).abs() < 5 * error).all()


def test_draws_of_a_normal_and_of_a_component_have_its_mean_and_its_covariance(generator):
    p, n = make(), 100_000
    assert_normal(p.sample(n, generator=generator), p.mean, p.cov)
    p = make_mixture()
    for k in range(3):
        x = p.sample(n, cond=torch.full((n,), k), generator=generator)
        assert_normal(x, p.means[k], p.stds[k] ** 2 * torch.eye(2))


def test_gradients_reach_a_covariance_that_is_learned():
    cov = make().cov.requires_grad_()  # the checks read it without a warning
    (slope,) = torch.autograd.grad(Gaussian(torch.zeros(3), cov).entropy(), cov)
    torch.testing.assert_close(slope, torch.linalg.inv(cov.detach()) / 2)


@pytest.mark.parametrize("p", [make(d=2), make_mixture(), make_linear_latent()])
def test_no_examples_have_no_densities(p):
    assert p.log_prob(torch.zeros(0, *p.event_shape)).shape == (0,)


def test_responsibilities_follow_from_bayes_theorem():
    p, x = make_mixture(), torch.randn(6, 2)
    parts = zip(p.weights, p.means, p.stds, strict=True)
    joint = [w * Gaussian(m, s**2 * torch.eye(2)).log_prob(x).exp() for w, m, s in parts]
    found = p.responsibilities(x)
    torch.testing.assert_close(found, torch.stack(joint, 1) / p.log_prob(x).exp()[:, None])


def test_the_nearest_point_is_at_its_root_mean_square_distance_and_a_copy_at_zero():
    data = Empirical(torch.tensor([[[0.0, 0.0]], [[3.0, 4.0]]]))
    x = torch.tensor([[[3.0, 4.0]], [[0.0, 2.0]]])
    assert data.nearest(x).tolist() == pytest.approx([0.0, math.sqrt(2)])  # 2 / sqrt(2 numbers)
    assert data.event_shape == (1, 2)
    assert torch.equal(data.sample(2, cond=torch.tensor([1, 0])), data.points.flip(0))
