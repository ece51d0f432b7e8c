"""What a class has handed in, read as it arrives: from many hands, and from none that is trusted.

Of each learner at most ten megabytes are read, line by line; what is no progress is named with the
reason and costs nobody else's row.
"""

import collections
import json
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from genlab_course.answers import LOG, MOST, TOO_MUCH, entries

READABLE = "expected a folder, a .zip or a .jsonl file"
DAMAGES = (  # of a zip, as the standard library reports them
    OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
Entries = list[dict[str, Any]]


def roster(folder: Path) -> tuple[dict[str, Entries], dict[str, str]]:
    """What each learner of a class has handed in, by pseudonym, and why others were not read.

    A learner is a folder or a zip with a `progress.jsonl` at any depth (a folder of working copies,
    a zip of `course.download`, what Moodle makes of either), or a .jsonl file. The pseudonym is its
    name. FileNotFoundError where nobody's can be read.
    """
    learners: dict[str, Entries] = {}
    unread: dict[str, str] = {}
    for place in sorted(folder.iterdir()):
        if _by_the_system(place.name):
            continue
        try:
            handed_in = _read(place)
        except DAMAGES as error:
            unread[plain(place.name)] = _why(error)
        else:
            learners[_new_name(place, learners)] = handed_in
    if not learners:
        why = "".join(f"; not read: {name} ({why})" for name, why in unread.items())
        raise FileNotFoundError(f"no learner in {folder}: {READABLE}{why}")
    return learners, unread


def plain(text: str) -> str:
    """A text without what a terminal would obey: escape sequences, line breaks, marks of order."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _by_the_system(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


def _new_name(place: Path, taken: dict[str, Entries]) -> str:
    """The pseudonym of what was handed in: no two learners become one."""
    whole = plain(place.name)
    short = re.sub(r"_\d+_assignsubmission_.*", "", whole)  # Moodle's
    if place.suffix in (".zip", ".jsonl") and not place.is_dir():
        short = short.removesuffix(place.suffix)
        short = re.sub(r"^genlab-(.+?)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d", r"\1", short)  # download's
    numbered = (f"{whole} ({k})" for k in range(2, 10_000))
    return next(name for name in (short, whole, *numbered) if name not in taken)


def _read(place: Path) -> Entries:
    """All that one learner has answered; one of DAMAGES where nothing can be read.

    What stands in two files, say in a folder and in a download of it, counts once.
    """
    found: Entries = []
    known: collections.Counter[str] = collections.Counter()
    n_files, budget = 0, MOST
    for file in _logs(place):
        here: collections.Counter[str] = collections.Counter()
        with file:
            for entry in entries(file, budget):
                line = json.dumps(entry, sort_keys=True)
                here[line] += 1
                if here[line] > known[line]:
                    found.append(entry)
            budget -= file.tell()
        known |= here
        n_files += 1
    if not n_files:
        raise ValueError(f"no {LOG} in it" if place.is_dir() or _is_zip(place) else READABLE)
    return found


def _logs(place: Path) -> Iterator[IO[bytes]]:
    """The files of progress in what was handed in, opened."""
    kind = place.stat().st_mode  # of a link: of what it leads to
    if stat.S_ISDIR(kind):
        for path in sorted(place.rglob("*")):
            hidden = any(map(_by_the_system, path.relative_to(place).parts))
            if not hidden and path.is_file() and (path.name == LOG or path.suffix == ".zip"):
                yield from _logs(path)
    elif not stat.S_ISREG(kind):
        raise ValueError("not a regular file, but a pipe, a socket or a device")
    elif _is_zip(place):
        yield from _zipped(place)
    elif place.suffix == ".zip":
        raise ValueError("damaged: not a zip archive")
    elif place.suffix == ".jsonl":
        yield place.open("rb")


def _zipped(place: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(place) as packed:
        if any("_assignsubmission_" in name for name in packed.namelist()):
            raise ValueError("Moodle's download of a whole class: unpack it first")
        for info in packed.infolist():
            parts = info.filename.split("/")
            if parts[-1] == LOG and not any(map(_by_the_system, parts)):
                if info.file_size > MOST:
                    raise ValueError(TOO_MUCH)
                yield packed.open(info)


def _is_zip(place: Path) -> bool:
    return place.suffix != ".jsonl" and zipfile.is_zipfile(place)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return "encrypted: it has a password"
    if isinstance(error, ValueError):
        return plain(str(error))
    return plain(f"damaged: {error}")
