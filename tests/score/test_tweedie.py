"""Tweedie's formula: the score and the best denoiser are one function, whatever the data."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.oracles import Empirical, Gaussian, GaussianMixture
from genlab.score import eps_from_score, x0_from_eps
from genlab.score.tweedie import posterior_covariance, score_from_x0, x0_from_score

numbers = st.floats(0.1, 3.0)


def plane() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.2, 0.8]), torch.tensor([[-2.0, 1.0], [1.0, 0.5]]), torch.tensor([0.5, 1.0])
    )


@given(alpha=numbers, sigma=numbers)
def test_denoiser_of_a_mixture_from_its_noised_score(alpha, sigma):
    x = 3 * torch.randn(16, 2)
    a, s = torch.tensor(alpha), torch.tensor(sigma)
    found = x0_from_score(x, plane().noised(alpha, sigma).score(x), a, s)
    torch.testing.assert_close(found, plane().denoiser(x, alpha, sigma))


def test_denoiser_of_a_correlated_normal_is_its_linear_regression():
    law = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.6], [0.6, 0.5]]))
    x, sigma = torch.randn(8, 2), 0.7
    gain = law.cov @ torch.linalg.inv(law.cov + sigma**2 * torch.eye(2))
    found = x0_from_score(x, law.noised(1.0, sigma).score(x), torch.tensor(1.0), torch.tensor(0.7))
    torch.testing.assert_close(found, law.mean + (x - law.mean) @ gain.T)


def test_score_of_a_point_cloud_is_the_slope_of_its_kernel_estimate():
    cloud = Empirical(torch.randn(20, 3))
    x, sigma = torch.randn(7, 3), 0.6
    found = score_from_x0(x, cloud.denoiser(x, 1.0, sigma), torch.tensor(1.0), torch.tensor(sigma))
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cloud.noised(1.0, sigma).log_prob(y).sum(), y)
    torch.testing.assert_close(found, slope)


@given(alpha=numbers, sigma=numbers)
def test_the_two_directions_undo_each_other(alpha, sigma):
    x, score = torch.randn(2, 5, 3)
    a, s = torch.tensor(alpha), torch.tensor(sigma)
    back = score_from_x0(x, x0_from_score(x, score, a, s), a, s)
    torch.testing.assert_close(back, score)


def test_it_is_the_same_guess_as_by_the_noise():
    x, score = torch.randn(2, 5, 1, 4, 4)
    a, s = torch.rand(2, 5) + 0.1
    by_noise = x0_from_eps(x, eps_from_score(score, s), a, s)
    torch.testing.assert_close(x0_from_score(x, score, a, s), by_noise)


def test_the_mean_of_the_data_near_a_noised_point_is_what_the_formula_says(generator):
    p, sigma, at = plane(), 0.8, torch.tensor([[-0.5, 0.5]])
    x0 = p.sample(400_000, generator=generator)
    weights = (-((at - x0) ** 2).sum(1) / (2 * sigma**2)).softmax(0)  # Bayes, by samples
    estimate = weights @ x0
    error = (weights**2 @ (x0 - estimate) ** 2).sqrt()
    found = x0_from_score(
        at, p.noised(1.0, sigma).score(at), torch.tensor(1.0), torch.tensor(sigma)
    )
    assert ((estimate - found[0]).abs() < 5 * error).all()  # five standard errors


def test_covariance_of_a_normal_does_not_depend_on_where_it_is_asked():
    law = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.6], [0.6, 0.5]]))
    x, alpha, sigma = torch.randn(4, 2), 0.6, 0.7
    precision = torch.linalg.inv(law.cov) + alpha**2 / sigma**2 * torch.eye(2)
    found = posterior_covariance(law.noised(alpha, sigma).score, x, alpha=alpha, sigma=sigma)
    torch.testing.assert_close(found, torch.linalg.inv(precision).expand(4, -1, -1))


def test_covariance_of_a_point_cloud_by_its_responsibilities():
    cloud = Empirical(torch.randn(20, 3))
    x, sigma = torch.randn(2, 3), 0.9
    found = posterior_covariance(cloud.noised(1.0, sigma).score, x, alpha=1.0, sigma=sigma)
    weights = (-((x[:, None] - cloud.points) ** 2).sum(2) / (2 * sigma**2)).softmax(1)
    off = cloud.points - (weights @ cloud.points)[:, None]
    torch.testing.assert_close(found, torch.einsum("bn,bni,bnj->bij", weights, off, off))


def test_covariance_takes_images_flat():
    images = torch.randn(2, 1, 2, 2)
    found = posterior_covariance(lambda x: -x / 5, images, alpha=1.0, sigma=1.0)
    torch.testing.assert_close(found, (0.8 * torch.eye(4)).expand(2, -1, -1))  # I + J = 4/5 I


def test_mean_of_the_covariance_explains_the_floor_of_denoising_score_matching(generator):
    from genlab.score.matching import dsm_floor

    p, sigma = plane(), 0.8
    noised = p.noised(1.0, sigma)
    x = noised.sample(20_000, generator=generator)
    covariance = posterior_covariance(noised.score, x, alpha=1.0, sigma=sigma)
    by_trace = covariance.diagonal(dim1=1, dim2=2).sum(1) / (2 * sigma**4)
    gap = by_trace - dsm_floor(noised.score(x), sigma=sigma)
    assert abs(gap.mean()) < 5 * gap.std() / math.sqrt(len(x))


@pytest.mark.parametrize(("alpha", "sigma"), [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_covariance_needs_signal_and_noise(alpha, sigma):
    with pytest.raises(ValueError, match="alpha and sigma must be positive"):
        posterior_covariance(torch.cos, torch.zeros(1, 2), alpha=alpha, sigma=sigma)
