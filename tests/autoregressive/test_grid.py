"""The autoregressive model of the plane: a density that is exact, and samples that follow it."""

import math

import pytest
import torch
from torch import nn

from genlab.autoregressive.grid import GridAutoregressive, cell_log_density
from genlab.core import HasLogProb, Sampleable, Trainable, likelihood_kind
from genlab.data.toys import plane
from genlab.nn.mlp import MLP


def model(n_bins: int = 8) -> GridAutoregressive:
    torch.manual_seed(0)
    return GridAutoregressive(MLP(1 + n_bins, n_bins, width=16, depth=1), n_bins=n_bins, extent=2.0)


def test_it_has_an_exact_likelihood():
    m = model()
    _: HasLogProb = m
    _s: Sampleable = m
    _t: Trainable = m
    assert likelihood_kind(m) == "exact"


def test_density_sums_to_one_over_the_cells():
    points, area = plane(2.0, 8)  # the middle of each cell, and the density is constant inside
    total = (model().log_prob(points).exp().sum() * area).item()
    assert abs(total - 1) < 1e-12  # rounding


def test_density_of_two_tables_is_their_product_over_the_area(generator):
    p = torch.rand(2, 4, generator=generator)
    p = p / p.sum(1, keepdim=True)
    cell = torch.tensor([[1, 2], [3, 0]])
    got = cell_log_density(p.log().expand(2, 2, 4), cell, bin_width=0.5).exp()
    expected = torch.stack([p[0, 1] * p[1, 2], p[0, 3] * p[1, 0]]) / 0.25
    torch.testing.assert_close(got, expected)


def test_samples_fall_into_the_cells_as_often_as_the_density_says(generator):
    m, n = model(), 40_000
    points, area = plane(2.0, 8)
    expected = n * (m.log_prob(points).exp() * area).reshape(8, 8)
    cell = m.cells(m.sample(n, generator=generator))
    counts = torch.zeros(8, 8).index_put_((cell[:, 1], cell[:, 0]), torch.ones(n), accumulate=True)
    chi2 = ((counts - expected) ** 2 / expected).sum().item()
    assert abs(chi2 - 63) < 5 * math.sqrt(2 * 63)  # Monte Carlo: chi-square with 63 degrees


def test_second_coordinate_is_told_the_first_and_not_the_other_way_round():
    m = model()
    x = torch.tensor([[-1.9, 0.3], [1.9, 0.3]])
    assert m.log_p_second(m.cells(x)[:, 0]).diff(dim=0).abs().max() > 1e-3
    torch.testing.assert_close(m.log_p_first(2)[0], m.log_p_first(2)[1])


def test_density_is_zero_outside_the_square():
    outside = torch.tensor([[2.1, 0.0], [0.0, -3.0]])
    assert model().log_prob(outside).tolist() == [-math.inf, -math.inf]


def test_samples_stay_inside_follow_their_seed_and_carry_no_gradient():
    a, b = (model().sample(500, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert a.abs().max() <= 2.0
    assert not a.requires_grad


def test_loss_is_the_mean_negative_log_density():
    x = torch.tensor([[0.1, 0.2], [-1.0, 1.5]])
    torch.testing.assert_close(model().loss(x), -model().log_prob(x).mean())


def test_impossible_models_are_refused():
    with pytest.raises(ValueError, match="got 1 and"):
        GridAutoregressive(nn.Linear(2, 1), n_bins=1, extent=1.0)
    with pytest.raises(ValueError, match="bin_width is 0, expected > 0"):
        cell_log_density(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.int64), bin_width=0.0)
    with pytest.raises(ValueError, match="cond must be None"):
        model().sample(1, cond=torch.zeros(1))
