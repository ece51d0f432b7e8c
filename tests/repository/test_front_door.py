"""The README's first commands lead to an open lesson, and `genlab` is found where it is typed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from genlab_course.cli import app
from genlab_course.learner import HELLO

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="needs make and bash")
@pytest.mark.parametrize("target", ["lab", "demo"])
def test_what_make_opens_finds_the_environments_commands(tmp_path, target):
    """Stand-ins for the environment's programs say how they were called."""
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
    done = subprocess.run(
        ["make", target], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == str(programs / "genlab")
    if target == "lab":  # no login shell, which would set the path afresh: /etc/profile of Debian
        assert "--ServerApp.terminado_settings=shell_command=['/bin/sh']" in done.stdout


def test_every_command_that_readme_and_start_page_name_exists():
    known = set(get_command(app).commands)
    for text in (README, HELLO):
        assert set(re.findall(r"(?:^|`)genlab ([a-z]+)", text, re.MULTILINE)) <= known
