"""Kernels, the unbiased discrepancy, and KID."""

import itertools
import math

import pytest
import torch

from genlab.metrics.kernel import (
    cubic_kernel,
    kid,
    kid_blocks,
    median_bandwidth,
    mmd2,
    rbf_kernel,
)


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
