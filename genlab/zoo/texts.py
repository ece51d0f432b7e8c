"""The text of more than one family of recipes: the manual of Python, as characters."""

from typing import Any

from jaxtyping import Int
from torch import Tensor

from genlab.autoregressive.tokens import CharTokenizer
from genlab.data.text import load_text
from genlab.zoo.cards import digest

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # newline and printable ASCII


def windows(text: str, length: int = 64) -> Int[Tensor, " n length"]:
    """Cut a text into windows of equal length, as tokens; what is left over is dropped."""
    tokens = CharTokenizer(ALPHABET).encode(text)
    return tokens[: len(tokens) // length * length].reshape(-1, length)


def text_digest() -> str:
    """Name the manual's text by its content."""
    return digest(windows(load_text("train"), 1), windows(load_text("test"), 1))


TEXT: Any = {
    "source": "genlab.data.text, part 'train': the manual of Python 3.11.7, 90 %; PSF-2.0",
    "digest": text_digest,
}
