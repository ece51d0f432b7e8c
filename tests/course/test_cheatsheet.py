"""The cheat sheet is made of what the course says elsewhere, and the page in docs is this page."""

from pathlib import Path

import pytest

from genlab.map import LESSONS, PARADIGMS, SYSTEMS
from genlab_course.cheatsheet import KERNELS, cheat_sheet, equation, kernel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cheatsheet.md"


def test_the_page_in_docs_is_the_one_that_is_made():
    assert PAGE.read_text(encoding="utf-8") == cheat_sheet(), "genlab cheatsheet > " + str(PAGE)


@pytest.mark.parametrize(
    ("lesson", "path"), [(n, p) for n, paths in KERNELS.items() for p in paths]
)
def test_every_equation_stands_above_a_kernel_that_names_its_lesson(lesson, path):
    assert equation(path)
    doc = kernel(path).__doc__ or ""
    earlier = lesson in (3, 6)  # two kernels are first used a lesson before they are derived
    assert f"notebooks/{lesson:02d}_" in doc or earlier


def test_the_page_names_every_paradigm_lesson_and_system():
    page = cheat_sheet()
    for name in [p.name for p in PARADIGMS] + [t for t, _ in SYSTEMS.values()]:
        assert name in page
    assert [n for n in LESSONS if f"### {n:02d} " in page] == list(KERNELS)
    assert set(KERNELS) == set(LESSONS) - {1}


def test_a_kernel_without_an_equation_is_refused():
    with pytest.raises(ValueError, match="no displayed equation"):
        equation("core.iterate.last")
