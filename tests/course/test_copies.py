"""Working copies: made once, renewed while untouched, and never written over."""

import json
from functools import partial
from pathlib import Path

import nbformat
import pytest

import genlab_course as course
from genlab_course.answers import Answered, answered, record
from genlab_course.copies import (
    Prepared,
    _blanks,
    as_bytes,
    asked_in,
    code_cells,
    fresh,
    handout,
    imports_gone,
    prepare,
    reset,
    write_copy,
)
from genlab_course.places import BACKUPS, MARK, NOTEBOOKS, folder, shipped
from genlab_course.standings import standings
from genlab_course.start_page import begin, notices

PICTURE = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 900x300>"}
UNTOUCHED = Prepared()


def notebook(text, *, printed="0.25"):
    """A notebook as the course ships it: an opening picture, a widget, and a printed number."""

    def code(source, outputs, **metadata):
        return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=7, **metadata)

    shown = nbformat.v4.new_output("display_data", PICTURE)
    widget = {**PICTURE, "text/plain": "Explorer(children=(IntSlider(value=3),))"}
    cells = [
        nbformat.v4.new_markdown_cell(text),
        code("draw()", [shown, nbformat.v4.new_output("stream", text=printed)], metadata=TAGGED),
        code(
            "widget()",
            [nbformat.v4.new_output("execute_result", widget, execution_count=7)],
            metadata=TAGGED,
        ),
        code("number", [nbformat.v4.new_output("execute_result", {"text/plain": printed})]),
        code("plot()", [shown]),
    ]
    for k, cell in enumerate(cells):
        cell["id"] = f"cell-{k}"
    content = nbformat.v4.new_notebook(cells=cells)
    content.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    return content


TAGGED = {"tags": ["keep-output"]}


def put(path, content):
    """Write a notebook as Jupyter does."""
    nbformat.write(content, path)


def get(path):
    return nbformat.read(path, as_version=4)


def write_answer(path, text="my answers"):
    """Write in a notebook, as a learner does."""
    content = get(path)
    content.cells[3].source = text
    put(path, content)


def autosave(path):
    """Do to a file what JupyterLab does when a notebook was opened, run and saved."""
    content = get(path)
    content.metadata["language_info"] = {"name": "python", "version": "3.99.1"}
    for cell in content.cells[1:]:
        cell.metadata["execution"] = {"iopub.status.idle": "now"}
        cell.execution_count, cell.outputs = 1, [nbformat.v4.new_output("stream", text="ran")]
    put(path, content)


@pytest.fixture
def source(tmp_path):
    """A small course of two lessons and a lab."""
    folder = tmp_path / "notebooks"
    (folder / "systems").mkdir(parents=True)
    for name in NAMES:
        put(folder / name, notebook(f"{name}, version 1"))
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "my"


NAMES = ("01_first.ipynb", "02_second.ipynb", "systems/glide.ipynb")


def says(path):
    """The first cell of a notebook."""
    return get(path).cells[0].source


def test_the_first_time_everything_is_copied_and_again_what_was_thrown_away(source, mine):
    assert prepare(mine, source).new == NAMES
    assert says(mine / "systems/glide.ipynb") == "systems/glide.ipynb, version 1"
    assert prepare(mine, source) == UNTOUCHED
    (mine / NAMES[0]).unlink()
    assert prepare(mine, source).new == NAMES[:1]


def test_a_fresh_copy_shows_pictures_and_no_printed_number(source, mine):
    prepare(mine, source)
    cells = get(mine / NAMES[0]).cells
    kept = [[output.data for output in cell.get("outputs", ())] for cell in cells]
    widget = {**PICTURE, "text/plain": "Explorer(children=(IntSlider(value=3),))"}
    assert kept == [[], [PICTURE], [widget], [], []]
    assert all(cell.execution_count is None for cell in cells[1:])
    assert "0.25" not in (mine / NAMES[0]).read_text()
    assert [c.source for c in cells] == [c.source for c in get(source / NAMES[0]).cells]
    nbformat.validate(get(mine / NAMES[0]))


def test_an_update_renews_what_is_untouched_and_leaves_what_was_edited(source, mine):
    prepare(mine, source)
    write_answer(mine / NAMES[1])
    edited = (mine / NAMES[1]).read_bytes()
    for name in NAMES[:2]:
        put(source / name, notebook("version 2"))
    assert prepare(mine, source) == Prepared(renewed=NAMES[:1], outdated=NAMES[1:2])
    assert says(mine / NAMES[0]) == "version 2"
    assert (mine / NAMES[1]).read_bytes() == edited
    assert prepare(mine, source).outdated == NAMES[1:2]  # it says so until it is reset


def test_a_copy_that_was_opened_run_and_saved_is_still_renewed(source, mine):
    prepare(mine, source)
    autosave(mine / NAMES[0])
    saved = (mine / NAMES[0]).read_bytes()
    assert prepare(mine, source) == UNTOUCHED
    assert (mine / NAMES[0]).read_bytes() == saved  # what it showed stays until there is an update
    for name in NAMES[:2]:
        put(source / name, notebook("version 2"))
    assert prepare(mine, source).renewed == NAMES[:2]
    assert says(mine / NAMES[0]) == "version 2"
    (kept,) = (mine / BACKUPS).iterdir()  # what it showed; nobody had run the other
    assert kept.read_bytes() == saved


@pytest.mark.parametrize(
    "write",
    [
        lambda cells: cells.append(nbformat.v4.new_markdown_cell("my note")),
        lambda cells: cells.pop(),
        lambda cells: cells.insert(0, cells.pop()),
        lambda cells: cells[4].update(source="plot() "),
        lambda cells: cells[0].update(cell_type="raw"),
    ],
    ids=["added", "deleted", "moved", "a blank", "another type"],
)
def test_whatever_a_learner_changes_in_the_cells_is_kept(source, mine, write):
    prepare(mine, source)
    content = get(mine / NAMES[0])
    write(content.cells)
    put(mine / NAMES[0], content)
    written = (mine / NAMES[0]).read_bytes()
    assert prepare(mine, source) == UNTOUCHED
    put(source / NAMES[0], notebook("version 2"))
    assert prepare(mine, source).outdated == NAMES[:1]
    assert (mine / NAMES[0]).read_bytes() == written


def test_new_outputs_alone_are_no_new_version(source, mine):
    prepare(mine, source)
    before = (mine / NAMES[0]).read_bytes()
    write_answer(mine / NAMES[1])
    for name in NAMES[:2]:
        put(source / name, notebook(f"{name}, version 1", printed="0.75"))
    assert prepare(mine, source) == UNTOUCHED
    assert (mine / NAMES[0]).read_bytes() == before


@pytest.mark.parametrize("damage", ["", "[]", "[" * 100_000])
def test_without_its_record_nothing_is_replaced(source, mine, damage):
    prepare(mine, source)
    write_answer(mine / NAMES[0])
    (mine / MARK).write_text(damage)
    assert prepare(mine, source).outdated == NAMES[:1]
    assert get(mine / NAMES[0]).cells[3].source == "my answers"
    assert NAMES[1] in json.loads((mine / MARK).read_text())


DAMAGES = {
    "empty": "",
    "no JSON": "<<<<<<< HEAD",
    "no cells": "{}",
    "odd cells": '{"cells": [{"cell_type": "code", "source": 3}], "metadata": {}}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_no_notebook_is_named_and_kept(source, mine, damage):
    prepare(mine, source)
    (mine / NAMES[0]).write_text(damage)
    put(source / NAMES[0], notebook("version 2"))
    assert prepare(mine, source) == Prepared(unreadable=NAMES[:1])
    assert (mine / NAMES[0]).read_text() == damage
    assert reset("1", mine, source).kept.read_text() == damage
    assert prepare(mine, source) == UNTOUCHED


@pytest.mark.parametrize("call", [prepare, lambda mine, source: reset("1", mine, source)])
def test_a_file_in_the_place_of_the_folder_is_refused(source, mine, call):
    mine.write_text("mine")
    with pytest.raises(NotADirectoryError, match="my is a file: expected a folder"):
        call(mine, source)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("asked", "name"),
    [("1", NAMES[0]), ("01", NAMES[0]), ("01_first.ipynb", NAMES[0]), ("glide", NAMES[2])],
)
def test_a_reset_keeps_the_old_copy_with_its_date(source, mine, asked, name):
    prepare(mine, source)
    write_answer(mine / name)
    written = (mine / name).read_bytes()
    done = reset(asked, mine, source)
    assert done.copy == mine / name
    assert says(done.copy) == f"{name}, version 1"
    assert done.kept.parent == mine / BACKUPS
    assert done.kept.read_bytes() == written
    assert prepare(mine, source) == UNTOUCHED


def test_two_resets_in_one_second_keep_both(source, mine, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _: "now")
    kept = []
    for text in ("first", "second", "third"):
        prepare(mine, source)
        (mine / NAMES[0]).write_text(text)
        kept.append(reset("1", mine, source).kept)
    assert [path.read_text() for path in kept] == ["first", "second", "third"]


@pytest.mark.parametrize("asked", ["7", "../../etc", "", "²"])
def test_a_lesson_that_does_not_exist_is_answered_with_those_that_do(source, mine, asked):
    with pytest.raises(ValueError, match="there are: 01, 02, glide"):
        reset(asked, mine, source)
    assert not mine.exists()


OLD = json.loads((Path(__file__).parent / "old_copy.json").read_text())  # one lesson, three answers
LESSON = "01_four_paradigm_map.ipynb"


@pytest.fixture
def old(tmp_path):
    """A folder as commit bf6bd26 left it: its imports are gone, and one answer is half written."""
    folder = tmp_path / "old"
    folder.mkdir()
    for name, content in OLD.items():
        (folder / name).write_text(json.dumps(content))
    record("01.bayes", True, folder)
    record("01.retired", True, folder)
    return folder


@pytest.fixture
def newer(tmp_path):
    """That lesson before anybody has written in it, in a version that can run."""
    cells = []
    for cell in OLD[LESSON]["cells"]:
        if asks := [line for line in cell["source"] if line.startswith("course.exercise")]:
            cells.append(cell | {"source": ["answer = ...  # your turn\n", *asks]})
    (tmp_path / "newer").mkdir()
    put(tmp_path / "newer" / LESSON, nbformat.from_dict(OLD[LESSON] | {"cells": cells}))
    return tmp_path / "newer"


def cell_of(content, id):
    """The code that hands in an exercise."""
    texts = ("".join(cell["source"]) for cell in content["cells"])
    return next(text for text in texts if f'course.exercise("{id}"' in text)


def test_the_answers_of_a_copy_that_cannot_run_any_more_are_carried_into_a_fresh_one(old, newer):
    written = (old / LESSON).read_bytes()
    assert prepare(old, newer) == Prepared(carried=(LESSON,))
    (kept,) = old.glob("01_four_paradigm_map.2*.ipynb")
    assert kept.read_bytes() == written
    before, after, untouched = OLD[LESSON], get(old / LESSON), fresh(newer / LESSON)
    for id in ("01.bayes", "01.marginal", "01.choose"):
        assert cell_of(after, id) == cell_of(before, id) != cell_of(untouched, id)
    texts = [["".join(c["source"]) for c in some["cells"]] for some in (after, untouched)]
    assert sum(a != b for a, b in zip(*texts, strict=True)) == 3  # the others are new
    assert prepare(old, newer) == UNTOUCHED
    assert get(old / LESSON) == after


def test_the_page_says_which_copies_were_rescued_and_retired_answers_stay(old, newer):
    page, done = begin(old, newer)
    assert "imports of these copies were gone: `01`" in get(page).cells[0].source
    assert notices(done)[0] in get(page).cells[0].source
    assert "notes and cells of your own were not" in notices(done)[0]
    known = answered(old)
    assert known["01.retired"] == known["01.bayes"] == Answered(True, 1)
    assert standings(old, newer)[0].exercises[0] == 1


@pytest.fixture
def begun(old, newer):
    """A copy with three answers and a note, of which the course has a newer version."""
    content = get(old / LESSON)
    content.cells.append(nbformat.v4.new_markdown_cell("my note"))
    put(old / LESSON, content)
    return old


def test_a_reset_can_take_the_answers_along(begun, newer):
    written = (begun / LESSON).read_bytes()
    untouched = fresh(newer / LESSON)
    done = reset("1", begun, newer, keep_answers=True)
    assert done.copy == begun / LESSON
    assert done.kept.read_bytes() == written
    assert done.carried == ("01.bayes", "01.marginal", "01.choose")
    after = get(begun / LESSON)
    for id in done.carried:
        assert cell_of(after, id) == cell_of(OLD[LESSON], id) != cell_of(untouched, id)
    assert "my note" not in {cell.source for cell in after.cells}  # stays in the old copy: is said
    assert prepare(begun, newer) == UNTOUCHED
    assert reset("1", begun, newer).carried == ()
    assert get(begun / LESSON).cells[-1].source == "".join(untouched["cells"][-1]["source"])


def test_an_unreadable_copy_has_no_answers_to_take_along(source, mine):
    prepare(mine, source)
    (mine / NAMES[0]).write_text("half a file")
    done = reset("1", mine, source, keep_answers=True)
    assert done.kept.read_text() == "half a file"
    assert done.carried == ()


def test_a_start_that_a_full_disk_stops_does_no_harm(source, mine, monkeypatch):
    def full(path, content):
        if path == mine / NAMES[1]:
            raise OSError(28, "No space left on device", str(path))
        write_copy(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("genlab_course.copies.write_copy", full)
        with pytest.raises(OSError, match="No space left on device"):
            prepare(mine, source)
    write_answer(mine / NAMES[0])  # it counts as one of the copies
    record("01.bayes", True, folder(mine))
    assert answered(mine).keys() == {"01.bayes"}
    assert prepare(mine, source) == Prepared(new=NAMES[1:])  # and the first is not outdated
    assert get(mine / NAMES[0]).cells[3].source == "my answers"


@pytest.mark.parametrize(
    ("code", "gone"),
    [
        ("from genlab import course", True),
        ("from genlab.map import place, no_such_name", True),
        ("%matplotlib inline\nfrom genlab import course", True),
        ("import genlab_course as course\nimport not_ours", False),
        ("from genlab import (", False),  # half written: not a reason to take a fresh one
    ],
)
def test_imports_that_are_gone_are_found(code, gone):
    assert imports_gone({"cells": [{"cell_type": "code", "source": code}]}) == gone


def test_nothing_is_replaced(source, tmp_path):
    mine = tmp_path / "mine.ipynb"
    mine.write_text("my work")
    with pytest.raises(FileExistsError, match="name a new folder"):
        handout(tmp_path, source=source)
    with pytest.raises(FileExistsError, match="name a new folder"):
        handout(mine, source=source)
    assert mine.read_text() == "my work"


def faults_of_the_copy(path):
    """What is wrong with the working copy of a lesson before anybody has written in it."""
    copy = nbformat.reads(as_bytes(fresh(path)).decode(), as_version=4)
    nbformat.validate(copy)
    shown = [o for c in copy.cells if c.cell_type == "code" for o in c.outputs]
    opening = [c for c in copy.cells[:5] if c.cell_type == "code" and c.outputs]
    pictures = {"image/png", "image/gif", "image/webp"}
    faults = []
    if not {output.output_type for output in shown} <= {"display_data", "execute_result"}:
        faults.append("keeps what was printed")
    elif not all(output.data.keys() - {"text/plain"} for output in shown):
        faults.append("keeps a result")
    if not opening or not pictures & opening[0].outputs[0].get("data", {}).keys():
        faults.append("opens without a picture")
    original = nbformat.read(path, as_version=4)
    for k, (before, after) in enumerate(zip(original.cells, copy.cells, strict=True)):
        drawn = [o.data for o in before.get("outputs", ()) if "image/png" in o.get("data", {})]
        kept = [o.get("data") for o in after.get("outputs", [])]
        tagged = "keep-output" in after.metadata.get("tags", ())
        if not (all(data in kept for data in drawn) if tagged else kept == []):
            faults.append(f"cell {k} keeps too much or too little")
    return faults


def test_the_copies_of_the_course_open_with_their_pictures_and_without_results():
    found = {name: faults_of_the_copy(path) for name, path in shipped().items()}
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_every_exercise_of_the_course_starts_with_a_blank():
    """By which an answer is known when a copy is rescued."""
    asked = {n: [c for c in code_cells(fresh(p)) if asked_in(c)] for n, p in shipped().items()}
    assert [name for name, cells in asked.items() if not cells] == []
    without = [asked_in(c) for cells in asked.values() for c in cells if not _blanks(c["source"])]
    assert without == []


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


def test_answers_are_taken_along_from_a_cell_too(begun, newer, monkeypatch, capsys):
    monkeypatch.chdir(begun)
    monkeypatch.setattr("genlab_course.copies.reset", partial(reset, source=newer))
    course.reset("01", keep_answers=True)
    said = capsys.readouterr().out
    assert "answers taken along: 01.bayes, 01.marginal, 01.choose" in said
    assert "notes and cells of your own are in the old copy" in said


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


@pytest.fixture
def mine_start(tmp_path):
    prepare(tmp_path / "my")
    return tmp_path / "my"
