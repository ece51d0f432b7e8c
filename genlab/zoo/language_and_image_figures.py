r"""What the card of the language-and-image model states, and how each figure is measured.

$$\mathrm{KL}(p\,\|\,q_{\text{text}})\ \text{over 720 captions}, \qquad
\text{share of written words that the drawn picture keeps}$$

The text is compared with the law that it was drawn from, by enumeration; the pictures are judged
by `genlab.systems.evaluation`, which shares nothing with the painter; reading is scored on digits
that no training saw.

Lesson: notebooks/systems/language_and_image.ipynb
"""

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.autoregressive.decoding import keep_top_k
from genlab.core import HasLogProb
from genlab.data.captions import (
    CaptionLaw,
    Claims,
    caption_law,
    chance,
    load_captioned,
    paint,
    read,
)
from genlab.systems.evaluation import Judge, digit_judge, word_scores
from genlab.systems.language_and_image import context, only_last, rows_of, words_of
from genlab.zoo.cards import SEED, Figures, default_dtype

SAID = 0.75  # how often captions speak of a stroke that has a word, and of the slant
GUIDANCE, N_DRAWN = 3.0, 600


@cache
def painters_law(say_stroke: float = SAID, say_slant: float = SAID) -> CaptionLaw:
    """The exact law of the captions that the model trains on.

    Args:
        say_stroke: how often a stroke that has a word is mentioned.
        say_slant: how often the slant is.

    Returns:
        720 captions with their probabilities.
    """
    attributes = load_captioned("painter", 16).attributes
    return caption_law(attributes, say_stroke=say_stroke, say_slant=say_slant)


@torch.no_grad()
def text_gap(lm: HasLogProb, law: CaptionLaw) -> tuple[float, float]:
    """Distance of the language model from the law of captions, by enumerating every caption.

    Args:
        lm: of captions.
        law: the truth.

    Returns:
        KL(law || model) in nats a caption, and the probability that the model gives to all
        sentences that are not captions of the law.
    """
    log_q = lm.log_prob(rows_of(law.captions))
    p = law.p.to(log_q)
    return (p * (p.log() - log_q)).sum().item(), 1 - log_q.exp().sum().item()


def held_out(n: int = 1000) -> tuple[Tensor, list[Claims]]:
    """Pictures that no training saw, in [-1, 1], with everything that is true of them.

    Args:
        n: how many, at most 1,000.
    """
    grey, attributes = load_captioned("test", 16)
    claims = [Claims(*row) for row in torch.stack(attributes, 1)[:n].tolist()]
    return 2 * paint(grey[:n], attributes.colour[:n]) - 1, claims


def read_scores(texts: Sequence[str], truths: Sequence[Claims]) -> dict[str, float]:
    """Share of the words in descriptions that are true of the pictures, by kind.

    Args:
        texts: descriptions, with `<end>`; what is no caption counts as wrong.
        truths: what is true of each picture.

    Returns:
        Shares for "digit", "colour", "stroke", "slant" and "all" (every word said is true).
    """
    right: dict[str, list[bool]] = {k: [] for k in ("digit", "colour", "stroke", "slant", "all")}
    for text, truth in zip(texts, truths, strict=True):
        said = claims_of(text.removesuffix("<end>"))
        if said is None:
            right["all"].append(False)
            continue
        pairs = {k: (getattr(said, k), getattr(truth, k)) for k in Claims._fields}
        found = {k: a == b for k, (a, b) in pairs.items() if a is not None}
        for kind, value in found.items():
            right[kind].append(value)
        right["all"].append(all(found.values()))
    return {kind: sum(values) / max(1, len(values)) for kind, values in right.items()}


def told_and_drawn(
    captions: Sequence[str], images: Tensor, judge: Judge | None = None
) -> dict[str, float]:
    """Share of the words that the pictures keep, by kind; a text that is no caption keeps none.

    Args:
        captions: what was written.
        images: what was drawn, in [-1, 1].
        judge: reads the digits; the course's own when None.

    Returns:
        Shares for "digit", "colour", "stroke", "slant" and "all".
    """
    claims = [claims_of(caption) for caption in captions]
    known = [k for k, c in enumerate(claims) if c is not None]
    found = [c for c in claims if c is not None]
    scores = word_scores((images[known] + 1) / 2, found, judge or digit_judge())
    return scores | {"all": scores["all"] * len(known) / len(captions)}


def claims_of(caption: str) -> Claims | None:
    """What a text claims, or None when it is not of the language of captions.

    Args:
        caption: any text.

    Example:
        >>> claims_of("a red red"), claims_of("a red one").digit
        (None, 1)
    """
    try:
        return read(caption)
    except ValueError:
        return None


@torch.no_grad()
def measure_language_and_image(model: Any) -> Figures:
    """Everything that the card states: text by enumeration, pictures by the judge.

    Args:
        model: trained, in double precision; pictures are drawn in single.

    Returns:
        Figures by name.
    """
    law = painters_law()
    kl, mass = text_gap(model.lm, law)
    figures: Figures = {"kind": "bound", "kl_text_nats": kl, "off_grammar": mass}
    with default_dtype(torch.float32):
        single = copy.deepcopy(model).float()
        generator = Generator().manual_seed(SEED)
        drawn = single.complete([""] * N_DRAWN, guidance_scale=GUIDANCE, generator=generator)
        scores = told_and_drawn(drawn.captions, drawn.images)
        figures |= {f"kept_{kind}": value for kind, value in scores.items()}
        states = drawn.written.states
        for name, told in (
            ("shuffled", states[torch.randperm(N_DRAWN, generator=generator)]),
            ("last_state", only_last(states, drawn.written.tokens)),
            ("cross_attention", context(states, pooled=False)),
        ):
            images = single.paint(told, guidance_scale=GUIDANCE, generator=generator)
            figures[f"kept_all_{name}"] = told_and_drawn(drawn.captions, images)["all"]
        known = [caption for caption in drawn.captions if claims_of(caption)]
        figures["chance_all"] = chance(law, known)["all"]
        pictures, truths = held_out()
        greedy = single.lm.describe(pictures, reshape=lambda logits: keep_top_k(logits, 1))
        scores = read_scores(words_of(greedy), truths)
        figures |= {f"read_{kind}": value for kind, value in scores.items()}
    return figures
