"""The notebooks of the older form keep it until they are rebuilt. Goes with anatomy_before.py."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks import anatomy, anatomy_before, kernels

PICTURE = new_output("display_data", {"image/png": "", "text/plain": "a ring"})
HEAD = "About 90 minutes, exercises included; the cells run in 60 seconds. "


@pytest.mark.parametrize("name", sorted(set(anatomy.STANDARD) - set(anatomy.REBUILT)))
def test_a_notebook_that_is_not_rebuilt_keeps_the_older_form(name):
    assert anatomy_before.complaints(kernels.ROOT / "notebooks" / f"{name}.ipynb") == []


def small():
    """A notebook in perfect order: 65.4 minutes of words, and the rest of 90."""
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


PLAIN = [new_code_cell("pass") for _ in range(50)]


@pytest.mark.parametrize(
    ("place", "cells", "says"),
    [
        (8, [new_code_cell("pass")], []),
        (2, [new_markdown_cell(HEAD + "word " * 4000)], ["formula 5", "core path takes 5"]),
        (2, [new_markdown_cell("word " * 8500)], ["its head does not say"]),
        (1, [new_code_cell("draw()")], ["no picture"]),
        (4, [new_code_cell("pass")], ["asks to repair"]),
        (8, [new_code_cell("p", outputs=[new_output("stream", text="ok  a\n" * 41)])], ["41 li"]),
        (2, [small()[2], *PLAIN], ["core path has 69 cells", "first exercise is cell 54"]),
    ],
)
def test_each_way_to_leave_the_older_form_is_noticed(tmp_path, place, cells, says):
    path = tmp_path / "small.ipynb"
    book = small()
    nbformat.write(new_notebook(cells=book[:place] + cells + book[place + 1 :]), path)
    found = "\n".join(anatomy_before.complaints(path))
    assert [words in found for words in says] == [True] * len(says)
    assert bool(found) == bool(says)
