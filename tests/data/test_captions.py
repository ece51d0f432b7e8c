"""Captioned digits: what a caption says is measured on the picture."""

import pytest
import torch

from genlab.data.captions import (
    PARTS,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
    paint,
    stroke_edges,
)
from genlab.data.digits import load_mnist


def test_a_caption_is_measured_on_the_coloured_picture_itself():
    grey, truth = load_captioned("test", 32)
    images = paint(grey, truth.colour)
    assert torch.equal(measure_colour(images), truth.colour)
    assert torch.equal(measure_stroke(grey_of(images), truth.digit), truth.stroke)
    assert torch.equal(measure_slant(grey_of(images)), truth.slant)


def test_the_small_picture_says_nearly_the_same_as_the_large_one():
    # Ink is unchanged by averaging; slant moves a little, so few pictures cross an edge.
    grey, truth = load_captioned("test", 16)
    assert torch.equal(measure_stroke(grey, truth.digit), truth.stroke)
    assert measure_stroke(grey[:0], truth.digit[:0]).shape == (0,)
    assert (measure_slant(grey) == truth.slant).double().mean() > 0.97


@pytest.mark.parametrize("kind", ["stroke", "slant"])
def test_each_word_is_true_of_about_a_third_of_the_pictures(kind):
    found = getattr(load_captioned("painter").attributes, kind).bincount(minlength=3) / 5000
    assert 0.28 < float(found.min()) < float(found.max()) < 0.39


def test_thin_and_bold_compare_a_digit_with_its_own_class():
    edges = stroke_edges()
    assert edges[1, 1] < edges[0, 0]  # a bold one has less ink than a thin zero
    _, a = load_captioned("painter")
    for c in range(10):
        counts = a.stroke[a.digit == c].bincount(minlength=3)
        assert counts.max() - counts.min() <= 2  # thirds of the class, up to rounding


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="got 'train'"):
        load_captioned("train", 32)


def test_every_digit_is_in_one_part_in_mnists_order():
    parts = [load_captioned(part, 32) for part in PARTS]
    rows = torch.cat([part.grey.flatten(1) for part in parts])
    assert 0 <= float(rows.min()) <= float(rows.max()) <= 1
    key = torch.rand(1024, generator=torch.Generator().manual_seed(1))
    assert len(torch.unique(rows @ key)) == 10_000  # MNIST's ten thousand are all different
    assert torch.equal(parts[0].attributes.digit, load_mnist("train").labels[:5000])


def test_colours_come_from_the_seed_and_are_told_apart():
    grey, a = load_captioned("test", 16, seed=1)
    again, other = (load_captioned("test", 16, seed=s).attributes.colour for s in (1, 2))
    assert torch.equal(a.colour, again)
    assert not torch.equal(a.colour, other)
    assert a.colour.bincount(minlength=6).min() > 120
    noise = 0.1 * torch.rand(len(grey), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    dim = 0.6 * paint(grey, a.colour) + noise
    assert (measure_colour(dim) == a.colour).double().mean() > 0.99
