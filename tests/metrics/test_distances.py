"""The Frechet distance between Gaussians, and the square root under it."""

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
    frechet_bias,
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


@pytest.mark.parametrize("d", [1, 2, 16])
def test_for_unit_covariance_the_bias_is_d_times_d_plus_five_over_four_n(d):
    torch.testing.assert_close(
        frechet_bias(torch.eye(d), 100), torch.tensor(d * (d + 5) / 4 / 100.0)
    )


def test_a_second_finite_side_adds_its_own_share():
    cov = torch.diag(torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(
        frechet_bias(cov, 100, 50), frechet_bias(cov, 100) + frechet_bias(cov, 50)
    )


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.2)])
def test_the_bias_agrees_with_simulation(scales, generator):
    n, std = 400, torch.tensor(scales).sqrt()
    cov, zero = torch.diag(std**2), torch.zeros(3)
    draws = [torch.randn(n, 3, generator=generator) * std for _ in range(600)]
    values = torch.stack([frechet_gaussian(zero, cov, *mean_and_cov(x)) for x in draws])
    error = values.std() / len(values) ** 0.5
    # five standard errors, and the next term of the expansion, which is of order 1/n
    assert abs(values.mean() - frechet_bias(cov, n)) < 5 * error + 5 / n * values.mean()


def test_a_bias_needs_samples_and_a_regular_covariance():
    with pytest.raises(ValueError, match="n=1"):
        frechet_bias(torch.eye(2), 1)
    with pytest.raises(ValueError, match="smallest eigenvalue is 0"):
        frechet_bias(torch.diag(torch.tensor([1.0, 0.0])), 10)


def test_a_line_in_one_over_n_is_recovered():
    sizes = [50, 100, 400]
    values = 3.0 + 200.0 / torch.tensor(sizes, dtype=torch.float64)
    torch.testing.assert_close(extrapolate(sizes, values), torch.tensor([3.0, 200.0]))


def test_one_size_is_no_line():
    with pytest.raises(ValueError, match="two or more different sizes"):
        extrapolate([100, 100], torch.tensor([1.0, 2.0]))


def test_the_full_size_is_the_plain_distance(generator):
    x, y = torch.randn(60, 2, generator=generator), torch.randn(60, 2, generator=generator)
    values = frechet_by_size(x, y, (60,), n_repeats=2, generator=generator)
    torch.testing.assert_close(values, frechet_distance(x, y).expand(1, 2))


def test_a_size_beyond_the_data_is_refused():
    with pytest.raises(ValueError, match=r"must be in 2\.\.5"):
        frechet_by_size(torch.zeros(5, 2), torch.zeros(9, 2), (6,))


def test_the_cubic_kernel_by_hand():
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
    assert cubic_kernel(x, y).item() == (1 / 2 + 1) ** 3


def test_the_gaussian_kernel_by_hand():
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert math.isclose(rbf_kernel(x, y, bandwidth=5.0).item(), math.exp(-0.5), rel_tol=1e-12)


def test_a_bandwidth_of_zero_is_refused():
    with pytest.raises(ValueError, match="bandwidth is 0"):
        rbf_kernel(torch.zeros(1, 1), torch.zeros(1, 1), bandwidth=0)


def test_the_median_distance_by_hand():
    assert median_bandwidth(torch.tensor([[0.0]]), torch.tensor([[1.0], [5.0]])) == 4.0


def test_coinciding_points_have_no_median_distance():
    with pytest.raises(ValueError, match="half of all pairs coincide"):
        median_bandwidth(torch.zeros(3, 1), torch.zeros(2, 1))


@pytest.mark.parametrize("kernel", [cubic_kernel, rbf_kernel])
def test_the_estimate_is_unbiased_by_enumeration(kernel):
    """Average over every ordered sample from two small laws: the population value, exactly."""
    p, q = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.0], [2.0]])  # uniform on each
    within_p, within_q, across = kernel(p, p).mean(), kernel(q, q).mean(), kernel(p, q).mean()
    population = within_p + within_q - 2 * across
    estimates = [
        mmd2(p[list(i)], q[list(j)], kernel)
        for i in itertools.product(range(3), repeat=2)
        for j in itertools.product(range(2), repeat=3)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), population)


def test_the_estimate_can_be_negative():
    x = torch.tensor([[0.0], [1.0]])
    assert kid(x, x).item() == -3.5


def test_the_population_value_compares_the_first_three_moments():
    """With d = 1, E k = sum over powers of binomial(3, r) times the product of moments."""
    p, q = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[-1.0], [2.0]])
    population = (
        cubic_kernel(p, p).mean() + cubic_kernel(q, q).mean() - 2 * cubic_kernel(p, q).mean()
    )
    gaps = [((p**r).mean() - (q**r).mean()).item() for r in range(4)]
    moments = sum(math.comb(3, r) * gaps[r] ** 2 for r in range(4))
    assert math.isclose(population.item(), moments, rel_tol=1e-12)


def test_one_example_a_side_is_refused():
    with pytest.raises(ValueError, match="at least 2 examples a side, got 1 and 3"):
        mmd2(torch.zeros(1, 2), torch.zeros(3, 2), cubic_kernel)


def test_blocks_of_the_full_size_repeat_the_plain_value(generator):
    x, y = torch.randn(12, 2, generator=generator), torch.randn(12, 2, generator=generator)
    values = kid_blocks(x, y, size=12, n_blocks=3, generator=generator)
    torch.testing.assert_close(values, kid(x, y).expand(3))


def test_a_block_beyond_the_data_is_refused():
    with pytest.raises(ValueError, match=r"size must be in 2\.\.5"):
        kid_blocks(torch.zeros(5, 2), torch.zeros(9, 2), size=6, n_blocks=1)


values = st.lists(st.floats(-50, 50), min_size=1, max_size=9).map(torch.tensor)


def numbers(*xs):
    return torch.tensor(xs, dtype=torch.float64)


def test_the_worked_distances_between_point_masses():
    assert wasserstein_1d(numbers(0), numbers(3)).item() == 3
    assert wasserstein_1d(numbers(0, 2), numbers(1, 3)).item() == 1
    assert math.isclose(wasserstein_1d(numbers(0, 1, 2), numbers(2, 3, 4)).item(), 2)


def test_unequal_sizes_split_the_mass():
    # a half at 0 and a half at 1, moved to 0: half of the mass moves by 1
    assert wasserstein_1d(numbers(0, 1), numbers(0)).item() == 0.5
    # thirds against halves: quantiles 0, 3, 6 and 0, 6 differ by 3 on [1/3, 2/3]
    assert wasserstein_1d(numbers(0, 3, 6), numbers(0, 6)).item() == 1.0
    assert wasserstein_1d(numbers(0, 3, 6), numbers(0, 6), p=2).item() == 3.0


@given(values, values)
def test_sorting_agrees_with_the_area_between_distribution_functions(x, y):
    torch.testing.assert_close(wasserstein_1d(x, y), w1_by_cdf(x, y), rtol=1e-9, atol=1e-9)


@given(values, values, st.sampled_from([1.0, 2.0, 3.0]))
def test_swapping_the_sides_changes_nothing(x, y, p):
    torch.testing.assert_close(wasserstein_1d(x, y, p), wasserstein_1d(y, x, p))


@given(values, st.floats(-3, 3))
def test_a_shift_costs_its_length_to_the_power_p(x, shift):
    cost = wasserstein_1d(x, x + shift, p=2).item()
    assert math.isclose(cost, shift**2, rel_tol=1e-9, abs_tol=1e-9)


def test_empty_samples_and_powers_below_one_are_refused():
    with pytest.raises(ValueError, match="p >= 1, got 0, 1"):
        wasserstein_1d(torch.zeros(0), numbers(1))
    with pytest.raises(ValueError, match=r"p=0\.5"):
        wasserstein_1d(numbers(1), numbers(1), p=0.5)
    with pytest.raises(ValueError, match="values on both sides"):
        w1_by_cdf(numbers(1), torch.zeros(0))


@given(values, values)
def test_on_the_line_energy_is_twice_the_squared_gap_of_the_distribution_functions(x, y):
    t = torch.cat([x, y]).sort().values
    f = (x[:, None] <= t[:-1]).to(t).mean(0)
    g = (y[:, None] <= t[:-1]).to(t).mean(0)
    area = 2 * ((f - g) ** 2 * t.diff()).sum()
    torch.testing.assert_close(energy_distance(x[:, None], y[:, None]), area, rtol=1e-9, atol=1e-9)


def test_energy_of_two_points_is_twice_their_distance():
    assert energy_distance(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).item() == 10.0


def test_energy_of_nothing_is_refused():
    with pytest.raises(ValueError, match="points on both sides"):
        energy_distance(torch.zeros(0, 2), torch.zeros(1, 2))


def line(points):
    x = torch.as_tensor(points)
    return (x[:, None] - x).abs()


def test_the_plan_moves_exactly_the_masses(generator):
    cost = torch.rand(4, 6, generator=generator)
    p, q = torch.rand(4, generator=generator), torch.rand(6, generator=generator)
    p, q = p / p.sum(), q / q.sum()
    plan = transport_plan(cost, p, q)
    torch.testing.assert_close(plan.moved.sum(1), p)
    torch.testing.assert_close(plan.moved.sum(0), q)
    assert plan.moved.min() >= 0
    assert plan.cost == pytest.approx(float((plan.moved * cost).sum()))


def test_on_the_line_the_plan_costs_what_sorting_says(generator):
    x, y = torch.randn(2, 12, generator=generator)
    even = torch.full((12,), 1 / 12)
    plan = transport_plan((x[:, None] - y).abs(), even, even)
    assert plan.cost == pytest.approx(float(wasserstein_1d(x, y)))


def test_prices_earn_what_the_plan_costs(generator):
    x = torch.randn(9, 2, generator=generator)
    distance = torch.cdist(x, x)
    p, q = torch.rand(2, 9, generator=generator)
    p, q = p / p.sum(), q / q.sum()
    plan, prices = transport_plan(distance, p, q), transport_prices(distance, p, q)
    assert prices.value == pytest.approx(plan.cost)
    rises = (prices.f[:, None] - prices.f).abs()
    assert bool((rises <= distance + 1e-9).all())  # rounding of the solver


def test_mass_moves_only_where_the_price_falls_with_slope_one(generator):
    x = torch.randn(8, 2, generator=generator)
    distance = torch.cdist(x, x)
    p, q = torch.rand(2, 8, generator=generator)
    p, q = p / p.sum(), q / q.sum()
    used = transport_plan(distance, p, q).moved > 1e-9
    f = transport_prices(distance, p, q).f
    torch.testing.assert_close((f[:, None] - f)[used], distance[used])  # complementary slackness


def test_two_point_masses_are_their_distance_apart():
    here, there = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert transport_plan(line([0.0, 3.0]), here, there).cost == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [([1.5, -0.5], [0.5, 0.5], "p holds -0.5"), ([0.5, 0.5], [0.5, 0.6], "must agree")],
)
def test_masses_that_cannot_be_moved_are_refused(p, q, message):
    with pytest.raises(ValueError, match=message):
        transport_plan(line([0.0, 1.0]), torch.tensor(p), torch.tensor(q))
