"""The rebuilt notebooks keep their anatomy, and each way to lose it is noticed."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks import anatomy, kernels

PICTURE = new_output("display_data", {"image/png": "", "text/plain": "a ring"})
HEAD = "About 90 minutes, exercises included; the cells run in 60 seconds. "


@pytest.mark.parametrize("name", anatomy.STANDARD)
def test_a_rebuilt_notebook_keeps_the_standard(name):
    assert anatomy.complaints(kernels.ROOT / "notebooks" / f"{name}.ipynb") == []


def small():
    """A notebook in perfect order: 80.6 minutes of words, and the rest of 90."""
    turn = "**Your turn · {}** *({}, {} minutes)*"
    return [
        new_markdown_cell("# Title"),
        new_code_cell("draw()", outputs=[PICTURE]),
        new_markdown_cell(HEAD + "word " * 8500 + "$$x$$"),
        new_markdown_cell(turn.format("one", "repair", 8)),
        new_code_cell('course.exercise("x.one", ...)'),
        new_markdown_cell(turn.format("two", "predict", 8)),
        new_code_cell('course.exercise("x.two", ...)'),
        *(new_code_cell("pass") for _ in range(12)),
        new_markdown_cell("## Going further"),
        new_markdown_cell("word " * 9000),
    ]


@pytest.fixture
def complaints(tmp_path):
    """What is said of a list of cells."""

    def said(cells):
        path = tmp_path / "small.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return "\n".join(anatomy.complaints(path))

    return said


def test_a_notebook_in_order_earns_no_complaint(complaints):
    assert complaints(small()) == ""


@pytest.mark.parametrize(
    ("place", "cell", "says"),
    [
        (2, new_markdown_cell(HEAD + "word " * 4000), "says 90 minutes, the formula 50"),
        (2, new_markdown_cell("word " * 8500), "its head does not say"),
        (1, new_code_cell("draw()"), "no picture"),
        (8, new_code_cell(f"x = {'1' * 90}"), "a line of 94 characters"),
        (8, new_code_cell("from a import b\n\nfrom c import d"), ""),
        (8, new_code_cell("\n".join(f"import m{i}" for i in range(13))), "13 imports in sight"),
        (4, new_code_cell("pass"), "no exercise asks to repair"),
        (3, new_markdown_cell("**Your turn · one** *(guess, 9 minutes)*"), "level is 'guess'"),
        (3, new_markdown_cell("**Your turn · one** *(build, 9 minutes)*"), "too few to build"),
        (8, new_code_cell("p", outputs=[new_output("stream", text="ok  a\n" * 41)]), "41 lines"),
        (
            8,
            new_code_cell("p", outputs=[new_output("display_data", {"image/png": ""})]),
            "without an alt text",
        ),
    ],
)
def test_each_way_to_leave_the_standard_is_noticed(complaints, place, cell, says):
    cells = small()
    cells[place] = cell
    found = complaints(cells)
    assert says in found
    assert (found == "") == (says == "")


def test_a_late_exercise_and_a_long_path_are_noticed(complaints):
    cells = small()
    late = [*cells[:3], *(new_code_cell("pass") for _ in range(50)), *cells[3:]]
    assert "first exercise is cell 54" in complaints(late)
    assert "core path has 69 cells" in complaints(late)


def test_the_same_module_is_imported_once(complaints):
    cells = small()
    cells[8:10] = [new_code_cell("from a import b"), new_code_cell("from a import b")]
    assert "imports from a again" in complaints(cells)


def test_what_is_folded_costs_nothing(complaints):
    cells = small()
    many = "\n".join(["x = 1"] * 300 + [f"import m{i}" for i in range(13)])
    cells[8] = new_code_cell(many, metadata={"jupyter": {"source_hidden": True}})
    assert complaints(cells) == ""
