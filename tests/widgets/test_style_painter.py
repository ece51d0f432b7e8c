"""The widget of styles: every control changes the picture, and the ends are what they say."""

import re

import numpy as np
import pytest
import torch
from torch import Generator

from genlab import widgets
from genlab.core.moments import slant
from genlab.systems.stylegan import grey
from genlab.systems.stylegan_models import Recipe, style_gan

ROUNDING = 1e-5  # some processors add up a batch of three and one of six in another order
START = {
    "truncation": 1.0, "seed": 1, "other": 2, "crossover": 2, "attribute": "slant", "strength": 0.0,
}  # fmt: skip


@pytest.fixture
def gan():
    gan = style_gan(Recipe(channels=(8, 8, 8)))
    gan.set_mean_style(Generator().manual_seed(1))
    return gan


@pytest.fixture
def explorer(gan):
    g = Generator().manual_seed(0)
    return widgets.style_painter(
        gan, {"slant": torch.randn(64, generator=g), "ink": torch.ones(64)}
    )


@pytest.mark.parametrize(
    "moved", [{"truncation": 0.5}, {"seed": 7}, {"other": 9}, {"crossover": 3}, {"strength": 2.0}]
)
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(**START)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_the_attribute_decides_where_a_push_goes(explorer):
    explorer.set(**(START | {"strength": 2.0}))
    before = explorer.picture
    explorer.set(attribute="ink")
    assert explorer.picture != before


@pytest.mark.parametrize(("crossover", "other"), [(0, "seed"), (6, "other")])
def test_at_the_ends_of_the_crossover_one_seed_decides_nothing(explorer, crossover, other):
    """The caption measures the mixture, in which that seed has no layer."""
    explorer.set(**(START | {"crossover": crossover}))
    before = explorer.text
    explorer.set(**{other: 50})
    assert explorer.text == before


def test_the_caption_measures_what_is_painted(explorer, gan):
    explorer.set(**(START | {"crossover": 6}))
    net = gan.generator_net
    noise = [n[:1] for n in net.draw_noise(3, Generator().manual_seed(0))]
    w = gan.styles(1, Generator().manual_seed(1))
    with torch.no_grad():
        lean = slant(grey(net.synthesis(net.every_layer(w), noise))).item()
    stated = float(re.search(r"slant ([+-]\d\.\d+)", explorer.text)[1])
    assert stated == pytest.approx(lean, abs=0.006)


def test_without_truncated_variety_both_sides_are_alike(explorer):
    explorer.set(**(START | {"truncation": 0.0}))
    explorer.set(seed=33, other=44)
    big, small = (explorer._figure.axes[k].images[0].get_array() for k in (0, 1))
    assert np.abs(big[:, :16] - big[:, 18:34]).max() < ROUNDING
    assert np.abs(small[:, :16] - big[:, :16]).max() < ROUNDING  # psi = 0 leads the strip


def test_a_push_reaches_the_large_pictures(explorer):
    """The strip below would change without them."""
    explorer.set(**START)
    large = explorer._figure.axes[0].images[0]
    before = large.get_array().copy()
    explorer.set(strength=2.0)
    assert (large.get_array() != before).any()
