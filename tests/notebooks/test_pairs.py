"""The notebooks and their texts belong together, and each way in which they can part is noticed."""

import json
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import build, kernels, pairs

TEXT = '# %% [markdown]\n# A title.\n\n# %% tags=["one"]\nprint(1)\n\n# %%\n2 + 2\n'


def test_the_notebooks_of_the_course_are_in_order():
    assert pairs.complaints(kernels.ROOT / "notebooks") == []


@pytest.fixture
def pair(tmp_path):
    """A small pair in perfect order: (notebook, text)."""
    source = tmp_path / "src" / "small.py"
    source.parent.mkdir()
    notebook = pairs.build.jupytext.reads(TEXT, fmt="py:percent")
    source.write_text(build.text_of(notebook))
    notebook = build.read_text(source)
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    path = build.notebook_path(source)
    nbformat.write(notebook, path)
    return path, source


def test_a_pair_in_order_earns_no_complaint(pair):
    path, _ = pair
    assert pairs.complaints(path.parent) == []


def change(path, edit):
    """Apply `edit` to the parsed JSON of the notebook `path`."""
    notebook = json.loads(path.read_text())
    edit(notebook)
    path.write_text(json.dumps(notebook))


def output(kind, data, **more):
    return [{"output_type": kind, "data": data, "metadata": {}, **more}]


SHOWN_TWICE = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480>"}
A_WIDGET = {"text/plain": "Box()", build.WIDGET_VIEW: {"model_id": "1"}}
AN_ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}


@pytest.mark.parametrize(
    ("cell", "changes", "says"),
    [
        (2, {"source": "2 + 3"}, "differs from its text"),
        (1, {"metadata": {}}, "differs from its text"),  # a tag is lost
        (2, {"execution_count": None}, "was never run"),
        (1, {"execution_count": 7}, "not in order"),
        (1, {"metadata": {"tags": ["one"], "execution": {"a": "now"}}}, "time stamps"),
        (1, {"outputs": [AN_ERROR]}, "shows an error"),
        (1, {"outputs": output("display_data", A_WIDGET)}, "id of a widget"),
        (1, {"outputs": output("execute_result", SHOWN_TWICE, execution_count=1)}, "figure twice"),
        (
            1,
            {"outputs": output("display_data", {"text/html": "<Script>f()</script>"})},
            "runs code",
        ),
        (1, {"outputs": output("display_data", {"text/html": '<p\nonclick="f()">'})}, "runs code"),
        (1, {"outputs": output("display_data", {"text/markdown": "[a](javascript:f())"})}, "runs"),
        (
            1,
            {"outputs": output("display_data", {"image/svg+xml": "<svg onload=f()>"})},
            "runs code",
        ),
        (1, {"outputs": output("display_data", {"application/javascript": "f()"})}, "runs code"),
    ],
)
def test_each_disorder_of_a_cell_is_named(pair, cell, changes, says):
    path, _ = pair
    change(path, lambda notebook: notebook["cells"][cell].update(changes))
    assert any(says in complaint for complaint in pairs.complaints(path.parent))


def test_text_that_speaks_of_code_is_no_code(pair):
    path, _ = pair
    data = {"text/plain": "<script>", "text/html": "<p>on x = 1 &lt;script&gt; <b>none=1</b></p>"}
    change(path, lambda n: n["cells"][1].update(outputs=output("display_data", data)))
    assert pairs.complaints(path.parent) == []


def test_the_state_of_widgets_is_named(pair):
    path, _ = pair
    state = {"application/vnd.jupyter.widget-state+json": {}}
    change(path, lambda notebook: notebook["metadata"].update(widgets=state))
    assert "state of widgets" in " ".join(pairs.complaints(path.parent))


@pytest.mark.parametrize(
    ("addition", "says"),
    [
        ("\n# %%\n# NBVAL_IGNORE_OUTPUT\nprint(3)\n", "hides its output"),
        ('\n# %% tags=["nbval-skip"]\nprint(3)\n', "hides its output"),
        ("\n# %%\n" + "print(3)\n" * 41, "41 lines"),
        ('\n# %% jupyter={"outputs_hidden": true}\n' + "print(3)\n" * 41, "41 lines"),
        ('\n# %% jupyter={"source_hidden": true}\n' + "print(3)\n" * 71, "71 lines, more than 70"),
        ("\n# %%\nfrom genlab.core import nothing\n", "cannot import name 'nothing'"),
        ("\n# %%\nfrom genlab import core\ncore.nothing(1)\n", "no attribute 'nothing'"),
        ("\n# %%\nfrom genlab import core\nx = core.nothing\n", "no attribute 'nothing'"),
        ("\n# %%\nimport genlab_course as c\nc.check(x=1)\n", "c.check(x=1): missing"),
        ('\n# %%\ncheck_range("a share", x, 0.0, 1.0, digits=2)\n', "against everything"),
    ],
)
def test_cells_that_break_the_rules_are_named(pair, addition, says):
    path, source = pair
    source.write_text(source.read_text() + addition)
    nbformat.write(build.read_text(source), path)
    assert any(says in complaint for complaint in pairs.complaints(path.parent))


def test_a_name_of_the_notebooks_own_is_not_looked_up(pair):
    path, source = pair
    own = "from genlab_course import check\n\n\ndef check(a):\n    return a.x\n\n\ncheck(1)\n"
    own += "from genlab import core, solvers\nf = lambda core: core.x\nsolvers = f\nsolvers.x\n"
    own += "from genlab_course import show_images\nshow_images(*own, **more)\n"
    source.write_text(source.read_text() + "\n# %%\n" + own)
    nbformat.write(build.read_text(source), path)
    assert not any(
        " there " in c or "attribute" in c or "argument" in c for c in pairs.name_complaints(path)
    )


def test_orphans_are_named(pair):
    path, source = pair
    source.rename(source.with_name("other.py"))
    found = pairs.complaints(path.parent)
    assert any("has no text" in complaint for complaint in found)
    assert any("never built" in complaint for complaint in found)


def test_a_large_file_is_named(pair):
    path, _ = pair
    path.write_text(path.read_text() + " " * 1000 * pairs.MAX_KILOBYTES)
    assert any("kB, more than" in complaint for complaint in pairs.complaints(Path(path.parent)))
