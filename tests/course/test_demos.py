"""Every page of the table runs, and each of its widgets is one that moves."""

import ast
import re
import signal
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import torch

from genlab.map import FRONTIER, LESSONS, SYSTEMS
from genlab_course import demos
from genlab_course.demos import PAGES
from genlab_course.widgets import explorer
from genlab_course.widgets.explorer import Explorer, Later
from genlab_course.widgets.living import Living
from genlab_course.widgets.releases import Clinic, ReleaseReader

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("page", demos.ready(), ids=lambda page: page.name)
def test_a_page_runs_from_its_own_cells_alone(page, monkeypatch):
    monkeypatch.setattr(explorer, "_room", explorer._room)  # put back afterwards
    names = {}
    exec(demos.BEGIN.format(key=page.key), names)
    torch.set_default_dtype(torch.float32)
    for demo in page.demos:
        *before, last = ast.parse(demo.code).body
        exec(compile(ast.Module(before, []), page.name, "exec"), names)
        widget = eval(compile(ast.Expression(last.value), page.name, "eval"), names)
        assert isinstance(widget, Explorer | Later | Living | ReleaseReader | Clinic)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    return folder, demos.write_demos(folder)


def test_index_and_ways_lead_to_a_page_of_every_notebook_and_show_its_picture(site):
    folder, written = site
    names = [path.name for path in written]
    assert [page.key for page in PAGES] == [*LESSONS, *SYSTEMS, *FRONTIER]
    text = (folder / "jupyter/voila/templates" / demos.NAME / "tree-lab.html").read_text()
    assert re.findall(r'href="voila/render/(\S+)"', text) == names
    assert text.count("data:image/webp;base64,") == len(names)
    for k, path in enumerate(written):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        links = re.findall(r"\((\S+\.ipynb)\)", notebook.cells[0].source)
        assert links == names[max(k - 1, 0) : k] + names[k + 1 : k + 2]


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


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(FileNotFoundError, match="no demo pages"):
        demos.voila_command(tmp_path, 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (voila,) = project["optional-dependencies"]["demo"]
    with pytest.raises(FileNotFoundError, match=re.escape(f"need Voila: pip install '{voila}'")):
        demos.voila_command(tmp_path, 1)


def test_only_this_machine_is_served(site, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # without Voila, too
    command = demos.voila_command(site[0], 1234)
    assert "--Voila.ip=127.0.0.1" in command
    assert "--Voila.auto_token=True" in command
    assert "JUPYTER_TOKEN" in demos.voila_environment(site[0], "x")


def test_the_browser_gets_the_address_by_a_file_that_nobody_else_reads(site, monkeypatch, capfd):
    port, opened = 18867, []
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(2)"
    monkeypatch.setattr(demos, "voila_command", lambda *_, **__: [*SLEEP[:2], listen])
    monkeypatch.setattr(demos.webbrowser, "open", opened.append)
    assert demos.serve(site[0], port) == 0
    page = site[0] / "open.html"
    assert opened == [page.as_uri()]
    assert page.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    said = capfd.readouterr().out.split()[0]
    assert re.fullmatch(rf"http://127.0.0.1:{port}/\?token=[0-9a-f]{{32}}", said)
    assert f'url={said}"' in page.read_text()


SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_server_whose_command_is_ended_ends_with_it(site, monkeypatch):
    end_us = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    monkeypatch.setattr(demos, "voila_command", lambda *_, **__: [*SLEEP[:2], end_us])
    before = signal.getsignal(signal.SIGTERM)
    assert demos.serve(site[0], 1234) == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
