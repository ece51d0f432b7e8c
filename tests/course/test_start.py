"""The start page: every lesson once, how far you are, and what is next one click away."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from genlab import course
from genlab.course.copies import Prepared, prepare, shipped
from genlab.course.exercise import all_exercises
from genlab.course.progress import record
from genlab.course.start import BINDER, Standing, begin, standings, table, write_start

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mine(tmp_path):
    prepare(tmp_path / "my")
    return tmp_path / "my"


def row(name, right, minutes=60):
    return Standing(name.upper(), f"{name}.ipynb", minutes, (right, 2), (0, 0))


def test_every_lesson_and_lab_has_its_row_with_time_and_counts(mine):
    rows = standings(mine)
    assert {r.name for r in rows} == set(shipped())
    assert rows[0].name.startswith("01_")
    assert all(30 <= r.minutes <= 120 for r in rows)
    assert all(r.exercises[0] == r.quiz[0] == 0 and r.quiz[1] >= 5 for r in rows)
    of_lessons = [e for e in all_exercises() if e.id[:2].isdigit()]
    assert sum(r.exercises[1] for r in rows if r.name[:2].isdigit()) == len(of_lessons)


def test_what_was_right_is_counted_and_what_was_wrong_is_not(mine):
    first, second = [e.id for e in all_exercises() if e.id.startswith("02.")][:2]
    for id, right in ((first, True), (second, False), ("02.quiz.1", True), ("02.quiz.99", True)):
        record(id, right, mine)
    found = {r.name[:2]: r for r in standings(mine)}
    assert (found["02"].exercises[0], found["02"].quiz[0]) == (1, 1)
    assert (found["02"].begun, found["02"].done, found["03"].begun) == (True, False, False)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("a", 0), row("b", 0)], "**Next: [A](a.ipynb)** (60 minutes to read; about 2 hours"),
        ([row("a", 2), row("b", 0)], "**Next: [B](b.ipynb)**"),
        ([row("a", 2), row("b", 1)], "**Go on with: [B](b.ipynb)**"),
        ([row("a", 2), row("b", 2)], "Everything is answered."),
    ],
)
def test_the_first_line_says_what_is_next(rows, says):
    assert table(rows).startswith(says)


def test_rows_are_marked_as_begun_and_done():
    lines = table([row("a", 2), row("b", 1), row("c", 0)]).splitlines()[-3:]
    assert [line[:5].strip("| ") for line in lines] == ["✓", "…", ""]
    assert lines[1].endswith("| 60 | 1 of 2 | 0 of 0 |")


def test_the_page_is_a_notebook_whose_links_lead_somewhere(mine):
    odd = Prepared((), (), ("04_normalizing_flows.ipynb",), ("systems/glide.ipynb",))
    page = write_start(mine, odd)
    notebook = nbformat.read(page, as_version=4)
    nbformat.validate(notebook)
    head, code, how = notebook.cells
    shown = code.outputs[0].data["text/markdown"]
    assert shown == table(standings(mine))
    text = "\n".join((head.source, shown, how.source))
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if link != BINDER]
    assert text.count(BINDER) == 1
    assert len(links) == len(shipped()) + 2  # what is next, and the map
    assert all((mine / link).exists() for link in links if not link.startswith("../"))
    assert (ROOT / "my" / "../docs/images/map.png").resolve().exists()
    assert "newer versions of: `04`" in head.source
    assert "no notebook that can be read: `glide`" in head.source
    assert "course.progress()" in code.source
    assert "`genlab reset 04` in a terminal" in how.source
    assert '`course.reset("04")` in a cell' in how.source


def test_to_begin_makes_copies_and_page_and_a_second_time_leaves_what_was_edited(tmp_path):
    page, made = begin(tmp_path / "my")
    assert page == tmp_path / "my" / "START.ipynb"
    assert set(made.new) == set(shipped())
    copy = tmp_path / "my" / made.new[0]
    written = copy.read_text().replace("# ", "# my ", 1)
    copy.write_text(written)
    page.unlink()
    assert begin(tmp_path / "my") == (page, Prepared((), (), ()))
    assert copy.read_text() == written
    assert page.exists()


def test_the_cell_shows_the_table_in_a_working_copy_only(mine, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.chdir(mine)
    course.progress()
    assert shown[0].data == table(standings(mine))
    monkeypatch.chdir(mine.parent)
    with pytest.raises(FileNotFoundError, match="genlab start"):
        course.progress()


def test_the_page_holds_nothing_of_this_machine(mine):
    write_start(mine, Prepared((), (), ()))
    assert str(mine.parent) not in json.dumps((mine / "START.ipynb").read_text())


def test_the_page_says_already_what_jupyterlab_would_add(mine):
    from ipykernel.ipkernel import IPythonKernel

    page = nbformat.read(write_start(mine, Prepared((), (), ())), as_version=4)
    info = page.metadata["language_info"]
    assert info == {k: IPythonKernel.language_info[k] for k in info}
    assert "version" in info


def test_a_fresh_copy_is_taken_from_a_cell_as_from_a_terminal(mine, monkeypatch, capsys):
    monkeypatch.chdir(mine / "systems")
    copy = mine / "04_normalizing_flows.ipynb"
    fresh = copy.read_bytes()
    for lesson in ("04", 4):
        copy.write_text("my answers")
        course.reset(lesson)
        assert copy.read_bytes() == fresh
        first, second = capsys.readouterr().out.splitlines()
        assert first.startswith(f"fresh: {copy}")
        kept = Path(second.removeprefix("kept:  "))
        assert kept.read_text() == "my answers"
    with pytest.raises(ValueError, match="no lesson or lab '40'"):
        course.reset("40")
