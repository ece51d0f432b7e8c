import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable
from genlab.oracles.gaussian import Gaussian
from genlab.oracles.mixture import GaussianMixture


def make():
    return GaussianMixture(
        weights=torch.tensor([0.2, 0.5, 0.3]),
        means=torch.tensor([[-2.0, 0.0], [1.0, 1.0], [0.5, -1.5]]),
        stds=torch.tensor([0.5, 0.8, 0.3]),
    )


_log_prob: HasLogProb = make()
_sampleable: Sampleable = make()


def test_log_prob_agrees_with_torch_distributions():
    p, x = make(), torch.randn(6, 2)
    components = torch.distributions.Independent(
        torch.distributions.Normal(p.means, p.stds[:, None].expand(3, 2)), 1
    )
    theirs = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(p.weights), components
    )
    torch.testing.assert_close(p.log_prob(x), theirs.log_prob(x))


def test_density_integrates_to_one_in_the_plane():
    axis = torch.linspace(-8, 8, 401)
    total = make().log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (16 / 400) ** 2
    assert abs(total.item() - 1) < 1e-9  # the trapezoidal rule is spectrally accurate here


def test_score_is_the_gradient_of_log_prob():
    x = torch.randn(6, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(make().log_prob(x).sum(), x)
    torch.testing.assert_close(make().score(x), gradient)


def test_score_survives_far_from_every_component():
    far = torch.tensor([[1e3, -1e3]])
    assert bool(torch.isfinite(make().score(far)).all())


def test_responsibilities_follow_bayes():
    p, x = make(), torch.randn(6, 2)
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
    x, q = make().sample(n, generator=generator), make().moment_match()
    assert bool(((x.mean(0) - q.mean).abs() < 5 * (q.cov.diagonal() / n).sqrt()).all())
    fourth = ((x - q.mean) ** 4).mean(0)
    spread = ((fourth - q.cov.diagonal() ** 2) / n).sqrt()
    assert bool(((x.var(0) - q.cov.diagonal()).abs() < 5 * spread).all())


def test_moments_equal_an_integral():
    axis = torch.linspace(-8, 8, 401)
    x = torch.cartesian_prod(axis, axis)
    mass = make().log_prob(x).exp() * (16 / 400) ** 2
    mean = mass @ x
    cov = (mass[:, None] * (x - mean)).T @ (x - mean)
    q = make().moment_match()
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.cov, cov)


def test_samples_follow_the_component_that_is_asked_for(generator):
    x = make().sample(10_000, cond=torch.full((10_000,), 2), generator=generator)
    # Monte Carlo: 5 standard errors of a mean
    assert bool(((x.mean(0) - make().means[2]).abs() < 5 * 0.3 / 10_000**0.5).all())


@given(alpha=st.floats(0.1, 2.0), sigma=st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=20)
def test_denoiser_and_noised_score_obey_tweedie(alpha, sigma):
    # x_t + sigma^2 score = alpha E[x0 | x_t]: two formulas that share no intermediate result
    x_t = torch.linspace(-2, 2, 10).reshape(5, 2)
    left = x_t + sigma**2 * make().noised(alpha, sigma).score(x_t)
    torch.testing.assert_close(left, alpha * make().denoiser(x_t, alpha, sigma))


def test_denoiser_equals_an_integral_over_the_clean_example():
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [2.0]]), torch.tensor([0.5, 0.2])
    )
    x0 = torch.linspace(-6, 6, 4001)[:, None]
    x_t = torch.tensor([[0.4]])
    joint = (p.log_prob(x0) - 0.5 * ((x_t - 0.8 * x0).squeeze(1) / 0.6) ** 2).exp()
    expected = (joint @ x0) / joint.sum()
    torch.testing.assert_close(p.denoiser(x_t, 0.8, 0.6).squeeze(0), expected)


def test_denoiser_takes_one_noise_level_for_each_example():
    p, x_t = make(), torch.randn(3, 2)
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


def test_shapes_that_do_not_fit_are_refused():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        GaussianMixture(torch.tensor([0.5, 0.5]), torch.zeros(1, 1), torch.ones(2))
