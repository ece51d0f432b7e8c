"""Distances between samples, against closed forms, enumeration, quadrature and each other."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.metrics.distances import (
    cubic_kernel,
    energy_distance,
    extrapolate,
    frechet_1d,
    frechet_by_size,
    frechet_distance,
    frechet_gaussian,
    kid,
    kid_blocks,
    mean_and_cov,
    median_bandwidth,
    mmd2,
    rbf_kernel,
    sqrt_psd,
    transport_plan,
    transport_prices,
    w1_by_cdf,
    wasserstein_1d,
)


def covariance(d, seed, rank=None):
    a = torch.randn(d, rank or d, generator=torch.Generator().manual_seed(seed))
    return a @ a.T / (rank or d)


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_the_root_squares_to_the_matrix_and_is_symmetric(d, seed):
    a = covariance(d, seed)
    root = sqrt_psd(a)
    torch.testing.assert_close(root @ root, a, rtol=1e-9, atol=1e-12)  # rounding
    torch.testing.assert_close(root, root.T)


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_it_agrees_with_the_eigenvalues_of_the_plain_product(d, seed):
    a, b = covariance(d, seed), covariance(d, seed + 1)
    eigenvalues = np.linalg.eigvals((a @ b).numpy())
    trace = a.trace() + b.trace() - 2 * np.sqrt(np.abs(eigenvalues)).sum()
    ours = frechet_gaussian(torch.zeros(d), a, torch.zeros(d), b)
    assert abs(ours.item() - trace.item()) < 1e-7  # eigenvalues of a non-symmetric product


def test_a_shift_of_the_samples_costs_its_squared_length(generator):
    x = torch.randn(50, 4, generator=generator)
    torch.testing.assert_close(frechet_distance(x, x + 2.0), torch.tensor(16.0))


def test_the_root_of_a_rank_one_matrix_is_free_of_rounding_noise():
    v = torch.arange(1.0, 30.0)
    outer = torch.outer(v, v)
    # without a threshold the 28 null directions would each leave about 1e-6 here
    torch.testing.assert_close(sqrt_psd(outer), outer / v.norm(), rtol=0, atol=1e-10)
    small = torch.diag(numbers(1, 1e-12, 0))  # small is not yet noise
    torch.testing.assert_close(sqrt_psd(small), torch.diag(numbers(1, 1e-6, 0)), rtol=0, atol=1e-15)
    assert torch.equal(sqrt_psd(0 * small), 0 * small)


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_a_gaussian_is_at_distance_zero_of_itself_and_never_below(d, seed):
    mean, a = torch.ones(d), covariance(d, seed)
    well = a + torch.eye(d)
    assert 0 <= frechet_gaussian(mean, well, mean, well) < 1e-12
    # rounding of the product, about d eps |a|^2, weighs as its root where an eigenvalue is near 0
    eps = torch.finfo(a.dtype).eps
    assert 0 <= frechet_gaussian(mean, a, mean, a) < d * (d * eps) ** 0.5 * a.abs().max()


@pytest.mark.parametrize("kernel", [cubic_kernel, rbf_kernel])
def test_the_estimate_is_unbiased_by_enumeration(kernel):
    """Average over every ordered sample from two small laws: the population value, exactly."""
    p, q = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.0], [2.0]])  # uniform on each
    within_p, within_q, across = kernel(p, p).mean(), kernel(q, q).mean(), kernel(p, q).mean()
    population = within_p + within_q - 2 * across
    estimates = [
        mmd2(p[list(i)], q[list(j)], kernel)
        for i in itertools.product(range(3), repeat=4)
        for j in itertools.product(range(2), repeat=3)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), population)


ONE, NONE = torch.zeros(1, 2), torch.zeros(0, 2)
values = st.lists(st.floats(-50, 50), min_size=1, max_size=9).map(torch.tensor)


def numbers(*xs):
    return torch.tensor(xs, dtype=torch.float64)


@given(values, values)
def test_sorting_agrees_with_the_area_between_distribution_functions(x, y):
    torch.testing.assert_close(wasserstein_1d(x, y), w1_by_cdf(x, y), rtol=1e-9, atol=1e-9)


@given(values, values)
def test_on_the_line_energy_is_twice_the_squared_gap_of_the_distribution_functions(x, y):
    t = torch.cat([x, y]).sort().values
    f = (x[:, None] <= t[:-1]).to(t).mean(0)
    g = (y[:, None] <= t[:-1]).to(t).mean(0)
    area = 2 * ((f - g) ** 2 * t.diff()).sum()
    torch.testing.assert_close(energy_distance(x[:, None], y[:, None]), area, rtol=1e-9, atol=1e-9)


def test_kernels_and_their_bandwidth_by_hand():
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
    assert cubic_kernel(x, y).item() == (1 / 2 + 1) ** 3
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert math.isclose(rbf_kernel(x, y, bandwidth=5.0).item(), math.exp(-0.5), rel_tol=1e-12)
    assert math.isclose(rbf_kernel(x, y / 5).item(), math.exp(-0.5), rel_tol=1e-12)
    assert cubic_kernel(x[:0], x).shape == (0, 1)
    assert median_bandwidth(torch.tensor([[0.0]]), torch.tensor([[1.0], [5.0]])) == 4.0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: sqrt_psd(torch.tensor([[1.0, 0.0], [0.0, -1.0]])), "eigenvalue is -1"),
        (lambda: sqrt_psd(torch.tensor([[-2.0, -1.0], [-1.0, -2.0]])), "eigenvalue is -3"),
        (lambda: sqrt_psd(torch.tensor([[1.0, 1e-9], [0.0, 1.0]])), "not symmetric"),
        (lambda: frechet_by_size(torch.zeros(5, 2), torch.zeros(9, 2), (1,)), r"2\.\.5"),
        (lambda: mean_and_cov(ONE), "2 rows"),
        (lambda: extrapolate([4, 4], numbers(1, 2)), "different sizes"),
        (lambda: extrapolate([4, 5, 6], numbers(1, 2)), "a value for each"),
        (lambda: transport_plan(torch.eye(2), numbers(0.5, 0.5), numbers(0.5, 0.6)), "must agree"),
        (lambda: frechet_by_size(torch.zeros(5, 2), torch.zeros(9, 2), (6,)), r"2\.\.5"),
        (lambda: median_bandwidth(torch.zeros(3, 1), torch.zeros(2, 1)), "half of all pairs"),
        (lambda: wasserstein_1d(torch.zeros(0), numbers(1)), "got 0, 1"),
        (lambda: wasserstein_1d(numbers(1), numbers(1), p=0.5), r"p=0\.5"),
    ],
)
def test_what_has_no_answer_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_the_plan_moves_exactly_the_masses_at_the_price_of_the_dual(generator):
    x, y = torch.randn(9, 2, generator=generator), torch.randn(6, 2, generator=generator)
    cost, distance = torch.cdist(x, y), torch.cdist(x, x)
    p, q, r = (torch.rand(n, generator=generator) for n in (9, 9, 6))
    p, q, r = p / p.sum(), q / q.sum(), r / r.sum()
    plan = transport_plan(cost, p, r)
    torch.testing.assert_close(plan.moved.sum(1), p)
    torch.testing.assert_close(plan.moved.sum(0), r)
    assert plan.moved.min() >= 0
    assert plan.cost == pytest.approx(float((plan.moved * cost).sum()))
    plan, prices = transport_plan(distance, p, q), transport_prices(distance, p, q)
    assert prices.value == pytest.approx(plan.cost)
    rises = prices.f[:, None] - prices.f
    assert bool((rises.abs() <= distance + 1e-9).all())  # rounding of the solver
    used = plan.moved > 1e-9
    torch.testing.assert_close(rises[used], distance[used])  # complementary slackness


def test_independent_coordinates_add_up():
    s1, s2 = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([0.3, 2.5, 4.0])
    mu1, mu2 = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 1.0, -1.0])
    together = frechet_gaussian(mu1, torch.diag(s1**2), mu2, torch.diag(s2**2))
    torch.testing.assert_close(together, frechet_1d(mu1, s1, mu2, s2).sum())
    torch.testing.assert_close(together, ((mu1 - mu2) ** 2 + (s1 - s2) ** 2).sum())


def test_subsets_are_drawn_of_both_sides(generator):
    x, y = torch.randn(60, 2, generator=generator), torch.randn(50, 2, generator=generator)
    g = torch.Generator()
    a, b = (torch.randperm(n, generator=g.manual_seed(1) if n == 60 else g)[:20] for n in (60, 50))
    by_size = frechet_by_size(x, y, (20,), n_repeats=1, generator=g.manual_seed(1))
    torch.testing.assert_close(by_size, frechet_distance(x[a], y[b]).expand(1, 1))
    blocks = kid_blocks(x, y, size=20, n_blocks=1, generator=g.manual_seed(1))
    torch.testing.assert_close(blocks, kid(x[a], y[b]).expand(1))


def test_the_gradient_of_the_wasserstein_distance_goes_through_the_sort():
    x, y = numbers(3, 1, 2).requires_grad_(), numbers(0, 5, 2)
    value = wasserstein_1d(x, y)  # 1 -> 0, 2 -> 2, 3 -> 5
    torch.testing.assert_close(value.detach(), torch.tensor(1.0))
    squared = wasserstein_1d(numbers(1, 0), numbers(2, 5), p=2.0)  # 0 -> 2, 1 -> 5
    torch.testing.assert_close(squared, torch.tensor((4 + 16) / 2))
    (slope,) = torch.autograd.grad(value, x)
    torch.testing.assert_close(slope[:2], numbers(-1 / 3, 1 / 3))  # 3 is moved to 5, 1 to 0


def test_a_block_of_one_row_is_refused():
    with pytest.raises(ValueError, match=r"size is 1, expected a value in \[2, 5\]"):
        kid_blocks(torch.randn(5, 2), torch.randn(5, 2), size=1, n_blocks=1)


def test_a_line_in_one_over_n_is_read_off_at_infinite_n(generator):
    sizes = [10, 20, 50, 100]
    exact = torch.tensor([3 + 5 / n for n in sizes])
    torch.testing.assert_close(extrapolate(sizes, exact), numbers(3, 5))
    torch.testing.assert_close(extrapolate(sizes[:2], exact[:2]), numbers(3, 5))
    noisy = exact + torch.randn(4, generator=generator)
    slope, at_infinity = np.polyfit([1 / n for n in sizes], noisy.numpy(), 1)
    torch.testing.assert_close(extrapolate(sizes, noisy), numbers(at_infinity, slope))


def test_mean_and_covariance_are_numpys_and_whole_sets_may_be_blocks(generator):
    x, y = torch.randn(6, 3, generator=generator), torch.randn(4, 3, generator=generator)
    mean, cov = mean_and_cov(x)
    np.testing.assert_allclose(mean, np.mean(x.numpy(), 0))
    np.testing.assert_allclose(cov, np.cov(x.numpy(), rowvar=False))
    largest, least = (frechet_by_size(x, y, (n,), n_repeats=2) for n in (4, 2))
    assert largest.shape == least.shape == (1, 2)
    torch.testing.assert_close(kid_blocks(x[:4], y, size=4, n_blocks=2), kid(x[:4], y).expand(2))
    assert kid_blocks(x, y, size=2, n_blocks=1).shape == (1,)
    assert frechet_by_size(x, y, (2, 3)).shape == (2, 10)  # ten subsets of each size
