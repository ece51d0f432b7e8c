"""A reading for people: loaded from a file, printed as lines, or marked in the text as HTML.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import sys
from html import escape
from io import BufferedIOBase
from pathlib import Path

from .reader import NONE_STATED, Evidence, Reading
from .text import LONGEST, UnreadableError, decoded

MOST_BYTES = 4 * LONGEST  # no character of UTF-8 is longer than four bytes
COLOURS = {  # Okabe-Ito, light enough for black letters
    "paradigm": "#A6D4F2", "objective": "#F5D9A0", "sampling": "#A9DFCB", "flag": "#F3C0A5",
    "likelihood": "#E3C1D5",
}  # fmt: skip


def load(place: str, stream: BufferedIOBase | None = None) -> str:
    """Read a release from a file, or from standard input.

    Args:
        place: a path, or "-" for standard input.
        stream: read instead of standard input.

    Returns:
        The text, not yet checked.

    Raises:
        UnreadableError: there is no such file, it is a folder, too large, binary or not UTF-8.
    """
    if place == "-":
        raw = (stream or sys.stdin.buffer).read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise UnreadableError(_too_large("standard input", f"more than {MOST_BYTES:,}"))
        return decoded(raw)
    path = Path(place)
    if path.is_dir():
        raise UnreadableError(f"{place} is a folder. Try one of the files in it")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnreadableError(_too_large(place, f"{size:,}"))
        return decoded(path.read_bytes())
    except (OSError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(
            f"cannot read {place!r}: {why}. Try a path to a text file, or - for what is piped in"
        ) from None


def _too_large(place: str, size: str) -> str:
    return (
        f"{place} holds {size} bytes, and a release is at most {LONGEST:,} characters. "
        "Try the abstract, or the section about the method"
    )


def as_lines(reading: Reading) -> list[tuple[str, str]]:
    """Return what is read, as rows of a label and a value.

    Args:
        reading: of a release.

    Returns:
        Components, objective, sampling, likelihood, flags, doubts, prices, then every reason.
    """
    rows = [
        ("components", ", ".join(reading.paradigms) or NONE_STATED),
        ("objective", ", ".join(reading.objective) or NONE_STATED),
        ("sampling", reading.sampling),
        ("likelihood", reading.likelihood),
        ("look twice", ", ".join(reading.flags) or "nothing odd"),
    ]
    rows += [("check", doubt) for doubt in reading.doubts]
    rows += [("pays", f"{pays}: {why}") for pays, why in reading.trade_offs]
    return rows + [("because", _reason(e)) for e in reading.evidence]


def _reason(e: Evidence) -> str:
    if e.phrase is None:
        return f"{e.conclusion}, by the map: {e.rule}"
    phrase = " ".join(e.phrase.split())
    sense = "" if e.polarity == "asserted" else f" ({e.polarity})"
    return f"{e.conclusion}, from “{phrase}”{sense}, lesson {e.lesson:02d}"


def as_html(reading: Reading) -> str:
    """Return the text with the phrases marked, above a table of what was concluded.

    Args:
        reading: of a release.

    Returns:
        HTML without scripts; the text is escaped.
    """
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left;vertical-align:top;padding-right:1em'>"
        f"{label}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for label, value in as_lines(reading) if label != "because"
    )  # fmt: skip
    lines = [_reason(e) for e in reading.evidence if e.phrase is None]
    by_map = "".join(f"<li>{escape(line)}</li>" for line in lines)
    legend = " ".join(
        f"<span style='background:{colour}'>&nbsp;{name}&nbsp;</span>"
        for name, colour in COLOURS.items()
    )
    return (
        f"<p style='white-space:pre-wrap;max-width:44em;line-height:1.5'>{_marked(reading)}</p>"
        f"<p>{legend} <s>not counted</s></p><table>{rows}</table><ul>{by_map}</ul>"
    )


def _marked(reading: Reading) -> str:
    """Return the text, every phrase of the evidence in the colour of what it led to."""
    spans: dict[tuple[int, int], list[Evidence]] = {}
    for e in reading.evidence:
        if e.start is not None and e.end is not None:
            spans.setdefault((e.start, e.end), []).append(e)
    pieces, position = [], 0
    for (start, end), some in sorted(spans.items(), key=lambda item: (item[0][0], -item[0][1])):
        if start >= position:  # of phrases that overlap, the first and longest is marked
            pieces += [escape(reading.text[position:start]), _mark(reading.text[start:end], some)]
            position = end
    return "".join(pieces) + escape(reading.text[position:])


def _mark(phrase: str, some: list[Evidence]) -> str:
    title = escape("; ".join(_reason(e) for e in some), quote=True)
    counted = [e for e in some if not e.conclusion.startswith("not counted")]
    if not counted:
        return f"<s title='{title}'>{escape(phrase)}</s>"
    colour = COLOURS[counted[0].conclusion.split(":")[0]]
    return f"<mark style='background:{colour}' title='{title}'>{escape(phrase)}</mark>"
