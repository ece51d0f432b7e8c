"""Build notebooks from their paired text: python tests/notebooks/build.py notebooks/src/NN_slug.py
...

The text is the source. Each build reads it, runs every cell in a fresh kernel of the current
interpreter and writes the notebook beside the `src` folder, with nothing in it that varies from run
to run: cell ids are made from the cells' content, and there are no time stamps, no widget state and
no model ids. A notebook whose cell fails is not written: its traceback is printed and the old file
stays."""

import copy
import hashlib
import re
import subprocess
import sys
import time
import tomllib
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.notebooks import kernels

CELL_TIMEOUT_S = 600
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # its model id is random
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
INSTALL = "install"  # tag of the cell that installs the course where it is missing
ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "urls"
]["Repository"]
LINKS = re.compile(r"\n\n\*Open in .*\*(?=\n|$)")  # the row under the title
KEPT = ("tags", "jupyter")  # of a cell's metadata; `jupyter` says whether its source is folded
HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---
"""


def notebook_path(source):
    """Return the notebook that belongs to the text `.../src/NAME.py`."""
    if source.parent.name != "src" or source.suffix != ".py":
        raise ValueError(f"expected the text of a pair, FOLDER/src/NAME.py, got {source}")
    return source.parent.parent / f"{source.stem}.ipynb"


def read_text(source):
    """Return the notebook that `source` describes: not run, its ids made from its cells alone."""
    return copy.deepcopy(_described(source.read_text(encoding="utf-8")))


@cache
def _described(text):
    """The notebook of a text: tests ask for most of them seven times."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(copy.deepcopy(METADATA))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = {}
    for cell in notebook.cells:
        content = f"{cell.cell_type}\n{cell.source}"
        seen[content] = seen.get(content, 0) + 1
        cell.id = hashlib.sha256(f"{content}\n{seen[content]}".encode()).hexdigest()[:12]
        kept = {name: cell.metadata[name] for name in KEPT if cell.metadata.get(name)}
        cell.metadata = nbformat.from_dict(kept)
    return notebook


def with_doors(notebook, target):
    """Return `notebook` with links under its title and a cell that installs the course.

    Neither stands in the text. Solutions need no door: they are read beside their lesson.
    """
    notebook, place = without_doors(notebook), target.resolve()
    course = ROOT / "notebooks"
    if not place.is_relative_to(course) or place.is_relative_to(course / "solutions"):
        return notebook
    name = place.relative_to(course).as_posix()
    owner, repository = REPOSITORY.split("/")[-2:]
    binder = f"https://mybinder.org/v2/gh/{owner}/{repository}/main?urlpath=lab/tree/my/{name}"
    colab = (
        f"https://colab.research.google.com/github/{owner}/{repository}/blob/main/notebooks/{name}"
    )
    site = f"https://{owner}.github.io/{repository}/{place.stem}.html"
    row = f"*Open in [Colab]({colab}) or [Binder]({binder}), or [read it on the site]({site})*"
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{row}\n{rest}"
    source = (
        "# On Colab and Kaggle this installs the course; elsewhere it does nothing.\n"
        "from importlib.util import find_spec\n\n"
        'if find_spec("genlab") is None:\n'
        "    %pip install -q --no-deps anywidget psygnal jaxtyping wadler-lindig \\\n"
        f'        "genlab @ {REPOSITORY}/archive/refs/heads/main.zip"\n'
        "    print('to keep your answers, mount your drive and call '\n"
        """          'course.keep("/content/drive/MyDrive/genlab")')"""
    )
    cell = nbformat.v4.new_code_cell(source, id=INSTALL, execution_count=1)
    cell.metadata = nbformat.from_dict({"tags": [INSTALL], "jupyter": {"source_hidden": True}})
    notebook.cells.insert(1, cell)
    return renumbered(notebook)


def without_doors(notebook):
    """Return `notebook` as its text describes it."""
    notebook = copy.deepcopy(notebook)
    notebook.cells = [c for c in notebook.cells if INSTALL not in c.metadata.get("tags", ())]
    notebook.cells[0].source = LINKS.sub("", notebook.cells[0].source, count=1)
    return renumbered(notebook)


def renumbered(notebook):
    """Count the cells that were run from 1, as a run from the first to the last does."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            for counted in (cell, *cell.outputs):
                if counted.get("execution_count") is not None:
                    counted["execution_count"] = count
    return notebook


def text_of(notebook):
    """Return the py:percent text of `notebook`, with a header that names no version."""
    text = jupytext.writes(without_doors(notebook), fmt="py:percent")
    body = re.sub(r"\A# ---\n.*?\n# ---\n", "", text, flags=re.DOTALL)
    return f"{HEADER}\n{body.lstrip()}"


def run(notebook, folder):
    """Execute `notebook` in place, in `folder`; return (seconds, peak memory in MB or None)."""
    manager = AsyncKernelManager(kernel_spec_manager=kernels.CurrentInterpreter())
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_TIMEOUT_S,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel(env=kernels.environment(), stderr=subprocess.DEVNULL):
        client.kc.execute(kernels.STARTUP, silent=True)
        start = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        seconds = time.perf_counter() - start
        return seconds, kernels.peak_megabytes(manager.provisioner.process)


def strip(notebook):
    """Remove from an executed notebook what differs between two runs."""
    notebook.metadata = nbformat.from_dict(copy.deepcopy(METADATA))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
            output.get("metadata", {}).pop(WIDGET_VIEW, None)


def build(source):
    """Build one pair from its text `source`; return a line that says what was written."""
    target, given = notebook_path(source), source.read_text(encoding="utf-8")
    notebook = with_doors(read_text(source), target)
    seconds, peak = run(notebook, target.parent)
    strip(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, target)
    if source.read_text(encoding="utf-8") != given:
        return f"{target}: its text was edited while the cells ran; build it again"
    # The text is written last: jupytext refuses one that looks older than its notebook.
    source.write_text(text_of(notebook), encoding="utf-8")
    n_code = sum(cell.cell_type == "code" for cell in notebook.cells)
    memory = "n/a" if peak is None else f"{peak:.0f} MB"
    size = target.stat().st_size / 1000
    return f"{target}: {n_code} code cells, {seconds:.1f} s, peak {memory}, {size:.0f} kB"


def main(paths):
    """Build each text in `paths`; return the number of those that failed."""
    failed = 0
    for path in paths:
        try:
            print(build(Path(path)), flush=True)
        except CellExecutionError as error:
            failed += 1
            trace = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # no colours: it may go to a file
            said = f"{trace}\n{path}: a cell failed; the old notebook was left as it is"
            print(said, file=sys.stderr)
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python tests/notebooks/build.py notebooks/src/NAME.py ...")
    sys.exit(min(main(sys.argv[1:]), 1))
