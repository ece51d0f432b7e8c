"""The sheet is made of what the course says elsewhere, and the page in docs is this sheet."""

import math
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlab.map import LESSONS, PARADIGMS, SYSTEMS
from genlab_course.cheatsheet import KERNELS, cheat_sheet, equation, equation_sheet, title
from genlab_course.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cheatsheet.md"


def test_the_page_in_docs_is_the_one_that_is_made():
    assert PAGE.read_text(encoding="utf-8") == cheat_sheet(), "genlab cheatsheet > " + str(PAGE)


def test_the_sheet_prints_on_two_pages():
    """A4 in 9 point: 125 characters a line, 68 lines a page; a row of a table has rules."""
    lines = 0.0
    for line in cheat_sheet().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 1:  # the longest cell wraps in a column of its share of the width
            width = 125 * max(map(len, cells)) / max(1, sum(map(len, cells)))
            lines += max(math.ceil(len(cell) / width) for cell in cells) + 0.4
        else:
            lines += {"#": 1.6}.get(line[:1], math.ceil(len(line) / 125) if line else 0.5)
    assert lines <= 2 * 68


def test_no_figure_on_the_sheet_is_left_blank():
    assert not re.search(r"[{}]|nan|None", re.sub(r"\$[^$]*\$", "", cheat_sheet()))
    assert re.search(r"PixelCNN = 1\.78 bits/dim", cheat_sheet())


def test_every_kernel_has_an_equation_and_a_name():
    paths = [path for paths in KERNELS.values() for path in paths]
    assert [path for path in paths if not equation(path) or not title(path)] == []


def test_the_page_names_every_paradigm_lesson_and_system():
    page = cheat_sheet()
    for name in [p.name for p in PARADIGMS] + [t for t, _ in SYSTEMS.values()]:
        assert name in page
    page = equation_sheet()
    assert "## Frontier" in page
    numbered = [key for key in KERNELS if isinstance(key, int)]
    assert [n for n in LESSONS if f"## {n:02d} " in page] == numbered
    assert set(numbered) == set(LESSONS) - {1}


@pytest.mark.parametrize(("flags", "made"), [([], cheat_sheet), (["--equations"], equation_sheet)])
def test_the_command_prints_the_sheet_or_the_equations(flags, made):
    assert CliRunner().invoke(app, ["cheatsheet", *flags]).stdout == made()
