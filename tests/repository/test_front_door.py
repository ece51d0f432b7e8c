"""The README's first commands lead to an open lesson, and `genlab` is found where it is typed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from genlab_course.cli import app
from genlab_course.start_page import HELLO

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs/install.md").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="needs make and bash")
@pytest.mark.parametrize("target", ["lab", "demo"])
def test_make_calls_the_environments_own_command(tmp_path, target):
    """A stand-in for it says how it was called."""
    for name in ("pyproject.toml", "requirements.lock", "Makefile"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "genlab"):
        program = programs / name
        program.write_text('#!/bin/bash\necho "$(basename "$0") $*"\ncommand -v genlab || true\n')
        program.chmod(0o755)
    for stamp in (".lab", ".demo"):
        (tmp_path / ".venv" / stamp).touch()
    done = subprocess.run(
        ["make", target, "LAB_ARGS=--port=1", "DEMO_ARGS=--port=1"], cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert f"genlab {target} {'build/demo ' if target == 'demo' else ''}--port=1" in lines
    if target == "demo":  # `genlab lab` sets the path itself, on every system
        assert lines[-1] == str(programs / "genlab")


def test_every_command_that_readme_and_start_page_name_exists():
    known = set(get_command(app).commands)
    for text in (README, INSTALL, HELLO):
        assert set(re.findall(r"(?:^|`)genlab ([a-z]+)", text, re.MULTILINE)) <= known
