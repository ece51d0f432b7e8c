"""Editions of the notebooks to hand out: for students before their first run, or whole.

Lesson: docs/teaching.md
"""

import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.core.weights import replace_file
from genlab_course.demos import PAGES
from genlab_course.exercise import MARK, answered, folder, share
from genlab_course.quiz import questions

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
KEEP = "keep-output"  # tag of a cell whose pictures are shown before it has run


def handout(target: Path, *, instructor: bool = False, source: Path = NOTEBOOKS) -> list[Path]:
    """Copy the lessons and the labs into a new folder.

    Args:
        target: the folder; it is made, and nothing in it is ever replaced.
        instructor: with outputs and worked solutions; else as `fresh` makes them.
        source: the course's notebooks.

    Returns:
        What was written.

    Raises:
        FileExistsError: the folder holds something already.
        FileNotFoundError: the course's notebooks are not there: the package alone has none.
    """
    if not list(source.glob("[0-9][0-9]_*.ipynb")):
        raise FileNotFoundError(
            f"no lessons in {source}: run this from a clone of the course, installed with "
            "`make setup` or `pip install -e .`"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(
            f"{target} holds something already and nothing is replaced: name a new folder"
        )
    folders = [source, source / "systems", *([source / "solutions"] if instructor else [])]
    written = []
    for notebook in (path for each in folders for path in sorted(each.glob("*.ipynb"))):
        copy = target / notebook.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if instructor:
            shutil.copyfile(notebook, copy)
        else:
            replace_file(copy, as_bytes(fresh(notebook)))
        written.append(copy)
    return written


def fresh(notebook: Path) -> dict[str, Any]:
    """Return a notebook as it is before its first run.

    Of its outputs only the pictures of cells tagged `keep-output` stay: the opening picture and the
    first state of each widget. Nothing that a cell prints stays, so no answer is given away.

    Args:
        notebook: one of the course's.
    """
    content: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            kept = KEEP in cell["metadata"].get("tags", ())
            cell["outputs"] = [output for output in cell["outputs"] if kept and _shows(output)]
            for asked in (cell, *cell["outputs"]):
                if "execution_count" in asked:
                    asked["execution_count"] = None
    content["metadata"].pop("widgets", None)
    return content


def as_bytes(content: dict[str, Any]) -> bytes:
    """Return a notebook's file as Jupyter writes it.

    Args:
        content: the notebook.
    """
    return f"{json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()


def _shows(output: dict[str, Any]) -> bool:
    """Say whether an output is more than text: a picture, or a page that stands for a widget."""
    return any(kind != "text/plain" for kind in output.get("data", {}))


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


def reset_copy(lesson: str, mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Path | None]:
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


PAGE = "START.ipynb"
BINDER = "https://mybinder.org/v2/gh/genlab-course/genlab/main?urlpath=lab/tree/my/START.ipynb"
HEAD = re.compile(r"About (\d+) minutes to read, about (\d+) seconds to run")


@dataclass(frozen=True)
class Standing:
    """How far a learner is with one lesson or lab."""

    title: str
    name: str  # of the notebook, relative to the working copies
    minutes: int  # to read, as the head of the lesson says; 0 when it says nothing
    exercises: tuple[int, int]  # right, all
    quiz: tuple[int, int]

    @property
    def done(self) -> bool:
        """Every exercise and every question has been right once."""
        return self.exercises[0] == self.exercises[1] and self.quiz[0] == self.quiz[1]

    @property
    def begun(self) -> bool:
        """Something has been right."""
        return self.exercises[0] + self.quiz[0] > 0


def standings(mine: Path, source: Path = NOTEBOOKS) -> list[Standing]:
    """Return how far a learner is, lesson by lesson, then lab by lab.

    Args:
        mine: folder of working copies.
        source: the course's notebooks.

    Raises:
        FileNotFoundError: the course's notebooks are not there.
    """
    known, notebooks = answered(mine), {key_of(name): name for name in shipped(source)}
    rows = []
    for page in PAGES:
        if page.name in notebooks:
            name = notebooks[page.name]
            head = HEAD.search((source / name).read_text(encoding="utf-8"))
            asked = [f"{page.name}.quiz.{n}" for n, _ in enumerate(questions(page.key), 1)]
            rows.append(
                Standing(
                    page.title,
                    name,
                    int(head[1]) if head else 0,
                    share(_exercises(page.key), known),
                    share(asked, known),
                )
            )
    return rows


def _exercises(key: int | str) -> list[str]:
    """Return the ids of a lesson's exercises."""
    module = f"system_{key}" if isinstance(key, str) else f"lesson_{key:02d}"
    bank = importlib.import_module(f"{__package__}.exercises.{module}").EXERCISES
    return [exercise.id for exercise in bank]


def table(rows: list[Standing]) -> str:
    """Write the standings as Markdown: what is next, then the lessons and the labs.

    Args:
        rows: what `standings` returned.
    """
    following = next((row for row in rows if not row.done), None)
    minutes = sum(row.minutes for row in rows if not row.done)
    say = "Everything is answered. What would you build now?"
    if following is not None:
        verb = "Go on with" if following.begun else "Next"
        say = f"**{verb}: [{following.title}]({following.name})**"
        say += f" ({following.minutes} minutes to read; about {minutes / 60:.0f} hours are left)"
    lines = [say, "", "| | lesson or lab | minutes | exercises | quiz |", "|---|---|---|---|---|"]
    for row in rows:
        mark = "✓" if row.done else "…" if row.begun else ""
        counts = " | ".join(f"{right} of {n}" for right, n in (row.exercises, row.quiz))
        lines.append(f"| {mark} | [{row.title}]({row.name}) | {row.minutes} | {counts} |")
    return "\n".join(lines)


TITLE = "# genlab: generative models from first principles"
HELLO = """\
These are your own copies: write in them what you like, no update of the course replaces one in
which you have written. To take a fresh one, with the old one kept in `backups/`, type
`genlab reset 04` in a terminal (*File*, *New*, *Terminal*) or run `course.reset("04")` in a cell.
Right answers are kept on the disk as you give them; run the cell above to count them again. Worked
solutions stand in the course's `notebooks/solutions`. This page is made anew at each start, so keep
your notes elsewhere.

The course without an installation: [on Binder]({binder}), which keeps nothing.

![The map of the course](../docs/images/map.png)"""
OUTDATED = """

The course has newer versions of: {names}. Yours are as you left them; `genlab reset` takes the new
one and keeps yours."""
UNREADABLE = """

What stands in the place of these copies is no notebook that can be read: {names}. Nothing was
changed there; `genlab reset` takes a fresh one and keeps what is there."""
CELL = "import genlab_course as course\n\ncourse.progress()"


def write_start(mine: Path, prepared: Prepared, source: Path = NOTEBOOKS) -> Path:
    """Write the start page into a folder of working copies.

    Args:
        mine: the folder.
        prepared: what `prepare` said.
        source: the course's notebooks.

    Returns:
        The page.
    """
    head, text = TITLE, HELLO.format(binder=BINDER)
    for sentence, names in ((OUTDATED, prepared.outdated), (UNREADABLE, prepared.unreadable)):
        if names:
            head += sentence.format(names=", ".join(f"`{key_of(name)}`" for name in names))
    shown = {"text/markdown": table(standings(mine, source)), "text/plain": "the table"}
    outputs = [{"output_type": "display_data", "data": shown, "metadata": {}}]
    code = {"cell_type": "code", "id": "progress", "metadata": {}, "source": CELL}
    like = fresh(next(iter(shipped(source).values())))["metadata"]  # kernel and language
    page = {
        "cells": [
            {"cell_type": "markdown", "id": "start", "metadata": {}, "source": head},
            code | {"outputs": outputs, "execution_count": None},
            {"cell_type": "markdown", "id": "how", "metadata": {}, "source": text},
        ],
        "metadata": like,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    replace_file(mine / PAGE, as_bytes(of_this_kernel(page)))
    return mine / PAGE


def begin(mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Prepared]:
    """Make or renew the working copies, then the start page that lists them.

    Args:
        mine: folder of working copies.
        source: the course's notebooks.

    Returns:
        The page, and what was done.

    Raises:
        FileNotFoundError: the course's notebooks are not there.
    """
    prepared = prepare(mine, source)
    return write_start(mine, prepared, source), prepared


def progress() -> None:
    """Show how far you are, in a notebook of the working copies.

    Raises:
        FileNotFoundError: this notebook is not one of them.
    """
    from IPython.display import Markdown, display

    mine = folder()
    if mine is None:
        raise FileNotFoundError("progress is kept for working copies: `genlab start` makes them")
    display(Markdown(table(standings(mine))))  # type: ignore[no-untyped-call]


def reset(lesson: str | int) -> None:
    """Take a fresh copy of a lesson or lab, as `genlab reset` does, and say where the old one is.

    Args:
        lesson: number of a lesson, or name of a lab.

    Raises:
        ValueError: no lesson or lab of that name.
        FileNotFoundError: the course's notebooks are not there.
    """
    copy, kept = reset_copy(str(lesson), folder() or own_folder())
    print(f"fresh: {copy} (if it is open: File, Reload Notebook from Disk)")
    if kept is not None:
        print(f"kept:  {kept}")
