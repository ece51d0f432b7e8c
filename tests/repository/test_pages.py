"""The pages of docs/ that are made from the course are the ones that it would make now."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_is_up_to_date(name):
    assert (DOCS / name).read_text(encoding="utf-8") == pages.PAGES[name](), (
        "python docs/pages.py writes it again"
    )


def test_a_box_is_one_paragraph_without_its_frame(tmp_path):
    source = tmp_path / "x.py"
    source.write_text(
        "\n# %% [markdown]\n# Before.\n#\n# > **Often stated, but:** one\n# > two.\n#\n# After.\n"
        "\n# %%\nprint('**Often stated, but** code')\n"
        "\n# %% [markdown]\n# **Often stated, but wrong: x.** y\n"
    )
    assert list(pages.boxes(source)) == [
        "**Often stated, but:** one\ntwo.",
        "**Often stated, but wrong: x.** y",
    ]


def test_most_lessons_contradict_something():
    assert pages.often_stated().count("\n## ") >= 12


def test_every_lesson_with_kernels_is_on_the_page_of_equations():
    page = pages.equations()
    assert all(f"## [{n:02d} " in page for n in range(2, 16))
    assert page.count("\n- **") > 200
