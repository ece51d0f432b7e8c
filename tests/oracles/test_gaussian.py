import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable
from genlab.oracles.gaussian import Gaussian, kl_gaussian, wasserstein2


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


def test_wasserstein_of_round_normals_is_the_known_formula():
    p = Gaussian(torch.tensor([1.0, 2.0]), 4.0 * torch.eye(2))
    q = Gaussian(torch.tensor([0.0, 0.0]), 1.0 * torch.eye(2))
    # |m1 - m2|^2 + d (s1 - s2)^2 = 5 + 2
    torch.testing.assert_close(wasserstein2(p, q), torch.tensor(7.0).sqrt())


@given(seeds=st.tuples(*[st.integers(0, 50)] * 3))
@settings(deadline=None, max_examples=20)
def test_wasserstein_is_symmetric_and_obeys_the_triangle_inequality(seeds):
    p, q, r = (make(seed) for seed in seeds)
    torch.testing.assert_close(wasserstein2(p, q), wasserstein2(q, p), rtol=1e-6, atol=1e-6)
    assert wasserstein2(p, r) <= wasserstein2(p, q) + wasserstein2(q, r) + 1e-6


def test_wasserstein_is_the_cost_of_the_best_linear_map():
    # the optimal map between centred normals is x -> A x with A symmetric and A S_p A = S_q
    p, q = make(2), make(3)
    p0, q0 = Gaussian(torch.zeros(3), p.cov), Gaussian(torch.zeros(3), q.cov)
    values, vectors = torch.linalg.eigh(p.cov)
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = torch.linalg.inv(root)
    inner, axes = torch.linalg.eigh(root @ q.cov @ root)
    move = inverse @ ((axes * inner.sqrt()) @ axes.T) @ inverse
    torch.testing.assert_close(move @ p.cov @ move, q.cov)
    gap = torch.eye(3) - move
    cost = (gap @ p.cov @ gap.T).trace()
    torch.testing.assert_close(wasserstein2(p0, q0) ** 2, cost)


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


@pytest.mark.parametrize("measure", [kl_gaussian, wasserstein2])
def test_different_dimensions_are_refused(measure):
    with pytest.raises(ValueError, match="dimensions are 3 and 2"):
        measure(make(d=3), make(d=2))


def test_sampling_leaves_grad_mode_alone_and_follows_its_generator():
    a = make().sample(3, generator=torch.Generator().manual_seed(4))
    b = make().sample(3, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert torch.is_grad_enabled()
    with pytest.raises(ValueError, match="cond is given"):
        make().sample(1, cond=torch.zeros(1))
