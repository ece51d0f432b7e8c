"""The pages of docs/ that are made from the course are the ones that it would make now."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_is_up_to_date(name):
    stored, made = (DOCS / name).read_text(encoding="utf-8"), pages.PAGES[name]()
    if name == "glossary.md":  # it may wait for its links while the last labs are being written
        stored, made = (re.sub(r"\[([^]]+)\]\(\S*/systems/\S*\)", r"\1", t) for t in (stored, made))
    assert stored == made, "python docs/pages.py writes it again"


def test_a_box_is_one_paragraph_without_its_frame(tmp_path):
    source = tmp_path / "x.py"
    source.write_text(
        "\n# %% [markdown]\n# Before.\n#\n# > **Often stated, but:** one\n# > two.\n#\n# After.\n"
        "\n# %%\nprint('**Often stated, but** code')\n"
        "\n# %% [markdown]\n# **Often stated, but wrong: x.** y\n"
        "\n# %% [markdown]\n# **A common misconception: x.** y\n"
    )
    assert list(pages.boxes(source)) == [
        "**Often stated, but:** one\ntwo.",
        "**Often stated, but wrong: x.** y",
        "**A common misconception: x.** y",
    ]


ENTRIES = [entry for kind in ("symbols", "terms") for entry in pages.entries(kind)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[0])
def test_a_term_of_the_glossary_is_in_the_section_that_it_names(entry):
    name, _, says, key, heading, word = entry
    lesson = pages.lesson_of(key)
    if lesson is None:
        pytest.skip(f"{key} is not written yet")
    found = pages.sections(lesson[2])
    assert heading in found
    assert word.lower() in found[heading].lower(), [h for h in found if word in found[h]]
    assert len(says.split()) >= 2, name


def test_the_glossary_has_every_term_once_and_every_lesson():
    names = [entry[0].lower() for entry in ENTRIES]
    assert len(set(names)) == len(names) >= 70
    assert {f"{n:02d}" for n in range(1, 16)} <= {entry[3] for entry in ENTRIES}


def test_the_symbols_of_lesson_01_are_all_in_the_glossary():
    page = pages.glossary()
    text = pages.sections(pages.lesson_of("01")[2])["One notation for the whole course"]
    rows = [line.strip("# |").split("|") for line in text.splitlines() if line.startswith("# | ")]
    symbols = [row[1].strip(" $").split(",")[0] for row in rows[1:] if row[1].strip()]
    assert len(symbols) >= 11
    assert [symbol for symbol in symbols if symbol not in page] == []


def test_headings_become_the_anchors_of_a_notebook():
    assert pages.anchor("3. The game: $R_1$, paid lazily") == "3.-The-game:-R_1,-paid-lazily"


ERRATA = tomllib.loads((DOCS / "errata.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "test", sorted({t for rows in ERRATA.values() for row in rows for t in row[3]})
)
def test_an_erratum_is_held_by_a_test_that_exists(test):
    file, _, name = test.partition("::")
    text = (DOCS.parent / "tests" / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text if name else "def test_" in text


def test_misconceptions_are_gathered_from_many_lessons():
    assert pages.often_stated().count("\n## ") >= 8


def test_every_lesson_with_kernels_is_on_the_page_of_equations():
    page = pages.equations()
    assert all(f"## [{n:02d} " in page for n in range(2, 16))
    assert page.count("\n- **") > 200
