"""Which mistakes do the checks of a notebook tell apart?  python tests/notebooks/bite.py [NAME ...]

A check either takes `unlike=`, the values that plausible mistakes would give, or stands in
mistakes/NAME.toml with the reason why it has none. The same file plants mistakes in the notebook's
own code, one at a time, and says which check must then fail:

    [without_unlike]
    "label of another check" = "why there is no mistake to tell apart"

    [[mistake]]
    check = "label of the check, as it stands in the text"
    name = "forgot the entropy"      # often one of its `unlike`
    old = "q_entropy + energy"       # text of one cell at or before the check, found once in it
    new = "energy"

Cells are run from the first one to the last that is needed, in a process without a front end. For
a mistake the changed cell and the cell of the check are run again, on a copy of the names.
"""

import ast
import contextlib
import io
import os
import re
import sys
import tomllib
import unittest.mock
import warnings
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.notebooks import build

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = Path(__file__).with_name("mistakes")
CHECKS = {"check", "check_range", "check_close_mc"}


@dataclass(frozen=True)
class Check:
    """One call of a check in the text of a notebook."""

    label: str  # of an f-string, with {} for what varies
    cell: int
    call: ast.Call
    named: dict  # the dictionaries that its cell gives a name to, by that name

    @property
    def unlike(self):
        """Return (name of the mistake, its expression) of each, None where the name varies."""
        given = next((k.value for k in self.call.keywords if k.arg == "unlike"), None)
        given = self.named.get(given.id, given) if isinstance(given, ast.Name) else given
        if not isinstance(given, ast.Dict):
            return [] if given is None else [(None, given)]
        return [(label_of(k), v) for k, v in zip(given.keys, given.values, strict=True)]

    @property
    def sides(self):
        """Return the expressions that are compared."""
        return self.call.args[1:3] if name_of(self.call) != "check_range" else self.call.args[1:2]


def texts():
    """Return the text of every notebook that the course ships, by the key it has in the ledger."""
    names = ("src", "systems/src", "frontier/src", "solutions/src")
    folders = [f"notebooks/{name}" for name in names]
    found = [path for folder in folders for path in sorted((ROOT / folder).glob("*.py"))]
    keys = [path.relative_to(ROOT / "notebooks").as_posix() for path in found]
    return {key.replace("src/", "")[:-3]: path for key, path in zip(keys, found, strict=True)}


def name_of(call):
    """Return the last part of the name of what `call` calls."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def label_of(node):
    """Return a string as it stands in the code, with {} for what an f-string fills in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return "{}"


def code_cells(path):
    """Return the sources of the code cells of the text `path`."""
    return [cell.source for cell in build.read_text(path).cells if cell.cell_type == "code"]


def tree(source):
    """Parse a cell; a line magic or a shell line is not Python and is left out."""
    return ast.parse(
        "\n".join("" if line.startswith(("%", "!")) else line for line in source.splitlines())
    )


def checks(path):
    """Return every check in the text `path`, in order."""
    found = []
    for number, source in enumerate(code_cells(path)):
        nodes = list(ast.walk(tree(source)))
        named = {
            node.targets[0].id: node.value
            for node in nodes
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Dict)
        }
        found += [
            Check(label_of(node.args[0]), number, node, named)
            for node in nodes
            if isinstance(node, ast.Call) and name_of(node) in CHECKS and node.args
        ]
    return found


def is_made_up(value, sides, assigned, depth=3):
    """Whether `value` is a literal, or arithmetic on literals and the check's own sides."""
    if any(ast.dump(value) == ast.dump(side) for side in sides) or isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Name) and depth and len(assigned.get(value.id, [])) == 1:
        return is_made_up(assigned[value.id][0], sides, assigned, depth - 1)
    parts = {
        ast.BinOp: lambda v: [v.left, v.right],
        ast.UnaryOp: lambda v: [v.operand],
        ast.List: lambda v: v.elts,
        ast.Tuple: lambda v: v.elts,
    }.get(type(value))
    return parts is not None and all(is_made_up(p, sides, assigned, depth) for p in parts(value))


def assignments(path):
    """Return, by name, every expression that the text `path` assigns to it."""
    found = {}
    for source in code_cells(path):
        for node in ast.walk(tree(source)):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def complaints(key, path, reasons):
    """Return what is wrong with the checks of one notebook, one sentence each."""
    assigned, bad, bare = assignments(path), [], set()
    for found in checks(path):
        if not found.unlike:
            bare.add(found.label)
        bad += [
            f"{key}: {found.label!r}: the value of {name!r} is typed in, or arithmetic on the "
            "sides of the check; compute it by the mistaken formula"
            for name, value in found.unlike
            if is_made_up(value, found.sides, assigned)
        ]
    bad += [
        f"{key}: {label!r} has no `unlike` and no reason in mistakes/{key}.toml"
        for label in sorted(bare - set(reasons))
    ]
    bad += [
        f"{key}: {label!r} in mistakes/{key}.toml is no check without `unlike`"
        for label in sorted(set(reasons) - bare)
    ]
    return bad + [
        f"{key}: the reason for {label!r} says nothing"
        for label, why in reasons.items()
        if len(why.split()) < 4
    ]


def ledger(key):
    """Return what mistakes/ says about the notebook `key`: (reasons by label, planted mistakes)."""
    path = MISTAKES / f"{key}.toml"
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return known.get("without_unlike", {}), known.get("mistake", [])


class Session:
    """Runs cells as a notebook would, silently, and keeps their names."""

    def __init__(self):
        import matplotlib as mpl

        mpl.use("agg")
        from IPython.core.interactiveshell import InteractiveShell

        self.shell = InteractiveShell.instance()
        self.names = {
            "__name__": "__main__",
            "get_ipython": lambda: self.shell,
            "display": lambda *_: None,
        }

    def run(self, source, names=None):
        """Run a cell on `names`, or on a session's own."""
        names = self.names if names is None else names
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(self.shell.transform_cell(source), "<cell>", "exec"), names)


def planted(key, path):
    """Return the planted mistakes of a notebook, and a sentence for each that has lost its place.

    A mistake comes as (cell of its check, cell that it changes, its entry in the ledger).
    """
    mistakes, cells, found = ledger(key)[1], code_cells(path), checks(path)
    jobs, bad = [], []
    for mistake in mistakes:
        of = [c for c in found if c.label == mistake["check"]]
        if not of:
            bad.append(f"{key}: there is no check {mistake['check']!r}")
            continue
        changed = [k for k in range(of[-1].cell + 1) if cells[k].count(mistake["old"]) == 1]
        if not changed:
            bad.append(f"{key}: {mistake['old']!r} stands once in no cell up to that check")
            continue
        jobs.append((of[-1].cell, changed[-1], mistake))
    return jobs, bad


def survivors(key, path):
    """Return a sentence for each planted mistake of the notebook `key` that no check caught."""
    from genlab_course import CheckFailed

    cells, (jobs, bad) = code_cells(path), planted(key, path)
    session, folder = Session(), os.getcwd()
    os.chdir(path.parent.parent)
    try:
        with unittest.mock.patch("matplotlib.pyplot.show"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in range(max((job[0] for job in jobs), default=-1) + 1):
                for where, changed, mistake in [j for j in jobs if j[0] == number]:
                    names = dict(session.names)
                    new = cells[changed].replace(mistake["old"], mistake["new"])
                    between = filter(_defines, cells[changed + 1 : where])
                    again = [new] if changed == where else [new, *between, cells[where]]
                    try:
                        for source in again:
                            session.run(source, names)
                        said = f"was not caught by {mistake['check']!r}"
                    except CheckFailed as failed:
                        about = _is_about(str(failed), mistake["check"])
                        said = "" if about else f"made another check fail: {failed}"
                    bad += [f"{key}: {mistake['name']!r} {said}"] if said else []
                session.run(cells[number])
    finally:
        os.chdir(folder)
    return bad


def _defines(source):
    """Whether a cell has functions, and assignments at most: they see a change made above them."""
    kinds = {type(node) for node in ast.parse(source).body}
    return ast.FunctionDef in kinds and kinds <= {ast.FunctionDef, ast.Assign}


def _is_about(message, label):
    """Whether an error message is that of the check `label`, whose {} stand for anything."""
    return bool(re.search(".*".join(map(re.escape, label.split("{}"))), message, re.DOTALL))


def main(names):
    """Print what is wrong with the notebooks `names`, or with all; return whether anything is."""
    bad = []
    for key, path in texts().items():
        if not names or key in names or Path(key).name in names:
            found, (why, planted) = checks(path), ledger(key)
            print(
                f"{key}: {len(found)} checks, {sum(bool(c.unlike) for c in found)} with unlike, "
                f"{len(planted)} mistakes planted",
                flush=True,
            )
            bad += complaints(key, path, why)
            if "--plant" in sys.argv:
                bad += survivors(key, path)
    print("\n".join(bad))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main([name for name in sys.argv[1:] if not name.startswith("-")]))
