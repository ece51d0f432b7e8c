"""Precision, recall, density, coverage: counts by hand and expectations under equality."""

import pytest
import torch

from genlab.metrics.precision_recall import (
    density_coverage,
    expected_coverage,
    inside_balls,
    knn_radius,
    precision_recall,
)

LINE = torch.tensor([[0.0], [1.0], [2.0], [10.0]], dtype=torch.float64)


def test_radii_on_a_line_by_hand():
    assert knn_radius(LINE, k=1).tolist() == [1.0, 1.0, 1.0, 8.0]
    assert knn_radius(LINE, k=2).tolist() == [2.0, 1.0, 2.0, 9.0]


def test_a_point_is_not_its_own_neighbour_but_a_copy_is():
    assert knn_radius(torch.tensor([[0.0], [0.0], [5.0]]), k=1).tolist() == [0.0, 0.0, 5.0]


def test_more_neighbours_than_points_are_refused():
    with pytest.raises(ValueError, match=r"k must be in 1\.\.3"):
        knn_radius(LINE, k=4)


def test_the_surface_belongs_to_the_ball():
    one = torch.ones(1)
    assert inside_balls(torch.tensor([[1.0]]), torch.zeros(1, 1), one).item()


def test_counts_on_a_line_by_hand():
    fake = torch.tensor([[0.5], [0.6], [5.0], [30.0]])
    # real balls reach [-1, 1], [0, 2], [1, 3] and [2, 18]: 0.5, 0.6, 5 are inside; 30 is not
    # sample balls reach [0.4, 0.7], [0.6, 9.4] and [5, 55]: 1, 2 and 10 are inside; 0 is not
    quality = precision_recall(LINE, fake, k=1)
    assert quality == (0.75, 0.75)
    # 0.5 and 0.6 are in the balls of 0 and 1; 5 in that of 10: 5 hits, 3 of 4 balls hold one
    assert density_coverage(LINE, fake, k=1) == (5 / 4, 0.75)


def test_dropping_a_mode_costs_recall_and_not_precision(generator):
    centres = torch.tensor([[0.0, 0.0], [20.0, 0.0]])
    real = torch.randn(200, 2, generator=generator) + centres.repeat(100, 1)
    fake = torch.randn(200, 2, generator=generator) + centres[0]
    quality = precision_recall(real, fake)
    assert quality.precision > 0.85
    assert quality.recall < 0.55


def test_far_samples_cost_precision_and_not_recall(generator):
    real = torch.randn(200, 2, generator=generator)
    fake = torch.cat([torch.randn(200, 2, generator=generator), torch.full((200, 2), 50.0)])
    quality = precision_recall(real, fake)
    assert quality.precision < 0.55
    assert quality.recall > 0.85


def test_precision_of_one_direction_is_recall_of_the_other(generator):
    x, y = torch.randn(40, 2, generator=generator), torch.randn(50, 2, generator=generator) + 1
    there, back = precision_recall(x, y), precision_recall(y, x)
    assert (there.precision, there.recall) == (back.recall, back.precision)


def test_copies_have_perfect_precision_recall_and_coverage(generator):
    x = torch.randn(40, 3, generator=generator)
    assert precision_recall(x, x) == (1.0, 1.0)
    assert density_coverage(x, x).coverage == 1.0


def test_one_outlier_makes_precision_generous_and_density_does_not_follow(generator):
    real = torch.randn(200, 2, generator=generator)
    fake = torch.randn(200, 2, generator=generator) + 8
    lonely = torch.cat([real, torch.full((1, 2), 16.0)])
    assert precision_recall(real, fake).precision == 0.0
    assert precision_recall(lonely, fake).precision == 1.0
    assert density_coverage(lonely, fake).density < 0.25


@pytest.mark.parametrize("d", [1, 6])
def test_equal_laws_have_the_expected_density_and_coverage(d, generator):
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


def test_expected_coverage_tends_to_one_minus_a_half_to_the_k():
    assert abs(expected_coverage(10**6, 10**6, 5) - (1 - 2**-5)) < 1e-5


def test_expected_coverage_refuses_k_beyond_the_points():
    with pytest.raises(ValueError, match="k=5"):
        expected_coverage(5, 5, 5)
