"""The Frechet distance between Gaussians, and the square root under it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.metrics.frechet import (
    frechet_1d,
    frechet_distance,
    frechet_gaussian,
    mean_and_cov,
    sqrt_psd,
)


def covariance(d, seed, rank=None):
    a = torch.randn(d, rank or d, generator=torch.Generator().manual_seed(seed))
    return a @ a.T / (rank or d)


@pytest.mark.parametrize(
    ("mu", "sigma", "expected"),
    [(0, 1, 0), (1, 1, 1), (1, 1.5, 1.25), (2, 1, 4), (0, 2, 1), (2, 2, 5)],
)
def test_the_worked_distances_from_the_standard_normal(mu, sigma, expected):
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    assert frechet_1d(zero, one, mu * one, sigma * one).item() == expected


def test_on_the_line_it_is_the_integral_over_quantiles():
    # midpoint rule in u; the tails beyond 1e-6 hold about 1e-5 of the cost
    u = (torch.arange(1_000_000) + 0.5) / 1_000_000
    z = math.sqrt(2) * torch.erfinv(2 * u - 1)
    integral = (((0.3 + 0.5 * z) - (-1.0 + 2.0 * z)) ** 2).mean()
    ours = frechet_1d(*map(torch.tensor, (0.3, 0.5, -1.0, 2.0)))
    assert abs(ours.item() - integral.item()) < 1e-4


def test_a_negative_standard_deviation_is_refused():
    with pytest.raises(ValueError, match=r"sigma1 .* -1, expected at least 0"):
        frechet_1d(*map(torch.tensor, (0.0, -1.0, 0.0, 1.0)))


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_the_root_squares_to_the_matrix_and_is_symmetric(d, seed):
    a = covariance(d, seed)
    root = sqrt_psd(a)
    torch.testing.assert_close(root @ root, a, rtol=1e-9, atol=1e-12)  # rounding
    torch.testing.assert_close(root, root.T)


def test_a_matrix_without_real_root_is_refused():
    with pytest.raises(ValueError, match="smallest eigenvalue is -1"):
        sqrt_psd(torch.diag(torch.tensor([1.0, -1.0])))


def test_a_matrix_that_is_not_symmetric_is_refused():
    with pytest.raises(ValueError, match="not symmetric"):
        sqrt_psd(torch.tensor([[1.0, 0.5], [0.0, 1.0]]))


def test_isotropic_gaussians_differ_by_means_and_widths():
    d, s1, s2 = 5, 0.7, 2.0
    eye, mu = torch.eye(d), torch.arange(d) * 0.1
    ours = frechet_gaussian(torch.zeros(d), s1**2 * eye, mu, s2**2 * eye)
    assert math.isclose(ours.item(), (mu**2).sum().item() + d * (s1 - s2) ** 2, rel_tol=1e-12)


def test_independent_coordinates_add_up():
    s1, s2 = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([0.3, 2.5, 4.0])
    mu1, mu2 = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 1.0, -1.0])
    together = frechet_gaussian(mu1, torch.diag(s1**2), mu2, torch.diag(s2**2))
    torch.testing.assert_close(together, frechet_1d(mu1, s1, mu2, s2).sum())


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_it_agrees_with_the_eigenvalues_of_the_plain_product(d, seed):
    a, b = covariance(d, seed), covariance(d, seed + 1)
    eigenvalues = np.linalg.eigvals((a @ b).numpy())
    trace = a.trace() + b.trace() - 2 * np.sqrt(np.abs(eigenvalues)).sum()
    ours = frechet_gaussian(torch.zeros(d), a, torch.zeros(d), b)
    assert abs(ours.item() - trace.item()) < 1e-7  # eigenvalues of a non-symmetric product


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_it_is_symmetric_and_never_negative(d, seed):
    a, b, mu = covariance(d, seed), covariance(d, seed + 1), torch.ones(d)
    there, back = frechet_gaussian(mu, a, 0 * mu, b), frechet_gaussian(0 * mu, b, mu, a)
    torch.testing.assert_close(there, back, rtol=1e-8, atol=1e-9)
    assert there >= 0


def test_equal_singular_covariances_have_distance_zero_up_to_rounding():
    # a root taken of rounding noise of 1e-16 would leave 1e-8 for each null direction
    a = covariance(40, 3, rank=5)
    ours = frechet_gaussian(torch.zeros(40), a, torch.zeros(40), a)
    assert ours.item() < 1e-12


def test_it_is_the_cost_of_the_optimal_linear_map():
    a, b = covariance(4, 1), covariance(4, 2)
    root = sqrt_psd(a)
    inverse = torch.linalg.inv(root)
    push = inverse @ sqrt_psd(root @ b @ root) @ inverse
    torch.testing.assert_close(push @ a @ push, b)
    move = push - torch.eye(4)
    cost = (move @ a @ move.T).trace()
    torch.testing.assert_close(frechet_gaussian(torch.zeros(4), a, torch.zeros(4), b), cost)


def test_the_covariance_is_unbiased():
    # all 8 ordered samples of size 3 from a fair coin on {0, 2}, whose variance is 1
    grid = torch.cartesian_prod(*[torch.tensor([0.0, 2.0])] * 3)
    mean = torch.stack([mean_and_cov(row[:, None])[1] for row in grid]).mean()
    assert math.isclose(mean.item(), 1.0, rel_tol=1e-12)


def test_one_example_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2 examples, got 1"):
        mean_and_cov(torch.zeros(1, 3))


def test_a_shift_of_the_samples_costs_its_squared_length(generator):
    x = torch.randn(50, 4, generator=generator)
    torch.testing.assert_close(frechet_distance(x, x + 2.0), torch.tensor(16.0))


def test_rows_may_come_in_any_order(generator):
    x, y = torch.randn(30, 3, generator=generator), torch.randn(20, 3, generator=generator)
    torch.testing.assert_close(frechet_distance(x, y), frechet_distance(x.flip(0), y.flip(0)))


def test_the_root_of_a_rank_one_matrix_is_free_of_rounding_noise():
    v = torch.arange(1.0, 30.0)
    outer = torch.outer(v, v)
    # without a threshold the 28 null directions would each leave about 1e-6 here
    torch.testing.assert_close(sqrt_psd(outer), outer / v.norm(), rtol=0, atol=1e-10)
