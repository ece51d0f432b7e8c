"""What a learner has answered, kept on disk beside the working copies and nowhere else.

An answer is one line, appended to `progress.jsonl` and forced to the disk, so that a kernel that is
killed loses nothing and a line that was cut short is skipped. A notebook that does not lie in a
folder of working copies records nothing: not the shipped ones, not those of a test.
Lesson: docs/decisions/010-working-copies.md
"""

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOG = "progress.jsonl"
MARK = ".genlab-copies.json"  # stands in a folder of working copies


@dataclass(frozen=True)
class Answered:
    """What is known of one exercise or question."""

    right: bool  # it has been right once
    tries: int


def folder(start: Path | None = None) -> Path | None:
    """Find the folder of working copies that a place lies in.

    Args:
        start: the working directory when None.

    Returns:
        The folder, or None when there is none above it.
    """
    with contextlib.suppress(OSError):  # the directory may be gone
        place = (start or Path.cwd()).resolve()
        for candidate in (place, *place.parents):
            if (candidate / MARK).is_file():
                return candidate
    return None


def record(id: str, right: bool, place: Path | None = None) -> None:
    """Keep an answer; silent, whatever happens: a full disk must not stop a lesson.

    Args:
        id: of the exercise, or of the question: "02.quiz.3".
        right: whether it was.
        place: folder of working copies; that of the working directory when None.
    """
    with contextlib.suppress(OSError):
        place = folder() if place is None else place
        if place is not None:
            _append(place / LOG, {"id": id, "right": right, "at": round(time.time())})


def _append(path: Path, entry: dict[str, object]) -> None:
    """Add one line in one write: two kernels never mix theirs."""
    line = f"\n{json.dumps(entry)}\n"  # the first break ends a line that was cut short
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    finally:
        os.close(file)


def answered(place: Path) -> dict[str, Answered]:
    """Read everything that was answered.

    Args:
        place: folder of working copies.

    Returns:
        By id. Lines that cannot be read are skipped.
    """
    found: dict[str, Answered] = {}
    try:
        lines = (place / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            entry = json.loads(line)
            before = found.get(entry["id"], Answered(False, 0))
            right = before.right or entry["right"] is True
            found[entry["id"]] = Answered(right, before.tries + 1)
    return found


def share(ids: Sequence[str], known: dict[str, Answered]) -> tuple[int, int]:
    """Count how many of some ids have been right.

    Args:
        ids: of exercises or questions.
        known: what `answered` returned.

    Returns:
        Right, and all.

    Example:
        >>> share(["a", "b"], {"a": Answered(True, 3), "b": Answered(False, 1)})
        (1, 2)
    """
    return sum(id in known and known[id].right for id in ids), len(ids)
