"""The running data set: its range, its split, and that nobody can change either by accident."""

import hashlib

import pytest
import torch

from genlab.data.digits import EVENT_SHAPE, N_LEVELS, SIZES, load_digits, split_indices

PINNED = {
    "train": "40cab67c7801",
    "val": "af64ddc23c56",
    "test": "63498f83cc39",
}


@pytest.mark.parametrize("split", SIZES)
def test_images_are_integers_from_0_to_16(split):
    images, _ = load_digits(split)
    assert images.dtype == torch.int64
    assert images.shape == (SIZES[split], *EVENT_SHAPE)
    assert (int(images.min()), int(images.max())) == (0, N_LEVELS - 1)


def test_the_three_parts_are_disjoint_and_cover_everything():
    rows = torch.cat([split_indices(s) for s in SIZES])
    assert sorted(rows.tolist()) == list(range(1797))


def test_the_split_is_pinned():
    # Every figure of the course rests on this split: a new torch that permutes differently must
    # turn this red before it silently changes a table.
    digest = {
        s: hashlib.sha256(split_indices(s).numpy().astype("<i8").tobytes()).hexdigest()[:12]
        for s in SIZES
    }
    assert digest == PINNED


def test_labels_belong_to_their_images():
    # Mean images of the classes classify the held-out part far above chance (0.1); shuffled
    # labels could not. 0.8 leaves room: the plain nearest mean reaches about 0.9.
    images, labels = load_digits("train")
    means = torch.stack([images[labels == c].double().mean(0) for c in range(10)])
    test_images, test_labels = load_digits("test")
    nearest = torch.cdist(test_images.double().flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == test_labels).double().mean() > 0.8


def test_every_class_is_in_every_part():
    for split in SIZES:
        assert load_digits(split).labels.bincount(minlength=10).min() >= 10


def test_no_image_appears_in_two_parts():
    # An image in both train and test would be a leak; the data set has no exact repeats.
    rows = torch.cat([load_digits(s).images for s in SIZES]).flatten(1)
    assert len(torch.unique(rows, dim=0)) == 1797


def test_changing_a_loaded_image_changes_nothing():
    first = load_digits("val").images
    first.fill_(3)
    assert not torch.equal(load_digits("val").images, first)


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="'dev'"):
        load_digits("dev")
