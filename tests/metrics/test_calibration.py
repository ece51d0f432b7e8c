"""Intervals for rates, reviewers who resemble themselves, and stated confidence."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from genlab.metrics.calibration import (
    binomial_interval,
    design_effect,
    expected_calibration_error,
    reliability,
    reviewer_interval,
    wilson_interval,
)

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


@pytest.mark.parametrize("rate", [0.5, 0.13])
def test_the_exact_interval_covers_at_least_as_often_as_it_says(rate):
    n, covered = 30, 0.0
    for k in range(n + 1):
        low, _, high = binomial_interval(k, n)
        covered += binom.pmf(k, n, rate) * (low <= rate <= high)
    assert covered >= 0.95


def test_all_or_nothing_ends_at_the_border():
    assert binomial_interval(0, 10).low == 0.0
    assert binomial_interval(10, 10).high == 1.0


@given(counts)
def test_wilson_limits_are_z_standard_errors_away(count):
    k, n = count
    low, estimate, high = wilson_interval(k, n)
    z = norm.ppf(0.975)
    for limit in (low, high):
        error = math.sqrt(limit * (1 - limit) / n)
        assert math.isclose(abs(estimate - limit), z * error, rel_tol=1e-6, abs_tol=1e-9)


@pytest.mark.parametrize("interval", [binomial_interval, wilson_interval])
@pytest.mark.parametrize(("k", "n", "level"), [(5, 4, 0.95), (-1, 4, 0.95), (0, 0, 0.9), (1, 2, 1)])
def test_impossible_counts_are_refused(interval, k, n, level):
    with pytest.raises(ValueError, match="expected 0 <= k <= n"):
        interval(k, n, level)


def test_the_design_effect_is_the_variance_of_a_mean_of_correlated_answers():
    m, rho, variance = 6, 0.3, 0.21
    covariance = variance * ((1 - rho) * torch.eye(m) + rho * torch.ones(m, m))
    weights = torch.full((m,), 1 / m)
    ratio = (weights @ covariance @ weights) / (variance / m)
    assert math.isclose(ratio.item(), design_effect(m, rho), rel_tol=1e-12)


def test_one_answer_each_needs_no_correction():
    assert design_effect(1, 0.9) == 1.0


def test_a_correlation_above_one_is_refused():
    with pytest.raises(ValueError, match=r"1\.5"):
        design_effect(5, 1.5)


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
        skill = (0.5 + 0.3 * (torch.rand(reviewers, 1, generator=generator) - 0.5) * 2).expand(
            -1, answers
        )
        right = torch.rand(reviewers, answers, generator=generator) < skill
        low, _, high = reviewer_interval(right)
        by_reviewer += low <= 0.5 <= high
        low, _, high = binomial_interval(int(right.sum()), right.numel())
        by_answer += low <= 0.5 <= high
    assert by_reviewer / runs > 0.91  # 0.95 less three standard errors of 300 runs
    assert by_answer / runs < 0.8


def test_one_reviewer_has_no_spread():
    with pytest.raises(ValueError, match="need 2 reviewers"):
        reviewer_interval(torch.ones(1, 5, dtype=torch.bool))


def test_reliability_by_hand():
    confidence = torch.tensor([0.1, 0.15, 0.95, 0.85])
    right = torch.tensor([False, True, True, False])
    table = reliability(confidence, right, n_bins=2)
    torch.testing.assert_close(table.confidence, torch.tensor([0.125, 0.9]))
    torch.testing.assert_close(table.accuracy, torch.tensor([0.5, 0.5]))
    assert table.n_predictions.tolist() == [2, 2]
    # |0.5 - 0.125| / 2 + |0.5 - 0.9| / 2
    ece = expected_calibration_error(confidence, right, n_bins=2)
    assert math.isclose(ece.item(), 0.3875, rel_tol=1e-12)


def test_a_bin_includes_its_upper_edge():
    right = torch.tensor([True, True])
    assert len(reliability(torch.tensor([0.5, 0.4]), right, n_bins=2).accuracy) == 1


def test_a_bin_counts_as_often_as_it_was_used():
    confidence = torch.tensor([0.25, 0.25, 0.25, 1.0])
    right = torch.tensor([False, False, False, True])
    ece = expected_calibration_error(confidence, right, n_bins=2)
    assert math.isclose(ece.item(), 3 / 4 * 0.25, rel_tol=1e-12)


def test_predictions_that_keep_their_promise_have_a_small_error(generator):
    confidence = torch.rand(20_000, generator=generator)
    right = torch.rand(20_000, generator=generator) < confidence
    # each of ten bins is off by at most about 0.5 / sqrt(2000) = 0.011
    assert expected_calibration_error(confidence, right) < 0.02


def test_confidence_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        reliability(torch.tensor([1.5]), torch.tensor([True]))
