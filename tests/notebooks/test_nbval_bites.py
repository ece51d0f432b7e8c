"""nbval really compares: each stored number that is altered must make its cell fail, in every kind
of output.

A small notebook is built with a cell for each kind of output. Then every cell is repeated once for
each of its numbers, each time with that one number altered in the stored output, and nbval must
fail exactly the altered cells. What may vary, and what may not, is altered in the same notebook."""

import copy
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import chain, islice

import nbformat
import pytest
from nbformat import v4

from tests.notebooks import build, kernels
from tests.notebooks.compare import NUMBER, RANGE

pytestmark = pytest.mark.slow

OPTIONS = [
    "-p", "tests.notebooks.nbval_plugin", "-p", "no:cacheprovider", "--nbval",
    "--nbval-current-env",
    "--nbval-sanitize-with", str(kernels.ROOT / "tests/notebooks/sanitize.cfg"),
]  # fmt: skip

LINE = "value at step 1.25 of 12, then -3.5e-2 and .75; between ~2.03 and ~4 in [1.9, 2.2]"
CELLS = {
    "stdout": f"print({LINE!r})",
    "stderr": f"import sys; print({LINE!r}, file=sys.stderr)",
    "text/plain": "import torch; (torch.tensor([1.25, 3.5]), {'a': 1.25, 'b': [3, 4.5]})",
    "text/html": "from IPython.display import HTML; HTML('<p>1.25</p><div>7</div><td>~9.1</td>')",
    "text/latex": r"from IPython.display import Latex; Latex(r'$x = 1.25 + \frac{1}{3}, \quad 7$')",
    "text/markdown": "from IPython.display import Markdown; Markdown('| 1.25 | 8 | ~3.5 | 2.5 |')",
}


def run_nbval(notebook, folder):
    """Run nbval on `notebook`; return {name of the test: whether it passed} and what it printed."""
    notebook_path, report = folder / "altered.ipynb", folder / "report.xml"
    nbformat.write(notebook, notebook_path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, f"--junitxml={report}", notebook_path],
        cwd=kernels.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    cases = ElementTree.parse(report).iter("testcase")
    return {case.get("name"): case.find("failure") is None for case in cases}, run.stdout


def built(cells, folder):
    """Return a notebook of `cells`, run, and without what its runs vary in."""
    source = folder / "src" / "small.py"
    source.parent.mkdir(exist_ok=True)
    source.write_text("".join(f"# %%\n{cell}\n\n" for cell in cells))
    subprocess.run([sys.executable, build.__file__, str(source)], check=True)
    return nbformat.read(build.notebook_path(source), as_version=4)


def stored_text(cell, kind):
    """Return the holder of the stored output of `kind` and the key of its text."""
    for output in cell.outputs:
        if output.get("name") == kind:
            return output, "text"
        if kind in output.get("data", {}):
            return output.data, kind
    raise AssertionError(f"the cell stores no {kind}: {cell.outputs}")


def altered(text, span):
    """Return `text` with the number at `span` changed: an integer by 1, a float by 1 %."""
    number = text[slice(*span)]
    other = f"{float(number) * 1.01:.6g}" if set(number) & set(".eE") else str(int(number) + 1)
    return text[: span[0]] + other + text[span[1] :]


def variants(cell, kind):
    """Yield copies of a cell, each with one number altered or none, and whether it should pass."""
    holder, key = stored_text(cell, kind)
    text = holder[key]
    ranges = [m.span() for m in RANGE.finditer(text)]
    free = [(a + 1, b) for a, b in ranges]  # the digits after the tilde
    numbers = [
        m.span()
        for m in NUMBER.finditer(text)
        if not any(a < m.end() and m.start() < b for a, b in ranges)
    ]
    assert len(numbers) >= 2
    for span in [*numbers, *free, None]:
        other = copy.deepcopy(cell)
        holder, key = stored_text(other, kind)
        holder[key] = text if span is None else altered(text, span)
        yield other, span not in numbers


FRONT_END = [
    "import time, ipywidgets, matplotlib.pyplot as plt",
    "from IPython.display import clear_output, display",
    "plt.plot([1, 2]);",  # a trailing semicolon silences the cell
    "for i in range(3):\n    clear_output(wait=True)\n    print(i)",
    "print('gone')\nclear_output()\nprint('stays')",
    "handle = display('first', display_id=True)\nhandle.update('second')",
    "out = ipywidgets.Output()\nwith out:\n    print('captured', time.time())\nout;",
    "ipywidgets.IntSlider(3)",
    "object()",
]
WIDGET = "import ipywidgets as w; w.HBox([w.IntSlider(3)])"
REPLY = "import genlab_course as course; course.exercise('02.sequence-nll', {})"


def rounding(cells):
    cells[0].outputs[0].text = "gap 0.500040 nats\n"
    cells[1].outputs[0].text = "gap 0.500000 bits\n"


def front_end(cells):  # an output that is updated later is stored in its final state
    assert cells[3].outputs[0].text == "2\n"


def widget(cells):  # its state may change, its kind may not
    texts = [stored_text(cell, "text/plain")[0] for cell in cells]
    texts[0]["text/plain"] = "HBox(children=(IntSlider(value=3, layout=Layout(width='480px')),))"
    texts[1]["text/plain"] = texts[1]["text/plain"].replace("HBox", "VBox")


def reply(cells):  # its words are compared, its box is not
    shown = [cell.outputs[0].data for cell in cells]
    shown[1]["text/html"] = shown[1]["text/html"].replace("solid", "dotted")
    shown[2]["text/plain"] = shown[2]["text/plain"].replace("expected", "found")
    shown[3]["text/plain"] = shown[3]["text/plain"].replace("not attempted", "right")


def network(cells):
    cells[0].source = "import socket; socket.create_connection(('192.0.2.1', 80))"


OTHERS = {  # what alters the cells, the cells, and which of them pass then
    "rounding": (rounding, ["print('gap 0.500000 nats')"] * 3, [True, False, True]),
    "front end": (front_end, FRONT_END, [True] * len(FRONT_END)),
    "widget": (widget, [WIDGET] * 3, [True, False, True]),
    "reply": (reply, [REPLY.format(3)] * 3 + [REPLY.format("...")], [True, True, False, False]),
    "network": (network, ["print(1)"], [False]),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Whether each cell should pass and whether it did, by its kind; and what was printed."""
    folder = tmp_path_factory.mktemp("bites")
    notebook = built([*CELLS.values(), *chain(*(cells for _, cells, _ in OTHERS.values()))], folder)
    cells, made = iter(notebook.cells), []
    for kind in CELLS:
        made += [(kind, *variant) for variant in variants(next(cells), kind)]
    for kind, (alter, sources, expected) in OTHERS.items():
        own = list(islice(cells, len(sources)))
        alter(own)
        made += [(kind, *pair) for pair in zip(own, expected, strict=True)]
    notebook.cells = [cell for _, cell, _ in made]
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
    passed, printed = run_nbval(notebook, folder)
    assert len(passed) == len(made) + 1, printed  # and the memory budget
    return {
        kind: [(ok, passed[f"Cell {i}"]) for i, (k, _, ok) in enumerate(made) if k == kind]
        for kind in [*CELLS, *OTHERS]
    }, printed


@pytest.mark.verify
@pytest.mark.parametrize("kind", [*CELLS, *OTHERS])
def test_every_altered_output_fails_and_what_may_vary_passes(kind, outcomes):
    seen, printed = outcomes
    assert [passed for _, passed in seen[kind]] == [expected for expected, _ in seen[kind]], printed
    assert kind in OTHERS or {expected for expected, _ in seen[kind]} == {False, True}


@pytest.mark.verify
def test_a_cell_that_asks_for_the_network_is_told_that_it_must_run_offline(outcomes):
    assert "must run offline" in outcomes[1]


def test_an_altered_number_fails_and_memory_over_the_budget_and_the_table_says_so(tmp_path):
    printed = [v4.new_output("stream", text=text) for text in ("0.25\n", "0.2525\n")]
    cells = [
        v4.new_code_cell("import numpy\nx = numpy.ones(130_000_000)", execution_count=1),  # 1.04 GB
        v4.new_code_cell("print(0.25)", outputs=printed[:1], execution_count=2),
        v4.new_code_cell("print(0.25)", outputs=printed[1:], execution_count=3),
    ]
    passed, printed = run_nbval(v4.new_notebook(cells=cells), tmp_path)
    assert [passed[f"Cell {i}"] for i in range(3)] == [True, True, False]
    assert not passed["memory budget"]
    assert "OVER MEMORY BUDGET" in printed
