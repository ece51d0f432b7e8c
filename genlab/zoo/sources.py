"""Data of more than one family of recipes: in words for the card, and named by their content."""

from functools import partial
from typing import Any

from torch import Tensor

from genlab.data.digits import load_digits, load_mnist, to_unit
from genlab.zoo.cards import digest


def digits_digest() -> str:
    """Name the digits by their content."""
    return digest(*(part for split in ("train", "val", "test") for part in load_digits(split)))


def mnist_digest(size: int) -> str:
    """Name the images of MNIST at 16 x 16 or 28 x 28, and their labels, by their content."""
    return digest(*load_mnist("train", size), *load_mnist("test", size))


DIGITS: Any = {
    "source": "genlab.data.digits, part 'train': 1,397 images of 8 x 8, 17 grey levels",
    "digest": digits_digest,
}
MNIST16: Any = {
    "source": "genlab.data.digits, part 'train': 8,000 images of 16 x 16; MNIST, CC BY-SA 3.0",
    "digest": partial(mnist_digest, 16),
}


def scaled_digits(split: str = "train") -> tuple[Tensor, Tensor]:
    """Digits of 8 x 8 with grey levels in [-1, 1], and their labels."""
    images, labels = load_digits(split)
    return to_unit(images), labels
