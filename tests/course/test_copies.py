"""The course's own notebooks as working copies: they open, are handed out, and are counted."""

import importlib.util
import json
import re
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

import genlab_course as course
from genlab_course import learner
from genlab_course.grading import all_exercises
from genlab_course.learner import (
    NOTEBOOKS,
    Prepared,
    as_bytes,
    begin,
    fresh,
    handout,
    prepare,
    shipped,
    standings,
    table,
    write_start,
)


@pytest.mark.parametrize("path", shipped().values(), ids=lambda p: p.stem)
def test_the_copies_of_the_course_open_with_their_pictures_and_without_results(path):
    copy = nbformat.reads(learner.as_bytes(learner.fresh(path)).decode(), as_version=4)
    nbformat.validate(copy)
    shown = [o for c in copy.cells if c.cell_type == "code" for o in c.outputs]
    assert {output.output_type for output in shown} <= {"display_data", "execute_result"}
    assert all(output.data.keys() - {"text/plain"} for output in shown)
    opening = [c for c in copy.cells[:5] if c.cell_type == "code" and c.outputs]
    assert {"image/png", "image/gif", "image/webp"} & opening[0].outputs[0].data.keys()
    original = nbformat.read(path, as_version=4)
    for before, after in zip(original.cells, copy.cells, strict=True):
        tagged = "keep-output" in after.metadata.get("tags", ())
        pictures = [o for o in before.get("outputs", ()) if "image/png" in o.get("data", {})]
        kept = after.get("outputs", [])
        assert all(p.data in [o.data for o in kept] for p in pictures) if tagged else kept == []


@pytest.mark.parametrize("path", shipped().values(), ids=lambda p: p.stem)
def test_every_exercise_of_the_course_starts_with_a_blank(path):
    """By which an answer is known when a copy is rescued."""
    cells = [c for c in learner._code(fresh(path)) if learner._asks(c)]
    assert cells
    assert all(learner._blanks(c["source"]) for c in cells)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The students' edition of the course."""
    folder = tmp_path_factory.mktemp("class") / "course"
    return folder, handout(folder)


def test_every_lesson_and_lab_is_there_and_no_solution(student):
    folder, written = student
    lessons = {p.relative_to(NOTEBOOKS) for p in NOTEBOOKS.glob("*.ipynb")}
    labs = {
        p.relative_to(NOTEBOOKS)
        for folder in ("systems", "frontier")
        for p in NOTEBOOKS.glob(f"{folder}/*.ipynb")
    }
    assert {p.relative_to(folder) for p in written} == lessons | labs
    assert sorted(folder.rglob("*.ipynb")) == sorted(written)
    assert not list(folder.rglob("*solution*"))
    for path in written:  # as a working copy, whose outputs are tested above
        assert path.read_bytes() == as_bytes(fresh(NOTEBOOKS / path.relative_to(folder)))


def test_instructors_get_everything(tmp_path):
    written = handout(tmp_path / "mine", instructor=True)
    solutions = [p for p in written if "solutions" in p.parts]
    assert len(solutions) == len(list(NOTEBOOKS.glob("solutions/*.ipynb")))
    lesson = next(p for p in written if p.name.startswith("01_"))
    assert lesson.read_bytes() == (NOTEBOOKS / lesson.name).read_bytes()


@pytest.fixture
def mine_start(tmp_path):
    prepare(tmp_path / "my")
    return tmp_path / "my"


def test_every_lesson_and_lab_has_its_row_with_time_and_counts(mine_start):
    rows = standings(mine_start)
    assert {r.name for r in rows} == set(shipped())
    assert rows[0].name.startswith("01_")
    assert all(30 <= r.minutes <= 120 for r in rows)
    assert all(r.exercises[0] == r.quiz[0] == 0 and r.quiz[1] >= 5 for r in rows)
    of_lessons = [e for e in all_exercises() if e.id[:2].isdigit()]
    assert sum(r.exercises[1] for r in rows if r.name[:2].isdigit()) == len(of_lessons)


def test_the_page_is_a_notebook_whose_links_lead_somewhere(mine_start):
    odd = Prepared(outdated=("04_normalizing_flows.ipynb",), unreadable=("systems/glide.ipynb",))
    page = write_start(mine_start, odd)
    notebook = nbformat.read(page, as_version=4)
    nbformat.validate(notebook)
    head, code, _, work = notebook.cells
    picture, standing = code.outputs
    assert b64decode(picture.data["image/webp"])[8:12] == b"WEBP"
    shown = standing.data["text/html"]
    assert shown == table(standings(mine_start))
    links = re.findall(r'<a href="([^"]+)"', shown)
    assert links[0] == links[1]  # what is next, then all
    assert sorted(links[1:]) == sorted(shipped())
    pictures = re.findall(r'<img src="data:image/webp;base64,([^"]+)" alt=""', shown)
    assert len(set(pictures)) == len(shipped())
    assert all(b64decode(data)[8:12] == b"WEBP" for data in pictures)
    assert all(f"<h3>{heading}</h3>" in shown for heading in learner.GROUPS)
    assert page.stat().st_size < 400_000
    assert all((mine_start / link).exists() for link in links)
    assert "newer versions of: `04`" in head.source
    assert "no notebook that can be read: `glide`" in head.source
    assert "course.progress()" in code.source
    assert "course.download()" in work.source
    assert str(mine_start.parent) not in page.read_text()


def test_the_page_says_what_is_done_and_what_is_next(mine_start):
    first, second, *_ = learner.asked().values()
    for id in (*first.exercises, *first.quiz, second.quiz[0]):
        learner.record(id, True, mine_start)
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
    spec = importlib.util.spec_from_file_location(
        "thumbnails", NOTEBOOKS.parent / "docs/images/thumbnails.py"
    )
    thumbnails = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(thumbnails)
    paths = {learner.key_of(name): path for name, path in shipped().items()}
    assert set(paths) == set(thumbnails.CHOSEN) == {p.stem for p in learner.THUMBNAILS.iterdir()}
    for key, path in paths.items():
        assert thumbnails.cut(path, *thumbnails.CHOSEN[key]).size == thumbnails.SIZE


def test_the_contents_are_open_at_first_and_what_a_learner_changes_stays(mine_start):
    begin(mine_start)
    (layout,) = (mine_start / learner.LAYOUTS).iterdir()
    first = json.loads(layout.read_text())
    panels = first["data"]["layout-restorer:data"]["left"]
    assert panels["current"] in panels["widgets"]
    assert layout.name == f"{first['metadata']['id']}-37a8.jupyterlab-workspace"
    layout.write_text("mine")
    begin(mine_start)
    assert layout.read_text() == "mine"


def test_the_cell_shows_the_table_in_a_working_copy_only(mine_start, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.chdir(mine_start)
    course.progress()
    assert shown[0].data == table(standings(mine_start))
    monkeypatch.chdir(mine_start.parent)
    with pytest.raises(FileNotFoundError, match="genlab start"):
        course.progress()


def test_a_fresh_copy_is_taken_from_a_cell_as_from_a_terminal(mine_start, monkeypatch, capsys):
    monkeypatch.chdir(mine_start / "systems")
    copy = mine_start / "04_normalizing_flows.ipynb"
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


def test_the_cards_escape_titles_and_count_each_thing_in_its_place():
    first = learner.Standing("a < b", "01_a.ipynb", 120, (3, 3), (4, 4))
    second = learner.Standing("c & d", "02_b.ipynb", 90, (1, 5), (2, 7))
    page = learner.table([first, second])
    assert (page.count("a &lt; b"), page.count("c &amp; d")) == (1, 2)
    assert "a < b" not in page
    assert "c & d" not in page
    assert "exercises 1 of 5<br>quiz 2 of 7" in page
    assert "about 2 hours are left" in page  # of the second alone, 1.5 rounded to even
    assert "left" not in learner.table([learner.Standing("c", "02_b.ipynb", 90, (0, 5), (0, 7))])
