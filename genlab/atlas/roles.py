"""Which sentences speak of results, of the field or of use, rather than of how the release works.

What is named there is only a *mention*: it counts where the rest of the text names no component.
What such a sentence says of the release itself ("our flow", "it is a GAN") is left out of it. The
rules are rows of `role_table.py`.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from functools import lru_cache

from .own import declared
from .role_table import (
    ARTICLE,
    BARE,
    BUILDS,
    COUNTED,
    LINE,
    LONER,
    METHOD,
    OWN,
    PLURAL,
    ROLES,
    SEVERAL,
    STOP,
    THEIRS,
)  # fmt: skip

MENTION = "mention"
FOUNDED = re.compile(  # what a release is built on may stand in the plural
    r"(?:\b(?:based|built|founded|rests|relies|builds) (?:up)?on|"
    r"\b(?:adapts|extends|employs|adopts|leverages|combines|couples)) (?:[\w-]+[ -]){0,3}?$"
)

PART = re.compile(r"[ -](?:tokens|codes|latents|indices|code ?book|tokeni[sz]er)\b")
OVER = re.compile(r"\b(?:over|models?|predicts?|draws?|generates?|decodes?) (?:the |its |our )?$")


def _predicate(sentence: str, end: int) -> bool:
    """Say whether an adjective ends the clause, as in "all autoregressive"."""
    return sentence[:end].endswith("autoregressive") and not re.match(r"[ -]\w", sentence[end:])


def generic(sentence: str, start: int, end: int) -> bool:
    """Say whether a phrase names a whole family, or somebody's well-known model, in passing.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for a bare plural ("GANs", "diffusion models") and a bare name ("CTGAN").

    Example:
        >>> [generic(t, t.index("gan"), len(t)) for t in ("rows from gans", "we train gans")]
        [True, False]
    """
    before = sentence[max(0, start - 60) : start]
    bare = BARE.finds.fullmatch(sentence[start:end].replace("-", " "))
    if bare and SEVERAL.finds.search(before) and not _predicate(sentence, end):
        return True
    if (m := PLURAL.finds.match(sentence, start)) and m.end() <= end + 40:
        founded = FOUNDED.search(before) and declared(sentence, start)
        return not (founded or COUNTED.finds.search(before))
    theirs = THEIRS.finds.match(sentence, start)
    kind = theirs and re.match(
        r"[ -](?:type|style|like|based|inspired|trained|fine-?tune|checkpoint|merge|lora|"
        r"student|loss(?:es)?|objective|discriminators?|critics?|terms?|tokens|tokeni[sz]er|codes|"
        r"codebook|latents?|decoder|encoder|indices)\b",
        sentence[theirs.end() :],
    )
    return bool(theirs) and not kind and not ARTICLE.finds.search(before)


@lru_cache(maxsize=64)
def mentions(sentence: str, *, bare: bool = False) -> list[tuple[int, int]]:
    """Find the stretches of a sentence in which components are only mentioned.

    Args:
        sentence: in lower case.
        bare: for phrases that name a family and say nothing of how it works; these are mentions
            even beside words of the method.

    Returns:
        Start and end of each; empty where the sentence describes the method.

    Example:
        >>> mentions("a gan wins.")
        [(0, 11)]
    """
    method = not bare and METHOD.finds.search(sentence)
    if method or not any(role.finds.search(sentence) for role in ROLES):
        return []
    found, last = [], 0
    for m in OWN.finds.finditer(sentence):
        if m.start() < last:
            continue
        found.append((last, m.start()))
        stop = STOP.finds.search(sentence, m.end())
        last = stop.start() if stop else len(sentence)
    return [*found, (last, len(sentence))]


@lru_cache(maxsize=64)
def _builds(sentence: str) -> bool:
    """Say whether a sentence builds something, or is the line of a list."""
    return bool(BUILDS.finds.search(sentence) or LINE.finds.match(sentence))


def loner(sentence: str, start: int, end: int) -> bool:
    """Say whether a family is the indefinite subject of a sentence that builds nothing with it.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for "A GAN was unstable", where the rest of the text speaks of another family.

    Example:
        >>> loner("a gan was unstable.", 2, 5), loner("a gan draws its codes.", 2, 5)
        (True, False)
    """
    if declared(sentence, start) or re.match(r"\w*;", sentence[end:]):
        return False  # said of the release, or no subject but all that is said
    named = LONER.finds.match(sentence[:start]) or BARE.finds.fullmatch(
        sentence[start:end].replace("-", " ")
    )
    return bool(named) and not _builds(sentence)


def passing(sentence: str, start: int, end: int) -> bool:
    """Say whether a phrase names a family only in passing.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for a bare plural, a bare name, and the bare name of a family beside a result.

    Example:
        >>> text = "the codes are better than a gan makes them, and are trained once."
        >>> passing(text, text.index("gan"), text.index("gan") + 3)
        True
    """
    if PART.match(sentence[end:]) and OVER.search(sentence[:start]):
        return False
    if generic(sentence, start, end):
        return True
    named = BARE.finds.fullmatch(sentence[start:end].replace("-", " "))
    if named and declared(sentence, start):
        return False
    return bool(named) and any(a <= start < b for a, b in mentions(sentence, bare=True))
