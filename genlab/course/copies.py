"""A learner's working copies of the notebooks: an update of the course never writes over one.

What is shipped stays in notebooks/; what is edited lies in my/, which git does not see. Two
notebooks are the same when their cells have the same types and sources: JupyterLab rewrites
metadata, and running a cell changes its output, but neither is a learner's writing. A copy in which
nobody has written since it was made is renewed when the course has a newer version; any other is
left as it is, until its owner asks for a fresh one, and then the old one is kept.
Lesson: docs/decisions/010-working-copies.md
"""

import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.core.files import replace_file

from .handout import NOTEBOOKS, as_bytes, fresh
from .progress import MARK

BACKUPS = "backups"


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did, as paths relative to the folder of copies."""

    new: tuple[str, ...]
    renewed: tuple[str, ...]  # nobody had written in them
    outdated: tuple[str, ...]  # written in, and the course has a newer version
    unreadable: tuple[str, ...] = ()  # no notebook stands in the copy's place


def own_folder() -> Path:
    """Return the folder of working copies: my/ beside notebooks/, or what GENLAB_MY names."""
    named = os.environ.get("GENLAB_MY")
    return Path(named).expanduser() if named else NOTEBOOKS.parent / "my"


def shipped(source: Path = NOTEBOOKS) -> dict[str, Path]:
    """Return the lessons and labs by their path relative to the course's notebooks.

    Args:
        source: the course's notebooks.

    Raises:
        FileNotFoundError: there are none: the package alone has no notebooks.
    """
    lessons = sorted(source.glob("[0-9][0-9]_*.ipynb"))
    if not lessons:
        raise FileNotFoundError(f"no lessons in {source}: run this from a clone of the course")
    found = [*lessons, *sorted((source / "systems").glob("*.ipynb"))]
    return {path.relative_to(source).as_posix(): path for path in found}


def prepare(mine: Path, source: Path = NOTEBOOKS) -> Prepared:
    """Make the copies that are missing, and renew those in which nobody has written.

    Args:
        mine: folder of working copies; made when it is missing.
        source: the course's notebooks.

    Raises:
        FileNotFoundError: the course's notebooks are not there.
        NotADirectoryError: `mine` is a file.
    """
    _require_folder(mine)
    known = _known(mine)
    new, renewed, outdated, unreadable = [], [], [], []
    for name, path in shipped(source).items():
        copy, content = mine / name, fresh(path)
        want, made_from = _digest(content), known.get(name)
        if not os.path.lexists(copy):
            new.append(name)
        elif (have := _read(copy)) is None:
            unreadable.append(name)
            continue
        elif _digest(have) == want:
            known[name] = want
            continue
        elif made_from in (want, _digest_of_bytes(path.read_bytes())):
            continue  # written in, and made from this version
        elif made_from in (_digest(have), *_digests_before(have)):
            renewed.append(name)
        else:
            outdated.append(name)
            continue
        _write(copy, content)
        known[name] = want
    replace_file(mine / MARK, json.dumps(known, indent=1).encode())
    return Prepared(tuple(new), tuple(renewed), tuple(outdated), tuple(unreadable))


def reset(lesson: str, mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Path | None]:
    """Take a fresh copy of one lesson, and keep the old one with its date.

    Args:
        lesson: its number, "4" or "04", or a lab: "glide".
        mine: folder of working copies.
        source: the course's notebooks.

    Returns:
        The fresh copy, and where the old one is kept (None when there was none).

    Raises:
        ValueError: no lesson or lab of that name.
        FileNotFoundError: the course's notebooks are not there.
        NotADirectoryError: `mine` is a file.
    """
    _require_folder(mine)
    from_course = shipped(source)
    by_key = {key_of(name): name for name in from_course}
    key = f"{int(lesson):02d}" if lesson.isdecimal() else Path(lesson).stem
    name = by_key.get(key) or by_key.get(key[:2])
    if name is None:
        raise ValueError(f"no lesson or lab {lesson!r}; there are: {', '.join(by_key)}")
    copy, kept = mine / name, None
    if os.path.lexists(copy):
        kept = _free(mine / BACKUPS / f"{copy.stem}.{time.strftime('%Y-%m-%dT%H-%M-%S')}.ipynb")
        if copy.is_file():
            replace_file(kept, copy.read_bytes())  # on the disk before anything is replaced
        else:
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(kept)
    content, known = fresh(from_course[name]), _known(mine)
    _write(copy, content)
    known[name] = _digest(content)
    replace_file(mine / MARK, json.dumps(known, indent=1).encode())
    return copy, kept


def key_of(name: str) -> str:
    """Return the key of a notebook's path.

    Args:
        name: relative to the course's notebooks.

    Example:
        >>> key_of("04_normalizing_flows.ipynb"), key_of("systems/glide.ipynb")
        ('04', 'glide')
    """
    stem = Path(name).stem
    return stem[:2] if stem[:2].isdigit() else stem


def of_this_kernel(content: dict[str, Any]) -> dict[str, Any]:
    """Add what JupyterLab would write on opening, so that a notebook does not open unsaved.

    Args:
        content: a notebook of the course; it is changed in place.

    Returns:
        The same notebook.
    """
    version = sys.version.split()[0]  # as the kernel of this environment gives it
    content["metadata"].setdefault("language_info", {})["version"] = version
    return content


def _require_folder(mine: Path) -> None:
    """Refuse a file in the place of the folder."""
    if mine.exists() and not mine.is_dir():
        raise NotADirectoryError(f"{mine} is a file: expected a folder for the working copies")


def _free(path: Path) -> Path:
    """Return a path that does not exist yet: two resets may fall into one second."""
    tries = (path, *(path.with_name(f"{path.stem}-{k}{path.suffix}") for k in range(2, 1000)))
    return next(candidate for candidate in tries if not candidate.exists())


def _write(copy: Path, content: dict[str, Any]) -> None:
    """Write a working copy."""
    replace_file(copy, as_bytes(of_this_kernel(content)))


def _read(copy: Path) -> dict[str, Any] | None:
    """Return the notebook that stands in a copy's place, or None when there is none to read."""
    try:
        content: dict[str, Any] = json.loads(copy.read_text(encoding="utf-8"))
        _digest(content), _digests_before(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return content


def _digest(content: dict[str, Any]) -> str:
    """Return a digest of what was written: the type and the source of each cell."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]]
    return _digest_of_bytes(json.dumps(cells).encode())


def _digests_before(content: dict[str, Any]) -> tuple[str, str]:
    """Return what the course once kept of an untouched copy: a digest of its whole file.

    The second is that of a copy which JupyterLab has saved since: it adds the kernel's version.
    """
    as_saved = _digest_of_bytes(as_bytes(content))
    info = {k: v for k, v in content["metadata"].get("language_info", {}).items() if k != "version"}
    metadata = {**content["metadata"], "language_info": info}
    return as_saved, _digest_of_bytes(as_bytes({**content, "metadata": metadata}))


def _digest_of_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _known(mine: Path) -> dict[str, str]:
    """Return which version each copy was made from; nothing when that cannot be read."""
    try:
        read = json.loads((mine / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}
