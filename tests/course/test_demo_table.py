"""Every page of the table runs, and each of its widgets is one that moves."""

import ast

import pytest
import torch

from genlab.course import demos
from genlab.course.demo_table import PAGES
from genlab.widgets import explorer
from genlab.widgets.explorer import Explorer
from genlab.widgets.later import Later
from genlab.widgets.release_reader import ReleaseReader

TRAIN = {"04", "06"}  # some seconds each: tests/widgets makes the same two


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_question_asks_and_the_last_line_is_a_widget(page):
    for demo in page.demos:
        assert "?" in demo.question
        assert isinstance(ast.parse(demo.code).body[-1], ast.Expr)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in demos.ready() if p.name not in TRAIN], ids=lambda page: page.name
)
def test_a_page_runs_from_its_own_cells_alone(page, monkeypatch):
    monkeypatch.setattr(explorer, "_dpi", explorer._dpi)  # put back afterwards
    names = {}
    exec(demos.BEGIN.format(key=page.key), names)
    torch.set_default_dtype(torch.float32)
    for demo in page.demos:
        *before, last = ast.parse(demo.code).body
        exec(compile(ast.Module(before, []), page.name, "exec"), names)
        widget = eval(compile(ast.Expression(last.value), page.name, "eval"), names)
        assert isinstance(widget, Explorer | Later | ReleaseReader)
