"""Which widgets an instructor shows, and what is asked before they are moved."""

import base64
import html
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import webbrowser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.files import replace_file
from genlab.map import FRONTIER, LESSONS, SYSTEMS
from genlab.zoo import NAMES, WEIGHTS
from genlab_course.standings import THUMBNAILS


@dataclass(frozen=True)
class Demo:
    """One widget, and the question that the class answers before it is moved."""

    question: str  # Markdown
    code: str  # its last line is the widget


@dataclass(frozen=True)
class Page:
    """The page of a lesson, a lab or a notebook of the frontier."""

    key: int | str  # number of a lesson, or name of another
    demos: tuple[Demo, ...]
    needs: tuple[str, ...] = ()  # models that must have been shipped

    @property
    def name(self) -> str:
        """Of its file: "04", "glide"."""
        return self.key if isinstance(self.key, str) else f"{self.key:02d}"

    @property
    def title(self) -> str:
        """As on the map: "04 Normalizing flows", "Language model"."""
        key = self.key
        return (
            (SYSTEMS | FRONTIER)[key][0] if isinstance(key, str) else f"{self.name} {LESSONS[key]}"
        )


def _pages(path: Path) -> Iterator[Page]:
    for page in tomllib.loads(path.read_text(encoding="utf-8"))["page"]:
        demos = tuple(Demo(**demo) for demo in page["demos"])
        yield Page(page["key"], demos, tuple(page.get("needs", ())))


PAGES = tuple(_pages(Path(__file__).parent / "data" / "demos.toml"))
TEMPLATE = Path(__file__).with_name("demo_pages")
NAME = "genlab_demo"  # of the template, as Voila knows it
WIDGETS = ("@jupyter-widgets/jupyterlab-manager", "anywidget", "@voila-dashboards/widgets-manager8")
MARK = "genlab-demo.json"  # stands in a folder that this module has written
IDLE = 120  # seconds that a kernel outlives its page
KERNELS = 24  # at a time, of about 300 MB each
SPARE = 1  # one more waits for the next page
BEGIN = (
    "import torch\nimport genlab_course as course\nfrom genlab_course import widgets\n"
    "course.begin({key!r})\nwidgets.project()"
)


def ready(pages: tuple[Page, ...] = PAGES) -> tuple[Page, ...]:
    """Those of some pages whose models ship."""
    shipped = {name for name in NAMES if (WEIGHTS / f"{name}.safetensors").exists()}
    return tuple(p for p in pages if shipped.issuperset(p.needs))


def notebook(page: Page, before: str = "", after: str = "") -> dict[str, Any]:
    """The notebook that Voila turns into a page: title, ways on, then question and widget in turn.

    `before` and `after` are the names of its neighbours, "" where there is none.
    """
    places = (f"[← {before}]({before}.ipynb)", before), ("[all pages](../../)", "all")
    ways = [*places, (f"[{after} →]({after}.ipynb)", after)]
    links = " · ".join(way for way, there in ways if there)
    cells = [("markdown", f"# {page.title}\n\n{links}"), ("code", BEGIN.format(key=page.key))]
    for demo in page.demos:
        cells += [("markdown", demo.question), ("code", demo.code)]
    return as_notebook(cells, title=page.title)


def as_notebook(cells: Iterable[tuple[str, str]], **metadata: str) -> dict[str, Any]:
    """A notebook that has not run, from its cells, each a kind and a text."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    unrun: dict[str, dict[str, Any]] = {"code": {"outputs": [], "execution_count": None}}
    written = [
        {"cell_type": kind, "id": f"cell-{k}", "metadata": {}, "source": text} | unrun.get(kind, {})
        for k, (kind, text) in enumerate(cells)
    ]
    about = {"kernelspec": kernel, **metadata}
    return {"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def index(pages: tuple[Page, ...]) -> str:
    """The pages as HTML: a picture and a title each, lessons before labs before the frontier."""
    parts = []
    for heading, keys in (("Lessons", LESSONS), ("Labs", SYSTEMS), ("Frontier", FRONTIER)):
        cards = [_card(page) for page in pages if page.key in keys]
        parts += [f"<h2>{heading}</h2>", "<ul>", *cards, "</ul>"] if cards else []
    return "\n".join(parts)


def _card(page: Page) -> str:
    picture = base64.b64encode((THUMBNAILS / f"{page.name}.webp").read_bytes()).decode()
    image = f'<img src="data:image/webp;base64,{picture}" alt="">'
    title = html.escape(page.title)
    return f'<li><a href="voila/render/{page.name}.ipynb">{image}<span>{title}</span></a></li>'


def write_demos(folder: Path, pages: tuple[Page, ...] | None = None) -> list[Path]:
    """Write pages (those that are `ready`) and their template into a folder; return the notebooks.

    Its own folder is made anew; FileExistsError for one that holds something else.
    """
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} holds something, which is not replaced: name a new folder")
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
        written.append(folder / "pages" / f"{page.name}.ipynb")
        replace_file(written[-1], json.dumps(notebook(page, before, after), indent=1).encode())
    return written


def voila_command(
    folder: Path, port: int, *, idle: int = IDLE, kernels: int = KERNELS, spare: int = SPARE
) -> list[str]:
    """The command that serves a folder of pages on this machine, at this port and no other.

    It asks for a token, refuses the name of another machine, ends a kernel whose page has been
    closed for `idle` seconds, and starts at most `kernels`, beside `spare` that wait for a page.
    FileNotFoundError where Voila or the pages are missing.
    """
    if importlib.util.find_spec("voila") is None:
        raise FileNotFoundError("the demo pages need Voila: pip install 'voila>=0.5.7,<0.6'")
    if not (folder / MARK).exists():
        raise FileNotFoundError(f"no demo pages in {folder}: `genlab demo` writes them")
    return [
        *(sys.executable, "-m", "genlab_course.demo_server", str(folder / "pages")),
        *(f"--port={port}", "--Voila.port_retries=0", "--Voila.ip=127.0.0.1"),
        *(f"--template={NAME}", "--strip_sources=True"),
        *(f"--VoilaConfiguration.extension_allowlist={name}" for name in WIDGETS),
        *("--Voila.auto_token=True", "--Voila.tornado_settings=allow_remote_access="),  # "": no
        *(f"--FewKernels.most={kernels}", f"--FewKernels.spare={spare}"),
        f"--MappingKernelManager.cull_idle_timeout={idle}",
        f"--MappingKernelManager.cull_interval={max(1, idle // 4)}",
        *("--no-browser", "--Voila.log_level=WARN"),
    ]


def voila_environment(folder: Path, token: str) -> dict[str, str]:
    """Where Voila finds its template, and the token, which all could read in a command line."""
    own = str((folder / "jupyter").resolve())
    path = os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_PATH")]))
    return {**os.environ, "JUPYTER_PATH": path, "JUPYTER_TOKEN": token}


def require_free(port: int) -> None:
    """OSError where another program listens at a port of this machine."""
    with socket.socket() as probe:
        if os.name == "posix":  # a connection that has just ended is in nobody's way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(f"port {port}: {error.strerror}; --port names another") from None


def serve(folder: Path, port: int, *, browser: bool = True) -> int:
    """Serve a folder of pages until it is interrupted; return the exit status."""
    command = voila_command(folder, port)
    token = os.urandom(16).hex()
    require_free(port)
    url = f"http://127.0.0.1:{port}/?token={token}"
    print(f"{url}   (Ctrl-C ends it)", flush=True)
    running: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        for process in running:  # nothing, when it has ended
            process.terminate()

    before = signal.signal(signal.SIGTERM, end)
    try:
        running.append(subprocess.Popen(command, env=voila_environment(folder, token)))
        while browser and running[0].poll() is None:
            with socket.socket() as probe:
                browser = probe.connect_ex(("127.0.0.1", port)) != 0
            time.sleep(0.2)
            if not browser:
                page = folder / "open.html"
                page.touch(0o600)  # it holds the token
                page.write_text(f'<meta http-equiv="refresh" content="0; url={url}">')
                webbrowser.open(page.absolute().as_uri())
        return running[0].wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        end()
        for process in running:
            process.wait()
