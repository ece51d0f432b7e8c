r"""Captions as text: write them, read them, and turn them into numbers for a network.

The language is small enough to be written down whole,

$$\text{caption} = \texttt{a}\ [\text{stroke}]\ \text{colour}\ \text{digit}\ [\text{slant}],$$

where the words in brackets may be missing: nothing is then claimed about them. One piece is one
word ("leaning left" is two), with a padding piece in front of the table.

Lesson: notebooks/systems/glide.ipynb
Source: our own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .captioned import COLOURS, DIGITS, SLANTS, STROKES, Attributes

PAD = "<pad>"
WORDS = (
    *(PAD, "a", "thin", "bold", *COLOURS, *DIGITS, "leaning", "left", "right", "upright"),
    *("moving", "up", "down", "turning"),  # of `genlab.data.moving`
)
MAX_WORDS = 6


class Claims(NamedTuple):
    """What one caption claims; None where it says nothing."""

    digit: int
    colour: int
    stroke: int | None
    slant: int | None


def write(
    attributes: Attributes,
    *,
    say_stroke: Bool[Tensor, " n"] | None = None,
    say_slant: Bool[Tensor, " n"] | None = None,
) -> list[str]:
    """Describe images in words.

    Args:
        attributes: what is true of each image.
        say_stroke: whether to say a word about the stroke, where there is one; all when None.
        say_slant: whether to say a word about the slant; all when None.

    Returns:
        One caption for each image.

    Example:
        >>> one = torch.tensor([7]), torch.tensor([0]), torch.tensor([0]), torch.tensor([2])
        >>> write(Attributes(*one))
        ['a thin red seven leaning right']
        >>> write(Attributes(*one), say_slant=torch.tensor([False]))
        ['a thin red seven']
    """
    n = len(attributes.digit)
    stroke_said = [True] * n if say_stroke is None else say_stroke.tolist()
    slant_said = [True] * n if say_slant is None else say_slant.tolist()
    colours = list(COLOURS)
    captions = []
    for row, d, c, k, s in zip(range(n), *(a.tolist() for a in attributes), strict=True):
        words = ["a", STROKES[k] * stroke_said[row], colours[c], DIGITS[d]]
        captions.append(" ".join(filter(None, [*words, SLANTS[s] * slant_said[row]])))
    return captions


def read(caption: str) -> Claims:
    """Say what a caption claims.

    Args:
        caption: such as "a bold blue two upright"; capital letters and a full stop are allowed.

    Returns:
        The claims, as indices into the tables of `genlab.data.captioned`.

    Raises:
        ValueError: the caption is not of the language; the message names the word and what could
            stand there.

    Example:
        >>> read("a bold blue two upright")
        Claims(digit=2, colour=2, stroke=2, slant=1)
        >>> read("a blue two")
        Claims(digit=2, colour=2, stroke=None, slant=None)
    """
    left = caption.lower().strip().rstrip(".").split()
    next_word(caption, left, ("a",))
    stroke = STROKES.index(left.pop(0)) if left and left[0] in ("thin", "bold") else None
    colour = list(COLOURS).index(next_word(caption, left, tuple(COLOURS)))
    digit = DIGITS.index(next_word(caption, left, DIGITS))
    slant = None
    if left:
        phrase = " ".join(left)
        if phrase not in SLANTS:
            raise ValueError(f"{caption!r} ends in {phrase!r}; expected one of {', '.join(SLANTS)}")
        slant = SLANTS.index(phrase)
    return Claims(digit, colour, stroke, slant)


def next_word(caption: str, left: list[str], options: tuple[str, ...]) -> str:
    """Remove the next word of a caption and return it, if it is one of the options.

    Args:
        caption: the whole caption, for the message.
        left: the words that have not been read; the first one is removed.
        options: what may stand there.

    Returns:
        The word.

    Raises:
        ValueError: another word, or none, stands there.

    Example:
        >>> next_word("a red one", ["red", "one"], ("red", "blue"))
        'red'
    """
    found = left.pop(0) if left else "nothing"
    if found not in options:
        raise ValueError(
            f"{caption!r} has {found!r} where one of {', '.join(options)} was expected; "
            "a caption looks like 'a thin red seven leaning right'"
        )
    return found


def encode(captions: Sequence[str]) -> Int[Tensor, " n 6"]:
    """Turn captions into rows of word numbers, filled up with the padding piece.

    Args:
        captions: of the words in `WORDS`.

    Returns:
        `(n, 6)` int64, indices into `WORDS`; the padding piece is 0.

    Raises:
        ValueError: a word is unknown, or a caption has more than six words.

    Example:
        >>> encode(["a red one", "a thin red seven leaning right"]).shape
        torch.Size([2, 6])
    """
    rows = torch.zeros(len(captions), MAX_WORDS, dtype=torch.int64)
    for row, caption in zip(rows, captions, strict=True):
        words = caption.split()
        if len(words) > MAX_WORDS:
            raise ValueError(f"{caption!r} has {len(words)} words, expected at most {MAX_WORDS}")
        for k, word in enumerate(words):
            if word not in WORDS[1:]:
                raise ValueError(f"{caption!r} has the unknown word {word!r}; known: {WORDS[1:]}")
            row[k] = WORDS.index(word)
    return rows


def decode(rows: Int[Tensor, " n w"]) -> list[str]:
    """Turn rows of word numbers back into captions; padding is left out.

    Args:
        rows: indices into `WORDS`.

    Returns:
        One caption for each row.

    Example:
        >>> decode(encode(["a red one"]))
        ['a red one']
    """
    return [" ".join(WORDS[k] for k in row if k) for row in rows.tolist()]
