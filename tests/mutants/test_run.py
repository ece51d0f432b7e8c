"""The runner of the planted mistakes tells caught, uncaught and invalid ones apart."""

import os
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

SMALL = "tests/test_small.py"
CASES = {  # mistake: what is written for 2 * x, its test, the verdict
    "caught by an assertion": ("3 * x", SMALL, run.CAUGHT),
    "caught by an error that the test raises": ("2 * y", f"{SMALL}::test_double", run.CAUGHT),
    "not caught": ("3 * x", "tests/test_blind.py", run.SURVIVED),
    "cannot be imported": ("2 * (", SMALL, run.INVALID),
    "its test is red anyway": ("3 * x", "tests/test_red.py", run.INVALID),
    "its test is missing": ("3 * x", "tests/test_gone.py", run.INVALID),
    "nothing changes": ("2 * x", SMALL, run.INVALID),
}
MUTANTS = "".join(
    f'[[mutant]]\nmistake = "{mistake}"\nfile = "genlab/small.py"\n'
    f'old = "2 * x"\nnew = "{new}"\ntests = ["{test}"]\n'
    for mistake, (new, test, _) in CASES.items()
)


@pytest.fixture
def tree(tmp_path):
    """A small repository with one function, three test files and seven mutants."""
    files = {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\n',
        "docs/page.md": "",
        "benchmarks/one.py": "",
        "notebooks/one.py": "",
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
    light = "import sys; from tests.mutants import run; run.SLOW_IMPORTS = (); sys.exit(run.main())"
    command = [sys.executable, "-c", light, "--root", str(tree)]
    plain = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=run.ROOT, env=plain)
    lines = result.stdout.splitlines()
    statuses = {
        mistake: status.strip()
        for status, area, mistake in (line.partition("  small: ") for line in lines)
        if area
    }
    assert statuses == {mistake: verdict for mistake, (_, _, verdict) in CASES.items()}
    assert lines[-1] == "7 planted, 2 caught"
    assert result.returncode == 1
    assert (tree / "genlab/small.py").read_text() == PACKAGE  # planted in a copy


MUTANTS_OF_GENLAB = run.load(run.ROOT / "tests" / "mutants")


def test_every_mistake_can_be_planted():
    assert len(MUTANTS_OF_GENLAB) >= 396
    found = {f"{m.area}: {m.mistake}": run.problem(m, run.ROOT) for m in MUTANTS_OF_GENLAB}
    assert {name: why for name, why in found.items() if why} == {}


def test_a_wrong_body_differs_from_the_right_one_by_its_mistake_alone():
    """A body that stayed as it was while its function was mended would be noticed for that."""
    sources = {m.file: (run.ROOT / m.file).read_text(encoding="utf-8") for m in MUTANTS_OF_GENLAB}
    stale = {
        f"{m.area}: {m.mistake}": n
        for m in MUTANTS_OF_GENLAB
        if m.function
        if (n := run.n_changed(sources[m.file], m)) > 5
    }
    assert stale == {}


PLACES = """
@cache
def double(x):
    '''Twice `x`.'''

    def inner(y):
        return y + y

    return inner(x)


class Box:
    def double(self, x=2):
        return 2 * x
"""


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        ("double", "return 3 * x\n", ["    '''Twice `x`.'''", "", "    return 3 * x"]),
        ("double.inner", "return y\n", ["    def inner(y):", "        return y"]),
        ("Box.double", "return x\n", ["    def double(self, x=2):", "        return x"]),
        ("Box.double", "def double(self, x=3):\n    return 2 * x\n",
         ["class Box:", "    def double(self, x=3):", "        return 2 * x"]),
    ],
)  # fmt: skip
def test_a_wrong_body_takes_the_place_of_the_right_one(name, wrong, expected):
    mutant = run.Mutant("area", "mistake", ("test",), function=f"a.py::{name}", wrong=wrong)
    lines = run.planted(PLACES, mutant).splitlines()
    assert any(lines[k : k + len(expected)] == expected for k in range(len(lines)))
    changed = set(PLACES.splitlines()) - set(lines)
    assert all(line.startswith("    ") for line in changed)


def test_a_function_that_is_not_there_once_is_no_place():
    with pytest.raises(ValueError, match="0 functions are called gone"):
        run.find_function(PLACES, "gone")
    with pytest.raises(ValueError, match="2 functions"):
        run.find_function(PLACES + PLACES, "double")
