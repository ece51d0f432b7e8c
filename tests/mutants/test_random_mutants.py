"""Machine-made mistakes are drawn, planted, judged, kept and excused as the command says."""

import json
import subprocess
import sys

import pytest

from tests.mutants import random_mutants as machine

SOURCE = b'''"""Sums - and 3 words."""

SIZE: int = 7


def f(x: "3 + 4", n: int = 2) -> "1 - 1":
    """Not 1 + 1."""
    if not n < 3:
        raise ValueError(f"{n + 1} is more than {2}")
    y = -x * (n  # of each +
              + 1.5)
    y += g(x, y.detach()).mean(-1)
    return y
'''
EXPECTED = {
    "if n < 3:", "if not n <= 3:", "if not n < 4:", "if not n < 2:",
    "y = -x / (n  # of each +", "y = x * (n  # of each +", "- 1.5)", "+ 2.25)",
    "y -= g(x, y.detach()).mean(-1)", "y += g(x, y.detach()).sum(-1)",
    "y += g(x, y).mean(-1)", "y += g(x, y.detach()).mean(1)", "y += g(x, y.detach()).mean(-2)",
    "y += g(x, y.detach()).mean(-0)",
}  # fmt: skip


def test_every_kind_of_place_is_found_and_no_word_or_annotation():
    changes = [c for site in machine.sites_in("f.py", SOURCE) for c in site]
    assert all(compile(c.applied(SOURCE), "f.py", "exec") for c in changes)
    lines = {c.lines(SOURCE)[1] for c in changes}
    assert {line for line in lines if "def f" not in line} == EXPECTED
    assert sum("def f" in line for line in lines) == 2


def test_arguments_are_swapped_unless_that_changes_nothing():
    source = b"def f(a, b):\n    return g(a, b) + max(a, b) + h(1, b)\n"
    lines = [c.lines(source)[1] for site in machine.sites_in("f.py", source) for c in site]
    assert "return g(b, a) + max(a, b) + h(1, b)" in lines
    assert not any("max(b, a)" in line or "h(b" in line for line in lines)


SMALL = """
def clip(x):
    return x + 0 * 3

def half(x):
    return x / 2
"""
TESTS = """
from genlab.core.small import half

def test_half():
    assert half(3) == 1.5
"""


@pytest.fixture
def tree(tmp_path):
    files = {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\n',
        "docs/page.md": "",
        "benchmarks/one.py": "",
        "notebooks/one.py": "",
        "genlab/__init__.py": "",
        "genlab/core/__init__.py": "",
        "genlab_course/__init__.py": "",
        "genlab/core/small.py": SMALL,
        "tests/core/test_small.py": TESTS,
        "tests/mutants/equivalent.toml": (
            '[[equivalent]]\nfile = "genlab/core/small.py"\nold = "return x + 0 * 3"\n'
            'new = "return x + 0 / 3"\nargument = "0 / 3 is 0"\n'
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_sample_is_the_same_again_and_outlives_an_edit_elsewhere(tree):
    before = set(machine.draw(tree, 3, 4))
    assert before == set(machine.draw(tree, 3, 4))
    path = tree / "genlab/core/small.py"
    path.write_text("X = 1\n\n" + path.read_text())
    assert before == set(machine.draw(tree, 3, 4))
    assert len(machine.draw(tree, 3, 99)) == 6  # a place each: +, 0, *, 3; /, 2


@pytest.mark.planted  # two minutes: `make bite`
def test_the_killed_are_told_from_the_surviving_and_kept(tree):
    command = [sys.executable, machine.__file__, "--root", str(tree), "--number", "99"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    written = (tree / "build/random_mutants/21.jsonl").read_text()
    rows = [json.loads(line) for line in written.splitlines()]
    killed = {row["old"] for row in rows if row["status"] == machine.KILLED}
    assert killed == {"return x / 2"}
    assert {row["status"] for row in rows if "x + 0" in row["old"]} == {machine.SURVIVED}
    assert result.returncode == 1  # too few are killed
    assert "33.3% of all 6 killed" in result.stdout
    assert (tree / "genlab/core/small.py").read_text() == SMALL
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "6 mistakes, 0 still to try" in again.stdout


def test_an_argument_excuses_a_survivor_and_too_many_arguments_do_not(tree, capsys):
    row = {"file": "genlab/core/small.py", "line": 3, "old": "return x + 0 * 3"}
    row |= {"new": "return x + 0 / 3", "status": machine.SURVIVED}
    dead = row | {"status": machine.KILLED, "new": "another"}
    excuses = machine.excuses(tree)
    assert machine.report([row] + 30 * [dead], excuses)
    assert "96.8% of all 31 killed; 100.0% of the 30 not equivalent" in capsys.readouterr().out
    assert not machine.report([row] + 5 * [dead], excuses)


def test_a_survivor_meets_the_wrong_inputs_to_its_own_functions_last(tmp_path):
    path = tmp_path / machine.HOSTILE
    assert machine.further("genlab/flow/spline.py", tmp_path) == [["genlab/flow/spline.py"]]
    path.parent.mkdir(parents=True)
    path.touch()
    hostile = [machine.HOSTILE, "-k", "flow.spline."]
    assert machine.further("genlab/flow/spline.py", tmp_path)[1:] == [hostile]
    assert (machine.ROOT / machine.HOSTILE).is_file()
