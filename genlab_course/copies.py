"""Working copies: made once, renewed while nobody has written in them, and never written over.

Where the imports of a copy that holds answers are gone it is kept, with its date, and its answers
are carried over into a fresh one.
"""

import ast
import hashlib
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.files import replace_file
from genlab_course.places import BACKUPS, MARK, NOTEBOOKS, find_lesson, folder, own_folder, shipped

KEEP = "keep-output"  # tag of a cell whose pictures are shown before it has run
Notebook = dict[str, Any]


def fresh(notebook: Path) -> Notebook:
    """A notebook before its first run: only the pictures of cells tagged `keep-output` stay.

    Nothing that a cell prints stays, so no answer is given away.
    """
    content: Notebook = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            kept = KEEP in cell["metadata"].get("tags", ())
            shown = [o for o in cell["outputs"] if o.get("data", {}).keys() - {"text/plain"}]
            cell["outputs"] = shown if kept else []  # pictures, or a page that stands for a widget
            for counted in (c for c in (cell, *cell["outputs"]) if "execution_count" in c):
                counted["execution_count"] = None
    content["metadata"].pop("widgets", None)
    return content


def as_bytes(content: Notebook) -> bytes:
    """A notebook's file as Jupyter writes it."""
    return f"{json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()


def handout(target: Path, *, instructor: bool = False, source: Path = NOTEBOOKS) -> list[Path]:
    """Copy lessons and labs into a new folder, fresh; for instructors with outputs and solutions.

    Nothing is ever replaced: FileExistsError where the folder holds something already.
    """
    notebooks = list(shipped(source).values())
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} holds something, which is not replaced: name a new folder")
    notebooks += sorted(source.glob("solutions/*.ipynb")) if instructor else []
    copies = [target / notebook.relative_to(source) for notebook in notebooks]
    for notebook, copy in zip(notebooks, copies, strict=True):
        replace_file(copy, notebook.read_bytes() if instructor else as_bytes(fresh(notebook)))
    return copies


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did, as paths relative to the folder of copies."""

    new: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()  # nobody had written in them
    carried: tuple[str, ...] = ()  # written in, and their imports were gone: answers carried over
    outdated: tuple[str, ...] = ()  # written in, and the course has a newer version
    unreadable: tuple[str, ...] = ()  # no notebook stands in the copy's place


def prepare(mine: Path, source: Path = NOTEBOOKS) -> Prepared:
    """Make the copies that are missing, renew the untouched, and rescue those that cannot run.

    A copy that nobody has written in but somebody has run is kept in the backups, with what it
    showed. Where the disk is full on the way, what was made until then is a copy like any other.
    """
    known = versions(mine)
    mark(mine, known)
    done: dict[str, list[str]] = {what: [] for what in vars(Prepared())}
    try:
        for name, path in shipped(source).items():
            what = _prepare(mine, name, fresh(path), known)
            if what:
                done[what].append(name)
    finally:
        mark(mine, known)
    return Prepared(**{what: tuple(names) for what, names in done.items()})


def _prepare(mine: Path, name: str, content: Notebook, known: dict[str, str]) -> str:
    """Make, renew or rescue one copy, and note its version; "" where nothing is to be done."""
    copy = mine / name
    want = digest(content)
    made_from = known.get(name)
    have = read_copy(copy)
    if not os.path.lexists(copy):
        what = "new"
    elif have is None:
        return "unreadable"
    elif digest(have) == want:
        known[name] = want
        return ""
    elif made_from == want:
        return ""  # written in, and made from this version
    elif made_from == digest(have):
        what = "renewed"
        if any(cell.get("execution_count") for cell in code_cells(have)):
            replace_file(dated(copy, mine / BACKUPS), copy.read_bytes())
    elif imports_gone(have):
        what = "carried"
        replace_file(dated(copy, copy.parent), copy.read_bytes())
        carry_over(have, content)
    else:
        return "outdated"
    write_copy(copy, content)
    known[name] = want
    return what


def imports_gone(content: Notebook) -> bool:
    """Whether a notebook imports from the course what the course no longer has."""
    for node in (
        node for cell in code_cells(content) for node in ast.walk(_parsed(cell["source"]))
    ):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            if module.partition(".")[0] in ("genlab", "genlab_course"):
                try:
                    found = importlib.import_module(module)
                    if isinstance(node, ast.ImportFrom) and not hasattr(found, alias.name):
                        importlib.import_module(f"{module}.{alias.name}")
                except ImportError:
                    return True
    return False


def carry_over(old: Notebook, new: Notebook) -> list[str]:
    """Put the cells of an old copy that hold answers in the place of a new one's same exercises.

    Returns the ids of these exercises. Cells are matched by the ids that they ask for; a cell with
    as many blanks as the new one holds no answer.
    """
    answers = {id: cell for cell in code_cells(old) for id in asked_in(cell)}
    carried = []
    for cell in code_cells(new):
        mine = next((answers[id] for id in asked_in(cell) if id in answers), None)
        if mine is not None and _blanks(mine["source"]) < _blanks(cell["source"]):
            cell["source"] = mine["source"]
            carried += asked_in(cell)
    return carried


def code_cells(content: Notebook) -> Iterator[dict[str, Any]]:
    """The cells of a notebook that hold code."""
    return (cell for cell in content["cells"] if cell["cell_type"] == "code")


def asked_in(cell: dict[str, Any]) -> list[str]:
    """The ids of the exercises that a cell hands in."""
    return re.findall(r"\bcourse\.exercise\(\s*[\"']([\w.-]+)[\"']", "".join(cell["source"]))


def _parsed(source: str | list[str]) -> ast.Module:
    lines = "".join(source).splitlines()
    try:
        return ast.parse("\n".join(line for line in lines if line[:1] not in ("%", "!")))
    except SyntaxError:  # half written
        return ast.Module([], [])


def _blanks(source: str | list[str]) -> int:
    """Count empty answers: `x = None`, `def f(): return ...`, `course.exercise(id, ...)`."""

    def empty(node: ast.stmt) -> bool:
        if isinstance(node, ast.FunctionDef):
            return all(map(empty, node.body[ast.get_docstring(node) is not None :]))
        value = getattr(node, "value", None)
        given = value.args if isinstance(value, ast.Call) else [value]
        return any(isinstance(v, ast.Constant) and v.value in (None, ...) for v in given)

    return sum(map(empty, _parsed(source).body))


@dataclass(frozen=True)
class Reset:
    """What `reset` did."""

    copy: Path  # the fresh one
    kept: Path | None  # where the old one is now; None without any
    carried: tuple[str, ...]  # exercises whose answers were taken along


def reset(
    lesson: str, mine: Path, source: Path = NOTEBOOKS, *, keep_answers: bool = False
) -> Reset:
    """Take a fresh copy of a lesson ("4", "04") or lab ("glide"); the old one is kept, dated.

    `keep_answers` puts the cells that hold answers into the fresh copy, and no other cell.
    """
    name = find_lesson(lesson, source)
    known = versions(mine)
    copy = mine / name
    kept = None
    content = fresh(source / name)
    have = read_copy(copy)
    carried = carry_over(have, content) if keep_answers and have is not None else []
    if os.path.lexists(copy):
        kept = dated(copy, mine / BACKUPS)
        if copy.is_file():
            replace_file(kept, copy.read_bytes())  # on the disk before anything is replaced
        else:
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(kept)
    write_copy(copy, content)
    mark(mine, known | {name: digest(fresh(source / name))})
    return Reset(copy, kept, tuple(carried))


def reset_here(lesson: str | int, *, keep_answers: bool = False) -> None:
    """Take a fresh copy of a lesson or lab, as `genlab reset` does, and print where it went."""
    done = reset(str(lesson), folder() or own_folder(), keep_answers=keep_answers)
    print(f"fresh: {done.copy} (if it is open: File, Reload Notebook from Disk)")
    if keep_answers:
        print(f"answers taken along: {', '.join(done.carried) or 'none was found'}")
    if done.kept is not None:
        print(f"kept:  {done.kept}")
    if keep_answers and done.kept is not None:
        print("notes and cells of your own are in the old copy: take along what you want to keep")


def dated(copy: Path, place: Path) -> Path:
    """A name for an old copy that does not exist yet: two resets may fall into one second."""
    stem = f"{copy.stem}.{time.strftime('%Y-%m-%dT%H-%M-%S')}"
    tries = (place / f"{stem}{end}.ipynb" for end in ("", *(f"-{k}" for k in range(2, 1000))))
    return next(path for path in tries if not path.exists())


def write_copy(copy: Path, content: Notebook) -> None:
    """Write a copy with what JupyterLab would add on opening, so that it does not open unsaved."""
    version = sys.version.split()[0]  # as the kernel of this environment gives it
    content["metadata"].setdefault("language_info", {})["version"] = version
    replace_file(copy, as_bytes(content))


def read_copy(copy: Path) -> Notebook | None:
    """Return the notebook that stands in a copy's place, or None when there is none to read."""
    try:
        content: Notebook = json.loads(copy.read_text(encoding="utf-8"))
        content["metadata"].get("language_info"), digest(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return content


def digest(content: Notebook) -> str:
    """Return a digest of what was written: the type and the source of each cell."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def mark(mine: Path, known: dict[str, str]) -> None:
    """Make a folder one of working copies, and keep which version each is made from."""
    replace_file(mine / MARK, json.dumps(known, indent=1).encode())


def versions(mine: Path) -> dict[str, str]:
    """Return which version each copy was made from; nothing when that cannot be read."""
    if mine.exists() and not mine.is_dir():
        raise NotADirectoryError(f"{mine} is a file: expected a folder for the working copies")
    try:
        read = json.loads((mine / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}
