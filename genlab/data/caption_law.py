r"""The law of captions, written down whole: what a language model of captions ought to learn.

$$p(\text{caption}) = \frac1n \sum_{i=1}^n \frac16 \sum_{c}\ \sum_{s_1, s_2 \in \{0, 1\}}
p(s_1)\,p(s_2)\,[\text{caption} = \mathrm{write}(d_i, c, k_i, l_i; s_1, s_2)]$$

Draw a digit, draw a colour, decide whether to speak of its stroke and of its slant, write: there
are 720 captions, so every probability is a finite sum. Conditional laws of the next word, entropies
and the score of a painter that was told another caption follow without a sample.

Lesson: notebooks/systems/language_and_image.ipynb
Source: our own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .captioned import COLOURS, DIGITS, SLANTS, STROKES, Attributes
from .captions import read, write

COUNTS = (len(DIGITS), len(COLOURS), len(STROKES), len(SLANTS))
END = ""  # what "follows" a caption that is complete


class CaptionLaw(NamedTuple):
    """Every caption with its probability, and the law of the digits that are described."""

    captions: tuple[str, ...]
    p: Float[Tensor, " n"]  # sums to 1, float64
    attributes: Float[Tensor, " digit colour stroke slant"]  # sums to 1, float64


def caption_law(
    attributes: Attributes, *, say_stroke: float = 0.75, say_slant: float = 0.75
) -> CaptionLaw:
    """Enumerate the captions that can be written of some digits, in random colours.

    Args:
        attributes: of the digits; their colours are ignored: each is equally likely.
        say_stroke: probability that a stroke which has a word is mentioned.
        say_slant: probability that the slant is mentioned.

    Returns:
        The captions in alphabetical order, their exact probabilities, and those of the attributes.

    Raises:
        ValueError: a probability outside [0, 1].

    Example:
        >>> one = Attributes(*(torch.tensor([k]) for k in (7, 0, 0, 2)))
        >>> law = caption_law(one, say_stroke=0.5, say_slant=1.0)
        >>> len(law.captions), law.p[law.captions.index("a thin red seven leaning right")].item()
        (12, 0.08333333333333333)
    """
    for name, p in (("say_stroke", say_stroke), ("say_slant", say_slant)):
        if not 0 <= p <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {p}")
    table = torch.zeros(COUNTS, dtype=torch.float64)
    digits, _, strokes, slants = (a.tolist() for a in attributes)
    for digit, stroke, slant in zip(digits, strokes, slants, strict=True):
        table[digit, :, stroke, slant] += 1
    table /= table.sum()
    found = table.nonzero()
    weights = table[tuple(found.T)]
    total: dict[str, float] = {}
    for stroke_said in (False, True):
        for slant_said in (False, True):
            share = (say_stroke if stroke_said else 1 - say_stroke) * (
                say_slant if slant_said else 1 - say_slant
            )
            said = [torch.full((len(found),), value) for value in (stroke_said, slant_said)]
            captions = write(Attributes(*found.T), say_stroke=said[0], say_slant=said[1])
            for caption, weight in zip(captions, weights.tolist(), strict=True):
                total[caption] = total.get(caption, 0.0) + share * weight
    kept = sorted(caption for caption, p in total.items() if p > 0)
    return CaptionLaw(
        tuple(kept), torch.tensor([total[c] for c in kept], dtype=torch.float64), table
    )


def next_word_law(law: CaptionLaw, prompt: str) -> dict[str, float]:
    r"""What follows a beginning: exact conditional probabilities of the next word.

    $$p(w \mid \text{prompt}) =
    \frac{\sum p(\text{captions that begin with prompt}, w)}
    {\sum p(\text{captions that begin with prompt})}$$

    Args:
        law: from `caption_law`.
        prompt: whole words; may be empty.

    Returns:
        Probabilities by word; `END` stands for "the caption is complete". Empty when no caption
        begins so.

    Example:
        >>> one = Attributes(*(torch.tensor([k]) for k in (7, 0, 0, 2)))
        >>> next_word_law(caption_law(one, say_slant=0.25), "a thin red seven")
        {'': 0.75, 'leaning': 0.25}
    """
    start = prompt.split()
    follow: dict[str, float] = {}
    for caption, p in zip(law.captions, law.p.tolist(), strict=True):
        words = caption.split()
        if words[: len(start)] == start:
            word = words[len(start)] if len(words) > len(start) else END
            follow[word] = follow.get(word, 0.0) + p
    total = sum(follow.values())
    return {word: follow[word] / total for word in sorted(follow)}


def chance(law: CaptionLaw, captions: Sequence[str] | None = None) -> dict[str, float]:
    r"""Score of a perfect painter that was told somebody else's caption.

    $$\sum_{c} p(c) \sum_a p(a)\,[\text{attributes } a \text{ keep the words of } c]$$

    Every word is drawn well, of another picture: what is left is the agreement of two independent
    draws, a sum over 720 captions and 540 attributes.

    Args:
        law: from `caption_law`.
        captions: which captions are judged, equally often; all, by their probability, when None.

    Returns:
        Shares for "digit", "colour", "slant" and "all" (every claimed word). "stroke" is missing
        on its own: a stroke is thin or bold for its own digit only, so that kind of agreement
        depends on more than words.

    Example:
        >>> one = Attributes(*(torch.tensor([k]) for k in (7, 0, 0, 2)))
        >>> round(chance(caption_law(one))["all"], 4)  # one digit: only the colour can be wrong
        0.1667
    """
    p_digit, p_colour, p_slant = (law.attributes.sum([k for k in range(4) if k != d])
                                  for d in (0, 1, 3))  # fmt: skip
    rows: dict[str, list[tuple[float, float]]] = {
        k: [] for k in ("digit", "colour", "slant", "all")
    }
    weighted = (
        zip(law.captions, law.p.tolist(), strict=True)
        if captions is None
        else ((c, 1.0) for c in captions)
    )
    for caption, weight in weighted:
        c = read(caption)
        fits = law.attributes[c.digit, c.colour]
        fits = fits if c.stroke is None else fits[c.stroke : c.stroke + 1]
        fits = fits if c.slant is None else fits[:, c.slant]
        rows["all"].append((weight, float(fits.sum())))
        rows["digit"].append((weight, float(p_digit[c.digit])))
        rows["colour"].append((weight, float(p_colour[c.colour])))
        if c.slant is not None:
            rows["slant"].append((weight, float(p_slant[c.slant])))
    return {kind: sum(w * v for w, v in r) / sum(w for w, _ in r) for kind, r in rows.items()}
