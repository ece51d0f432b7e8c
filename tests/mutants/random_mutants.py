"""Plant machine-made mistakes in genlab's kernels, a seeded sample of them, and count how many the
tests notice: python tests/mutants/random_mutants.py [--seed 21] [--number 300] [--part K/N].

A mistake changes one operator, comparison, constant, sign, call or order of arguments inside a
function. First the test files that mirror its module are run; if they stay green, the module's own
examples, its slow tests, and the reference tests that import it. Verdicts are kept in --results, so
that a run that was stopped goes on. A survivor that computes the same as the right code is excused
in equivalent.toml, with the argument; at most 5 % of a sample may be. Exit status 0: at least 95 %
of the others are killed."""

import argparse
import ast
import hashlib
import json
import os
import re
import resource
import sys
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutants import run  # noqa: E402

KERNELS = (
    "adversarial", "autoregressive", "core", "data", "flow", "latent", "metrics", "nn", "oracles",
    "score", "solvers", "systems", "train",
)  # fmt: skip
HOSTILE = "tests/hostile/test_public_functions.py"
CPU_S = 120  # a round of tests may compute for so long, however busy the machine
LEAST_KILLED, MOST_EXCUSED = 0.95, 0.05
KILLED, SURVIVED, STILLBORN = "killed", "SURVIVED", "stillborn"

ARITHMETIC = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "//"), ast.Pow: ("**", "*"),
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
NAMES = {
    one: other
    for pair in (
        ("mean", "sum"), ("min", "max"), ("amin", "amax"), ("argmin", "argmax"), ("sin", "cos"),
        ("zeros", "ones"), ("zeros_like", "ones_like"), ("floor", "ceil"), ("exp", "expm1"),
        ("log", "log1p"), ("any", "all"), ("triu", "tril"), ("softmax", "log_softmax"),
    )
    for one, other in (pair, pair[::-1])
}  # fmt: skip
DROPPED = {"detach", "sqrt", "square", "abs", "flip", "clamp"}
SYMMETRIC = {"min", "max", "maximum", "minimum", "hypot", "isclose", "add", "mul"}


@dataclass(frozen=True)
class Change:
    """A mistake of one place: its file, the bytes that it replaces, and by what."""

    file: str
    line: int
    start: int
    end: int
    new: str

    def applied(self, source):
        """Return the bytes of the file with the mistake in it."""
        return source[: self.start] + self.new.encode() + source[self.end :]

    def lines(self, source):
        """Return the first line that differs, without and with the mistake."""
        first = source.rfind(b"\n", 0, self.start) + 1
        old, new = source[first:].decode(), self.applied(source)[first:].decode()
        return old.partition("\n")[0].strip(), new.partition("\n")[0].strip()


class _Sites(ast.NodeVisitor):
    """Collects the places of one file, each with the changes that can be made there."""

    def __init__(self, file, source):
        self.file, self.source, self.sites, self.depth = file, source, [], 0
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def begin(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def add(self, start, end, *texts):
        line = self.source.count(b"\n", 0, start) + 1
        if self.depth:
            self.sites.append([Change(self.file, line, start, end, text) for text in texts])

    def between(self, left, right, old, new):
        """Change the operator `old` between two operands; comments and brackets stay."""
        start, end = self.end(left), self.begin(right)
        gap = re.sub(rb"#[^\n]*", lambda m: b" " * len(m[0]), self.source[start:end])
        pattern = rb"\s+".join(re.escape(word) for word in old.encode().split())
        if found := re.search(pattern, gap):
            self.add(start + found.start(), start + found.end(), new)

    def visit_FunctionDef(self, node):
        self.depth += 1
        for child in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(child)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_Raise(self, node):
        """The words of an error are no kernel."""

    visit_JoinedStr = visit_Raise  # noqa: N815

    def visit_BinOp(self, node):
        if type(node.op) in ARITHMETIC and not _is_text(node.left):
            self.between(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        if type(node.op) in ARITHMETIC:
            old, new = ARITHMETIC[type(node.op)]
            self.between(node.target, node.value, f"{old}=", f"{new}=")
        self.generic_visit(node)

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for left, right, operator in zip(operands, operands[1:], node.ops, strict=False):
            self.between(left, right, *COMPARISONS[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        self.between(*node.values[:2], old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if not isinstance(node.op, ast.UAdd):
            self.add(self.begin(node), self.begin(node.operand), "")
        self.generic_visit(node)

    def visit_Constant(self, node):
        value, place = node.value, (self.begin(node), self.end(node))
        if isinstance(value, bool):
            self.add(*place, str(not value))
        elif isinstance(value, int):
            self.add(*place, str(value + 1), *([str(value - 1)] if value else []))
        elif isinstance(value, float):
            self.add(*place, repr(1.5 * value if value else 0.5))

    def visit_Call(self, node):
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        first, second = [*node.args, None, None][:2]
        named = ast.Name | ast.Attribute | ast.Subscript
        if isinstance(first, named) and isinstance(second, named) and name not in SYMMETRIC:
            one, two = (self.source[self.begin(a) : self.end(a)].decode() for a in (first, second))
            gap = self.source[self.end(first) : self.begin(second)].decode()
            self.add(self.begin(first), self.end(second), f"{two}{gap}{one}")
        if isinstance(function, ast.Attribute):
            if name in NAMES:
                self.add(self.end(function) - len(name), self.end(function), NAMES[name])
            if name in DROPPED and not _is_module(function.value):
                self.add(self.end(function.value), self.end(node), "")
        self.generic_visit(node)


def _is_text(node):
    return isinstance(node, ast.JoinedStr | ast.Constant) and not isinstance(
        getattr(node, "value", None), int | float
    )


def _is_module(node):
    return isinstance(node, ast.Name) and node.id in {"torch", "math", "np", "F"}


def _parses(change, source):
    try:
        return ast.dump(ast.parse(change.applied(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def sites_in(file, source):
    """Return the places of one file: for each, the changes that can be made there."""
    visitor = _Sites(file, source)
    visitor.visit(ast.parse(source))
    return visitor.sites


def key_of(change, source):
    """Return what names a change whatever stands above it: file, line without, line with it."""
    return (change.file, *change.lines(source))


def draw(root, seed, number):
    """Return `number` changes (fewer in a small tree) of places drawn evenly over the kernels, by
    key: a place comes early or late for what its line says, so a sample outlives other edits."""

    def dice(key):
        return hashlib.sha256(json.dumps([seed, *key]).encode()).digest()

    ranked = {}
    for folder in KERNELS:
        for path in sorted((root / "genlab" / folder).glob("*.py")):
            source = path.read_bytes()
            for site in sites_in(path.relative_to(root).as_posix(), source):
                key, change = min(((key_of(c, source), c) for c in site), key=lambda k: dice(k[0]))
                ranked.setdefault(key, (change, source))
    drawn = {}
    for key in sorted(ranked, key=lambda key: dice(("place", *key))):
        if len(drawn) == number:
            break
        if _parses(*ranked[key]):
            drawn[key] = ranked[key][0]
    return drawn


def mirrors(file, root):
    """Return the test file of a module: genlab/flow/spline.py has tests/flow/test_spline.py."""
    path = Path(file)
    test = Path("tests", *path.parts[1:-1], f"test_{path.name}")
    return (test.as_posix(),) if (root / test).is_file() else ()


def further(file, root):
    """Return what is tried on a survivor: the module's examples, and reference tests of it.

    Last, wrong inputs to its public functions.
    """
    module = file.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    named = re.compile(rf"from {re.escape(module)} import|from {re.escape(package)} import")
    tests = [file]
    for path in sorted((root / "tests" / "reference").glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if named.search(text) and re.search(rf"\b{name}\b|from {re.escape(package)} import", text):
            tests.append(path.relative_to(root).as_posix())
    hostile = [HOSTILE, "-k", f"{module.removeprefix('genlab.')}."]
    return [tests, *([hostile] if (root / HOSTILE).is_file() else [])]


def judge(change, tree):
    """Plant one change in `tree`, run its tests in three rounds, put the file back."""
    path = tree / change.file
    source = path.read_bytes()
    first = mirrors(change.file, tree)
    rounds = [[*first, "-m", speed] for speed in ("not slow", "slow") if first]
    n_tests, times = 0, (path.stat().st_atime, path.stat().st_mtime)
    path.write_bytes(change.applied(source))
    os.utime(path, (times[0], times[1] + 9))  # so its byte code is not that of the right file
    try:
        for arguments in [*rounds, *further(change.file, tree)]:
            code, n_run, failed, errors = run.run_tests(tree, arguments, stop_at_first=True)
            n_tests += n_run
            if errors and not n_tests and code != -1:
                return STILLBORN, errors[0]  # not even imported: it shows nothing about the tests
            if failed or errors:
                return KILLED, (failed + errors)[0]
    finally:
        path.write_bytes(source)
        os.utime(path, times)
    return SURVIVED, f"{n_tests} tests passed"


def keep_byte_code(tree):
    """Compile once what the tests import: watching its annotations makes that slow."""
    sys.dont_write_bytecode = False
    mirrored = [f"tests/{folder}" for folder in KERNELS if (tree / "tests" / folder).is_dir()]
    run.run_tests(tree, ["--collect-only", *mirrored], stop_at_first=False)
    sys.dont_write_bytecode = True


def excuses(root):
    """Return the arguments of equivalent.toml by (file, line without, line with the mistake)."""
    path = root / "tests" / "mutants" / "equivalent.toml"
    listed = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {
        (e["file"], e["old"], e["new"]): e["argument"]
        for e in listed.get("equivalent", [])
        if e["argument"].strip()
    }


def tried(path):
    """Return the verdicts of an earlier run by key."""
    if not path.is_file():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {(row["file"], row["old"], row["new"]): row for row in rows}


def report(rows, arguments):
    """Print the survivors and the two rates; return whether enough of the sample is killed."""
    live = [row for row in rows if row["status"] != STILLBORN]
    survivors = [row for row in live if row["status"] == SURVIVED]
    excused = {k: v for k, v in arguments.items() if k in {_key(row) for row in survivors}}
    for row in survivors:
        why = excused.get(_key(row))
        print(f"{'equivalent' if why else SURVIVED}  {row['file']}:{row['line']}")
        print(f"  - {row['old']}\n  + {row['new']}" + (f"\n  {why}" if why else ""))
    count = Counter(row["status"] for row in rows)
    n_other = len(live) - len(excused)
    print(f"{len(rows)} planted: {', '.join(f'{n} {s}' for s, n in sorted(count.items()))}")
    if not live:
        return True
    share, rest = count[KILLED] / len(live), count[KILLED] / max(n_other, 1)
    print(f"{share:.1%} of all {len(live)} killed; {rest:.1%} of the {n_other} not equivalent")
    too_many = len(excused) > MOST_EXCUSED * len(live)
    if too_many:
        print(f"{len(excused)} are excused, more than {MOST_EXCUSED:.0%} of the sample")
    return rest >= LEAST_KILLED and not too_many


def _key(row):
    return row["file"], row["old"], row["new"]


def main():
    """Draw a sample, try what has no verdict yet, and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--number", type=int, default=300, help="how many mistakes are drawn")
    parser.add_argument("--part", default="1/1", help="only every Nth of them, from the Kth: K/N")
    parser.add_argument("--results", type=Path, help="where verdicts are kept")
    parser.add_argument("--again", action="store_true", help="try the survivors once more")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to copy")
    chosen = parser.parse_args()
    root, results = chosen.root, chosen.results
    results = results or root / "build" / "random_mutants" / f"{chosen.seed}.jsonl"
    results.parent.mkdir(parents=True, exist_ok=True)
    known = tried(results)
    if chosen.again:
        known = {k: row for k, row in known.items() if row["status"] == KILLED}
    named = run.part_of(list(draw(root, chosen.seed, chosen.number).items()), chosen.part)
    to_try = [(key, change) for key, change in named if key not in known]
    print(f"seed {chosen.seed}: {len(named)} mistakes, {len(to_try)} still to try", flush=True)
    run.prepare()
    run.TIMEOUT_S = 60 * CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    with tempfile.TemporaryDirectory(prefix="genlab-mutants-") as folder:
        tree = Path(folder, "tree")
        if to_try:
            run.copy_tree(root, tree)
            keep_byte_code(tree)
        for key, change in to_try:
            start = time.perf_counter()
            status, detail = judge(change, tree)
            file, old, new = key
            row = {**asdict(change), "old": old, "new": new, "status": status, "detail": detail}
            row["seconds"] = round(time.perf_counter() - start, 1)
            known[key] = row
            with results.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(row) + "\n")
            print(f"{status:<9} {file}:{change.line} ({row['seconds']} s)  {new}", flush=True)
    enough = report([known[key] for key, _ in named], excuses(root))
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
