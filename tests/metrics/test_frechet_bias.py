"""The bias of the Frechet distance at finite n, and its removal."""

import pytest
import torch

from genlab.metrics.frechet import frechet_distance, frechet_gaussian, mean_and_cov
from genlab.metrics.frechet_bias import (
    extrapolate,
    frechet_bias,
    frechet_by_size,
    frechet_infinity,
)


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


def test_extrapolation_is_nearer_to_the_truth_than_the_plain_distance(generator):
    d, n = 8, 400
    x = torch.randn(n, d, generator=generator)
    y = torch.randn(n, d, generator=generator) + 0.25
    truth = d * 0.25**2
    plain = frechet_distance(x, y).item()
    ours = frechet_infinity(x, y, (100, 150, 200, 300), n_repeats=20, generator=generator).item()
    assert abs(ours - truth) < 0.5 * abs(plain - truth)
