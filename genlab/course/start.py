"""The start page: the map of the course, how far you are, how long the rest takes, what is next.

`make lab` writes it and opens it; its one cell makes the table again from what was answered since.
Lesson: docs/decisions/010-working-copies.md
"""

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from genlab.core.files import replace_file

from .copies import Prepared, key_of, prepare, shipped
from .demo_table import PAGES
from .handout import NOTEBOOKS
from .links import binder_link
from .progress import answered, folder, share
from .quiz import questions

PAGE = "START.ipynb"
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


HELLO = """\
# genlab: generative models from first principles

{table}

![The map of the course](../docs/images/map.png)

These are your own copies: write in them what you like, no update of the course replaces one that
you have touched. A fresh one, with the old one kept in `backups/`: `genlab reset 04` in a terminal.
Right answers are kept on the disk as you give them; the cell below counts them again. Worked
solutions stand in the course's `notebooks/solutions`. This page is made anew at each start, so keep
your notes elsewhere.

The course without an installation: [on Binder]({binder}), which keeps nothing, or in your folder of
a JupyterHub: `genlab link https://its.address` prints the link (nbgitpuller)."""
OUTDATED = """

The course has newer versions of: {names}. Yours are as you left them; `genlab reset` takes the new
one and keeps yours."""
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
    text = HELLO.format(table=table(standings(mine, source)), binder=binder_link())
    if prepared.outdated:
        text += OUTDATED.format(names=", ".join(f"`{key_of(name)}`" for name in prepared.outdated))
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    markdown = {"cell_type": "markdown", "id": "start", "metadata": {}, "source": text}
    code = {"cell_type": "code", "id": "progress", "metadata": {}, "source": CELL}
    cells = [markdown, code | {"outputs": [], "execution_count": None}]
    page = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    replace_file(mine / PAGE, json.dumps(page, indent=1).encode())
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
