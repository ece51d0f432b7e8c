"""The README's first commands lead to an open lesson, and `genlab` is found where it is typed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from genlab_course.cli import app
from genlab_course.learner import HELLO

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [block.splitlines() for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)]


@pytest.fixture
def folder(tmp_path):
    """The Makefile with an environment whose programs say how they were called."""
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "genlab", "jupyter"):
        program = programs / name
        program.write_text('#!/bin/bash\necho "$(basename "$0") $*"\ncommand -v genlab || true\n')
        program.chmod(0o755)
    for stamp in (".lab", ".demo"):
        (tmp_path / ".venv" / stamp).touch()
    return tmp_path


@pytest.mark.parametrize("target", ["lab", "demo"])
def test_what_make_opens_finds_the_environments_commands(folder, target):
    done = subprocess.run(
        ["make", target], cwd=folder, env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == str(folder / ".venv/bin/genlab")


def test_a_terminal_of_jupyterlab_is_no_login_shell(folder):
    """A login shell would set the path afresh: /etc/profile of Debian does."""
    done = subprocess.run(
        ["make", "lab"], cwd=folder, env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--ServerApp.terminado_settings=shell_command=['/bin/sh']" in done.stdout


def commands(start):
    """The block of the README that begins with a command, without its comments."""
    (block,) = [block for block in BLOCKS if block[0].startswith(start)]
    return [line.partition("  #")[0].strip() for line in block]


OPEN = ["genlab start", "jupyter lab my/START.ipynb"]


def test_the_lines_for_conda_lead_to_the_start_page():
    named = yaml.safe_load((ROOT / "environment.yml").read_text())["name"]
    lines = [
        "conda env create -f environment.yml",
        f"conda activate {named}",
        "pip install --no-deps -e .",
        *OPEN,
    ]
    assert commands("conda") == lines
    comment = (ROOT / "environment.yml").read_text().splitlines()[1:6]
    assert [line.lstrip("# ") for line in comment] == lines


def test_the_lines_without_make_lead_there_too():
    lines = commands("python -m venv .venv")
    assert lines[1] == "source .venv/bin/activate"
    assert lines[2] == 'pip install -c constraints.txt -e ".[lab]"'
    assert lines[3:] == OPEN


def test_the_readme_activates_the_environment_before_its_first_command():
    first = min(k for k, block in enumerate(BLOCKS) if any(s.startswith("genlab") for s in block))
    assert any("source .venv/bin/activate" in line for block in BLOCKS[:first] for line in block)
    assert r".venv\Scripts\activate" in README


def test_every_command_that_readme_and_start_page_name_exists():
    known = set(get_command(app).commands)
    for text in (README, HELLO):
        assert set(re.findall(r"(?:^|`)genlab ([a-z]+)", text, re.MULTILINE)) <= known
