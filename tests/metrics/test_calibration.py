"""Intervals for rates, reviewers who resemble themselves, and stated confidence."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from genlab.metrics.calibration import (
    binomial_interval,
    c2st,
    chi_square_test,
    classifier_two_sample_test,
    design_effect,
    expected_calibration_error,
    kolmogorov_smirnov_test,
    mmd_permutation_test,
    rank_band,
    reviewer_interval,
    sbc_ranks,
)
from genlab.metrics.distances import mmd2, rbf_kernel

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.5, 0.9, 0.95]))
def test_exact_limits_leave_half_of_the_error_in_each_tail(count, level):
    k, n = count
    low, estimate, high = binomial_interval(k, n, level)
    assert low <= estimate <= high
    if k > 0:
        assert math.isclose(binom.sf(k - 1, n, low), (1 - level) / 2, rel_tol=1e-6)
    if k < n:
        assert math.isclose(binom.cdf(k, n, high), (1 - level) / 2, rel_tol=1e-6)


def test_without_a_success_or_a_failure_the_interval_ends_at_zero_or_one():
    assert binomial_interval(0, 4)[:2] == (0.0, 0.0)
    assert binomial_interval(4, 4)[1:] == (1.0, 1.0)
    assert binomial_interval(1, 4) == binomial_interval(1, 4, 0.95)
    assert design_effect(1, 0.3) == design_effect(9, 0.0) == 1.0  # one answer, or no correlation
    assert design_effect(9, 1.0) == 9.0


def test_the_design_effect_is_the_variance_of_a_mean_of_correlated_answers():
    m, rho, variance = 6, 0.3, 0.21
    covariance = variance * ((1 - rho) * torch.eye(m) + rho * torch.ones(m, m))
    weights = torch.full((m,), 1 / m)
    ratio = (weights @ covariance @ weights) / (variance / m)
    assert math.isclose(ratio.item(), design_effect(m, rho), rel_tol=1e-12)


def test_reviewers_who_always_agree_with_themselves_count_once_each():
    right = torch.tensor([[True] * 50, [False] * 50, [True] * 50, [False] * 50])
    low, estimate, high = reviewer_interval(right)
    # four rates 1, 0, 1, 0: s = 0.57735, s / 2 = 0.288675, Student's t with 3 degrees 3.182446
    assert estimate == 0.5
    assert math.isclose(high - estimate, 3.182446 * 0.2886751, rel_tol=1e-6)
    assert math.isclose(estimate - low, high - estimate)


def test_the_reviewer_interval_covers_where_the_binomial_one_does_not(generator):
    reviewers, answers, runs = 8, 25, 300
    by_reviewer = by_answer = 0
    for _ in range(runs):
        skill = 0.2 + 0.6 * torch.rand(reviewers, 1, generator=generator)
        right = torch.rand(reviewers, answers, generator=generator) < skill
        low, _, high = reviewer_interval(right)
        by_reviewer += low <= 0.5 <= high
        low, _, high = binomial_interval(int(right.sum()), right.numel())
        by_answer += low <= 0.5 <= high
    assert by_reviewer / runs > 0.91  # 0.95 less three standard errors of 300 runs
    assert by_answer / runs < 0.8


def test_under_equality_the_permutation_p_value_is_uniform(generator):
    alpha, runs = 0.2, 400
    small = 0
    for _ in range(runs):
        x, y = torch.randn(8, 1, generator=generator), torch.randn(8, 1, generator=generator)
        p = mmd_permutation_test(x, y, rbf_kernel, n_permutations=39, generator=generator).p_value
        small += p <= alpha
    low, high = binom.ppf([1e-5, 1 - 1e-5], runs, alpha)  # Monte Carlo
    assert low <= small <= high


class Parrot:
    """Predicts the labels that it was fitted on: its number of hits is known."""

    def fit(self, X, y):
        self.labels = y

    def predict(self, X):
        return self.labels


def test_the_p_value_is_the_binomial_tail_that_includes_the_result(generator):
    class Half(Parrot):
        def predict(self, X):
            return 1 - self.labels * 0  # always says "sample": right on exactly half

    x, y = torch.zeros(8, 1), torch.zeros(8, 1)
    perfect = classifier_two_sample_test(x, y, Parrot(), generator=generator)
    assert perfect == (1.0, 0.5**8)
    half = classifier_two_sample_test(x, y, Half(), generator=generator)
    assert half.statistic == 0.5
    assert abs(half.p_value - binom.pmf(range(4, 9), 8, 0.5).sum()) < 1e-12


def test_the_classifier_is_tested_on_examples_that_it_has_not_seen(generator):
    """One nearest neighbour knows its own examples by heart; on new ones it must guess."""
    x, y = torch.randn(200, 20, generator=generator), torch.randn(200, 20, generator=generator)
    result = classifier_two_sample_test(x, y, KNeighborsClassifier(1), generator=generator)
    assert result.statistic < 0.65


N, L = 2000, 99
TESTS = pytest.mark.parametrize(
    "test", [chi_square_test, kolmogorov_smirnov_test], ids=lambda t: t.__name__
)


def ranks_of(scale, shift=0.0, seed=0):
    """Ranks for theta and noise of N(0, 1), x their sum, and a scaled and shifted N(x/2, 1/2)."""
    g = torch.Generator().manual_seed(seed)
    theta = torch.randn(N, 1, generator=g)
    x = theta + torch.randn(N, 1, generator=g)
    noise = torch.randn(N, L, 1, generator=g)
    return sbc_ranks(theta, x[:, None] / 2 + shift + scale * math.sqrt(0.5) * noise)[:, 0]


def test_a_rank_counts_the_draws_below_for_each_parameter():
    theta = torch.tensor([[0.0, 5.0, 1.0, 9.0]])  # a draw that equals it is not below
    draws = torch.tensor([[[-1, 1, 1, 1], [-2, 2, 2, 2], [3, 9, 3, 3]]], dtype=torch.float64)
    assert sbc_ranks(theta, draws).tolist() == [[2, 2, 0, 3]]


def test_chi_square_of_two_uneven_bins_is_the_textbooks():
    ranks = torch.tensor([0] * 30 + [1] * 10)
    found = chi_square_test(ranks, 1, n_bins=2)
    assert found.statistic == pytest.approx(2 * 10**2 / 20)
    assert found.p_value == pytest.approx(2 * norm.sf(math.sqrt(10)))  # chi^2 of 1 = a square
    assert chi_square_test(torch.arange(100), 99) == (0.0, 1.0)  # five in each of twenty bins


@TESTS
def test_p_values_of_uniform_ranks_are_uniform(test, generator):
    alpha, runs = 0.1, 300
    low_p = sum(
        test(torch.randint(0, L + 1, (400,), generator=generator), L).p_value < alpha
        for _ in range(runs)
    )
    low, high = binom.ppf([1e-5, 1 - 1e-5], runs, alpha)  # Monte Carlo
    assert low <= low_p <= high


def test_the_band_of_the_histogram_holds_its_proportion(generator):
    low, high = rank_band(1000, 20, level=0.9)
    counts = torch.stack(
        [torch.bincount(torch.randint(0, 20, (1000,), generator=generator), minlength=20)
         for _ in range(200)]
    )  # fmt: skip
    inside = ((counts >= low) & (counts <= high)).double().mean().item()
    # at least 0.9, and at most what whole numbers add to it; 4,000 counts: error below 0.005
    assert 0.88 < inside < 0.95


def test_no_point_is_guessed_by_a_classifier_that_has_seen_it(generator):
    """One nearest neighbour knows everything that it was trained on, and nothing of the rest."""
    x, y = torch.randn(2, 500, 2, generator=generator)
    found = c2st(x, y, KNeighborsClassifier(1), generator=generator)
    assert abs(found.value - 0.5) < 5 * found.error


ONE, TWO = torch.zeros(1, 1), torch.zeros(2, 1)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: binomial_interval(5, 4), "got 5, 4"),
        (lambda: binomial_interval(0, 0), "got 0, 0"),
        (lambda: binomial_interval(1, 4, 0.0), "0 < level < 1"),
        (lambda: binomial_interval(1, 4, 1.0), "0 < level < 1"),
        (lambda: design_effect(0, 0.5), "m >= 1"),
        (lambda: mmd_permutation_test(TWO, ONE, rbf_kernel), "got 2, 1"),
        (lambda: mmd_permutation_test(TWO, TWO, rbf_kernel, n_permutations=0), "2, 2, 0"),
        (lambda: chi_square_test(torch.arange(100), 99, n_bins=1), "at least 2"),
        (lambda: c2st(TWO, TWO, Parrot()), "size >= 5"),
        (lambda: reviewer_interval(torch.ones(1, 5, dtype=torch.bool)), "2 reviewers"),
        (lambda: classifier_two_sample_test(TWO, torch.zeros(6, 1), Parrot()), "2 and 6"),
        (lambda: chi_square_test(torch.tensor([0, 100] * 100), 99), "0..99"),
        (lambda: chi_square_test(torch.zeros(200, dtype=torch.int64), 99, n_bins=30), "multiple"),
        (lambda: chi_square_test(torch.zeros(50, dtype=torch.int64), 99), "5 ranks"),
    ],
)
def test_what_has_no_answer_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_a_bin_includes_its_upper_edge_and_counts_as_often_as_it_was_used():
    confidence, right = torch.tensor([0.25, 0.25, 0.5, 1.0]), torch.tensor([False] * 3 + [True])
    ece = expected_calibration_error(confidence, right, n_bins=2)
    assert math.isclose(ece.item(), 3 / 4 * 1 / 3, rel_tol=1e-12)
    confidence, right = torch.tensor([0.0, 0.25, 0.5, 1.0]), torch.tensor([True, True, False, True])
    ece = expected_calibration_error(confidence, right, n_bins=4)  # gaps 2 - 0.25, 0.5 and 0
    assert ece.item() == pytest.approx((1.75 + 0.5) / 4)
    confidence, gaps = torch.rand(90), 0.0
    right = (7 * confidence).long() % 2 == 0  # neighbouring bins must not make up for each other
    for low in range(7):
        chosen = (confidence > low / 7) & (confidence <= (low + 1) / 7)
        gaps += abs(float(right[chosen].sum() - confidence[chosen].sum()))
    assert expected_calibration_error(confidence, right, n_bins=7).item() == pytest.approx(
        gaps / 90
    )


def test_far_apart_and_equal_samples_get_the_smallest_and_the_largest_p_value(generator):
    x = torch.randn(20, 2, generator=generator)
    far = mmd_permutation_test(x, x + 9, rbf_kernel, n_permutations=99, generator=generator)
    assert far.p_value == 1 / 100
    assert mmd_permutation_test(x, x + 9, rbf_kernel, generator=generator).p_value == 1 / 201
    x = torch.ones(6, 2)
    same = mmd_permutation_test(x, x, rbf_kernel, n_permutations=19, generator=generator)
    assert same.p_value == 1.0
    blind = lambda x, y: torch.zeros(len(x), len(y))
    assert mmd_permutation_test(x, x[:2], blind, generator=generator) == (0.0, 1.0)


def test_the_permuted_statistic_is_the_unbiased_discrepancy_of_unequal_sets(generator):
    x, y = torch.randn(5, 2, generator=generator), torch.randn(4, 2, generator=generator)
    ours = mmd_permutation_test(x.requires_grad_(), y, rbf_kernel, n_permutations=4000)
    assert ours.statistic == pytest.approx(mmd2(x, y, rbf_kernel).item())
    pool, larger = torch.cat([x, y]).detach(), 0
    for some in itertools.combinations(range(9), 5):  # 126 splits, each as likely
        others = [i for i in range(9) if i not in some]
        split = mmd2(pool[list(some)], pool[others], rbf_kernel).item()
        larger += split >= ours.statistic - 1e-12
    p = larger / 126
    assert abs(ours.p_value - p) < 5 * math.sqrt(p * (1 - p) / 4000) + 1 / 4000


@TESTS
@pytest.mark.parametrize(("scale", "shift"), [(0.8, 0.0), (1.25, 0.0), (1.0, 0.15)])
def test_an_exact_posterior_passes_and_one_that_is_off_fails(test, scale, shift):
    assert test(ranks_of(1.0), L).p_value > 1e-3
    assert test(ranks_of(scale, shift), L).p_value < 1e-4


def test_two_normals_give_the_bayes_accuracy_and_its_binomial_error(generator):
    """The best classifier of N(0,1) against N(d,1) is right with probability Phi(d/2)."""
    x, y = torch.randn(2, 2000, 2, generator=generator)
    for shift in (0.0, 1.5):
        moved = y + torch.tensor([shift, 0.0])
        found = c2st(x, moved, LogisticRegression(), generator=generator)
        assert abs(found.value - norm.cdf(shift / 2)) < 5 * found.error
        assert found.error == pytest.approx(math.sqrt(found.value * (1 - found.value) / 4000))


def test_the_smallest_sets_of_a_two_sample_test_are_accepted():
    x, y = torch.zeros(4, 1), torch.ones(4, 1)
    assert classifier_two_sample_test(x, y, KNeighborsClassifier(1)).statistic == 1.0
    with pytest.raises(ValueError, match="even size >= 4"):
        classifier_two_sample_test(x[:2], y[:2], KNeighborsClassifier(1))


def test_the_default_network_is_that_of_the_benchmark_and_each_generator_shuffles_anew(monkeypatch):
    made, seen = [], []

    class Network:
        def __init__(self, layers, **options):
            made.append((layers, options))

        def fit(self, X, y):
            self.first = X[y == 0]

        def predict(self, X):
            seen.append((self.first, X))
            return np.zeros(len(X))

    monkeypatch.setattr("sklearn.neural_network.MLPClassifier", Network)
    x, y = torch.randn(2, 2, 3)
    for seed in range(40):
        found = c2st(x, y, n_folds=2, generator=torch.Generator().manual_seed(seed))
        assert found.value == 0.5
    # which of two rows of either set is held out first: all four choices, among 40 generators
    assert len({held_out.tobytes() for _, held_out in seen[::2]}) == 4
    assert {layers for layers, _ in made} == {(30, 30)}  # ten units a dimension, two layers
    assert {options["max_iter"] for _, options in made} == {1000}
    assert len({options["random_state"] for _, options in made}) == 40  # of 2^31
    for first, held_out in seen:  # two rows, scaled by their mean and deviation: 1 and -1 / sqrt 2
        np.testing.assert_allclose(np.abs(first), math.sqrt(0.5))
        assert len(held_out) == 2
    made.clear(), seen.clear()
    c2st(*torch.randn(2, 5, 3))
    assert len(seen) == 5  # folds, of two each
