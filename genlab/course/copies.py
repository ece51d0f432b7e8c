"""A learner's working copies of the notebooks: an update of the course never writes over one.

What is shipped stays in notebooks/; what is edited lies in my/, which git does not see. A copy that
nobody has touched since it was made is renewed when the course has a newer version; any other is
left as it is, until its owner asks for a fresh one, and then the old one is kept.
Lesson: docs/decisions/010-working-copies.md
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from genlab.core.files import replace_file

from .handout import NOTEBOOKS
from .progress import MARK

BACKUPS = "backups"


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did, as paths relative to the folder of copies."""

    new: tuple[str, ...]
    renewed: tuple[str, ...]  # nobody had touched them
    outdated: tuple[str, ...]  # touched, and the course has a newer version


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
    """Make the copies that are missing, and renew those that nobody has touched.

    Args:
        mine: folder of working copies; made when it is missing.
        source: the course's notebooks.

    Raises:
        FileNotFoundError: the course's notebooks are not there.
    """
    known = _known(mine)
    new, renewed, outdated = [], [], []
    for name, path in shipped(source).items():
        data, copy = path.read_bytes(), mine / name
        have, want = _digest(copy.read_bytes()) if copy.exists() else "", _digest(data)
        if not have:
            new.append(name)
        elif have == want:
            pass
        elif known.get(name) == want:
            continue  # edited, and made from this version
        elif have == known.get(name):
            renewed.append(name)
        else:
            outdated.append(name)
            continue
        if have != want:
            replace_file(copy, data)
        known[name] = want
    replace_file(mine / MARK, json.dumps(known, indent=1).encode())
    return Prepared(tuple(new), tuple(renewed), tuple(outdated))


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
    """
    from_course = shipped(source)
    by_key = {key_of(name): name for name in from_course}
    key = f"{int(lesson):02d}" if lesson.isdigit() else Path(lesson).stem
    name = by_key.get(key) or by_key.get(key[:2])
    if name is None:
        raise ValueError(f"no lesson or lab {lesson!r}; there are: {', '.join(by_key)}")
    copy, kept = mine / name, None
    if copy.exists():
        kept = _free(mine / BACKUPS / f"{copy.stem}.{time.strftime('%Y-%m-%dT%H-%M-%S')}.ipynb")
        replace_file(kept, copy.read_bytes())  # on the disk before anything is replaced
    data, known = from_course[name].read_bytes(), _known(mine)
    replace_file(copy, data)
    known[name] = _digest(data)
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


def _free(path: Path) -> Path:
    """Return a path that does not exist yet: two resets may fall into one second."""
    tries = (path, *(path.with_name(f"{path.stem}-{k}{path.suffix}") for k in range(2, 1000)))
    return next(candidate for candidate in tries if not candidate.exists())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _known(mine: Path) -> dict[str, str]:
    """Return which version each copy was made from; nothing when that cannot be read."""
    try:
        read = json.loads((mine / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}
