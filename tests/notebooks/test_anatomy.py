"""The rebuilt notebooks keep their anatomy, and each way to lose it is noticed."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tests.notebooks import anatomy, bite, build

PICTURE = new_output("display_data", {"image/png": "", "text/plain": "a ring"})
QUIZ = new_output("display_data", {"text/markdown": "**1.** Why?\n\n- **a.** So.\n\n**2.** Who?"})
OKS = new_output("stream", text="ok  a\n" * 9)
MUTE = new_output("display_data", {"image/png": ""})
HEAD = """Why does it work?

- *derive* it;
- *build* it.

You need lesson 01.
Two sittings of about 46 and 58 minutes, exercises included; the cells run in 60 seconds."""
PREDICT = "\n\n## Predict first\n\n1. One?\n2. Two?\n3. Three?"
END = """The lesson ends here. Two things more:

- Going further: one (10 minutes)
- Going further: two (12 minutes)"""


def test_a_rebuilt_notebook_keeps_the_standard():
    sources = bite.texts()
    found = [anatomy.complaints(name, anatomy.read(sources[name])) for name in anatomy.REBUILT]
    assert found == [[] for _ in anatomy.REBUILT]


def text(source):
    return new_markdown_cell(source)


def code(source, *outputs, folded=False):
    metadata = {"jupyter": {"source_hidden": True}} if folded else {}
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def turn(name, level, minutes):
    return [
        text(f"**Your turn · {name}** *({level}, {minutes} minutes)*"),
        code(f'course.exercise("x.{name}", ...)\n{name} = course.yours("x.{name}")'),
    ]


def good():
    """A notebook in order, by the names of its cells.

    First sitting: 20 + 0.2 minutes of words, 20 of exercises, 4.2 of other things, a minute of
    run; second: 20, 35 and 2.6.
    """
    return {
        "title": text("# Title"),
        "opening": code("film()", PICTURE, folded=True),
        "head": text(HEAD + PREDICT),
        "predictions": code("\n".join(f'course.exercise("x.guess-{i}", ...)' for i in "123")),
        "map": code("course.draw_map(lesson=1)", PICTURE, folded=True),
        "idea": text("## 1. An idea"),
        "plot": code("plot()", PICTURE, folded=True),
        "one": turn("one", "compute", 10),
        "words": text("word " * 2600),
        "two": turn("two", "derive", 10),
        "pause": text("**Pause.** You have derived it."),
        "another": text("## 2. Another idea\n\n" + "word " * 2600),
        "spare": code("pass", folded=True),
        "three": turn("three", "build", 20),
        "four": turn("four", "repair", 10),
        "shown": code("\n".join(f'course.predicted("x.guess-{i}", 7)' for i in "123"), folded=True),
        "fails": text("## 3. It fails\n\nIn one way."),
        "five": turn("five", "predict", 5),
        "summary": text("## Summary\n\n1. It works."),
        "quiz title": text("## Quiz"),
        "quiz": code("widgets.quiz(1)", QUIZ, folded=True),
        "project": text("## Project\n\n" + "word " * 9000),
        "end": text(END),
        "further": text("## Going further: one\n\n" + "word " * 9000 + "\n\n## Going further: two"),
        "optional": code("\n".join(["x = 1"] * 200), OKS),
        "sources": text("## Sources\n\nA paper."),
    }


def flat(cells):
    found = []
    for cell in cells.values():
        found += cell if isinstance(cell, list) else [cell]
    return found


def said(cells):
    return anatomy.complaints("small", flat(cells))


def without(cells, *names):
    return {name: cell for name, cell in cells.items() if name not in names}


def moved(cells, name, after):
    """The cells with one of them, or a turn, put after another."""
    found = {}
    for other, cell in without(cells, name).items():
        found[other] = cell
        if other == after:
            found[name] = cells[name]
    return found


def test_a_notebook_in_order_earns_no_complaint():
    assert said(good()) == []


@pytest.mark.parametrize(
    ("place", "cell", "says"),
    [
        # minutes
        ("words", text("word " * 3900), "says 46 minutes for sitting 1, the prices 5"),
        ("words", text("word " * 7800), "sitting 1 takes 8"),
        ("words", text("$$x$$ " * 10 + "word " * 2600), "says 46 minutes for sitting 1, the pr"),
        ("words", text("$x_1$ " * 90 + "word " * 2600), "says 46 minutes for sitting 1, the pr"),
        ("pause", text("Go on."), "no pause"),
        ("spare", text("**Pause.** Again."), "2 pauses"),
        # order
        ("title", text("# Title\n\nMuch to say."), "above the opening picture"),
        ("opening", code("film()", folded=True), "above the opening picture"),
        ("head", text(HEAD.replace("?", ".") + PREDICT), "head lacks the question"),
        ("head", text(HEAD.replace("- *", "- ") + PREDICT), "lacks what the reader will be"),
        ("head", text(HEAD.replace("You need", "Know") + PREDICT), "lacks what is needed"),
        ("head", text(HEAD.replace("run in 60", "take 60") + PREDICT), "lacks the minutes"),
        (
            "predictions",
            code('course.exercise("x.guess", ...)'),
            "1 predictions of Predict first are stored",
        ),
        ("shown", code("pass", folded=True), "x.guess-2 is not shown again"),
        (
            "shown",
            code('course.predicted("x.guess-1", 7)', folded=True),
            "x.guess-3 is not shown again",
        ),
        (
            "predictions",
            code("\n".join(f'course.exercise("x.guess-{i}", ...)' for i in "1234")),
            "4 predictions of Predict first are stored",
        ),
        ("map", code("pass", folded=True), "the map"),
        ("spare", code("course.draw_map(lesson=1)", PICTURE, folded=True), "the map"),
        ("fails", text("## 3. It works"), "predict section section section summary"),
        ("summary", text("Summary"), "fails quiz project"),
        ("end", text("Bye."), "project further further sources, not"),
        ("end", text("The lesson ends here."), "0 of its 2 optional sections"),
        ("sources", text("## Going further: three\n\n## Sources"), "further further further"),
        # exercises
        ("four", turn("four", "derive", 10), "no exercise asks to repair"),
        ("three", turn("three", "repair", 20), "no exercise asks to build"),
        ("three", turn("three", "guess", 20), "level is 'guess'"),
        ("three", turn("three", "build", 9), "too few to build"),
        ("two", [text("Write it."), code('course.exercise("x.two", ...)')], "level is ''"),
        ("spare", turn("spare", "compute", 3) * 4, "9 exercises"),
        # code
        ("spare", code("\n".join(["x = 1"] * 26), folded=True), "folded cell of 26 lines"),
        ("spare", code(f"x = {'1' * 90}", folded=True), "a line of 94 characters"),
        ("spare", code("p", OKS, folded=True), "9 lines say ok"),
        ("spare", code("p", MUTE, folded=True), "without an alt text"),
        ("spare", code("\n".join(f"import m{i}" for i in range(13))), "13 imports in sight"),
    ],
)
def test_each_way_to_leave_the_standard_is_noticed(place, cell, says):
    cells = good()
    cells[place] = cell
    assert any(says in sentence for sentence in said(cells)), said(cells)


@pytest.mark.parametrize("place", ["map", "further"])
def test_a_prediction_shown_at_once_or_after_the_end_is_not_shown_where_it_is_answered(place):
    assert "x.guess-1 is not shown again" in "\n".join(said(moved(good(), "shown", place)))


def test_too_much_code_in_sight_is_noticed():
    cells = good()
    cells["spare"] = code("\n".join(["x = 1"] * 140))
    assert "153 lines of code in sight" in "\n".join(said(cells))


def test_too_few_exercises_are_noticed():
    assert "4 exercises" in "\n".join(said(without(good(), "one")))


def test_an_exercise_after_the_end_is_none_of_the_core():
    assert "4 exercises" in "\n".join(said(moved(good(), "one", "optional")))


def test_a_repair_after_the_end_is_none_of_the_core():
    assert "no exercise asks to repair" in "\n".join(said(moved(good(), "four", "optional")))


def test_a_head_in_another_order_is_noticed():
    cells = good()
    needs = "You need lesson 01.\n"
    cells["head"] = text(needs + "\n" + HEAD.replace(needs, "") + PREDICT)
    assert "its head lacks what is needed" in "\n".join(said(cells))


def test_a_late_first_exercise_is_noticed():
    cells = moved(moved(good(), "one", "another"), "two", "another")
    assert "first exercise comes after" in "\n".join(said(cells))


def test_a_late_first_picture_is_noticed():
    assert "no picture" in "\n".join(said(moved(good(), "plot", "words")))


def test_a_map_among_the_predictions_is_noticed():
    assert "the map" in "\n".join(said(moved(good(), "map", "head")))
    assert "the map" in "\n".join(said(moved(good(), "map", "opening")))


def test_answers_that_drive_nothing_are_noticed():
    cells = good()
    for name in ("one", "two", "three", "four", "five"):
        cells[name][1].source = cells[name][1].source.split("\n")[0]
    assert "course.yours" in "\n".join(said(cells))


def test_the_same_module_is_imported_once():
    cells = good()
    cells["spare"] = [code("from a import b"), code("from a import b")]
    assert "imports from a again" in "\n".join(said(cells))


def minutes(*cells):
    """The price of some cells by what it is paid for, without what is free."""
    lesson = anatomy.Lesson("small", list(cells))
    return {name: value for name, value in lesson.spent(lesson.core).items() if value}


@pytest.mark.parametrize(
    ("cell", "paid"),
    [
        (text("word " * 260), {"words": 2}),
        (text("$$x = y$$ " * 2), {"displays": 3}),
        (text("$a+b$ and $12345678901234$ " * 13), {"inline": 26 * 4 / 60, "words": 0.1}),
        (text("$123456789012345$ " * 12), {"inline": 7}),
        (code("x = 1\n\ny = 2"), {"code": 20 / 60}),
        (code("x = 1", folded=True), {}),
        (code("plot()", PICTURE, PICTURE, folded=True), {"look": 2}),
        (code("widgets.causal_mask()", PICTURE, folded=True), {"look": 4}),
        (code("widgets.quiz(1)", QUIZ, folded=True), {"ask": 2}),
        (text("the cells run in 90 seconds"), {"run": 1.5, "words": 5 / 130}),
        (text("## Predict first\n\n1. 7?\n2. 8?\n3. 9?"), {"ask": 3, "words": 2 / 130}),
        (text("## Summary\n\n$$x = y$$ $z$ " + "word " * 129), {"words": 1}),
        (text("## Project\n\n" + "word " * 260), {}),
        (text("## Sources\n\n" + "word " * 260), {}),
        (text("## Going further: more\n\n" + "word " * 260), {}),
        (text("The lesson ends here. " + "word " * 260), {}),
    ],
)
def test_the_price_of_a_cell(cell, paid):
    assert minutes(cell) == pytest.approx(paid)


def test_an_exercise_costs_what_it_announces():
    paid = minutes(*turn("one", "derive", 12))
    assert paid["exercises"] == 12


def test_a_pause_in_the_middle_of_a_cell_divides_the_sittings():
    lesson = anatomy.Lesson("small", [text("word " * 130 + "\n\n**Pause.** Rest.\n\n$$x$$")])
    assert lesson.minutes(lesson.sitting(1)) == pytest.approx(1)
    assert lesson.minutes(lesson.sitting(2)) == pytest.approx(1.5 + 2 / 130)


def test_the_table_of_a_notebook_adds_up():
    found = dict(anatomy.rows(anatomy.Lesson("small", flat(good()))))
    core = found.pop("CORE")
    sittings = [found.pop("SITTING 1"), found.pop("SITTING 2")]
    place = anatomy.COLUMNS.index("minutes")
    assert sum(row[place] for row in found.values()) == pytest.approx(core[place], abs=0.5)
    assert sum(row[place] for row in sittings) == pytest.approx(core[place], abs=0.2)
    assert core[anatomy.COLUMNS.index("in sight")] == 3 + 5 * 2
    assert found["Going further: two"][anatomy.COLUMNS.index("in sight")] == 200


def test_an_edited_cell_has_no_stored_outputs_until_it_is_built(tmp_path):
    (tmp_path / "src").mkdir()
    source = tmp_path / "src" / "01_small.py"
    source.write_text("# %%\nplot()\n\n# %%\nfilm()\n")
    notebook = build.read_text(source)
    for cell in notebook.cells:
        cell.outputs = [PICTURE]
    nbformat.write(notebook, tmp_path / "01_small.ipynb")
    source.write_text("# %%\nplot()\n\n# %%\nfilm(2)\n")
    assert [len(cell.outputs) for cell in anatomy.read(source)] == [1, 0]
