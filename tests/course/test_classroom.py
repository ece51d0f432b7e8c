"""What a teacher takes from the course: an assignment, a quiz for Moodle, a class at a glance."""

import contextlib
import csv
import io
import json
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import cells
from typer.testing import CliRunner

from genlab_course import classroom
from genlab_course.answers import LOG
from genlab_course.classroom import as_gift, assignment, begun, mistakes, reply, standing
from genlab_course.cli import app
from genlab_course.grading import Exercise, all_exercises, exercise, find_exercise, mistake_id
from genlab_course.places import MARK, shipped
from genlab_course.predictions import is_prediction
from genlab_course.quiz import Option, Question, questions
from genlab_course.roster import roster


def run(*arguments):
    """Call the command line in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def said(result):
    """What was printed, in one line."""
    return " ".join((result.stdout + result.stderr).split())


def told(*arguments):
    """What `reply` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        reply(*arguments)
    return printed.getvalue()


def blocks(notebook):
    """The questions of a source notebook by name, each as {block: its cells}."""
    found, block = {}, None
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        mark = re.match(r"# (BEGIN|END) (QUESTION|SOLUTION|TESTS)", text)
        if cell["cell_type"] == "raw" and mark:
            if mark[0] == "# BEGIN QUESTION":
                one = found[re.search(r'name: "(.+)"', text)[1]] = {"points": text}
            block = mark[2] if mark[1] == "BEGIN" else "QUESTION"
        elif block and not text.startswith("# ASSIGNMENT"):
            one.setdefault(block, []).append(text)
    return found


def graded(asked, source):
    """Run a question's cell and its tests; the tests' prints, or their error, one by one."""
    names, results = {}, []
    exec(source, names)
    for test in asked["TESTS"]:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                exec(test, names)
            except AssertionError:
                print("not answered")
        results.append(printed.getvalue())
    return results


@pytest.mark.parametrize("lesson", ["01", "02", "15", "few_step", "speedrun"])
def test_every_question_of_an_assignment_takes_its_solution_and_no_blank(tmp_path, lesson):
    path = assignment(lesson, tmp_path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    setup = next(c["source"] for c in notebook["cells"] if c["cell_type"] == "code")
    asked = blocks(notebook)
    lines = set(re.findall(r'course\.exercise\(\s*"(.+?)"', _text(lesson)))
    lines = {id for id in lines if not is_prediction(id)}
    assert lines == {
        id for q in asked.values() for t in q["TESTS"] for id in re.findall(r"reply\('(.+?)'", t)
    }
    for id, question in asked.items():
        (cell,) = question["SOLUTION"]
        prompt = cell.split("''' # BEGIN PROMPT\n")[1].split("\n''' # END PROMPT")[0]
        assert set(graded(question, f"{setup}\n{cell}")) == {""}, id
        assert all(graded(question, f"{setup}\n{prompt}")), id
        task, shown = find_exercise(id), [t for t in question["TESTS"] if "HIDDEN" not in t]
        assert shown[0] == question["TESTS"][0]
        ids = {i for t in question["TESTS"] for i in re.findall(r"reply\('(.+?)'", t)}
        assert len(shown) == len(ids)
        assert f"points: {2 * len(ids)}\n" in question["points"] + "\n"
        assert len(question["TESTS"]) >= len(task.cases or (0, 0)) + bool(task.cases and task.judge)


def _text(lesson):
    path = next(p for n, p in shipped().items() if n.split("/")[-1].startswith(lesson))
    return "\n".join("".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"])


def test_a_question_has_its_text_and_no_word_of_the_solution(tmp_path):
    path = assignment("2", tmp_path)
    asked = blocks(json.loads(path.read_text(encoding="utf-8")))
    (text,) = asked["02.sampler"]["QUESTION"]
    assert text.startswith("### 02.sampler")
    assert "`fast_sample` has two bugs" in text
    assert "These digits" not in text
    (cell,) = asked["02.loss"]["SOLUTION"]
    assert "# def next_token_loss(logits: Tensor, x: Tensor) -> Tensor:" in cell
    assert "\nfrom genlab_course.grading import find_exercise\n" in cell  # the first to ask for it


def test_an_assignment_is_not_replaced_and_an_unknown_lesson_is_named(tmp_path):
    path = assignment("glide", tmp_path)
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="exists, and is not replaced"):
        assignment("glide", tmp_path)
    assert path.read_text() == "mine"
    with pytest.raises(ValueError, match="no lesson or lab '99'; there are: 01, 02"):
        assignment("99", tmp_path)


def test_a_reply_names_the_mistake_of_one_case():
    assert told("02.causal-mask", find_exercise("02.causal-mask").right, 2) == ""
    mistake = find_exercise("02.causal-mask").mistakes[1]
    assert mistake.says in told("02.causal-mask", mistake.wrong, 2)
    assert told("02.loss", find_exercise("02.loss").right, None) == ""  # its judge
    assert "no gradient" in told(
        "02.loss", lambda a, x: find_exercise("02.loss").right(a, x).item(), None
    )
    assert told("15.bill", None, None) == "not attempted\n"


def test_a_reply_is_about_the_one_case_alone(monkeypatch):
    task = Exercise("00.x", right=lambda n: n, cases=((1,), (2,), (3,)), judge=lambda f: "judged")
    monkeypatch.setattr("genlab_course.grading.find_exercise", lambda id: task)
    for wrong in range(3):
        said = [told("00.x", lambda n, w=wrong: n + (n == w + 1), k) for k in range(3)]
        assert [bool(s) for s in said] == [k == wrong for k in range(3)]
        assert "judged" not in "".join(said)
    assert told("00.x", task.right, None) == "not yet: judged\n"


JUDGED_TOO = [e.id for e in all_exercises() if e.cases and e.judge]


@pytest.mark.parametrize("id", JUDGED_TOO)
def test_a_judge_is_not_asked_about_a_blank_or_about_a_function_that_stops(id):
    assert told(id, lambda *_: ..., None) == "not attempted\n"
    stopped = told(id, lambda *_: 1 / 0, None)
    assert "your function stopped" in stopped
    assert "divided by zero" in stopped
    assert told(id, find_exercise(id).right, None) == ""


def test_a_judge_of_the_gradient_is_not_asked_about_another_number():
    said = told("02.loss", lambda logits, x: 3.0, None)
    assert said.startswith("not yet: ")
    assert "the number is right" not in said


def unescaped(text):
    return re.sub(r"\\([\\~=#{}:])", r"\1", text)


def parse_gift(text):
    """Title, text and (right, option, why) of each question: read by the form of GIFT."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("$CATEGORY"):
            continue
        bare = r"(?:\\.|[^\\~=#{}:])*"
        form = re.fullmatch(rf"::({bare})::\[html\]({bare}) ?\{{\n((?:.*\n)+)\}}", block)
        assert form, block
        options = []
        for line in form[3].splitlines():
            option = re.fullmatch(rf"([=~])({bare})#({bare})", line)
            assert option, line
            options.append((option[1] == "=", unescaped(option[2]), unescaped(option[3])))
        found.append((unescaped(form[1]), unescaped(form[2]), options))
    return found


def test_a_quiz_comes_back_from_gift_with_every_explanation():
    asked = questions(2)
    found = parse_gift(as_gift("02", asked))
    assert as_gift("02", asked).startswith("$CATEGORY: genlab/02\n\n::")
    assert [title for title, _, _ in found] == [f"02.quiz.{n + 1}" for n in range(len(asked))]
    for (_, _, options), question in zip(found, asked, strict=True):
        assert [right for right, _, _ in options] == [o.right for o in question.options]
    assert r"\(p(x_{1:n}) = \prod_i p(x_i \mid x_{&lt;i})\)" in found[0][1]
    assert "all of \\(x_{&lt;i}\\)" in found[0][2][0][2]


texts = st.text(st.sampled_from("a{}~=#:\\n$<& $`*"), min_size=1).filter(
    lambda t: t.strip() == t and "$" not in t
)


@given(texts, texts, texts)
def test_no_sign_of_gift_gets_lost(asked, option, why):
    question = Question(asked, (Option(option, why, True), Option(why, option)))
    ((_, text, options),) = parse_gift(as_gift("02", (question,)))
    assert text.rstrip() == classroom.as_html(asked)
    assert options == [
        (True, classroom.as_html(option), classroom.as_html(why)),
        (False, classroom.as_html(why), classroom.as_html(option)),
    ]


def test_every_quiz_of_the_course_can_be_exported(tmp_path):
    for lesson in classroom.asked():
        key = int(lesson) if lesson.isdigit() else lesson
        assert len(parse_gift(as_gift(lesson, questions(key)))) == len(questions(key))


@pytest.fixture
def a_class(tmp_path):
    """A folder, a bare file, a zip, and what does not belong to anybody."""

    def lines(*entries):
        return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries)

    slip = {"id": "02.loss", "right": False, "mistake": "02.loss/000000"}
    named = find_exercise("02.pairs").mistakes[0].says
    made = {"id": "02.pairs", "right": False, "mistake": mistake_id("02.pairs", named)}
    (tmp_path / "heron").mkdir()
    (tmp_path / "heron" / LOG).write_text(
        lines(
            slip,
            {"id": "02.pairs", "right": True},
            '{"id": "02',
            "[]",
            "7",
            made,
            made,
            {"id": "02.loss", "right": "no"},
            {"id": "15.residual", "right": True},
        )
    )
    (tmp_path / "otter.jsonl").write_text(
        lines(made, {"id": "lm.bits", "right": True}, {"id": "gone.x", "right": True}, {"id": 3})
    )
    with zipfile.ZipFile(tmp_path / "wren.zip", "w") as file:
        file.writestr(LOG, lines({"id": "02.quiz.1", "right": True}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "wren.b").mkdir()
    (tmp_path / "wren.b" / LOG).write_text("")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def test_a_class_has_a_row_for_each_learner_and_a_column_for_each_lesson(a_class):
    learners, _ = roster(a_class)
    assert list(learners) == ["heron", "otter", "wren.b", "wren"]
    n_02 = sum(e.id.startswith("02.") for e in all_exercises()) + len(questions(2))
    assert standing(learners["heron"])["02"] == (1, n_02)
    assert standing(learners["wren"])["02"] == (1, n_02)
    assert standing(learners["otter"])["language_model"][0] == 1
    assert standing(learners["otter"])["02"] == (0, n_02)
    assert standing(learners["heron"])["15"][0] == 0  # a retired id


def test_named_mistakes_are_counted_the_most_frequent_first(a_class):
    rows = mistakes(roster(a_class)[0])
    assert rows[0][:1] + rows[0][2:] == ("02.pairs", 3, 2)
    assert rows[0][1].startswith("this is the count *with* a cache")
    assert rows[1] == ("02.loss", "the course has no such mistake any more", 1, 1)


def test_a_lesson_counts_as_begun_by_whatever_answer():
    wrong = {"id": "02.loss", "right": False}
    assert begun({"heron": [wrong], "otter": [{"id": "lm.bits", "right": True}]}) == [
        "02", "language_model",
    ]  # fmt: skip
    assert begun({"heron": [{"id": "gone.x", "right": True}]}) == []


@pytest.mark.parametrize("made", [{}, None, 3, ["02.loss/x"], "\x1b[2J/000000", "no.such/000000"])
def test_what_no_checker_has_written_is_no_named_mistake(made):
    assert mistakes({"heron": [{"id": "02.loss", "right": False, "mistake": made}]}) == []


def test_the_command_prints_both_tables(a_class):
    result = run("class", a_class)
    assert "times: 3, learners: 2" in said(result)
    assert "do not grade on them alone" in said(result)
    table = [line for line in result.stdout.splitlines() if line.startswith("heron")]
    assert result.stdout.split("\n")[0].split() == ["learner", "02", "language_model"]
    n_02 = sum(e.id.startswith("02.") for e in all_exercises()) + len(questions(2))
    assert table[0].split()[:2] == ["heron", f"1/{n_02}"]
    assert result.exit_code == 1  # not all was read
    assert result.stderr.splitlines() == [
        "not read: empty (no progress.jsonl in it)",
        "not read: notes.txt (expected a folder, a .zip or a .jsonl file)",
    ]
    empty = run("class", a_class / "empty")
    assert empty.exit_code == 1
    assert "no learner" in said(empty)
    (a_class / "notes.txt").unlink()
    (a_class / "empty").rmdir()
    assert run("class", a_class).exit_code == 0


def test_a_table_fits_a_terminal_of_80_columns_whatever_the_class_is_called(tmp_path):
    keys = [q for a in classroom.asked().values() for q in a.quiz[:1]]
    for name in ("heron", "[red]", "[link=file:etc]x", "a" * 60, "\N{CJK RADICAL FIRE}" * 30):
        lines = [json.dumps({"id": id, "right": True}) for id in keys]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["class", str(tmp_path)], env={"COLUMNS": "80"})
    assert result.exit_code == 0, said(result)
    rows = result.stdout.split("Learners can edit")[0].splitlines()
    assert max(map(cells.cell_len, rows)) <= 80
    assert sum(row.startswith("[red] ") for row in rows) == sum("learner" in row for row in rows)
    assert any(row.startswith("[link=file:etc]x ") for row in rows)
    shown = [word for row in rows if row.startswith("learner") for word in row.split()[1:]]
    assert shown == list(classroom.asked())  # each lesson once, and none is cut


def test_the_rows_can_be_taken_into_a_spreadsheet_without_its_obeying_a_name(tmp_path):
    for name in ("heron", "=HYPERLINK(x)", 'a "b", c'):
        (tmp_path / f"{name}.jsonl").write_text('{"id": "02.quiz.1", "right": true}')
    result = run("class", tmp_path, "--csv")
    assert result.exit_code == 0
    head, *rows = csv.reader(io.StringIO(result.stdout))
    n_02 = sum(e.id.startswith("02.") for e in all_exercises()) + len(questions(2))
    assert f"02 (of {n_02})" in head
    assert len(head) == 1 + len(classroom.asked())
    assert [row[0] for row in rows] == ["'=HYPERLINK(x)", 'a "b", c', "heron"]
    assert all(
        row[head.index(f"02 (of {n_02})")] == "1" and sum(map(int, row[1:])) == 1 for row in rows
    )
    assert "do not grade on them alone" in result.stderr


def test_the_commands_write_once(tmp_path):
    file = tmp_path / "02.gift"
    assert run("gift", "2", file).exit_code == 0
    assert "::02.quiz.1::" in file.read_text(encoding="utf-8")
    again = run("gift", "2", file)
    assert again.exit_code == 1
    assert "02.gift" in said(again)
    assert "no lesson or lab 'x'" in said(run("gift", "x", tmp_path / "x"))
    result = run("assignment", "2", tmp_path)
    assert result.exit_code == 0, said(result)
    assert (tmp_path / "02_autoregressive.ipynb").is_file()


@pytest.fixture
def copies(tmp_path, monkeypatch):
    (tmp_path / MARK).write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENLAB_MY", raising=False)
    return tmp_path


def test_the_named_mistake_is_kept_with_an_attempt(copies, monkeypatch):
    task = find_exercise("02.pairs")
    exercise("02.pairs", task.mistakes[0].wrong)
    exercise("02.pairs", lambda n: 7 * n)  # no named one
    exercise("02.pairs", task.right)
    monkeypatch.setenv("GENLAB_MISTAKES", "0")
    exercise("02.pairs", task.mistakes[0].wrong)
    kept = [json.loads(line) for line in (copies / LOG).read_text().split("\n") if line]
    named = mistake_id("02.pairs", task.mistakes[0].says)
    assert [entry.get("mistake") for entry in kept] == [named, None, None, None]
    assert re.fullmatch(r"02\.pairs/[0-9a-f]{6}", named)


def test_no_two_mistakes_of_the_course_share_an_id():
    all_of_them = {(e.id, m.says) for e in all_exercises() for m in e.mistakes}
    assert len({mistake_id(*pair) for pair in all_of_them}) == len(all_of_them)
