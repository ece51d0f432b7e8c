"""The layer contract is kept, and it notices an import that goes up or sideways."""

import os
import re
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


AGAINST = {
    "genlab.core.stats": "genlab.nn",  # up
    "genlab.zoo.train": "genlab_course",  # the library knows no course
    "genlab.flow.coupling": "genlab.score",  # sideways, between paradigms
    "genlab.solvers.ode": "genlab.data",  # sideways, between tools
}


def test_each_import_against_the_layers_is_noticed_and_no_other_is_there(copy):
    for module, imports in AGAINST.items():
        path = (copy / module.replace(".", "/")).with_suffix(".py")
        path.write_text(path.read_text() + f"\nimport {imports}\n")
    status, printed = lint(copy)
    assert status != 0
    named = re.findall(r"^-\s+(genlab\S+) -> (genlab\S+) \(l\.\d+\)$", printed, re.MULTILINE)
    assert sorted(named) == sorted(AGAINST.items()), printed
