"""Plant known mistakes in genlab one by one, and show that a test goes red for each: python
tests/mutants/run.py [AREA] [--part K/N].

The mistakes stand in tests/mutants/AREA.toml: a function by its name, the body that somebody wrote
by mistake, and the tests that must notice; or, outside of functions, a text that occurs once in a
file and what replaces it. They are planted in a temporary copy, never in the work tree. A mistake
is *caught* when a test itself fails; when the mutated code cannot even be imported or collected,
the mutant is *invalid*: it shows nothing about the tests. The tests must pass before anything is
planted. To pay for the slow imports once, a process that has imported them forks for each mutant.
Exit status 0 means that every planted mistake was caught."""

import argparse
import ast
import copy
import difflib
import functools
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import textwrap
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("genlab", "genlab_course", "tests", "benchmarks", "notebooks", "pyproject.toml", "docs")
SLOW_IMPORTS = (  # whatever pytest and the tests import, apart from genlab itself
    "pytest", "anyio.pytest_plugin", "xdist.plugin", "hypothesis", "jaxtyping", "beartype.claw",
    "numpy", "torch", "torch._dynamo", "matplotlib.pyplot", "ipywidgets", "IPython.display",
    "scipy.stats", "scipy.integrate", "scipy.special", "sklearn.datasets", "sklearn.mixture",
    "sklearn.neighbors",
)  # fmt: skip
TIMEOUT_S = 300
LOG = "mutant.log"  # in each tree: what the test process printed last
CAUGHT, SURVIVED, INVALID = "caught", "NOT CAUGHT", "INVALID"


@dataclass(frozen=True)
class Mutant:
    """One mistake to plant."""

    area: str  # the name of the file that it stands in
    mistake: str
    tests: tuple[str, ...]
    function: str = ""  # FILE::NAME or FILE::CLASS.NAME
    wrong: str = ""  # its body; with `def`, all of it
    path: str = ""  # of a text that stands in no function
    old: str = ""
    new: str = ""

    @property
    def file(self):
        return self.path or self.function.partition("::")[0]

    @property
    def name(self):
        return self.function.partition("::")[2]

    @property
    def is_whole(self):
        return self.wrong.startswith(("def ", "@"))


@dataclass(frozen=True)
class Verdict:
    """What came of one mutant: its status, and the test that caught it or why none could."""

    mutant: Mutant
    status: str
    detail: str


def load(folder, area=None):
    """Return the mutants of all areas in `folder`, or of one area."""
    paths = sorted(folder.glob("*.toml" if area is None else f"{area}.toml"))
    if area is not None and not paths:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise SystemExit(f"no mutants named {area!r}; there are: {known or 'none'}")
    return [
        Mutant(area=path.stem, path=entry.pop("file", ""), tests=tuple(entry.pop("tests")), **entry)
        for path in paths
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    ]


@functools.cache
def parsed(source):
    """Return the syntax of a file; it is not to be changed."""
    return ast.parse(source)


def defined(scope):
    """Yield the functions and classes that a module, class or function defines itself."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node
        else:  # inside `if` and `with`
            yield from defined(node)


def find_function(source, name):
    """Return the syntax of the function NAME or CLASS.NAME; ValueError if it is not there once."""
    inside = [parsed(source)]
    for part in name.split("."):
        inside = [node for scope in inside for node in defined(scope) if node.name == part]
    if len(inside) != 1:
        raise ValueError(f"{len(inside)} functions are called {name}, not one")
    return inside[0]


def planted(source, mutant):
    """Return the text of its file with the mistake in it; ValueError where it has no place."""
    if mutant.path:
        n = source.count(mutant.old)
        if n != 1:
            raise ValueError(f"the text to replace occurs {n} times in {mutant.path}, not once")
        return source.replace(mutant.old, mutant.new)
    node = find_function(source, mutant.name)
    lines = source.splitlines(keepends=True)
    if mutant.is_whole:
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
    else:
        has_words = ast.get_docstring(node, clean=False) is not None
        first = node.body[0].end_lineno if has_words else node.body[0].lineno - 1
    while not lines[first].strip():  # after a docstring
        first += 1
    indent = " " * (len(lines[first]) - len(lines[first].lstrip()))
    wrong = textwrap.indent(mutant.wrong, indent)
    return "".join([*lines[:first], wrong, *lines[node.end_lineno :]])


def n_changed(source, mutant):
    """Count the lines that a wrong body takes away or adds, layout and comments apart."""
    node = find_function(source, mutant.name)
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if mutant.is_whole:
        bare = copy.copy(node)
        bare.body = body
        right, wrong = ast.unparse(bare), ast.unparse(ast.parse(mutant.wrong))
    else:
        (whole,) = ast.parse("def f():\n" + textwrap.indent(mutant.wrong, "    ")).body
        right, wrong = ("\n".join(map(ast.unparse, part)) for part in (body, whole.body))
    lines = difflib.ndiff(right.splitlines(), wrong.splitlines())
    return sum(line[0] in "+-" for line in lines)


def part_of(mutants, part):
    """Return part K of N, written "K/N" with K from 1; every mutant is in exactly one part."""
    try:
        k, n = map(int, part.split("/"))
        if not 1 <= k <= n:
            raise ValueError
    except ValueError:
        raise SystemExit(f"--part {part!r}: expected K/N with 1 <= K <= N, as in 2/4") from None
    return mutants[k - 1 :: n]


def problem(mutant, root):
    """Return why `mutant` cannot be planted in the tree `root`, or "" when it can."""
    path = root / mutant.file
    if not path.is_file():
        return f"no file {mutant.file}"
    source = path.read_text(encoding="utf-8")
    try:
        if planted(source, mutant) == source:
            return "nothing is changed"
    except ValueError as error:
        return str(error)
    missing = [test for test in mutant.tests if not (root / test.partition("::")[0]).exists()]
    if missing or not mutant.tests:
        return f"no test {', '.join(missing) or 'given'}"
    return ""


class _Outcomes:
    """A pytest plugin that keeps the tests that failed and the errors outside tests."""

    def __init__(self):
        self.failed, self.errors, self.n_tests = [], [], 0

    def pytest_collectreport(self, report):
        if report.failed:
            self.errors.append(f"{report.nodeid}: {_last_line(report)}")

    def pytest_runtest_logreport(self, report):
        self.n_tests += report.when == "call"
        if report.failed:
            (self.failed if report.when == "call" else self.errors).append(report.nodeid)


def _last_line(report):
    """Return the last line of a failed report: the exception."""
    lines = str(report.longrepr).strip().splitlines()
    return lines[-1].strip() if lines else "failed"


def _run_pytest(tree, tests, stop_at_first, pipe):
    """In a child process: run `tests` in `tree` quietly and send what happened down the pipe."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    log = os.open(tree / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import pytest

    outcomes = _Outcomes()
    quiet = ["-q", "-p", "no:cacheprovider", "--tb=line"]
    quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    arguments = [*tests, *quiet, *(["-x"] if stop_at_first else [])]
    code = pytest.main(arguments, plugins=[outcomes])
    pipe.send((int(code), outcomes.n_tests, outcomes.failed, outcomes.errors))
    pipe.close()
    os._exit(0)  # no exit handlers: the parent's are not this process's


def run_tests(tree, tests, stop_at_first):
    """Fork, run `tests` in `tree`; return (exit code, number of tests, failed tests, errors)."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run_pytest, args=(tree, tests, stop_at_first, sender))
    child.start()
    sender.close()
    try:
        if not receiver.poll(TIMEOUT_S):
            return -1, 0, [], [f"no end after {TIMEOUT_S} s"]
        return receiver.recv()
    except EOFError:
        last = (tree / LOG).read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
        return -1, 0, [], [f"the test process died: {last[0]}"]
    finally:
        child.kill()
        child.join()
        receiver.close()


def judge(mutant, tree):
    """Plant `mutant` in `tree`, run its tests, put the file back and return the verdict."""
    reason = problem(mutant, tree)
    if reason:
        return Verdict(mutant, INVALID, reason)
    path = tree / mutant.file
    original = path.read_text(encoding="utf-8")
    path.write_text(planted(original, mutant), encoding="utf-8")
    try:
        _, n_tests, failed, errors = run_tests(tree, mutant.tests, stop_at_first=True)
    finally:
        path.write_text(original, encoding="utf-8")
    if failed:
        return Verdict(mutant, CAUGHT, failed[0])
    if errors or not n_tests:
        return Verdict(mutant, INVALID, errors[0] if errors else "no test ran")
    return Verdict(mutant, SURVIVED, f"{n_tests} tests passed")


def sound(tests, tree):
    """Return why `tests` say nothing (they fail, or none runs, with no mistake planted), or ""."""
    code, n_tests, failed, errors = run_tests(tree, tests, stop_at_first=False)
    if failed or errors:
        return f"red before anything was planted: {(failed + errors)[0]}"
    return "" if n_tests and code == 0 else f"no test ran: {', '.join(tests)}"


def copy_tree(root, target):
    """Copy what the tests need from `root` into the new folder `target`."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def prepare():
    """Import once what every test process needs, with one thread and no byte code written."""
    sys.dont_write_bytecode = True  # two versions within one second would share their byte code
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", MPLBACKEND="agg")
    for name in SLOW_IMPORTS:
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"note: {name} is not installed", file=sys.stderr)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def run_all(mutants, root, n_workers):
    """Yield the verdicts on `mutants` in their order, planted in `n_workers` copies of `root`."""
    with tempfile.TemporaryDirectory(prefix="genlab-mutants-") as folder:
        trees = SimpleQueue()
        for i in range(n_workers):
            copy_tree(root, Path(folder, str(i)))
            trees.put(Path(folder, str(i)))

        def in_a_tree(function, argument):
            tree = trees.get()
            try:
                return function(argument, tree)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(n_workers) as pool:
            suites = list(dict.fromkeys(m.tests for m in mutants if not problem(m, root)))
            reasons = pool.map(lambda tests: in_a_tree(sound, tests), suites)
            unsound = {tests: why for tests, why in zip(suites, reasons, strict=True) if why}

            def verdict_on(mutant):
                if mutant.tests in unsound:
                    return Verdict(mutant, INVALID, unsound[mutant.tests])
                return in_a_tree(judge, mutant)

            yield from pool.map(verdict_on, mutants)


def main():
    """Run the mutants that the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("area", nargs="?", help="only tests/mutants/AREA.toml")
    parser.add_argument(
        "--workers", type=int, default=2, help="how many mutants are tried at a time"
    )
    parser.add_argument("--part", default="1/1", help="only every Nth mutant, from the Kth: K/N")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to copy")
    arguments = parser.parse_args()
    mutants = load(arguments.root / "tests" / "mutants", arguments.area or None)
    mutants = part_of(mutants, arguments.part)
    start = time.perf_counter()
    print(f"{len(mutants)} mistakes to plant; first, their tests must pass as they are", flush=True)
    prepare()
    verdicts = []
    for verdict in run_all(mutants, arguments.root, arguments.workers):
        verdicts.append(verdict)
        mutant = verdict.mutant
        print(f"{verdict.status:<10}  {mutant.area}: {mutant.mistake}")
        print(f"{'':<10}  {mutant.file}  <-  {verdict.detail}", flush=True)
    caught = sum(verdict.status == CAUGHT for verdict in verdicts)
    print(f"({time.perf_counter() - start:.0f} s)\n{len(verdicts)} planted, {caught} caught")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
