"""The running data set: its range, its split, and that nobody can change either by accident."""

import hashlib

import numpy as np
import pytest
import torch

from genlab.data.digits import (
    EVENT_SHAPE,
    FILE,
    N_LEVELS,
    SIZES,
    from_unit,
    load_digits,
    load_mnist,
    split_indices,
    to_unit,
)
from genlab.data.digits import MNIST_SIZES as SIZES_MNIST

PINNED = {"train": "40cab67c7801", "val": "af64ddc23c56", "test": "63498f83cc39"}


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


PINNED_MNIST = "1472dc5daa1d"


def test_the_shipped_file_has_the_classes_that_its_note_promises():
    with np.load(FILE) as arrays:
        counts = np.bincount(arrays["labels"])
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]


@pytest.mark.parametrize("size", [28, 16])
@pytest.mark.parametrize("split", SIZES_MNIST)
def test_images_are_integers_of_the_promised_size(split, size):
    images, labels = load_mnist(split, size)
    assert images.shape == (SIZES_MNIST[split], 1, size, size)
    assert images.dtype == labels.dtype == torch.int64
    assert int(images.min()) == 0
    assert int(images.max()) <= 255


def test_the_parts_together_are_the_file_without_repetition():
    rows = torch.cat([load_mnist(split).images.flatten(1) for split in SIZES_MNIST])
    with np.load(FILE) as arrays:
        whole = torch.from_numpy(arrays["images"]).long().flatten(1)
    key = torch.rand(784, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    # A random projection tells 10,000 images apart; sorted, it is a fingerprint of the set.
    torch.testing.assert_close(
        (rows.double() @ key).sort().values, (whole.double() @ key).sort().values
    )


def test_the_split_is_pinned_mnist():
    # A new torch that permutes differently must turn this red before it changes a figure.
    labels = np.concatenate([load_mnist(split).labels.numpy() for split in SIZES_MNIST])
    assert hashlib.sha256(labels.astype("u1").tobytes()).hexdigest()[:12] == PINNED_MNIST


def test_every_part_is_shuffled_over_the_classes():
    # The file is sorted by class: an unshuffled part would lack some.
    for split in SIZES_MNIST:
        assert load_mnist(split).labels.bincount(minlength=10).min() >= 60


def test_labels_belong_to_their_images_mnist():
    # Nearest class mean reaches about 0.8 on MNIST; shuffled labels could not pass 0.2.
    images, labels = load_mnist("train")
    means = torch.stack([images[labels == c].double().mean(0) for c in range(10)])
    test_images, test_labels = load_mnist("test")
    nearest = torch.cdist(test_images.double().flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == test_labels).double().mean() > 0.75


def test_small_images_are_block_means_of_the_padded_large_ones():
    large, small = load_mnist("val", 28).images[:50], load_mnist("val", 16).images[:50]
    framed = np.pad(large.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    blocks = framed.reshape(50, 1, 16, 2, 16, 2).mean((3, 5))
    assert np.array_equal(small.numpy(), np.round(blocks).astype(int))


def test_changing_what_was_loaded_changes_nothing_for_the_next_reader():
    first = load_mnist("val").images
    before = first.clone()
    first.zero_()
    torch.testing.assert_close(load_mnist("val").images, before)


@pytest.mark.parametrize(
    ("split", "size", "named"), [("training", 28, "got 'training'"), ("train", 32, "got 32")]
)
def test_a_wrong_name_or_size_is_named_in_the_error(split, size, named):
    with pytest.raises(ValueError, match=named):
        load_mnist(split, size)


@pytest.mark.parametrize("top", [16, 255])
def test_grey_levels_survive_the_scale_and_what_lies_outside_is_cut_off(top):
    levels = torch.arange(top + 1)
    x = to_unit(levels, top)
    assert (x[0].item(), x[-1].item()) == (-1, 1)
    torch.testing.assert_close(x.diff(), torch.full((top,), 2 / top))
    assert torch.equal(from_unit(x + 0.9 / top, top), levels)  # up to half a level away
    assert torch.equal(
        from_unit(5 * x, top), (5 * (levels - top / 2) + top / 2).clamp(0, top).round().long()
    )
    torch.testing.assert_close(from_unit(5 * x, top, whole=False), 5 * (levels - top / 2) + top / 2)


def test_an_image_that_is_not_finite_has_no_levels():
    with pytest.raises(ValueError, match="x holds nan"):
        from_unit(torch.tensor([0.0, float("nan")]))
