"""The toys: their densities integrate to one and describe their own samples."""

import math

import numpy as np
import pytest
import torch

from genlab.data.toys import GaussianRing, Moons, plane

TOYS = [GaussianRing(), Moons()]
each_toy = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: type(toy).__name__)


@each_toy
def test_density_integrates_to_one(toy):
    points, area = plane(3.2, 160)
    # The midpoint rule with h = 0.04 against blurs of 0.08 and more: error far below 1e-9. The
    # border is at least nine standard deviations away from every curve.
    total = (toy.log_prob(points).exp().sum() * area).item()
    assert abs(total - 1) < 1e-9


@each_toy
def test_histogram_of_samples_follows_the_density(toy, generator):
    n, side, sub = 40_000, 16, 5
    x = toy.sample(n, generator=generator)
    points, area = plane(3.2, side * sub * 2)
    mass = (toy.log_prob(points).exp() * area).reshape(side, 2 * sub, side, 2 * sub).sum((1, 3))
    ticks = np.linspace(-3.2, 3.2, side + 1)
    counts, _, _ = np.histogram2d(x[:, 1].numpy(), x[:, 0].numpy(), bins=(ticks, ticks))
    expected = n * mass.numpy()
    keep = expected > 5  # the usual condition of Pearson's test; the rest becomes one bin
    observed = np.append(counts[keep], n - counts[keep].sum())
    wanted = np.append(expected[keep], n - expected[keep].sum())
    chi2 = ((observed - wanted) ** 2 / wanted.clip(1)).sum()
    # Monte Carlo: a chi-square with d degrees of freedom has mean d and variance 2 d.
    assert abs(chi2 - keep.sum()) < 5 * math.sqrt(2 * keep.sum())


@each_toy
def test_samples_follow_their_seed_with_variance_of_order_one(toy):
    first, second = (toy.sample(5000, generator=torch.Generator().manual_seed(3)) for _ in "ab")
    assert torch.equal(first, second)
    assert 0.6 < first.var(0).mean() < 1.7  # networks expect inputs of that size


@each_toy
def test_single_precision_follows_double_precision_and_stays_finite_far_away(toy, generator):
    x = toy.sample(200, generator=generator)
    # Rounding: float32 squares of size 4 divided by 2 * 0.08**2 leave about 1e-4.
    torch.testing.assert_close(toy.log_prob(x.float()).double(), toy.log_prob(x), rtol=0, atol=1e-3)
    assert toy.log_prob(torch.tensor([[40.0, -30.0]])).isfinite().all()


def test_modes_of_a_ring_stand_around_it_from_the_right_against_the_clock():
    ring = GaussianRing(n_modes=4, radius=2.0)
    around = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    torch.testing.assert_close(ring.means, around)
    assert ring.weights.tolist() == [0.25] * 4
    assert ring.stds.tolist() == pytest.approx([0.15] * 4)


def test_moons_are_an_upper_and_a_lower_half_of_two_circles(generator):
    moons, n = Moons(radius=2.0, std=0.01), 4000
    x = moons.sample(n, generator=generator)
    away = [x + torch.tensor([1.0, 0.5]), -x + torch.tensor([1.0, 0.5])]  # from either centre
    on = [((a.norm(dim=1) - 2).abs() < 0.08) & (a[:, 1] > -0.08) for a in away]  # 8 deviations
    assert (on[0] | on[1]).all()
    assert abs(int(on[0].sum()) - n / 2) < 5 * math.sqrt(n) / 2
    torch.testing.assert_close(moons.log_prob(x[:50]), moons.log_prob(-x[:50]))
