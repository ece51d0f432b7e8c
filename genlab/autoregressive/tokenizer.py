r"""Text as integers: one number per character, or one per byte.

A tokenizer is a pair of inverse maps, `decode(encode(text)) == text`. Bytes need no table and can
spell any text; characters make shorter sequences of a larger alphabet.

Lesson: notebooks/02_autoregressive.ipynb
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor


@final
@dataclass(frozen=True)
class ByteTokenizer:
    """UTF-8 bytes: 256 tokens, every text can be spelled.

    Example:
        >>> tokenizer = ByteTokenizer()
        >>> tokenizer.encode("né").tolist(), tokenizer.decode(tokenizer.encode("né"))
        ([110, 195, 169], 'né')
    """

    n_tokens: int = 256

    def encode(self, text: str) -> Int[Tensor, " n"]:
        """One number 0..255 per byte of the text."""
        return torch.tensor(list(text.encode()), dtype=torch.int64)

    def decode(self, tokens: Iterable[int] | Tensor) -> str:
        """The text again; bytes that are no valid UTF-8 become replacement marks."""
        return bytes(int(t) for t in tokens).decode(errors="replace")


@final
@dataclass(frozen=True)
class CharTokenizer:
    """One token per character of a fixed alphabet, sorted by code point.

    Example:
        >>> tokenizer = CharTokenizer.of("banana")
        >>> tokenizer.alphabet, tokenizer.encode("nab").tolist()
        ('abn', [2, 0, 1])
    """

    alphabet: str

    def __post_init__(self) -> None:
        if not self.alphabet or len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError(f"the alphabet must hold distinct characters, got {self.alphabet!r}")

    @classmethod
    def of(cls, text: str) -> "CharTokenizer":
        """The tokenizer whose alphabet is the characters of `text`."""
        return cls("".join(sorted(set(text))))

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.alphabet)

    def encode(self, text: str) -> Int[Tensor, " n"]:
        """One number per character.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        number = {c: i for i, c in enumerate(self.alphabet)}
        strangers = sorted(set(text) - set(number))
        if strangers:
            raise ValueError(f"characters outside the alphabet: {''.join(strangers)!r}")
        return torch.tensor([number[c] for c in text], dtype=torch.int64)

    def decode(self, tokens: Iterable[int] | Tensor) -> str:
        """The text again."""
        return "".join(self.alphabet[int(t)] for t in tokens)
