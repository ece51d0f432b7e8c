"""Where the course's lessons lie, and where a learner's working copies of them do."""

import contextlib
import os
from pathlib import Path

from genlab.files import replace_file

PACKED = Path(__file__).resolve().with_name("lessons")  # in a wheel: setup.py puts them there
NOTEBOOKS = PACKED if PACKED.is_dir() else PACKED.parents[1] / "notebooks"  # of the clone
MARK = ".genlab-copies.json"  # of a folder of working copies: which version each is made from
BACKUPS = "backups"


def folder(start: Path | None = None) -> Path | None:
    """The folder of working copies that GENLAB_MY names, or a place (this one) lies in; or None."""
    with contextlib.suppress(OSError):  # the directory may be gone
        place = (start or Path.cwd()).resolve()
        named = os.environ.get("GENLAB_MY") if start is None else None
        first = [at_home(named).resolve()] if named else []
        for candidate in (*first, place, *place.parents):
            if (candidate / MARK).is_file():
                return candidate
    return None


def own_folder() -> Path:
    """What GENLAB_MY names, or the clone's my/; else the folder that one is in, or ./my."""
    if named := os.environ.get("GENLAB_MY"):
        return at_home(named)
    return folder() or Path.cwd() / "my" if NOTEBOOKS == PACKED else NOTEBOOKS.parent / "my"


def at_home(named: str, what: str = "GENLAB_MY") -> Path:
    """A place in whose name "~" is a home; FileNotFoundError says of what it is nobody's."""
    try:
        return Path(named).expanduser()
    except RuntimeError:
        user = named.partition("/")[0].removeprefix("~")
        said = f"{what} is {named!r}, and no user is called {user}"
        raise FileNotFoundError(said) from None


def other_folder(mine: Path) -> Path | None:
    """The folder of copies that was opened last, if that is not this one and still there."""
    with contextlib.suppress(OSError, ValueError):
        last = Path(_last().read_text(encoding="utf-8"))
        if last != mine.resolve() and (last / MARK).is_file():
            return last
    return None


def remember(mine: Path) -> None:
    """Keep which folder of copies was opened last; where that cannot be kept, it is not."""
    with contextlib.suppress(OSError):
        replace_file(_last(), str(mine.resolve()).encode())


def _last() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "genlab-copies"


def shipped(source: Path = NOTEBOOKS) -> dict[str, Path]:
    """The lessons and labs by their path in the course; FileNotFoundError without any."""
    places = ("[0-9][0-9]_*.ipynb", "systems/*.ipynb", "frontier/*.ipynb")
    found = [path for place in places for path in sorted(source.glob(place))]
    if not found:
        raise FileNotFoundError(f"no lessons in {source}: install the course again")
    return {path.relative_to(source).as_posix(): path for path in found}


def key_of(name: str) -> str:
    """What a lesson or lab is called by: "04", "glide"."""
    stem = Path(name).stem
    return stem[:2] if stem[:2].isdigit() else stem


def find_lesson(lesson: str, source: Path = NOTEBOOKS) -> str:
    """The path in the course of a lesson ("4", "04") or lab ("glide"); ValueError lists them."""
    by_key = {key_of(name): name for name in shipped(source)}
    key = f"{int(lesson):02d}" if lesson.isdecimal() else Path(lesson).stem
    name = by_key.get(key) or by_key.get(key[:2])
    if name is None:
        raise ValueError(f"no lesson or lab {lesson!r}; there are: {', '.join(by_key)}")
    return name
