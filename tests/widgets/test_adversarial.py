"""The widgets of the game show what the formulas say, at every place of their controls."""

import math
import re

import pytest
import torch
from torch import Generator

from genlab.adversarial import jensen_shannon, non_saturating_divergence
from genlab.adversarial.gan import gaussian_duel
from genlab.core.stats import slant
from genlab.systems.stylegan import grey
from genlab.zoo import find
from genlab_course import widgets
from genlab_course.widgets.adversarial import CELLS


def duel(mean, std):
    return gaussian_duel(mean, std, CELLS)


def gaussian(mean, std):
    p = torch.exp(-0.5 * ((CELLS - mean) / std) ** 2)
    return p / p.sum()


@pytest.mark.parametrize(("mean", "std"), [(2.0, 1.0), (-1.0, 0.6), (3.0, 1.6)])
def test_slopes_are_those_of_the_divergences_by_finite_differences(mean, std):
    now, h = duel(mean, std), 1e-4

    def slope(measure):
        ahead, behind = (measure(gaussian(0, 1), gaussian(mean + s * h, std)) for s in (1, -1))
        return float(ahead - behind) / (2 * h)

    value = lambda p, q: 2 * jensen_shannon(p, q) - math.log(4)
    assert abs(now.saturating - slope(value)) < 1e-6  # differences of order h^2
    assert abs(now.non_saturating - slope(non_saturating_divergence)) < 1e-6


def test_far_away_one_slope_has_vanished_and_the_other_has_not():
    now = duel(6.0, 1.0)
    assert abs(now.saturating) < 0.05
    assert now.non_saturating > 5
    assert abs(now.js - math.log(2)) < 0.01


START = {
    "truncation": 1.0, "seed": 1, "other": 2, "crossover": 2, "attribute": "slant", "strength": 0.0,
}  # fmt: skip


@pytest.fixture
def gan():
    gan = find("stylegan").but(channels=(8, 8, 8)).untrained()
    gan.set_mean_style(Generator().manual_seed(1))
    return gan


@pytest.fixture
def explorer(gan):
    g = Generator().manual_seed(0)
    return widgets.style_mixer(gan, {"slant": torch.randn(64, generator=g), "ink": torch.ones(64)})


@pytest.mark.parametrize(
    "moved",
    [{"truncation": 0.5}, {"seed": 7}, {"other": 9}, {"crossover": 3}, {"attribute": "ink"}],
)
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(**(START | {"strength": 2.0}))
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_the_caption_measures_what_is_painted(explorer, gan):
    explorer.set(**(START | {"crossover": 6}))
    net = gan.generator_net
    noise = [n[:1] for n in net.draw_noise(3, Generator().manual_seed(0))]
    w = gan.styles(1, Generator().manual_seed(1))
    with torch.no_grad():
        lean = slant(grey(net.synthesis(net.every_layer(w), noise))).item()
    stated = float(re.search(r"slant ([+-]\d\.\d+)", explorer.text)[1])
    assert stated == pytest.approx(lean, abs=0.006)
