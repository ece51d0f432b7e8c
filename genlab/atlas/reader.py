"""The release reader: the four-step procedure of the course, as a function.

It reads a text by the tables of `rules/`, keeps what it says of itself (`scope.py`), and
concludes by the map: `components.py`, `claims.py`, `objectives.py`, `deduce.py`. No rule is
learned; every conclusion has the phrase, or the line of the map, that led to it.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from dataclasses import dataclass
from typing import Any

from .aim import aim
from .claims import claims, overclaims
from .components import components
from .deduce import likelihood, sampling
from .doubts import doubts
from .draft import ORDER, Draft, Reason
from .findings import Finding, find, promoted
from .kind import named
from .naming import misleading, name_spans
from .objectives import objectives
from .steps import Steps, counts
from .support import continuous, supported
from .text import checked, sentences
from .tradeoffs import trade_offs

NONE_STATED = "none stated"


@dataclass(frozen=True)
class Evidence:
    """Why something was concluded."""

    conclusion: str  # such as "sampling: one-pass"
    phrase: str | None  # as it stands in the text; None where only the map speaks
    start: int | None
    end: int | None
    polarity: str  # asserted; or negated, compared, past, ... for what was not counted; or map
    rule: str  # the rule's pattern, or the line of the map
    lesson: int


@dataclass(frozen=True)
class Reading:
    """What the reader says of a release."""

    text: str
    paradigms: tuple[str, ...]
    objective: tuple[str, ...]
    sampling: str
    likelihood: str
    trade_offs: tuple[tuple[str, str], ...]  # what is paid, and why
    flags: tuple[str, ...]
    doubts: tuple[str, ...]  # what to check in the text itself
    evidence: tuple[Evidence, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what `genlab read --json` prints.

        Returns:
            Paradigms and objective are lists; where the text names none, of "none stated".
        """
        return {
            "paradigms": list(self.paradigms) or [NONE_STATED],
            "objective": list(self.objective) or [NONE_STATED],
            "sampling": self.sampling,
            "likelihood": self.likelihood,
            "trade_offs": [{"pays": pays, "because": why} for pays, why in self.trade_offs],
            "flags": list(self.flags),
            "evidence": [vars(e) for e in self.evidence],
            "doubts": list(self.doubts),
        }


def read_release(text: str) -> Reading:
    """Read a release and place it on the map.

    Args:
        text: an abstract, a model card, a paragraph, or lines of `key: value`; in English, at
            most 100,000 characters.

    Returns:
        Components, objective, sampling, likelihood, trade-offs, flags, and why.

    Raises:
        UnreadableError: the text is empty, too long, binary, or in another language.

    Example:
        >>> reading = read_release("Unlike GANs, our normalizing flow samples in one pass.")
        >>> reading.paradigms, reading.sampling, reading.likelihood
        (('flow',), 'one-pass', 'exact')
    """
    names = name_spans(checked(text))
    found = [f for f in find(text) if not any(a <= f.start and f.end <= b for a, b in names)]
    found = continuous(supported(promoted(found)))
    cut = sentences(text)
    draft = Draft(found, counts(text), named(cut), aim(cut))
    for step in (
        components, claims, objectives, sampling, likelihood, overclaims
    ):  # fmt: skip
        step(draft)
    if reasons := misleading(draft, text):
        draft.flags.add("misleading-name")
        draft.conclude("flag: misleading-name", *reasons)
    return Reading(
        text,
        tuple(p for p in ORDER if p in draft.paradigms),
        tuple(sorted(draft.objective)),
        draft.sampling,
        draft.likelihood,
        trade_offs(draft.paradigms, draft.sampling, draft.likelihood, draft.flags),
        tuple(sorted(draft.flags)),
        doubts(draft),
        _evidence(draft, text),
    )


def _evidence(draft: Draft, text: str) -> tuple[Evidence, ...]:
    """Return the reasons in the order of the text, and what was read but not counted."""
    rows = [_row(what, why, text) for what, some in draft.because.items() for why in some]
    for f in draft.findings:
        if not f.asserted and f.axis == "paradigm":
            rows.append(_row(f"not counted: {f.value}", f, text))
    return tuple(dict.fromkeys(rows))


def _row(conclusion: str, why: Reason, text: str) -> Evidence:
    if isinstance(why, str):
        return Evidence(conclusion, None, None, None, "map", why, 15)
    if isinstance(why, Steps):
        return Evidence(
            conclusion, why.phrase, why.start, why.end, "asserted", "a number of steps", 13
        )
    assert isinstance(why, Finding)
    phrase = text[why.start : why.end]
    sense = "asserted" if why.asserted else why.polarity
    return Evidence(
        conclusion, phrase, why.start, why.end, sense, why.rule.says + " <- " + why.rule.example,
        why.rule.lesson,
    )  # fmt: skip
