"""Editions to hand out: students get neither results nor solutions, and nothing is replaced."""

import nbformat
import pytest

from genlab.course.handout import NOTEBOOKS, as_bytes, fresh, handout


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The students' edition of the course."""
    folder = tmp_path_factory.mktemp("class") / "course"
    return folder, handout(folder)


def test_every_lesson_and_lab_is_there_and_no_solution(student):
    folder, written = student
    lessons = {p.relative_to(NOTEBOOKS) for p in NOTEBOOKS.glob("*.ipynb")}
    labs = {p.relative_to(NOTEBOOKS) for p in NOTEBOOKS.glob("systems/*.ipynb")}
    assert {p.relative_to(folder) for p in written} == lessons | labs
    assert sorted(folder.rglob("*.ipynb")) == sorted(written)
    assert not list(folder.rglob("*solution*"))


def test_students_get_every_cell_and_of_the_outputs_what_a_working_copy_shows(student):
    folder, written = student
    for path in written:
        copy = nbformat.read(path, as_version=4)
        original = nbformat.read(NOTEBOOKS / path.relative_to(folder), as_version=4)
        assert [c.source for c in copy.cells] == [c.source for c in original.cells]
        code = [c for c in copy.cells if c.cell_type == "code"]
        assert all(o.output_type != "stream" for c in code for o in c.outputs)
        assert all(c.execution_count is None for c in code)
        assert path.read_bytes() == as_bytes(fresh(NOTEBOOKS / path.relative_to(folder)))


def test_instructors_get_everything(tmp_path):
    written = handout(tmp_path / "mine", instructor=True)
    solutions = [p for p in written if "solutions" in p.parts]
    assert len(solutions) == len(list(NOTEBOOKS.glob("solutions/*.ipynb")))
    lesson = next(p for p in written if p.name.startswith("01_"))
    assert lesson.read_bytes() == (NOTEBOOKS / lesson.name).read_bytes()


def test_nothing_is_replaced(tmp_path):
    mine = tmp_path / "mine.ipynb"
    mine.write_text("my work")
    with pytest.raises(FileExistsError, match="name a new folder"):
        handout(tmp_path)
    with pytest.raises(FileExistsError, match="name a new folder"):
        handout(mine)
    assert mine.read_text() == "my work"


def test_without_the_notebooks_it_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="from a clone"):
        handout(tmp_path / "new", source=tmp_path)
