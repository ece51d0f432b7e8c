r"""The language of captions: its words, what may be said, and the tokens that a network reads.

$$\begin{aligned}
\text{caption} &\to \text{a [thin | bold] colour digit [leaning left | upright | leaning right]}\\
\text{of a video} &\to \text{a colour digit motion}\\
\text{of a scene} &\to \text{a ink digit [relation a ink digit]}
\end{aligned}$$

Of each kind there are *facts* (numbers: which digit, which colour, ...), *captions* (text) and
*tokens* (rows of word numbers): `write_...` turns facts into captions, `read_...` captions into
facts, `encode` captions into tokens. Pictures are in `captions`, `moving` and `scenes`.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_index

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "magenta": (1.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
}
STROKES = ("thin", "", "bold")  # lowest, middle and highest third of the ink of a class
SLANTS = ("leaning left", "upright", "leaning right")
MOTIONS = ("moving left", "moving right", "moving up", "moving down", "turning")
INKS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.13, 0.15),
    "gold": (0.94, 0.62, 0.05),
    "green": (0.10, 0.60, 0.30),
    "blue": (0.08, 0.38, 0.80),
    "purple": (0.55, 0.20, 0.65),
    "black": (0.13, 0.13, 0.16),
}
RELATIONS = ("left of", "right of", "above", "below")  # of the first object to the second
ALONE = len(RELATIONS)  # in place of a relation: there is one object

PAD = "<pad>"
WORDS = (  # of digits, still and moving
    *(PAD, "a", "thin", "bold", *COLOURS, *DIGITS, "leaning", "left", "right", "upright"),
    *("moving", "up", "down", "turning"),
)
MAX_WORDS = 6
SCENE_WORDS = (PAD, "a", *INKS, *DIGITS, "left", "right", "of", "above", "below")
MAX_SCENE_WORDS = 8


# Tokens


def encode(
    captions: Sequence[str], *, words: Sequence[str] = WORDS, length: int = MAX_WORDS
) -> Int[Tensor, " n s"]:
    """Tokens of captions: rows of word numbers, filled up with padding to `length`."""
    number = {word: k for k, word in enumerate(words) if word != PAD}
    tokens = []
    for caption in captions:
        said = caption.split()
        if len(said) > length:
            raise ValueError(f"{caption!r} has {len(said)} words, expected at most {length}")
        for word in said:
            if word not in number:
                raise ValueError(f"{caption!r} has the unknown word {word!r}; known: {(*number,)}")
        tokens.append([number[word] for word in said] + [0] * (length - len(said)))
    return torch.tensor(tokens, dtype=torch.int64).reshape(-1, length)


def decode(tokens: Int[Tensor, " n s"], *, words: Sequence[str] = WORDS) -> list[str]:
    """Captions of tokens; padding is left out."""
    require_index(len(words), tokens=tokens)
    return [" ".join(words[k] for k in row if k) for row in tokens.tolist()]


def encode_scenes(facts: Int[Tensor, " n 5"]) -> Int[Tensor, " n 8"]:
    """Tokens of the captions of scenes.

    >>> decode(encode_scenes(read_scenes(["a red seven"])), words=SCENE_WORDS)
    ['a red seven']
    """
    tokens = encode(write_scenes(facts), words=SCENE_WORDS, length=MAX_SCENE_WORDS)
    return tokens.to(facts.device)


# Grammar, one word after the other


def _next_word(caption: str, left: list[str], options: Sequence[str]) -> str:
    """Remove the next word of what is left of a caption, and return it, if it is an option."""
    found = left.pop(0) if left else "nothing"
    if found not in options:
        said = f"{caption!r} has {found!r}"
        raise ValueError(f"{said} where one of {', '.join(options)} was expected")
    return found


def _begin(caption: str) -> list[str]:
    """Every word behind the first, which is "a"; a capital and a full stop change nothing."""
    left = caption.lower().strip().rstrip(".").split()
    _next_word(caption, left, ("a",))
    return left


def _digit_in_colour(caption: str, left: list[str], colours: Sequence[str]) -> tuple[int, int]:
    colour = colours.index(_next_word(caption, left, colours))
    return DIGITS.index(_next_word(caption, left, DIGITS)), colour


def _phrase(caption: str, left: list[str], phrases: Sequence[str]) -> int:
    """Which of the phrases ends the caption."""
    if (phrase := " ".join(left)) not in phrases:
        raise ValueError(f"{caption!r} ends in {phrase!r}; expected one of {', '.join(phrases)}")
    return phrases.index(phrase)


# Captions of digits


class Attributes(NamedTuple):
    """What a caption can say, as indices into the tables of words; one entry for each image."""

    digit: Int[Tensor, " n"]  # 0..9
    colour: Int[Tensor, " n"]  # 0..5, in the order of COLOURS
    stroke: Int[Tensor, " n"]  # 0 thin, 1 neither, 2 bold
    slant: Int[Tensor, " n"]  # 0 leaning left, 1 upright, 2 leaning right


class Claims(NamedTuple):
    """What one caption claims; None where it says nothing."""

    digit: int
    colour: int
    stroke: int | None
    slant: int | None


def write_captions(
    attributes: Attributes,
    *,
    say_stroke: Bool[Tensor, " n"] | None = None,
    say_slant: Bool[Tensor, " n"] | None = None,
) -> list[str]:
    """Describe digits in words; everything is said where no mask says otherwise."""
    always = torch.ones_like(attributes.digit, dtype=torch.bool)
    said = (always if told is None else told for told in (say_stroke, say_slant))
    colours, captions = list(COLOURS), []
    for d, c, k, s, stroke, lean in zip(*(a.tolist() for a in (*attributes, *said)), strict=True):
        words = ["a", STROKES[k] * stroke, colours[c], DIGITS[d], SLANTS[s] * lean]
        captions.append(" ".join(filter(None, words)))
    return captions


def read_caption(caption: str) -> Claims:
    """Say what the caption of a digit claims."""
    left = _begin(caption)
    stroke = STROKES.index(left.pop(0)) if left and left[0] in ("thin", "bold") else None
    digit, colour = _digit_in_colour(caption, left, tuple(COLOURS))
    return Claims(digit, colour, stroke, _phrase(caption, left, SLANTS) if left else None)


# Captions of moving digits


def write_moving(
    digit: Int[Tensor, " n"], colour: Int[Tensor, " n"], motion: Int[Tensor, " n"]
) -> list[str]:
    """Describe videos in words."""
    require_index(len(DIGITS), digit=digit)
    require_index(len(COLOURS), colour=colour)
    require_index(len(MOTIONS), motion=motion)
    colours = list(COLOURS)
    rows = zip(digit.tolist(), colour.tolist(), motion.tolist(), strict=True)
    return [f"a {colours[c]} {DIGITS[d]} {MOTIONS[m]}" for d, c, m in rows]


def read_moving(caption: str) -> tuple[int, int, int]:
    """Say what the caption of a video claims: digit, colour, motion."""
    left = _begin(caption)
    digit, colour = _digit_in_colour(caption, left, tuple(COLOURS))
    return digit, colour, _phrase(caption, left, MOTIONS)


# Captions of scenes: facts are digit and colour, the relation, digit and colour of the second


def write_scenes(facts: Int[Tensor, " n 5"]) -> list[str]:
    """Describe scenes in words."""
    require_index(len(DIGITS), digit=facts[:, ::3])
    require_index(len(INKS), colour=facts[:, 1::3])
    require_index(ALONE + 1, relation=facts[:, 2])
    inks, captions = list(INKS), []
    for d, c, relation, e, k in facts.tolist():
        first = f"a {inks[c]} {DIGITS[d]}"
        second = f"a {inks[k]} {DIGITS[e]}"
        alone = relation == ALONE
        captions.append(first if alone else f"{first} {RELATIONS[relation]} {second}")
    return captions


def read_scenes(captions: Sequence[str]) -> Int[Tensor, " n 5"]:
    """Say what captions claim: the inverse of `write_scenes`."""
    names = [relation.split()[0] for relation in RELATIONS]
    inks = tuple(INKS)
    rows = []
    for caption in captions:
        left = _begin(caption)
        row = list(_digit_in_colour(caption, left, inks))
        if left:
            word = _next_word(caption, left, names)
            if word in ("left", "right"):
                _next_word(caption, left, ("of",))
            _next_word(caption, left, ("a",))
            row += [names.index(word), *_digit_in_colour(caption, left, inks)]
        if left:
            raise ValueError(f"{caption!r} goes on with {' '.join(left)!r} after two objects")
        rows.append(row + [ALONE, 0, 0][: 5 - len(row)])
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 5)


# How often each caption is written of a set of digits

END = ""  # what "follows" a caption that is complete


class CaptionDistribution(NamedTuple):
    """Every caption with its probability, and the distribution of the digits described."""

    captions: tuple[str, ...]
    p: Float[Tensor, " n"]  # sums to 1, float64
    attributes: Float[Tensor, " digit colour stroke slant"]  # sums to 1, float64


def caption_distribution(
    attributes: Attributes, *, say_stroke: float = 0.75, say_slant: float = 0.75
) -> CaptionDistribution:
    """Enumerate the captions that can be written of some digits, in random colours."""
    require_between(0, 1, say_stroke=say_stroke, say_slant=say_slant)
    table = torch.zeros(len(DIGITS), len(COLOURS), len(STROKES), len(SLANTS), dtype=torch.float64)
    digits, _, strokes, slants = (a.tolist() for a in attributes)
    for digit, stroke, lean in zip(digits, strokes, slants, strict=True):
        table[digit, :, stroke, lean] += 1
    table /= table.sum()
    found = table.nonzero()
    weights = table[tuple(found.T)]
    total: dict[str, float] = {}
    for stroke, lean in product((False, True), repeat=2):
        p_said = (say_stroke if stroke else 1 - say_stroke) * (say_slant if lean else 1 - say_slant)
        said = [torch.full((len(found),), value) for value in (stroke, lean)]
        captions = write_captions(Attributes(*found.T), say_stroke=said[0], say_slant=said[1])
        for caption, weight in zip(captions, weights.tolist(), strict=True):
            total[caption] = total.get(caption, 0.0) + p_said * weight
    kept = sorted(caption for caption, p in total.items() if p > 0)
    p = torch.tensor([total[c] for c in kept], dtype=torch.float64)
    return CaptionDistribution(tuple(kept), p, table)


def next_word_probs(truth: CaptionDistribution, prompt: str) -> dict[str, float]:
    r"""What follows a beginning: exact conditional probabilities of the next word.

    $$p(w \mid \text{prompt}) =
    \frac{\sum p(\text{captions that begin with prompt}, w)}
    {\sum p(\text{captions that begin with prompt})}$$
    """
    start = prompt.split()
    follow: dict[str, float] = {}
    for caption, p in zip(truth.captions, truth.p.tolist(), strict=True):
        words = caption.split()
        if words[: len(start)] == start:
            word = words[len(start)] if len(words) > len(start) else END
            follow[word] = follow.get(word, 0.0) + p
    total = sum(follow.values())
    return {word: follow[word] / total for word in sorted(follow)}


def chance(truth: CaptionDistribution, captions: Sequence[str] | None = None) -> dict[str, float]:
    r"""Score of a perfect generator conditioned on somebody else's caption.

    $$\sum_{c} p(c) \sum_a p(a)\,[\text{attributes } a \text{ keep the words of } c]$$

    Given captions weigh equally.
    """
    p_digit, p_colour, p_slant = (
        truth.attributes.sum([k for k in range(4) if k != d]) for d in (0, 1, 3)
    )
    rows: dict[str, list[tuple[float, float]]]
    rows = {k: [] for k in ("digit", "colour", "slant", "all")}
    weights = truth.p.tolist() if captions is None else [1.0] * len(captions)
    for caption, weight in zip(captions or truth.captions, weights, strict=True):
        c = read_caption(caption)
        fits = truth.attributes[c.digit, c.colour]
        fits = fits if c.stroke is None else fits[c.stroke : c.stroke + 1]
        fits = fits if c.slant is None else fits[:, c.slant]
        rows["all"].append((weight, float(fits.sum())))
        rows["digit"].append((weight, float(p_digit[c.digit])))
        rows["colour"].append((weight, float(p_colour[c.colour])))
        if c.slant is not None:
            rows["slant"].append((weight, float(p_slant[c.slant])))
    return {kind: sum(w * v for w, v in r) / sum(w for w, _ in r) for kind, r in rows.items()}


check_public(__name__)
