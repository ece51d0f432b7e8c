"""What was answered: each answer is a line of `progress.jsonl`, forced to the disk.

A kernel that is killed loses nothing.
"""

import contextlib
import errno
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab_course.places import folder

LOG = "progress.jsonl"
MOST = 10_000_000  # bytes of one learner's progress: a line is about a hundred
TOO_MUCH = f"more than {MOST // 1_000_000} MB of progress, the limit for one learner"


@dataclass(frozen=True)
class Answered:
    """What is known of one exercise or question."""

    right: bool  # it has been right once
    tries: int


def record(
    id: str, right: bool, place: Path | None = None, *, mistake: str = "", guess: str = ""
) -> str:
    """Keep an answer to an exercise or question ("02.quiz.3"); a full disk stops no lesson.

    Returns "", or once a session and folder why answers cannot be kept, and what to do.
    """
    place = folder() if place is None else place
    if place is None:
        return _once(_nowhere())
    more = {"mistake": mistake} if mistake else {}
    more |= {"guess": guess} if guess else {}
    try:
        _append(place / LOG, {"id": id, "right": right, "at": round(time.time())} | more)
    except OSError as error:
        return _once(
            f"your answers cannot be saved in {place}: {error.strerror}. You can go on; to save "
            'from now on, run course.keep("another folder").'
        )
    return ""


def _nowhere() -> str:
    """Why there is no folder to keep answers in; "" where none is expected."""
    if named := os.environ.get("GENLAB_MY"):
        return (
            f"your answers cannot be saved: GENLAB_MY names {named}, which holds no working "
            "copies. Run `genlab start` to make them, or choose a folder with "
            'course.keep("another folder").'
        )
    if "google.colab" in sys.modules:
        return (
            "your answers are not saved: Colab deletes its disk when the session ends. Mount your "
            'drive (Files, Mount Drive), then run course.keep("/content/drive/MyDrive/genlab")'
        )
    return ""


def _once(sentence: str) -> str:
    """A sentence the first time in this session, and then nothing."""
    if sentence in _told:
        return ""
    _told.add(sentence)
    return sentence


_told: set[str] = set()  # of this session


def _append(path: Path, entry: dict[str, object]) -> None:
    """Add one line in one write: two kernels never mix theirs."""
    line = f"\n{json.dumps(entry)}\n".encode()  # the first break ends a line that was cut short
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.write(file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)


def entries(file: Any, most: int | None = None) -> Iterator[dict[str, Any]]:
    """All that a binary file keeps of what was answered; lines that cannot be read are skipped.

    ValueError beyond `most` bytes: not every file comes from a hand that one trusts.
    """
    data = file.read() if most is None else file.read(most + 1)
    if most is not None and len(data) > most:
        raise ValueError(TOO_MUCH)
    for line in io.BytesIO(data):
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                entry = json.loads(line.decode(errors="replace"))
                if isinstance(entry["id"], str) and "right" in entry:
                    yield entry


def answered(place: Path) -> dict[str, Answered]:
    """All that was answered, by id, retired ids too."""
    found: dict[str, Answered] = {}
    with contextlib.suppress(OSError), (place / LOG).open("rb") as file:
        for entry in entries(file):
            before = found.get(entry["id"], Answered(False, 0))
            right = before.right or entry["right"] is True
            found[entry["id"]] = Answered(right, before.tries + 1)
    return found


def guess_of(id: str, place: Path) -> str:
    """The last prediction of an id that was kept, or ""."""
    guess = ""
    with contextlib.suppress(OSError), (place / LOG).open("rb") as file:
        for entry in entries(file):
            if entry["id"] == id and isinstance(entry.get("guess"), str):
                guess = entry["guess"]
    return guess
