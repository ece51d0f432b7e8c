"""Noise of films, and what Gaussian films lose when their frames are made one by one."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from genlab.score.clip_noise import frame_error, mixed_noise, total_correlation


def correlations(rho, n):
    return (1 - rho) * torch.eye(n) + rho * torch.ones(n, n)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_noise_has_unit_variance_and_the_stated_correlation(share, generator):
    n, f = 20_000, 3
    common = torch.randn(n, 1, 1, generator=generator)
    own = torch.randn(n, 1, f, generator=generator)
    eps = mixed_noise(common, own, share=share)[:, 0]
    # entries of a covariance have a standard error below sqrt(2 / n)
    torch.testing.assert_close(eps.T @ eps / n, correlations(share, f), atol=5 * 0.01, rtol=0)


def test_the_ends_are_own_noise_and_common_noise(generator):
    common, own = torch.randn(2, 3, 1, 4, 4), torch.randn(2, 3, 5, 4, 4)
    torch.testing.assert_close(mixed_noise(common, own, share=0.0), own)
    torch.testing.assert_close(mixed_noise(common, own, share=1.0), common.expand_as(own))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(share):
    with pytest.raises(ValueError, match="share must lie"):
        mixed_noise(torch.zeros(1, 1, 1), torch.zeros(1, 1, 2), share=share)


@pytest.mark.parametrize(("rho", "n"), [(0.5, 2), (0.9, 8), (-0.2, 3), (0.7, 1)])
def test_total_correlation_is_the_divergence_from_independent_frames(rho, n):
    joint = MultivariateNormal(torch.zeros(n), correlations(rho, n))
    alone = MultivariateNormal(torch.zeros(n), torch.eye(n))
    assert total_correlation(rho, n) == pytest.approx(kl_divergence(joint, alone).item(), abs=1e-12)


def test_two_frames_lose_their_mutual_information():
    assert total_correlation(0.6, 2) == pytest.approx(-0.5 * math.log(1 - 0.36))


@pytest.mark.parametrize(("rho", "n"), [(1.0, 2), (-0.5, 3), (0.1, 0)])
def test_correlations_that_no_frames_have_are_refused(rho, n):
    with pytest.raises(ValueError, match=r"no .* frames"):
        total_correlation(rho, n)


@pytest.mark.parametrize(("rho", "sigma", "n"), [(0.8, 0.5, 3), (0.0, 2.0, 4), (0.99, 1.0, 8)])
def test_the_error_is_that_of_the_posterior_mean(rho, sigma, n):
    r = correlations(rho, n)
    posterior = r - r @ torch.linalg.inv(r + sigma**2 * torch.eye(n)) @ r
    assert frame_error(rho, sigma, n) == pytest.approx(posterior.diag().mean().item(), abs=1e-12)


def test_a_still_film_needs_the_root_of_its_frames_more_noise():
    assert frame_error(1.0, 0.7 * math.sqrt(8), 8) == pytest.approx(frame_error(0.0, 0.7, 1))


def test_frames_that_see_each_other_are_denoised_better():
    assert frame_error(0.9, 1.0, 8) < frame_error(0.9, 1.0, 2) < frame_error(0.9, 1.0, 1)


@pytest.mark.parametrize(("rho", "sigma", "n"), [(1.2, 1.0, 2), (0.5, 0.0, 2), (0.5, 1.0, 0)])
def test_errors_that_make_no_sense_are_refused(rho, sigma, n):
    with pytest.raises(ValueError, match="frames with correlation"):
        frame_error(rho, sigma, n)
