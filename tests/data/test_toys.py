"""The toys: their densities integrate to one, agree with scipy and describe their own samples."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

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


def test_ring_is_the_scipy_mixture():
    toy = GaussianRing(n_modes=3, radius=1.0, std=0.5)
    x = np.array([[0.2, -0.3], [1.0, 0.0], [-2.0, 2.0]])
    angle = 2 * np.pi * np.arange(3) / 3
    parts = [
        stats.multivariate_normal([np.cos(a), np.sin(a)], 0.25 * np.eye(2)).pdf(x) for a in angle
    ]
    torch.testing.assert_close(
        toy.log_prob(torch.tensor(x)), torch.tensor(np.log(np.mean(parts, 0)))
    )


def test_moons_agree_with_adaptive_quadrature():
    toy, r, s = Moons(), 1.4, 0.1

    def integrand(u, x, sign):
        c = sign * r * np.array([np.cos(u) - 0.5, np.sin(u) - 0.25])
        return np.exp(-((x - c) ** 2).sum() / (2 * s**2)) / (2 * np.pi * s**2) / (2 * np.pi)

    for x in ([0.7, 1.0], [-0.7, -0.9], [0.0, 0.0], [-2.1, -0.4]):
        ticks = np.linspace(0, np.pi, 30)
        total = sum(
            integrate.quad(integrand, a, b, args=(np.array(x), sign))[0]
            for sign in (1, -1)
            for a, b in pairwise(ticks)
        )
        assert abs(toy.log_prob(torch.tensor([x])).item() - math.log(total)) < 1e-8  # rounding


def test_plane_is_an_image_with_the_second_coordinate_as_rows():
    points, area = plane(2.0, 4)
    rows = points.reshape(4, 4, 2)
    assert (rows[:, 0, 1].diff() > 0).all()
    assert (rows[0, :, 0].diff() > 0).all()
    assert area == 1.0


def test_a_blur_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="std is 0"):
        GaussianRing(std=0.0).log_prob(torch.zeros(1, 2))


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
