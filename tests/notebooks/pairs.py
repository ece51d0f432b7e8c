"""What must hold for the notebook files themselves: python tests/notebooks/pairs.py [FOLDER].

Every notebook has its text and the other way round, with the same cells; every code cell has been
run, in order, without an error (nbval runs a cell that was never run, and compares nothing);
nothing that varies from run to run is stored, and nothing that would run code on the site; the
files stay small enough to read; and what they import from the packages exists and can be called as
they call it."""

import ast
import inspect
import re
import sys
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.notebooks import build

MAX_LINES = 40  # of a code cell in sight: a longer one belongs in genlab
MAX_FOLDED = 70  # of a folded one, which holds a measurement and its picture
MAX_KILOBYTES = 1500  # of a notebook: a larger one is slow to open and too large to review
DIRECTIVES = re.compile("NBVAL_(IGNORE_OUTPUT|SKIP|CHECK_OUTPUT|RAISES_EXCEPTION)|PYTEST_VALIDATE")
RUNS = re.compile(r"<(script|iframe|object|embed)\b|<[^>]*\son\w+\s*=|javascript:", re.IGNORECASE)
EVERY_SHARE = re.compile(r"check_range\(.*, 0(\.0)?, 1(\.0)?(, digits=\d)?\)")


def notebooks(folder):
    """Return the notebooks under `folder`, without the copies that Jupyter makes."""
    return sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def texts(folder):
    """Return the texts of notebooks under `folder`."""
    return sorted(p for p in folder.rglob("src/*.py") if ".ipynb_checkpoints" not in p.parts)


def content(notebook):
    """Return what must be the same on both sides of a pair."""
    return [
        (c.cell_type, c.source.rstrip(), *(c.metadata.get(name) for name in build.KEPT))
        for c in notebook.cells
    ]


def pair_complaints(path):
    """Return what is wrong between the notebook `path` and its text."""
    source = path.parent / "src" / f"{path.stem}.py"
    if not source.exists():
        return [f"{path}: it has no text {source}"]
    notebook, text = nbformat.read(path, as_version=4), build.read_text(source)
    if content(notebook) != content(build.with_doors(text, path)):
        return [f"{path}: it differs from its text; run: python tests/notebooks/build.py {source}"]
    if source.read_text(encoding="utf-8") != build.text_of(text):
        return [f"{source}: it is not in the form that build.py writes; build it again"]
    return []


def cell_complaints(path):
    """Return what is wrong in the code cells of the notebook `path`."""
    notebook, bad, count = nbformat.read(path, as_version=4), [], 0
    for index, cell in enumerate(notebook.cells):
        where = f"{path}: cell {index}"
        if cell.cell_type != "code":
            continue
        count += 1
        if not cell.source.strip():
            bad.append(f"{where} is empty")
        if cell.execution_count is None:
            bad.append(f"{where} was never run, so nothing of it would be compared")
        elif cell.execution_count != count:
            bad.append(f"{where} was run as number {cell.execution_count}, not in order")
        lines, folded = len(cell.source.splitlines()), cell.metadata.get("jupyter", {})
        if lines > (most := MAX_FOLDED if folded.get("source_hidden") else MAX_LINES):
            bad.append(f"{where} has {lines} lines, more than {most}")
        tags = " ".join(cell.metadata.get("tags", []))
        if "nbval" in tags or DIRECTIVES.search(cell.source):
            bad.append(f"{where} hides its output from the comparison")
        bad += [
            f"{where} checks a share against everything: {line.strip()}"
            for line in cell.source.splitlines()
            if EVERY_SHARE.search(line)
        ]
        bad += [f"{where} shows an error" for out in cell.outputs if out.output_type == "error"]
        bad += [
            f"{where} stores an output that runs code where it is shown, as {kind}"
            for out in cell.outputs
            for kind, shown in out.get("data", {}).items()
            if kind == "application/javascript"
            or (kind != "text/plain" and RUNS.search(str(shown)))
        ]
        bad += [
            f"{where} stores the id of a widget"
            for out in cell.outputs
            if build.WIDGET_VIEW in out.get("data", {})
        ]
        bad += [
            f"{where} shows a figure twice: end its last line with a semicolon"
            for out in cell.outputs
            if out.output_type == "execute_result"
            and "image/png" in out.data
            and out.data.get("text/plain", "").startswith("<Figure")  # a widget's still is none
        ]
        if "execution" in cell.metadata:
            bad.append(f"{where} stores time stamps")
    if "widgets" in notebook.metadata:
        bad.append(f"{path}: it stores the state of widgets")
    return bad


def name_complaints(path):
    """Return the names that the notebook `path` uses from the packages but that do not exist, and
    its calls that do not match the function's signature."""
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    tree = ast.parse("\n".join(map(TransformerManager().transform_cell, cells)))
    nodes, names, bad = list(ast.walk(tree)), {}, []
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and "genlab" in ast.unparse(node):
            try:
                exec(ast.unparse(node), names)
            except ImportError as error:
                bad.append(f"{path}: {error}")
    own = {node.id for node in nodes if isinstance(node, ast.Name) and node.id not in names}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for node in nodes:
        function = node.func if isinstance(node, ast.Call) else node
        dotted = ast.unparse(function) if isinstance(function, ast.Attribute | ast.Name) else ""
        if not dotted.replace(".", "").isidentifier() or dotted.split(".")[0] in own:
            continue
        try:
            found = eval(dotted, names)
            if isinstance(node, ast.Call) and not has_stars(node) and not inspect.isbuiltin(found):
                given = {word.arg: word for word in node.keywords}
                inspect.signature(found).bind(*node.args, **given)
        except (AttributeError, TypeError) as error:
            bad.append(f"{path}: {ast.unparse(node)}: {error}")
    return bad


def has_stars(call):
    """Tell whether only a run can say how many arguments `call` has."""
    stars = any(isinstance(argument, ast.Starred) for argument in call.args)
    return stars or any(word.arg is None for word in call.keywords)


def complaints(folder):
    """Return everything that is wrong with the notebooks under `folder`, one sentence each."""
    bad = []
    for path in notebooks(folder):
        bad += pair_complaints(path) + cell_complaints(path) + name_complaints(path)
        size = path.stat().st_size / 1000
        if size > MAX_KILOBYTES:
            bad.append(f"{path}: {size:.0f} kB, more than {MAX_KILOBYTES}")
    missing = [source for source in texts(folder) if not build.notebook_path(source).exists()]
    return bad + [f"{source}: its notebook was never built" for source in missing]


if __name__ == "__main__":
    found = complaints(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks"))
    print("\n".join(found) or "the pairs are in sync")
    sys.exit(bool(found))
