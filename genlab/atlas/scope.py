"""Whether a phrase is said of the release, or denied, compared with, replaced, planned or aside.

Every trigger is a row: the words, the polarity that they give, and how far they reach. Where
scopes overlap, the first of `POLARITIES` wins.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .phrases import compiled
from .reach import reach_of
from .roles import MENTION, mentions
from .triggers import TRIGGERS

ASSERTED = "asserted"
POLARITIES = ("negated", "compared", "past", "planned", "aside", "teacher", MENTION, ASSERTED)

NOTHING = re.compile(
    r"^(?:[-*•+] )?[^:.]{1,60}: (?:none (?:in|at|of|for)\b.*|none|no|off|n/a|false|never|"
    r"not (?:used|needed|applicable|"
    r"available|required|included)|absent|removed|dropped|gone|retired|planned|"
    r"to follow|coming|0|-)(?=$|[ ]?[,;.(])"
)
PARENTHESES = re.compile(r"\([^()]{4,200}\)")
MEANS = re.compile(
    r" (?:with|in|using|within|at|by|while using|while needing) (?:only|just|merely|as few as|as "
    r"little as|a mere|no more than)\b| (?:by|in) (?:(?:not )?only |simply )?(?:modell?ing|"
    r"learning|using|"
    r"training|predicting|replacing|combining|drawing|generating|denoising|adding|sampling|fitting|"
    r"decoding|encoding|compressing)\b"
)
EVEN = re.compile(
    r"\b(?:differ\w*|improv\w*|comparable|on (?:a )?par|match\w*|rival\w*|outperform\w*|"
    r"surpass\w*|beat\w*|exceed\w*|"
    r"competitive|competes?|close|approach(?:es|ing)|equal\w*|better|superior|similar|outdo\w*|"
    r"reach\w*|achiev\w*|attain\w*|keeps? up)\b(?!.*\bwhich\b)"
)
RIVALS = re.compile(
    r"\((?:[a-z][\w.+ -]{1,30}:? [\d.]+ ?%?(?:, |; | and )?)+\)"
)  # "(Llama-3 8B: 78)"
SCORED = re.compile(  # "PixArt 71.11, SDXL 74.65, Flux 83.79"
    r"(?:[a-z][\w.+-]*(?: [\w.+-]{1,12}){0,2} \d+\.\d+%?(?:, | and |; |$|\.|\))){3,}"
)
OWN_SUBJECT = re.compile(r"\((?:the|an?|our|its|we|this|that|it|all|both)\b")


def scopes(sentence: str) -> list[tuple[int, int, str]]:
    """Find the stretches of a sentence that are not said of the release.

    Args:
        sentence: in lower case.

    Returns:
        Start, end and polarity of each stretch.
    """
    shields, found = [], []
    for trigger in TRIGGERS:
        if trigger.reach == "key":
            if m := NOTHING.match(sentence):
                found.append((0, m.end(), trigger.polarity))
        elif trigger.reach == "question":
            if sentence.endswith("?"):
                topic = sentence.startswith(
                    ("how ", "what ", "can ", "could ")
                )  # "How should one train a flow?"
                found.append((0, len(sentence), MENTION if topic else trigger.polarity))
        elif trigger.reach == "shield":
            shields = [m.span() for m in compiled(trigger.pattern).finditer(sentence)]
        else:
            for m in compiled(trigger.pattern).finditer(sentence):
                if not any(a <= m.start() < b for a, b in shields):
                    reach = reach_of(trigger.reach, sentence, m.start(), m.end())
                    if trigger.polarity == "compared":
                        reach = _to_means(sentence, m.start(), reach)
                    found.append((*_within(sentence, m.start(), reach), trigger.polarity))
    rivals = [m for m in RIVALS.finditer(sentence) if "step" not in m.group()]
    found += [(*m.span(), "compared") for m in (*rivals, *SCORED.finditer(sentence))]
    return found + [(a, b, MENTION) for a, b in mentions(sentence)]


def _to_means(sentence: str, start: int, reach: tuple[int, int]) -> tuple[int, int]:
    """End a comparison where the own means follow: "on par with GANs in just one step"."""
    means = MEANS.search(sentence, max(start, reach[0]), reach[1])
    even = means and EVEN.search(sentence, 0, means.start())
    return (reach[0], means.start()) if means and even else reach


def _within(sentence: str, start: int, reach: tuple[int, int]) -> tuple[int, int]:
    """Keep the reach of a trigger inside its parentheses, if they have a subject of their own."""
    for m in PARENTHESES.finditer(sentence):
        if m.start() < start < m.end() and OWN_SUBJECT.match(m.group()):
            return max(reach[0], m.start()), min(reach[1], m.end())
    return reach


def polarity(sentence: str, start: int, end: int) -> str:
    """Say whether the phrase from start to end is asserted.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        One of `POLARITIES`.

    Example:
        >>> text = "unlike gans, our flow trains without a critic."
        >>> [polarity(text, text.index(w), text.index(w) + 3) for w in ("gans", "flow", "critic")]
        ['compared', 'asserted', 'negated']
    """
    return strongest(scopes(sentence), start, end)


def strongest(found: list[tuple[int, int, str]], start: int, end: int) -> str:
    """Return the strongest polarity of the scopes that hold the phrase.

    Args:
        found: what `scopes` returned.
        start: of the phrase.
        end: one past its last character.

    Returns:
        One of `POLARITIES`.
    """
    here = [p for a, b, p in found if a <= start < b]
    return min(here, key=POLARITIES.index, default=ASSERTED)
