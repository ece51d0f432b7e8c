"""The demo pages of an instructor: one table of questions and widgets, written as notebooks.

`genlab demo` writes them into a folder and serves that with Voila: an index, a page for each
lesson and each lab, large print, no code, no network. A page is made from its row here and from
nothing else, so that a widget that changes changes its page.
Lesson: docs/teaching.md
"""

import html
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from genlab.core.files import replace_file
from genlab.systems.zoo import TRAININGS

from .demo_table import PAGES, Page

TEMPLATE = Path(__file__).with_name("demo_pages")
NAME = "genlab_demo"  # of the template, as Voila knows it
WIDGETS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
MARK = "genlab-demo.json"  # stands in a folder that this module has written
BEGIN = "import torch\nfrom genlab import course, widgets\ncourse.begin({key!r})\nwidgets.project()"


def ready(pages: tuple[Page, ...] = PAGES) -> tuple[Page, ...]:
    """Return the pages whose models ship.

    Args:
        pages: to choose from.
    """
    shipped = {t.name for t in TRAININGS if t.path.exists()}
    return tuple(p for p in pages if shipped.issuperset(p.needs))


def notebook(page: Page, before: str = "", after: str = "") -> dict[str, Any]:
    """Make the notebook that Voila turns into a page.

    Args:
        page: a row of the table.
        before: name of the page before it, "" when it is the first.
        after: name of the page after it.

    Returns:
        As JSON has it: title and ways on, one cell of preparation, question and widget in turn.
    """
    ways = [
        *([f"[← {before}]({before}.ipynb)"] if before else []),
        "[all pages](../../)",
        *([f"[{after} →]({after}.ipynb)"] if after else []),
    ]
    cells = [
        ("markdown", f"# {page.title}\n\n{' · '.join(ways)}"),
        ("code", BEGIN.format(key=page.key)),
    ]
    for demo in page.demos:
        cells += [("markdown", demo.question), ("code", demo.code)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    unrun: dict[str, dict[str, Any]] = {"code": {"outputs": [], "execution_count": None}}
    return {
        "cells": [
            {"cell_type": kind, "id": f"cell-{k}", "metadata": {}, "source": text}
            | unrun.get(kind, {})
            for k, (kind, text) in enumerate(cells)
        ],
        "metadata": {"kernelspec": kernel, "title": page.title},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def index(pages: tuple[Page, ...]) -> str:
    """Return the list of pages as HTML, lessons before labs.

    Args:
        pages: to list.
    """
    parts = []
    for heading, kind in (("Lessons", int), ("Labs", str)):
        rows = [
            f'<li><a href="voila/render/{page.name}.ipynb">{html.escape(page.title)}</a></li>'
            for page in pages
            if isinstance(page.key, kind)
        ]
        parts += [f"<h2>{heading}</h2>", "<ul>", *rows, "</ul>"] if rows else []
    return "\n".join(parts)


def write_demos(folder: Path, pages: tuple[Page, ...] | None = None) -> list[Path]:
    """Write the pages, and the template that shows them, into a folder.

    Args:
        folder: a new one, or one that was written here before: its pages are replaced.
        pages: those that are `ready` when None.

    Returns:
        The notebooks that were written.

    Raises:
        FileExistsError: the folder holds something that was not written here.
    """
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used and not (folder / MARK).exists():
        raise FileExistsError(
            f"{folder} holds something already and nothing is replaced: name a new folder"
        )
    pages = ready() if pages is None else pages
    shutil.rmtree(folder, ignore_errors=True)
    replace_file(folder / MARK, json.dumps([page.name for page in pages]).encode())
    target = folder / "jupyter" / "voila" / "templates" / NAME
    shutil.copytree(TEMPLATE, target)
    tree = (target / "tree.html").read_text(encoding="utf-8").replace("PAGES", index(pages))
    for name in ("tree.html", "tree-lab.html"):
        replace_file(target / name, tree.encode())
    names, written = ["", *(page.name for page in pages), ""], []
    for page, before, after in zip(pages, names, names[2:], strict=False):
        path = folder / "pages" / f"{page.name}.ipynb"
        replace_file(path, json.dumps(notebook(page, before, after), indent=1).encode())
        written.append(path)
    return written


def voila_command(folder: Path, port: int, *, browser: bool = False) -> list[str]:
    """Return the command that serves a folder of pages on this machine.

    Args:
        folder: as `write_demos` wrote it.
        port: to listen at; another one is never tried.
        browser: whether to open the index in one.

    Raises:
        FileNotFoundError: Voila is not installed, or the folder holds no pages.
    """
    if importlib.util.find_spec("voila") is None:
        raise FileNotFoundError("the demo pages need Voila: pip install 'genlab[demo]'")
    if not (folder / MARK).exists():
        raise FileNotFoundError(f"no demo pages in {folder}: `genlab demo` writes them")
    return [
        *(sys.executable, "-m", "voila", str(folder / "pages")),
        *(f"--port={port}", "--Voila.port_retries=0", "--Voila.ip=127.0.0.1"),
        *(f"--template={NAME}", "--strip_sources=True"),
        *(f"--VoilaConfiguration.extension_allowlist={name}" for name in WIDGETS),
        *([] if browser else ["--no-browser"]),
    ]


def voila_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which Voila finds the template.

    Args:
        folder: as `write_demos` wrote it.
    """
    own = str((folder / "jupyter").resolve())
    path = os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_PATH")]))
    return {**os.environ, "JUPYTER_PATH": path}


def require_free(port: int) -> None:
    """Find out whether a server can listen at a port of this machine.

    Args:
        port: of 127.0.0.1.

    Raises:
        OSError: another program listens there, or this user may not.
    """
    with socket.socket() as probe:
        if os.name == "posix":  # a connection that has just ended is in nobody's way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"port {port} cannot be had ({error.strerror})"
            raise OSError(f"{why}: --port names another") from None


def serve(folder: Path, port: int, *, browser: bool = True) -> int:
    """Print where a folder of pages is served, and serve it until it is interrupted.

    Args:
        folder: as `write_demos` wrote it.
        port: to listen at.
        browser: whether to open the index.

    Returns:
        Voila's exit status; 0 when it was interrupted.

    Raises:
        FileNotFoundError: as `voila_command`.
        OSError: the port is taken.
    """
    command = voila_command(folder, port, browser=browser)
    require_free(port)
    print(f"http://127.0.0.1:{port}/   (Ctrl-C ends it)", flush=True)
    running: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        for process in running:  # nothing, when it has ended
            process.terminate()

    before = signal.signal(signal.SIGTERM, end)
    try:
        running.append(subprocess.Popen(command, env=voila_environment(folder)))
        return running[0].wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        end()
        for process in running:
            process.wait()
