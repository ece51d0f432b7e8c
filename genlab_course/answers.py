"""What was answered: each answer is a line of `progress.jsonl`, forced to the disk.

A kernel that is killed loses nothing.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab_course.places import folder

LOG = "progress.jsonl"


@dataclass(frozen=True)
class Answered:
    """What is known of one exercise or question."""

    right: bool  # it has been right once
    tries: int


def record(id: str, right: bool, place: Path | None = None, mistake: str = "") -> None:
    """Keep an answer to an exercise or question ("02.quiz.3"); a full disk stops no lesson."""
    with contextlib.suppress(OSError):
        place = folder() if place is None else place
        if place is not None:
            more = {"mistake": mistake} if mistake else {}
            _append(place / LOG, {"id": id, "right": right, "at": round(time.time())} | more)


def _append(path: Path, entry: dict[str, object]) -> None:
    """Add one line in one write: two kernels never mix theirs."""
    line = f"\n{json.dumps(entry)}\n"  # the first break ends a line that was cut short
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    finally:
        os.close(file)


def entries(log: Any) -> Iterator[dict[str, Any]]:
    """All that was answered, as it was kept; lines that cannot be read are skipped."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry["id"], str) and "right" in entry:
                yield entry


def answered(place: Path) -> dict[str, Answered]:
    """All that was answered, by id, retired ids too."""
    found: dict[str, Answered] = {}
    for entry in entries(place / LOG):
        before = found.get(entry["id"], Answered(False, 0))
        right = before.right or entry["right"] is True
        found[entry["id"]] = Answered(right, before.tries + 1)
    return found
