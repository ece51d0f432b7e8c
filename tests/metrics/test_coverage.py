"""Precision, recall, density, coverage: counts by hand and expectations under equality."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from genlab.metrics import coverage
from genlab.metrics.coverage import (
    density_coverage,
    expected_coverage,
    histogram_log_probs,
    inception_kl,
    inception_score,
    knn_radius,
    memorization_probe,
    nearest_distance,
    precision_recall,
)

LINE = torch.tensor([[0.0], [1.0], [2.0], [10.0]], dtype=torch.float64)


def test_radii_on_a_line_by_hand():
    assert knn_radius(LINE, k=1).tolist() == [1.0, 1.0, 1.0, 8.0]
    assert knn_radius(LINE, k=2).tolist() == [2.0, 1.0, 2.0, 9.0]
    # a point is not its own neighbour, but a copy is
    assert knn_radius(torch.tensor([[0.0], [0.0], [5.0]]), k=1).tolist() == [0.0, 0.0, 5.0]


def test_counts_on_a_line_by_hand():
    fake = torch.tensor([[0.5], [0.6], [5.0], [30.0]])
    # real balls reach [-1, 1], [0, 2], [1, 3] and [2, 18]: 0.5, 0.6, 5 are inside; 30 is not
    # sample balls reach [0.4, 0.7], [0.6, 9.4] and [5, 55]: 1, 2 and 10 are inside; 0 is not
    quality = precision_recall(LINE, fake, k=1)
    assert quality == (0.75, 0.75)
    # 0.5 and 0.6 are in the balls of 0 and 1; 5 in that of 10: 5 hits, 3 of 4 balls hold one
    assert density_coverage(LINE, fake, k=1) == (5 / 4, 0.75)
    assert density_coverage(LINE, fake[[0, 2]], k=1) == (3 / 2, 0.75)


def test_the_papers_recommend_three_and_five_neighbours(generator):
    x, y = sets(generator, 120, 80)
    for measure, k in ((precision_recall, 3), (density_coverage, 5)):
        assert measure(x, y) == measure(x, y, k=k)
        assert measure(x, y) not in (measure(x, y, k=k - 1), measure(x, y, k=k + 1))


@pytest.mark.parametrize("d", [1, 6])
def test_equal_distributions_have_the_expected_density_and_coverage(d, generator):
    n, m, k, runs = 40, 30, 3, 300
    pairs = [
        density_coverage(
            torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator), k
        )
        for _ in range(runs)
    ]
    values = torch.tensor(pairs)
    error = 5 * values.std(0) / runs**0.5  # Monte Carlo, five standard errors
    assert abs(values[:, 0].mean() - 1) < error[0]
    assert abs(values[:, 1].mean() - expected_coverage(n, m, k)) < error[1]


def sets(generator, n_train=120, n_heldout=40, d=3):
    draws = torch.randn(n_train + n_heldout, d, generator=generator)
    return draws[:n_train], draws[n_train:]


@given(st.integers(0, 1000))
def test_a_copy_is_at_distance_exactly_zero(seed):
    # the expanded square would leave 1e-7 here, and a copy would no longer look like one
    x = 100 + torch.randn(30, 8, generator=torch.Generator().manual_seed(seed))
    assert nearest_distance(x, x).max() == 0


def test_copies_of_the_training_set_are_found(generator):
    train, heldout = sets(generator)
    probe = memorization_probe(train[:50], train, heldout)
    assert probe.share_closer_to_train == 1.0
    assert probe.honest_share == 0.75
    assert probe.p_share < 1e-5
    assert probe.z_copy < -5
    assert probe.p_copy < 1e-5


def test_the_p_value_of_the_share_includes_the_result():
    train, heldout = torch.tensor([[0.0], [10.0]]), torch.tensor([[5.0]])
    fake = torch.tensor([[0.1], [9.0], [5.2]])  # two of three are nearer to the training set
    probe = memorization_probe(fake, train, heldout)
    assert probe.share_closer_to_train == 2 / 3
    assert abs(probe.p_share - binom.pmf([2, 3], 3, 2 / 3).sum()) < 1e-12


def test_the_worked_example_of_four_animals():
    probs = torch.tensor([[0.9 if k == c else 0.05 for k in range(3)] for c in (0, 1, 2, 0)])
    expected = torch.tensor([0.4093492, 0.9134533, 0.9134533, 0.4093492])
    torch.testing.assert_close(inception_kl(probs), expected, rtol=0, atol=5e-8)  # 7 printed digits
    assert abs(inception_score(probs).item() - 1.937505) < 5e-7


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: knn_radius(LINE, k=4), r"1\.\.3"),
        (lambda: knn_radius(LINE, k=0), r"1\.\.3"),
        (lambda: expected_coverage(3, 2, 3), "k=3"),
        (lambda: expected_coverage(3, 2, 0), "k=0"),
        (lambda: expected_coverage(3, 0, 1), "m=0"),
        (lambda: memorization_probe(LINE[:0], LINE, LINE), "fake"),
        (lambda: histogram_log_probs(torch.tensor([[0]]), 2, 0.0), "pseudo_count"),
    ],
)
def test_what_has_no_answer_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_a_dropped_mode_costs_recall_and_far_samples_cost_precision(generator):
    centres = torch.tensor([[0.0, 0.0], [20.0, 0.0]])
    both = torch.randn(200, 2, generator=generator) + centres.repeat(100, 1)
    one = torch.randn(200, 2, generator=generator)
    precision, recall = precision_recall(both, one)
    assert recall < 0.55 < 0.85 < precision
    precision, recall = precision_recall(one, both)
    assert precision < 0.55 < 0.85 < recall


def test_an_honest_generator_has_the_honest_share_and_a_score_around_zero(generator):
    probes = []
    for _ in range(200):
        train, heldout = sets(generator, 60, 20)
        probe = memorization_probe(torch.randn(30, 3, generator=generator), train, heldout)
        probes.append((probe.share_closer_to_train - 0.75, probe.z_copy))
    values = torch.tensor(probes)
    # five standard errors
    assert bool((values.mean(0).abs() < 5 * values.std(0) / 200**0.5).all())


def test_the_surface_of_a_ball_belongs_to_it():
    # radii 1, 1 and 3, 3: |2 - 1| = 1 just reaches a real radius; |1 - 5| and |0 - 2| reach none
    real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [5.0]])
    assert precision_recall(real, fake, k=1) == (0.5, 1.0)
    assert precision_recall(fake, real, k=1) == (1.0, 0.5)


def test_a_ball_holds_its_surface_and_one_neighbour_is_enough():
    query, centre = torch.tensor([[1.0, 0.0], [1.1, 0.0]]), torch.zeros(1, 2)
    assert coverage.inside_balls(query, centre, torch.ones(1)).tolist() == [[True], [False]]
    assert expected_coverage(4, 3, 1) == pytest.approx(1 - 3 / 6)
    assert expected_coverage(4, 1, 1) == pytest.approx(1 / 4)  # in one of four balls


def test_a_sample_halfway_between_both_sets_counts_half():
    probe = memorization_probe(LINE[:1] + 1, LINE[:1], LINE[2:3])  # at 1, between 0 and 2
    assert probe[:3] == pytest.approx((0.5, 0.5, 0.5))  # rounded up: 1 of 1, of chance 1/2
    assert probe.z_copy == pytest.approx(-1)  # of one pair, U = 0 or 1, in units of deviation
    near = [torch.tensor(x, requires_grad=True) for x in ([[5.0]], [[0.0], [3.0]], [[2.0]])]
    probe = memorization_probe(*near)  # 2 from the training set, which the unseen 2 is 1 from
    assert probe[:4] == pytest.approx((1, 2 / 3, 2 / 3, 1))


def test_smoothed_frequencies_by_hand():
    x = torch.tensor([0] * 7 + [16]).reshape(8, 1, 1, 1)
    for a in (0.03, 1.0):  # on each of 17 levels, besides 7 zeros and one 16
        expected = [math.log((n + a) / (8 + 17 * a)) for n in [7, *[0] * 15, 1]]
        assert histogram_log_probs(x, 17, a).tolist() == [pytest.approx(expected)]
