"""Editions of the notebooks to hand out: for students without outputs and solutions, or whole.

Lesson: docs/teaching.md
"""

import shutil
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def handout(target: Path, *, instructor: bool = False, source: Path = NOTEBOOKS) -> list[Path]:
    """Copy the lessons and the labs into a new folder.

    Args:
        target: the folder; it is made, and nothing in it is ever replaced.
        instructor: with outputs and worked solutions; else with neither.
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
            _without_outputs(notebook, copy)
        written.append(copy)
    return written


def _without_outputs(notebook: Path, copy: Path) -> None:
    """Write a copy of a notebook as it is before its first run."""
    import nbformat  # learners without JupyterLab have none

    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    content.metadata.pop("widgets", None)
    nbformat.write(content, copy)  # type: ignore[no-untyped-call]
