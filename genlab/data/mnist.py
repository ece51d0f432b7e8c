r"""MNIST for pictures: 10,000 handwritten digits of 28 x 28 pixels and 256 grey levels.

Numbers of the league table come from the 8 x 8 digits of `genlab.data.digits`; these larger ones
are for looking at. Small networks prefer them at 16 x 16, which is a border of two pixels followed
by the mean of each 2 x 2 block,

$$y_{ij} = \mathrm{round}\,\tfrac14 \sum_{a,b\in\{0,1\}} x_{2i+a,\,2j+b}.$$

The split is fixed by a seeded permutation: 8,000 / 1,000 / 1,000. It is not MNIST's own, so no
figure measured on it compares with a published one. The file ships with the package.

Lesson: notebooks/06_vae_in_practice.ipynb (and the lessons with pictures after it)
Source: LeCun, Cortes and Burges, MNIST, CC BY-SA 3.0; see `mnist10k.md` beside this file.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from .digits import Digits

FILE = Path(__file__).parent / "mnist10k.npz"
N_LEVELS = 256
N_CLASSES = 10
SIZES: dict[str, int] = {"train": 8000, "val": 1000, "test": 1000}
_SEED = 20241


@cache
def _all_images() -> Digits:
    """Every image and label in the file's order (read once)."""
    with np.load(FILE) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    return Digits(
        torch.from_numpy(images).to(torch.int64).unsqueeze(1),
        torch.from_numpy(labels).to(torch.int64),
    )


def _halve(images: Tensor) -> Tensor:
    """Pad 28 x 28 to 32 x 32 and average blocks of 2 x 2, rounded half to even."""
    return avg_pool2d(pad(images.double(), (2, 2, 2, 2)), 2).round().to(torch.int64)


def load_mnist(split: str = "train", size: int = 28) -> Digits:
    r"""Images and labels of one part of the fixed split.

    Args:
        split: "train" (8,000 images), "val" (1,000) or "test" (1,000).
        size: 28 for the images as they are, 16 for the averaged ones.

    Returns:
        `Digits(images, labels)`: images `(n, 1, size, size)` int64 in 0..255 (0 = paper, 255 = full
        ink), labels `(n,)` int64 in 0..9. Fresh tensors: changing them changes nothing here.

    Raises:
        ValueError: the split is none of the three, or the size none of the two.

    Example:
        >>> images, labels = load_mnist("test", size=16)
        >>> images.shape, int(images.min()), labels.dtype
        (torch.Size([1000, 1, 16, 16]), 0, torch.int64)

    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if split not in SIZES:
        raise ValueError(f"split must be one of {sorted(SIZES)}, got {split!r}")
    if size not in (16, 28):
        raise ValueError(f"size must be 16 or 28, got {size}")
    order = torch.randperm(sum(SIZES.values()), generator=torch.Generator().manual_seed(_SEED))
    index = dict(zip(SIZES, torch.split(order, list(SIZES.values())), strict=True))[split]
    images, labels = _all_images()
    chosen = images[index]
    return Digits(chosen if size == 28 else _halve(chosen), labels[index])
