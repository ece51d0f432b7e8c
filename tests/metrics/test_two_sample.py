"""Two-sample tests: their statistic, their p-value, and how often they cry wolf."""

import pytest
import torch
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from genlab.metrics.kernel import cubic_kernel, mmd2, rbf_kernel
from genlab.metrics.two_sample import classifier_two_sample_test, mmd_permutation_test


def test_the_permutation_test_reports_the_unbiased_discrepancy(generator):
    x, y = torch.randn(9, 2, generator=generator), torch.randn(7, 2, generator=generator)
    ours = mmd_permutation_test(x, y, cubic_kernel, n_permutations=5, generator=generator)
    assert abs(ours.statistic - mmd2(x, y, cubic_kernel).item()) < 1e-10


def test_far_apart_samples_get_the_smallest_p_value(generator):
    x = torch.randn(20, 2, generator=generator)
    ours = mmd_permutation_test(x, x + 9, rbf_kernel, n_permutations=99, generator=generator)
    assert ours.p_value == 1 / 100


def test_equal_samples_get_the_largest_p_value(generator):
    x = torch.ones(6, 2)
    ours = mmd_permutation_test(x, x, rbf_kernel, n_permutations=19, generator=generator)
    assert ours.p_value == 1.0


def test_under_equality_the_permutation_p_value_is_uniform(generator):
    alpha, runs = 0.2, 400
    small = 0
    for _ in range(runs):
        x, y = torch.randn(8, 1, generator=generator), torch.randn(8, 1, generator=generator)
        p = mmd_permutation_test(x, y, rbf_kernel, n_permutations=39, generator=generator).p_value
        small += p <= alpha
    low, high = binom.ppf([1e-5, 1 - 1e-5], runs, alpha)  # Monte Carlo
    assert low <= small <= high


def test_a_permutation_test_needs_samples_and_permutations():
    with pytest.raises(ValueError, match="got 1, 5"):
        mmd_permutation_test(torch.zeros(1, 1), torch.zeros(5, 1), rbf_kernel)
    with pytest.raises(ValueError, match="B >= 1"):
        mmd_permutation_test(torch.zeros(2, 1), torch.zeros(2, 1), rbf_kernel, n_permutations=0)


@pytest.mark.parametrize("classifier", [LogisticRegression(), KNeighborsClassifier(5)])
def test_a_classifier_tells_shifted_samples_apart(classifier, generator):
    x = torch.randn(100, 3, generator=generator)
    y = torch.randn(100, 3, generator=generator) + 1.5
    result = classifier_two_sample_test(x, y, classifier, generator=generator)
    assert result.statistic > 0.8
    assert result.p_value < 1e-6


def test_under_equality_the_classifier_rarely_cries_wolf(generator):
    alpha, runs = 0.1, 200
    small = 0
    for _ in range(runs):
        x, y = torch.randn(40, 2, generator=generator), torch.randn(40, 2, generator=generator)
        small += (
            classifier_two_sample_test(x, y, KNeighborsClassifier(3), generator=generator).p_value
            <= alpha
        )
    # the halves are balanced, so hits are not quite binomial: the exact level is at most alpha
    assert small <= binom.ppf(1 - 1e-5, runs, alpha)


class Parrot:
    """Predicts the label that it was told: its number of hits is known."""

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


@pytest.mark.parametrize(("n", "m"), [(4, 6), (5, 5), (2, 2)])
def test_sets_that_cannot_be_halved_alike_are_refused(n, m):
    with pytest.raises(ValueError, match=f"got {n} and {m}"):
        classifier_two_sample_test(torch.zeros(n, 1), torch.zeros(m, 1), Parrot())
