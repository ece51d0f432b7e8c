"""The running data set: 1,797 handwritten digits of 8 x 8 pixels and 17 grey levels.

A seeded permutation fixes the split: 1,397, 200 and 200. Below, 10,000 MNIST digits.
"""

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from genlab.core.checked import check_public
from genlab.core.tensors import require_finite

Split = Literal["train", "val", "test"]

EVENT_SHAPE = (1, 8, 8)
N_LEVELS = 17
N_CLASSES = 10
SIZES: dict[str, int] = {"train": 1397, "val": 200, "test": 200}
_SEED = 20240


class Digits(NamedTuple):
    """Images and the digit that each one shows."""

    images: Int[Tensor, " n 1 8 8"]
    labels: Int[Tensor, " n"]


def split_indices(split: str) -> Int[Tensor, " n"]:
    """Row numbers, in scikit-learn's order, of the images of one part of the fixed split."""
    return _part(split, SIZES, _SEED)


def _part(split: str, sizes: dict[str, int], seed: int) -> Tensor:
    if split not in sizes:
        raise ValueError(f"split must be one of {sorted(sizes)}, got {split!r}")
    order = torch.randperm(sum(sizes.values()), generator=torch.Generator().manual_seed(seed))
    return dict(zip(sizes, torch.split(order, list(sizes.values())), strict=True))[split]


@cache
def _all_digits() -> Digits:
    """Every image and label in scikit-learn's order (read once)."""
    from sklearn import datasets  # here: it takes a second to import

    bunch = datasets.load_digits()
    images = torch.from_numpy(bunch.images).to(torch.int64).unsqueeze(1)
    return Digits(images, torch.from_numpy(bunch.target).to(torch.int64))


def load_digits(split: str = "train") -> Digits:
    """Images and labels of one part of the fixed split."""
    index = split_indices(split)
    images, labels = _all_digits()
    return Digits(images[index], labels[index])


FILE = Path(__file__).parent / "mnist10k.npz"
MNIST_LEVELS = 256
MNIST_SIZES: dict[str, int] = {"train": 8000, "val": 1000, "test": 1000}
_MNIST_SEED = 20241


@cache
def _all_images() -> Digits:
    """Every image and label in the file's order (read once)."""
    with np.load(FILE) as arrays:
        images = arrays["images"]
        labels = arrays["labels"]
    return Digits(
        torch.from_numpy(images).to(torch.int64).unsqueeze(1),
        torch.from_numpy(labels).to(torch.int64),
    )


def _halve(images: Tensor) -> Tensor:
    """Pad 28 x 28 to 32 x 32 and average blocks of 2 x 2, rounded half to even."""
    return avg_pool2d(pad(images.double(), (2, 2, 2, 2)), 2).round().to(torch.int64)


def load_mnist(split: str = "train", size: int = 28) -> Digits:
    """MNIST images and labels of one part of the fixed split, 256 grey levels."""
    if size not in (16, 28):
        raise ValueError(f"size must be 16 or 28, got {size}")
    index = _part(split, MNIST_SIZES, _MNIST_SEED)
    images, labels = _all_images()
    chosen = images[index]
    return Digits(chosen if size == 28 else _halve(chosen), labels[index])


def binarize(images: Int[Tensor, " n 1 h w"]) -> Int[Tensor, " n 1 h w"]:
    """Black and white: ink where a grey level of 0..255 is 128 or more."""
    return (images >= MNIST_LEVELS // 2).to(images.dtype)


def to_unit(levels: Tensor, top: int = N_LEVELS - 1) -> Tensor:
    r"""Scale grey levels 0..`top` to [-1, 1], in torch's default dtype: $x = 2g/\text{top} - 1$.

    >>> to_unit(torch.tensor([0, 8, 16]))
    tensor([-1.,  0.,  1.])
    """
    return levels.to(torch.get_default_dtype()) / (top / 2) - 1


def from_unit(x: Tensor, top: int = N_LEVELS - 1, *, whole: bool = True) -> Tensor:
    r"""Undo `to_unit`: the nearest level, cut off at both ends; the number itself if not `whole`.

    >>> from_unit(torch.tensor([-1.2, 0.3])), from_unit(torch.tensor([-1.2, 0.5]), whole=False)
    (tensor([ 0, 10]), tensor([-1.6000, 12.0000]))
    """
    grey = (x + 1) * (top / 2)
    if not whole:
        return grey
    require_finite(x=x)
    return grey.round().clamp(0, top).long()


check_public(__name__)
