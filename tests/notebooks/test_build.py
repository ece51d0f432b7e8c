"""Building a notebook gives the same file each time, and a failing cell changes nothing."""

import subprocess
import sys

import nbformat
import pytest

from tests.notebooks import build, pairs

TEXT = """\
# %% [markdown]
# # A title

# %%
import sys
import genlab
import ipywidgets
from genlab_course import widgets
from genlab.train import Record

print(0.5)
genlab.__file__

# %%
widgets.watch((Record(k, {"loss": 1.0 / k}, 0.0) for k in (1, 2)), total=2)
print(1, file=sys.stderr)
ipywidgets.IntSlider(3)

# %%
1

# %%
1
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "src" / "small.py"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def run_build(source):
    """Build `source` as an author does; return the exit status and what was printed as an error."""
    command = [sys.executable, build.__file__, str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode, run.stderr


@pytest.mark.slow
def test_two_builds_are_equal_byte_for_byte_and_in_order(source):
    assert run_build(source) == (0, "")
    first = build.notebook_path(source).read_bytes(), source.read_bytes()
    assert run_build(source) == (0, "")
    assert (build.notebook_path(source).read_bytes(), source.read_bytes()) == first
    assert pairs.complaints(source.parents[1]) == []
    nbformat.validate(build.read_text(source))
    here = build.kernels.ROOT / "genlab" / "__init__.py"  # the kernel imports this checkout
    assert str(here) in first[0].decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("raise ValueError('broken on purpose')", "broken on purpose"),
        ("import socket; socket.create_connection(('example.org', 80))", "must run offline"),
    ],
)
def test_a_failing_cell_prints_its_traceback_and_keeps_the_old_notebook(source, cell, says):
    target = build.notebook_path(source)
    target.write_text("the old notebook")
    source.write_text(f"# %%\n{cell}\n")
    status, printed = run_build(source)
    assert status == 1
    assert says in printed
    assert target.read_text() == "the old notebook"


def test_an_edit_made_while_the_cells_run_is_kept(source, monkeypatch):
    edited = TEXT.replace("print(0.5)", "print(0.6)")

    def run_while_someone_edits(notebook, folder):
        source.write_text(edited)
        return 0.0, None

    monkeypatch.setattr(build, "run", run_while_someone_edits)
    assert "edited while the cells ran" in build.build(source)
    assert source.read_text() == edited


def test_unchanged_cells_keep_their_ids(source):
    before = [cell.id for cell in build.read_text(source).cells]
    source.write_text(TEXT.replace("print(0.5)", "print(0.6)"))
    after = [cell.id for cell in build.read_text(source).cells]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, True, True]
    assert len(set(after)) == len(after)


def opened(name):
    """The small notebook of this file with the doors that one of the course would have."""
    notebook = build.jupytext.reads(TEXT, fmt="py:percent")
    return build.with_doors(notebook, build.ROOT / "notebooks" / name)


def test_a_lesson_has_links_to_itself_under_its_title_and_a_cell_that_installs_the_course():
    notebook = opened("systems/small.ipynb")
    title, _, row = notebook.cells[0].source.partition("\n\n")
    assert title == "# A title"
    places = "(https://colab", "blob/main/notebooks/systems/small.ipynb)", "my/systems/small.ipynb)"
    assert all(place in row for place in places)
    assert build.REPOSITORY.removeprefix("https://github.com/") in row
    assert notebook.cells[1].metadata.tags == [build.INSTALL]
    owner, name = build.REPOSITORY.split("/")[-2:]
    assert f"(https://{owner}.github.io/{name}/small.html)" in row
    assert "%pip install -q --no-deps" in notebook.cells[1].source
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts[0] == 1


def test_the_doors_stand_in_the_notebook_alone_and_once():
    notebook = opened("small.ipynb")
    again = build.with_doors(notebook, build.ROOT / "notebooks" / "small.ipynb")
    assert again == notebook
    assert build.text_of(notebook) == build.text_of(build.without_doors(notebook))
    assert len(build.without_doors(notebook).cells) == len(notebook.cells) - 1
    assert len(opened("solutions/small.ipynb").cells) == len(notebook.cells) - 1


def test_a_result_has_the_number_of_its_cell():
    notebook = build.jupytext.reads(TEXT, fmt="py:percent")
    cell = next(c for c in notebook.cells if c.cell_type == "code")
    cell.execution_count = 1
    cell.outputs = [build.nbformat.v4.new_output("execute_result", execution_count=1)]
    opened = build.with_doors(notebook, build.ROOT / "notebooks" / "small.ipynb")
    assert (opened.cells[2].execution_count, opened.cells[2].outputs[0].execution_count) == (2, 2)


def test_the_cell_installs_nothing_where_the_course_is_there(monkeypatch, capsys):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    asked = []
    monkeypatch.setattr(shell, "run_line_magic", lambda *a, **k: asked.append(a))
    source = opened("small.ipynb").cells[1].source
    shell.run_cell(source).raise_error()
    assert asked == []
    assert capsys.readouterr().out == ""
    shell.run_cell(source.replace('"genlab")', '"no_such_module")')).raise_error()
    assert len(asked) == 1
    assert build.REPOSITORY in asked[0][1]
    assert 'course.keep("/content/drive/MyDrive/genlab")' in capsys.readouterr().out
