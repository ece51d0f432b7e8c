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


@each_toy
def test_mean_log_density_of_samples_is_minus_the_entropy(toy, generator):
    points, area = plane(3.2, 160)
    log_p = toy.log_prob(points)
    entropy = -(log_p.exp() * log_p).nan_to_num(0.0).sum().item() * area
    values = toy.log_prob(toy.sample(20_000, generator=generator))
    # Monte Carlo: five standard errors.
    assert abs(values.mean().item() + entropy) < 5 * values.std().item() / math.sqrt(len(values))


@each_toy
def test_both_coordinates_have_variance_of_order_one(toy, generator):
    variance = toy.sample(5_000, generator=generator).var(0).mean().item()
    assert 0.6 < variance < 1.7  # networks expect inputs of that size


@each_toy
def test_same_seed_gives_the_same_sample(toy):
    first = toy.sample(5, generator=torch.Generator().manual_seed(3))
    second = toy.sample(5, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@each_toy
def test_single_precision_follows_double_precision(toy, generator):
    x = toy.sample(200, generator=generator)
    # Rounding: float32 squares of size 4 divided by 2 * 0.08**2 leave about 1e-4.
    torch.testing.assert_close(toy.log_prob(x.float()).double(), toy.log_prob(x), rtol=0, atol=1e-3)


@each_toy
def test_log_density_stays_finite_far_away(toy):
    assert toy.log_prob(torch.tensor([[40.0, -30.0]])).isfinite().all()


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


def test_moons_are_symmetric_about_the_origin(generator):
    x = torch.randn(50, 2, generator=generator)
    torch.testing.assert_close(Moons().log_prob(x), Moons().log_prob(-x))


def test_plane_is_an_image_with_the_second_coordinate_as_rows():
    points, area = plane(2.0, 4)
    rows = points.reshape(4, 4, 2)
    assert (rows[:, 0, 1].diff() > 0).all()
    assert (rows[0, :, 0].diff() > 0).all()
    assert area == 1.0


def test_a_blur_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="std must be positive, got 0"):
        GaussianRing(std=0.0).log_prob(torch.zeros(1, 2))
