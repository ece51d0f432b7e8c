"""Captioned digits: every word of a caption is true of its picture, and can be read off it."""

import pytest
import torch

from genlab.data.captioned import (
    COLOURS,
    PARTS,
    Attributes,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
    paint,
    stroke_edges,
)
from genlab.data.mnist import load_mnist


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("part", PARTS)
def test_pictures_are_grey_values_of_the_promised_size(part, size):
    grey, attributes = load_captioned(part, size)
    assert grey.shape == (len(attributes.digit), size, size)
    assert 0 <= float(grey.min()) <= float(grey.max()) <= 1


def test_no_digit_is_shared_between_those_who_paint_and_those_who_judge():
    rows = torch.cat([load_captioned(part, 32).grey.flatten(1) for part in PARTS])
    key = torch.rand(1024, generator=torch.Generator().manual_seed(1))
    assert len(torch.unique(rows @ key)) == 10_000  # MNIST's ten thousand are all different


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
    assert (measure_slant(grey) == truth.slant).double().mean() > 0.97


@pytest.mark.parametrize("kind", ["stroke", "slant"])
def test_each_word_is_true_of_about_a_third_of_the_pictures(kind):
    share = getattr(load_captioned("painter").attributes, kind).bincount(minlength=3) / 5000
    assert 0.28 < float(share.min()) < float(share.max()) < 0.39


def test_every_combination_of_digit_and_slant_exists():
    _, a = load_captioned("painter")
    assert (a.digit * 3 + a.slant).bincount(minlength=30).min() > 30


def test_thin_and_bold_compare_a_digit_with_its_own_class():
    edges = stroke_edges()
    assert edges[1, 1] < edges[0, 0]  # a bold one has less ink than a thin zero
    _, a = load_captioned("painter")
    for c in range(10):
        counts = a.stroke[a.digit == c].bincount(minlength=3)
        assert counts.max() - counts.min() <= 2  # thirds of the class, up to rounding


def test_labels_are_those_of_mnist():
    _, a = load_captioned("painter")
    assert torch.equal(a.digit, load_mnist("train").labels[:5000])


def test_colours_come_from_the_seed():
    first, again, other = (load_captioned("test", 16, seed=s).attributes.colour for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.bincount(minlength=6).min() > 120


def test_a_dim_or_noisy_colour_is_still_recognised():
    grey, a = load_captioned("test", 16)
    noise = 0.1 * torch.rand(len(grey), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    dim = 0.6 * paint(grey, a.colour) + noise
    assert (measure_colour(dim) == a.colour).double().mean() > 0.99


def test_each_colour_differs_from_the_others():
    palette = torch.tensor(list(COLOURS.values()))
    assert torch.cdist(palette, palette).fill_diagonal_(9).min() >= 1


@pytest.mark.parametrize(
    ("part", "size", "named"), [("train", 32, "got 'train'"), ("judge", 28, "got 28")]
)
def test_a_wrong_part_or_size_is_named(part, size, named):
    with pytest.raises(ValueError, match=named):
        load_captioned(part, size)


def test_attributes_are_indices_of_one_length():
    assert {len(a) for a in Attributes(*load_captioned("test").attributes)} == {1000}
