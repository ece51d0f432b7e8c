"""Every page of the table runs, and each of its widgets is one that moves."""

import ast
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch

from genlab.map import LESSONS, SYSTEMS
from genlab.zoo import MODELS
from genlab_course import demos
from genlab_course.demos import PAGES, Demo, Page
from genlab_course.widgets import explorer
from genlab_course.widgets.explorer import Explorer, Later
from genlab_course.widgets.releases import ReleaseReader

TRAIN = {"04", "06"}  # some seconds each: tests/widgets makes the same two


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_question_asks_and_the_last_line_is_a_widget(page):
    for demo in page.demos:
        assert "?" in demo.question
        assert isinstance(ast.parse(demo.code).body[-1], ast.Expr)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in demos.ready() if p.name not in TRAIN], ids=lambda page: page.name
)
def test_a_page_runs_from_its_own_cells_alone(page, monkeypatch):
    monkeypatch.setattr(explorer, "_dpi", explorer._dpi)  # put back afterwards
    names = {}
    exec(demos.BEGIN.format(key=page.key), names)
    torch.set_default_dtype(torch.float32)
    for demo in page.demos:
        *before, last = ast.parse(demo.code).body
        exec(compile(ast.Module(before, []), page.name, "exec"), names)
        widget = eval(compile(ast.Expression(last.value), page.name, "eval"), names)
        assert isinstance(widget, Explorer | Later | ReleaseReader)


NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_every_lesson_and_every_lab_has_a_page_under_its_name():
    assert [page.key for page in PAGES] == [*LESSONS, *SYSTEMS]
    titles = [page.title for page in PAGES]
    assert titles[3] == "04 Normalizing flows"
    assert titles[15:] == [title for title, _ in SYSTEMS.values()]


def test_every_lab_that_is_written_can_be_shown():
    written = {path.stem for path in (NOTEBOOKS / "systems").glob("*.ipynb")}
    assert written <= {page.name for page in demos.ready()}


def test_a_page_waits_until_its_models_ship():
    known, unknown = (Page("glide", (), (name,)) for name in (MODELS[0].name, "no such model"))
    assert demos.ready((known, unknown)) == (known,)


def test_a_page_is_a_valid_notebook_that_shows_question_then_widget():
    page = Page(4, (Demo("Why?", "1 + 1"), Demo("And then?", "2 + 2")))
    made = nbformat.from_dict(demos.notebook(page, "03", "05"))
    nbformat.validate(made)
    assert [c.cell_type for c in made.cells] == ["markdown", "code"] * 3
    head = made.cells[0].source
    assert head.startswith("# 04 Normalizing flows\n")
    assert re.findall(r"\(([^)]+)\)", head) == ["03.ipynb", "../../", "05.ipynb"]
    assert "course.begin(4)" in made.cells[1].source
    assert [c.source for c in made.cells[2:]] == ["Why?", "1 + 1", "And then?", "2 + 2"]


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    return folder, demos.write_demos(folder)


def test_the_ways_through_the_pages_lead_from_the_first_to_the_last(site):
    _, written = site
    names = [path.name for path in written]
    for k, path in enumerate(written):
        links = re.findall(r"\((\S+\.ipynb)\)", json.loads(path.read_text())["cells"][0]["source"])
        assert links == names[max(k - 1, 0) : k] + names[k + 1 : k + 2]


def test_the_index_lists_every_page_by_its_title(site):
    folder, written = site
    text = (folder / "jupyter/voila/templates" / demos.NAME / "tree-lab.html").read_text()
    assert re.findall(r'href="voila/render/(\S+)"', text) == [path.name for path in written]
    assert all(f">{page.title}<" in text for page in demos.ready())


def test_no_page_asks_another_machine(site):
    folder, _ = site
    for path in folder.rglob("*"):
        assert not path.is_file() or "://" not in path.read_text(encoding="utf-8"), path


def test_its_own_folder_is_made_anew_and_no_other_is_touched(site, tmp_path):
    folder, written = site
    written[0].write_text("old")
    (folder / "pages" / "gone.ipynb").write_text("old")
    assert demos.write_demos(folder) == written
    assert written[0].read_text() != "old"
    assert not (folder / "pages" / "gone.ipynb").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "work.ipynb").write_text("my work")
    with pytest.raises(FileExistsError, match="name a new folder"):
        demos.write_demos(mine)
    assert (mine / "work.ipynb").read_text() == "my work"


def test_voila_is_told_to_listen_to_this_machine_and_to_hide_the_code(site):
    folder, _ = site
    command = demos.voila_command(folder, 1234)
    assert {"--Voila.ip=127.0.0.1", "--port=1234", "--strip_sources=True"} <= set(command)
    assert "--no-browser" in command
    assert "--no-browser" not in demos.voila_command(folder, 1234, browser=True)
    path = demos.voila_environment(folder)["JUPYTER_PATH"].split(":")[0]
    assert (Path(path) / "voila/templates" / demos.NAME / "conf.json").exists()


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no demo pages"):
        demos.voila_command(tmp_path, 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"genlab\[demo\]"):
        demos.voila_command(tmp_path, 1)


SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_an_interrupt_ends_the_server_in_peace(site, monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

        def wait(self, timeout=None):
            if self.poll() is None and len(started) == 1:
                started.append("interrupted")
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(demos, "voila_command", lambda *_, **__: SLEEP)
    monkeypatch.setattr("subprocess.Popen", Interrupted)
    assert demos.serve(site[0], 1234) == 0
    assert started[0].poll() is not None


def test_a_server_whose_command_is_ended_ends_with_it(site, monkeypatch):
    end_us = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    monkeypatch.setattr(demos, "voila_command", lambda *_, **__: [*SLEEP[:2], end_us])
    before = signal.getsignal(signal.SIGTERM)
    assert demos.serve(site[0], 1234) == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
