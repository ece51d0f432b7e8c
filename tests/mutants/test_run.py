"""The runner of the planted mistakes tells caught, uncaught and invalid ones apart."""

import subprocess
import sys

import pytest

from tests.mutants import run

PACKAGE = 'def double(x):\n    """Twice `x`."""\n    return 2 * x\n'
TESTS = """
from genlab.small import double

def test_double():
    assert double(3) == 6
"""
BLIND = "from genlab.small import double\n\ndef test_nothing():\n    double(1)\n"
RED = "def test_red():\n    assert False\n"

MUTANTS = """
[[mutant]]
mistake = "caught by an assertion"
file = "genlab/small.py"
old = "2 * x"
new = "3 * x"
tests = ["tests/test_small.py"]

[[mutant]]
mistake = "caught by an error that the test raises"
file = "genlab/small.py"
old = "2 * x"
new = "2 * y"
tests = ["tests/test_small.py::test_double"]

[[mutant]]
mistake = "not caught"
file = "genlab/small.py"
old = "2 * x"
new = "3 * x"
tests = ["tests/test_blind.py"]

[[mutant]]
mistake = "cannot be imported"
file = "genlab/small.py"
old = "2 * x"
new = "2 * ("
tests = ["tests/test_small.py"]

[[mutant]]
mistake = "occurs twice"
file = "genlab/small.py"
old = "x"
new = "y"
tests = ["tests/test_small.py"]

[[mutant]]
mistake = "its test is red anyway"
file = "genlab/small.py"
old = "2 * x"
new = "3 * x"
tests = ["tests/test_red.py"]

[[mutant]]
mistake = "its test is missing"
file = "genlab/small.py"
old = "2 * x"
new = "3 * x"
tests = ["tests/test_gone.py"]
"""


@pytest.fixture
def tree(tmp_path):
    """A small repository with one function, three test files and seven mutants."""
    files = {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\n',
        "genlab/__init__.py": "",
        "genlab_course/__init__.py": "",
        "genlab/small.py": PACKAGE,
        "tests/test_small.py": TESTS,
        "tests/test_blind.py": BLIND,
        "tests/test_red.py": RED,
        "tests/mutants/small.toml": MUTANTS,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.slow
def test_the_runner_tells_caught_uncaught_and_invalid_apart(tree):
    command = [sys.executable, run.__file__, "--root", str(tree)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    statuses = {
        mistake: status.strip()
        for status, area, mistake in (line.partition("  small: ") for line in lines)
        if area
    }
    assert statuses == {
        "caught by an assertion": run.CAUGHT,
        "caught by an error that the test raises": run.CAUGHT,
        "not caught": run.SURVIVED,
        "cannot be imported": run.INVALID,
        "occurs twice": run.INVALID,
        "its test is red anyway": run.INVALID,
        "its test is missing": run.INVALID,
    }
    assert lines[-1] == "7 planted, 2 caught"
    assert result.returncode == 1
    assert (tree / "genlab/small.py").read_text() == PACKAGE  # planted in a copy


def test_an_unknown_area_is_named_with_the_known_ones(tree):
    with pytest.raises(SystemExit, match="no mutants named 'large'; there are: small"):
        run.load(tree / "tests/mutants", "large")


MUTANTS_OF_GENLAB = run.load(run.ROOT / "tests" / "mutants")


@pytest.mark.parametrize("mutant", MUTANTS_OF_GENLAB, ids=lambda m: f"{m.area}: {m.mistake}"[:80])
def test_every_mistake_can_be_planted(mutant):
    assert run.problem(mutant, run.ROOT) == ""


def test_the_parts_hold_every_mutant_once():
    parts = [run.part_of(list(range(11)), f"{k}/4") for k in (1, 2, 3, 4)]
    assert sorted(mutant for part in parts for mutant in part) == list(range(11))
    assert run.part_of([1, 2], "1/1") == [1, 2]


@pytest.mark.parametrize("part", ["0/4", "5/4", "1", "a/b"])
def test_a_part_that_is_none_is_refused(part):
    with pytest.raises(SystemExit, match="expected K/N"):
        run.part_of([1, 2], part)
