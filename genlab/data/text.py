r"""English prose that every Python carries: the reference manual behind `help()`.

`pydoc_data.topics` holds about 460,000 characters. Its topics repeat one another's paragraphs, so
repeated paragraphs are dropped *before* the text is split: otherwise the held-out part would be
known by heart from training. The manual grows from one Python version to the next, so every figure
computed from it is a range, never an exact number; and a paragraph's part depends on its first
words alone, so that what a model learned with one version is not held out with another.

Lesson: notebooks/02_autoregressive.ipynb
"""

import re
from functools import cache
from hashlib import sha256
from pydoc_data.topics import topics  # type: ignore[import-not-found,unused-ignore]

SPLITS = ("train", "val", "test")


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


def part_of(paragraph: str) -> str:
    r"""The part of the text that a paragraph belongs to, whatever stands around it.

    $$k = \text{sha256}(w_1 \ldots w_8)_{0:32} \bmod 20, \qquad
    \text{val if } k = 9,\ \text{test if } k = 19,\ \text{else train}$$

    A paragraph that was edited behind its eighth word, or that begins as another one does, goes
    where that one goes: near repetitions would leak as well.

    Args:
        paragraph: any.

    Returns:
        "val" or "test" for one in twenty each, by a hash of the first eight words, else "train".

    Example:
        >>> part_of("one two three four five six seven eight, nine")
        'train'
    """
    first = " ".join(paragraph.split()[:8])
    number = int.from_bytes(sha256(first.encode()).digest()[:4], "big")
    return {9: "val", 19: "test"}.get(number % 20, "train")


def load_text(split: str = "train") -> str:
    """One part of the manual: whole paragraphs, separated by blank lines, only printable ASCII.

    About one paragraph in twenty goes to each of val and test (`part_of`).

    Args:
        split: "train" (90 %), "val" (5 %, for choosing) or "test" (5 %).

    Returns:
        The text; about 340,000 characters for "train".

    Raises:
        ValueError: the name is none of the three.

    Example:
        >>> 0.03 < len(load_text("test")) / len(load_text("train")) < 0.09
        True

    Lesson: notebooks/02_autoregressive.ipynb
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    chosen = [p for p in paragraphs() if part_of(p) == split]
    return re.sub(r"[^\n -~]", "?", "\n\n".join(chosen))
