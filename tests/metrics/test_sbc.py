"""Judges of posteriors: fair lotteries pass, unfair ones do not, known accuracies come out."""

import math

import pytest
import torch
from scipy.stats import binom, norm
from sklearn.linear_model import LogisticRegression

from genlab.metrics.sbc import (
    c2st,
    chi_square_test,
    kolmogorov_smirnov_test,
    rank_band,
    sbc_ranks,
)

N, L = 2000, 99
TESTS = pytest.mark.parametrize(
    "test", [chi_square_test, kolmogorov_smirnov_test], ids=lambda t: t.__name__
)


def ranks_of(width, shift=0.0, seed=0):
    """Ranks when theta is N(0,1), x = theta + N(0,1) noise, and the estimate is off as told.

    The exact posterior is N(x/2, 1/2).
    """
    g = torch.Generator().manual_seed(seed)
    theta = torch.randn(N, 1, generator=g)
    x = theta + torch.randn(N, 1, generator=g)
    noise = torch.randn(N, L, 1, generator=g)
    return sbc_ranks(theta, x[:, None] / 2 + shift + width * math.sqrt(0.5) * noise)[:, 0]


def test_a_rank_counts_the_draws_below_for_each_parameter():
    theta = torch.tensor([[0.0, 5.0]])
    draws = torch.tensor([[[-1.0, 1.0], [-2.0, 2.0], [3.0, 9.0]]])
    assert sbc_ranks(theta, draws).tolist() == [[2, 2]]


def test_the_smallest_and_the_largest_parameter_have_the_first_and_the_last_rank():
    draws = torch.linspace(0, 1, L)[None, :, None]
    assert sbc_ranks(torch.tensor([[-1.0]]), draws).item() == 0
    assert sbc_ranks(torch.tensor([[2.0]]), draws).item() == L


@TESTS
def test_an_exact_posterior_passes(test):
    assert test(ranks_of(width=1.0), L).p_value > 1e-3


@TESTS
@pytest.mark.parametrize(
    ("width", "shift"), [(0.8, 0.0), (1.25, 0.0), (1.0, 0.15)], ids=["narrow", "wide", "shifted"]
)
def test_a_posterior_that_is_off_fails(test, width, shift):
    assert test(ranks_of(width, shift), L).p_value < 1e-4


def test_ends_tell_narrow_from_wide():
    """A tenth of exact ranks lies in the outer tenth, within five binomial deviations."""

    def outer(width):
        ranks = ranks_of(width)
        return int(((ranks < 5) | (ranks >= 95)).sum())

    low, high = binom.ppf([3e-7, 1 - 3e-7], N, 0.1)
    assert outer(0.8) > high
    assert low <= outer(1.0) <= high
    assert outer(1.25) < low


def test_the_prior_has_uniform_ranks_too(generator):
    """Calibration is not sharpness: an estimate that ignores the data passes."""
    theta = torch.randn(N, 1, generator=generator)
    draws = torch.randn(N, L, 1, generator=generator)
    assert chi_square_test(sbc_ranks(theta, draws)[:, 0], L).p_value > 1e-3


def test_chi_square_of_two_uneven_bins_is_the_textbooks():
    ranks = torch.tensor([0] * 30 + [1] * 10)
    found = chi_square_test(ranks, 1, n_bins=2)
    assert found.statistic == pytest.approx(2 * 10**2 / 20)
    assert found.p_value == pytest.approx(2 * norm.sf(math.sqrt(10)))  # chi^2 of 1 = a square


def test_bins_hold_equal_numbers_of_ranks():
    """Each rank once a bin of five: no surprise at all, whichever way the bins are cut."""
    assert chi_square_test(torch.arange(100).repeat(2), 99, n_bins=20).statistic == 0.0


def test_whole_numbers_are_spread_before_they_are_compared_with_real_ones(generator):
    """Ranks of one draw, half of them 0 and half 1, are as uniform as can be."""
    ranks = torch.tensor([0, 1]).repeat(500)
    assert kolmogorov_smirnov_test(ranks, 1, generator=generator).p_value > 1e-3


@TESTS
def test_p_values_of_uniform_ranks_are_uniform(test, generator):
    alpha, runs = 0.1, 300
    low_p = sum(
        test(torch.randint(0, L + 1, (400,), generator=generator), L).p_value < alpha
        for _ in range(runs)
    )
    low, high = binom.ppf([1e-5, 1 - 1e-5], runs, alpha)  # Monte Carlo
    assert low <= low_p <= high


def test_the_band_of_the_histogram_holds_its_share(generator):
    low, high = rank_band(1000, 20, level=0.9)
    counts = torch.stack(
        [torch.bincount(torch.randint(0, 20, (1000,), generator=generator), minlength=20)
         for _ in range(200)]
    )  # fmt: skip
    share = ((counts >= low) & (counts <= high)).double().mean().item()
    # at least 0.9, and at most what whole numbers add to it; 4,000 counts: error below 0.005
    assert 0.88 < share < 0.95


@pytest.mark.parametrize(
    ("ranks", "n_draws", "n_bins", "says"),
    [
        (torch.tensor([0, 100] * 100), 99, 20, "ranks in 0..99"),
        (torch.tensor([-1] * 200), 99, 20, "ranks in 0..99"),
        (torch.zeros(200, dtype=torch.int64), 99, 30, "multiple"),
        (torch.zeros(50, dtype=torch.int64), 99, 20, "5 ranks"),
    ],
)
def test_ranks_and_bins_that_do_not_fit_are_refused(ranks, n_draws, n_bins, says):
    with pytest.raises(ValueError, match=says):
        chi_square_test(ranks, n_draws, n_bins=n_bins)


def test_kolmogorov_smirnov_refuses_a_rank_beyond_the_draws():
    with pytest.raises(ValueError, match=r"ranks in 0\.\.3"):
        kolmogorov_smirnov_test(torch.tensor([4]), 3)


def test_one_law_gives_half(generator):
    x, y = torch.randn(2, 1000, 2, generator=generator)
    found = c2st(x, y, LogisticRegression(), generator=generator)
    assert abs(found.value - 0.5) < 5 * found.error


def test_two_normals_give_the_bayes_accuracy(generator):
    """The best classifier of N(0,1) against N(d,1) is right with probability Phi(d/2)."""
    x, y = torch.randn(2, 2000, 2, generator=generator)
    found = c2st(x, y + torch.tensor([1.5, 0.0]), LogisticRegression(), generator=generator)
    assert abs(found.value - norm.cdf(0.75)) < 5 * found.error


def test_the_error_is_the_binomial_one_of_all_guesses(generator):
    x, y = torch.randn(2, 500, 1, generator=generator)
    found = c2st(x, y + 1, LogisticRegression(), generator=generator)
    assert found.error == pytest.approx(math.sqrt(found.value * (1 - found.value) / 1000))


def test_no_point_is_guessed_by_a_classifier_that_has_seen_it(generator):
    """One nearest neighbour knows everything that it was trained on, and nothing of the rest."""
    from sklearn.neighbors import KNeighborsClassifier

    x, y = torch.randn(2, 500, 2, generator=generator)
    found = c2st(x, y, KNeighborsClassifier(1), generator=generator)
    assert abs(found.value - 0.5) < 5 * found.error


@pytest.mark.slow
def test_the_default_network_sees_what_no_line_can(generator):
    """A disc in a ring of the same mean: the network separates them, logistic regression cannot."""
    angle = 2 * math.pi * torch.rand(2, 600, generator=generator)
    small, large = (
        torch.stack([angle.cos(), angle.sin()], -1) * torch.tensor([0.3, 1.0])[:, None, None]
    )
    assert c2st(small, large, generator=generator).value > 0.97
    assert c2st(small, large, LogisticRegression(), generator=generator).value < 0.7


def test_sets_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="4 and 5 rows"):
        c2st(torch.zeros(4, 1), torch.zeros(5, 1))
