"""How far one is, lesson by lesson, and the cards that say so."""

import pytest
from scripts import script

import genlab_course as course
from genlab_course.answers import record
from genlab_course.copies import as_bytes, prepare
from genlab_course.exercises.lesson_15 import CLINIC
from genlab_course.grading import all_exercises
from genlab_course.places import key_of, shipped
from genlab_course.standings import THUMBNAILS, Standing, asked, standings, table


@pytest.fixture
def mine_start(tmp_path):
    prepare(tmp_path / "my")
    return tmp_path / "my"


def test_every_lesson_and_lab_has_its_row_with_time_and_counts(mine_start):
    rows = standings(mine_start)
    assert {r.name for r in rows} == set(shipped())
    assert rows[0].name.startswith("01_")
    assert all(30 <= r.minutes <= 150 for r in rows)
    assert all(r.exercises[0] == r.quiz[0] == 0 and r.quiz[1] >= 5 for r in rows)
    of_lessons = {e.id for e in all_exercises() if e.id[:2].isdigit()}
    named = {id for a in asked().values() for id in a.exercises if id[:2].isdigit()}
    chosen = {f"15.{key.replace('_', '-')}" for key in CLINIC}  # one by one, in a cell of lesson 15
    assert named <= of_lessons <= named | chosen
    assert sum(r.exercises[1] for r in rows if r.name[:2].isdigit()) == len(named)


@pytest.mark.parametrize(
    ("head", "minutes"),
    [
        ("About 95 minutes, exercises included; the cells run in 40 seconds.", 95),
        ("About 60 minutes to read, about 30 seconds to run", 60),
        (
            "Two sittings of about 70 and 65 minutes, exercises included; "
            "the cells run in 40 seconds.",
            135,
        ),
    ],
)
def test_the_minutes_of_a_lesson_are_those_of_its_head(tmp_path, head, minutes):
    notebook = {"cells": [], "metadata": {"head": head}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "02_autoregressive.ipynb").write_bytes(as_bytes(notebook))
    assert asked(tmp_path)["02"].minutes == minutes


def test_the_page_says_what_is_done_and_what_is_next(mine_start):
    first, second, *_ = asked().values()
    for id in (*first.exercises, *first.quiz, second.quiz[0]):
        record(id, True, mine_start)
    button, done, begun, *others = table(standings(mine_start)).split("<a href=")[1:]
    assert f"▶ Go on with: {second.title}" in button
    assert "hours are left" in button
    n = len(first.quiz)
    assert f"<b>✓ {first.title}</b>" in done
    assert f"exercises {len(first.exercises)} of {len(first.exercises)}<br>quiz {n} of {n}" in done
    assert f"<b>… {second.title}</b>" in begun
    assert not any("✓" in card or "…" in card for card in others)
    assert [card.count("3px solid") for card in (button, done, begun)] == [0, 1, 0]  # of the next


def test_each_notebook_has_a_thumbnail_that_can_be_cut_again():
    thumbnails = script("images/thumbnails")
    paths = {key_of(name): path for name, path in shipped().items()}
    assert set(paths) == set(thumbnails.CHOSEN) == {p.stem for p in THUMBNAILS.iterdir()}
    for key, path in paths.items():
        assert thumbnails.cut(path, *thumbnails.CHOSEN[key]).size == thumbnails.SIZE


def test_the_cell_shows_the_table_in_a_working_copy_only(mine_start, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.chdir(mine_start)
    course.progress()
    assert shown[0].data == table(standings(mine_start))
    monkeypatch.chdir(mine_start.parent)
    with pytest.raises(FileNotFoundError, match="genlab start"):
        course.progress()


def test_the_cards_escape_titles_and_count_each_thing_in_its_place():
    first = Standing("a < b", "01_a.ipynb", 120, (3, 3), (4, 4))
    second = Standing("c & d", "02_b.ipynb", 90, (1, 5), (2, 7))
    page = table([first, second])
    assert (page.count("a &lt; b"), page.count("c &amp; d")) == (1, 2)
    assert "a < b" not in page
    assert "c & d" not in page
    assert "exercises 1 of 5<br>quiz 2 of 7" in page
    assert "about 2 hours are left" in page  # of the second alone, 1.5 rounded to even
    assert "left" not in table([Standing("c", "02_b.ipynb", 90, (0, 5), (0, 7))])
