"""The layer contract is kept, and it notices an import that goes up or sideways."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
pytest.importorskip("importlinter", reason="import-linter is not installed")


def lint(folder):
    """Check the layers of the package in `folder`; return (exit status, what was printed)."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    run = subprocess.run(
        [*command, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


@pytest.fixture
def copy(tmp_path):
    """A copy of the packages, without weights and data, and their configuration."""
    for package in ROOT.glob("genlab*/__init__.py"):
        shutil.copytree(
            package.parent,
            tmp_path / package.parent.name,
            ignore=shutil.ignore_patterns("weights", "__pycache__", "*.npz"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_its_layers(copy):
    status, printed = lint(copy)
    assert status == 0, printed


@pytest.mark.parametrize(
    ("file", "imports"),
    [
        ("core/stats.py", "genlab.nn"),  # up
        ("zoo/train.py", "genlab_course"),  # the library knows no course
        ("flow/coupling.py", "genlab.score"),  # sideways, between paradigms
        ("solvers/ode.py", "genlab.data"),  # sideways, between tools
    ],
)
def test_an_import_against_the_layers_is_noticed(copy, file, imports):
    path = copy / "genlab" / file
    path.write_text(path.read_text() + f"\nimport {imports}\n")
    status, printed = lint(copy)
    assert status != 0
    assert "BROKEN" in printed
