"""Optimal transport: primal and dual agree with each other, with sorting and with closed forms."""

import pytest
import torch

from genlab.metrics.transport import transport_plan, transport_prices
from genlab.metrics.wasserstein import wasserstein_1d


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
    [
        ([1.5, -0.5], [0.5, 0.5], "p holds -0.5"),
        ([0.5, 0.5], [0.5, 0.6], "must agree"),
    ],
)
def test_masses_that_cannot_be_moved_are_refused(p, q, message):
    with pytest.raises(ValueError, match=message):
        transport_plan(line([0.0, 1.0]), torch.tensor(p), torch.tensor(q))
