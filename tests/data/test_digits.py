"""The 8 x 8 digits and MNIST: range, split, labels, and that nobody changes them by accident."""

import hashlib
from functools import partial

import numpy as np
import pytest
import torch

from genlab.data.digits import MNIST_SIZES as SIZES_MNIST
from genlab.data.digits import SIZES, from_unit, load_digits, load_mnist, split_indices, to_unit

PARTS = [
    *[(load_digits, split, n, 8, 16) for split, n in SIZES.items()],
    *[(load_mnist, split, n, 28, 255) for split, n in SIZES_MNIST.items()],
    *[(partial(load_mnist, size=16), split, n, 16, 255) for split, n in SIZES_MNIST.items()],
]
PINNED = {"train": "40cab67c7801", "val": "af64ddc23c56", "test": "63498f83cc39"}


def test_the_three_parts_are_disjoint_and_cover_everything():
    rows = torch.cat([split_indices(s) for s in SIZES])
    assert sorted(rows.tolist()) == list(range(1797))
    images = torch.cat([load_digits(s).images for s in SIZES]).flatten(1)
    assert len(torch.unique(images, dim=0)) == 1797  # the data set has no exact repeats


def test_the_split_is_pinned():
    # Every figure of the course rests on this split: a new torch that permutes differently must
    # turn this red before it silently changes a table.
    digest = {
        s: hashlib.sha256(split_indices(s).numpy().astype("<i8").tobytes()).hexdigest()[:12]
        for s in SIZES
    }
    assert digest == PINNED


@pytest.mark.parametrize(("load", "least"), [(load_digits, 0.8), (load_mnist, 0.75)])
def test_labels_belong_to_their_images(load, least):
    # The nearest class mean reaches about 0.9 and 0.8; shuffled labels could not pass 0.2.
    images, labels = load("train")
    means = torch.stack([images[labels == c].double().mean(0) for c in range(10)])
    images, labels = load("test")
    nearest = torch.cdist(images.double().flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == labels).double().mean() > least


PINNED_MNIST = "1472dc5daa1d"


def test_the_split_is_pinned_mnist():
    # A new torch that permutes differently must turn this red before it changes a figure.
    labels = np.concatenate([load_mnist(split).labels.numpy() for split in SIZES_MNIST])
    assert hashlib.sha256(labels.astype("u1").tobytes()).hexdigest()[:12] == PINNED_MNIST


def test_small_images_are_block_means_of_the_padded_large_ones():
    large, small = load_mnist("val", 28).images[:50], load_mnist("val", 16).images[:50]
    framed = np.pad(large.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    blocks = framed.reshape(50, 1, 16, 2, 16, 2).mean((3, 5))
    assert np.array_equal(small.numpy(), np.round(blocks).astype(int))


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


@pytest.mark.parametrize(("load", "split", "n", "size", "top"), PARTS)
def test_images_are_whole_numbers_of_the_promised_range_with_every_class(load, split, n, size, top):
    images, labels = load(split)
    assert images.shape == (n, 1, size, size)
    assert images.dtype == labels.dtype == torch.int64
    assert int(images.min()) == 0
    assert 0.9 * top < int(images.max()) <= top
    assert labels.bincount(minlength=10).min() >= 0.05 * n  # MNIST's file is sorted by class
    images.fill_(3)  # changes nothing for the next reader
    assert not torch.equal(load(split).images, images)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: load_digits("dev"), "'dev'"),
        (lambda: load_mnist("train", 32), "got 32"),
        (lambda: from_unit(torch.tensor([0.0, float("nan")])), "x holds nan"),
    ],
)
def test_what_does_not_exist_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
