"""The start page: the map of the course, how far you are, how long the rest takes, what is next.

`make lab` writes it and opens it; its one code cell shows the table, and makes it again from what
was answered since.
Lesson: docs/decisions/010-working-copies.md
"""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

from genlab.core.files import replace_file

from . import copies
from .copies import Prepared, key_of, of_this_kernel, prepare, shipped
from .demo_table import PAGES
from .handout import NOTEBOOKS, as_bytes, fresh
from .progress import answered, folder, share
from .quiz import questions

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
CELL = "from genlab import course\n\ncourse.progress()"


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
    copy, kept = copies.reset(str(lesson), folder() or copies.own_folder())
    print(f"fresh: {copy} (if it is open: File, Reload Notebook from Disk)")
    if kept is not None:
        print(f"kept:  {kept}")
