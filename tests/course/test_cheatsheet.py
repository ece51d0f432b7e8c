"""The cheat sheet is made of what the course says elsewhere, and the page in docs is this page."""

from pathlib import Path

import pytest

from genlab.map import LESSONS, PARADIGMS, SYSTEMS
from genlab_course.cheatsheet import KERNELS, cheat_sheet, equation, title

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cheatsheet.md"


def test_the_page_in_docs_is_the_one_that_is_made():
    assert PAGE.read_text(encoding="utf-8") == cheat_sheet(), "genlab cheatsheet > " + str(PAGE)


@pytest.mark.parametrize("path", [path for paths in KERNELS.values() for path in paths])
def test_every_kernel_has_an_equation_and_a_name(path):
    assert equation(path)
    assert title(path)


def test_the_page_names_every_paradigm_lesson_and_system():
    page = cheat_sheet()
    for name in [p.name for p in PARADIGMS] + [t for t, _ in SYSTEMS.values()]:
        assert name in page
    assert [n for n in LESSONS if f"### {n:02d} " in page] == list(KERNELS)
    assert set(KERNELS) == set(LESSONS) - {1}
