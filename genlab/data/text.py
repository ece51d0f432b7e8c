r"""English prose that every Python carries: the reference manual behind `help()`.

`pydoc_data.topics` holds about 460,000 characters. Its topics repeat one another's paragraphs, so
repeated paragraphs are dropped *before* the text is split: otherwise the held-out part would be
known by heart from training. The manual grows from one Python version to the next, so every figure
computed from it is a range, never an exact number.

Lesson: notebooks/02_autoregressive.ipynb
"""

import re
from functools import cache
from pydoc_data.topics import topics  # type: ignore[import-not-found,unused-ignore]


def unique_paragraphs(texts: list[str]) -> list[str]:
    r"""Paragraphs in order of first appearance, each once; spacing does not make a difference.

    Args:
        texts: documents; a blank line ends a paragraph.

    Returns:
        The paragraphs, without surrounding blank space, none empty.

    Example:
        >>> unique_paragraphs(["One.\n\nTwo.", "Two.\n\nThree."])
        ['One.', 'Two.', 'Three.']
    """
    seen: dict[str, str] = {}
    for text in texts:
        for paragraph in re.split(r"\n\s*\n", text):
            key = " ".join(paragraph.split())
            if key:
                seen.setdefault(key, paragraph.strip("\n"))
    return list(seen.values())


@cache
def paragraphs() -> tuple[str, ...]:
    """All paragraphs of the manual, each once, topics in alphabetical order."""
    return tuple(unique_paragraphs([topics[name] for name in sorted(topics)]))


def load_text(split: str = "train") -> str:
    """One part of the manual: whole paragraphs, separated by blank lines, only printable ASCII.

    Every twentieth paragraph goes to each of val and test, so that all parts speak of everything.

    Args:
        split: "train" (90 %), "val" (5 %, for choosing) or "test" (5 %).

    Returns:
        The text; about 330,000 characters for "train".

    Raises:
        ValueError: the name is none of the three.

    Example:
        >>> 0.03 < len(load_text("test")) / len(load_text("train")) < 0.09
        True

    Lesson: notebooks/02_autoregressive.ipynb
    """
    parts = {"val": (9,), "test": (19,), "train": tuple(i for i in range(20) if i not in (9, 19))}
    if split not in parts:
        raise ValueError(f"split must be one of {sorted(parts)}, got {split!r}")
    chosen = [p for i, p in enumerate(paragraphs()) if i % 20 in parts[split]]
    return re.sub(r"[^\n -~]", "?", "\n\n".join(chosen))
