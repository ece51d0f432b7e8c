"""Editions of the notebooks to hand out: for students before their first run, or whole.

Lesson: docs/teaching.md
"""

import json
import shutil
from pathlib import Path
from typing import Any

from genlab.core.files import replace_file

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
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
    for notebook in (path for folder in folders for path in sorted(folder.glob("*.ipynb"))):
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
