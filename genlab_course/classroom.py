"""For teachers: assignments, quizzes for other systems, a class at a glance. All stays here."""

import ast
import collections
import csv
import dataclasses
import functools
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genlab.files import replace_file
from genlab_course import standings
from genlab_course.copies import as_bytes
from genlab_course.places import NOTEBOOKS, find_lesson
from genlab_course.predictions import is_prediction
from genlab_course.quiz import Question, as_html
from genlab_course.roster import Entries
from genlab_course.standings import counts

ANSWER = "''' # BEGIN PROMPT\n{}\n''' # END PROMPT\n# BEGIN SOLUTION NO PROMPT\n{}\n# END SOLUTION"
RIGHT = "# {}\nfrom genlab_course.grading import find_exercise\n\n{} = find_exercise({!r}).right"
TEST = "from genlab_course.classroom import reply\n\nreply({!r}, {}, {})"
_ASKED = re.compile(r"course\.exercise\(\s*\"([\w.-]+)\", (\w+|\.\.\.)")
# Where the text of an exercise begins, in the cell above it.
_TEXT = re.compile(r"^(?=\*\*(?:Your turn|Exercise|\d|[\w.-]+\*\*)|## )", re.MULTILINE)


def reply(id: str, answer: Any, case: int | None) -> None:
    """Print what is wrong with an answer to one case of an exercise, or nothing.

    Case None is the value that is asked for, or the judge of a function, which is asked about a
    function that passes the first case: what it says of a blank would be no help.
    """
    from genlab_course.grading import assess, find_exercise  # here, and below: it loads torch

    task = find_exercise(id)
    judge = task.judge if case is None else None
    first = 0 if case is None else case
    cases = None if task.cases is None else task.cases[first : first + 1]
    said = assess(dataclasses.replace(task, cases=cases, judge=judge), answer)
    if said != "right":
        print(said)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; FileExistsError otherwise."""
    if path.exists():
        raise FileExistsError(f"{path} exists, and is not replaced: name another place")
    replace_file(path, data)


def assignment(lesson: str, folder: Path) -> Path:
    """Write the source notebook that `otter assign` takes: all exercises of a lesson or lab."""
    from genlab_course.demos import as_notebook

    path = NOTEBOOKS / find_lesson(lesson)
    cells: list[tuple[str, str]] = []
    imports, text, before = ["import genlab_course as course"], "", ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if "install" in cell["metadata"].get("tags", ()):
            continue
        if cell["cell_type"] != "code":
            text, before = _TEXT.split(source)[-1], ""
            continue
        nodes = ast.parse(source).body
        imports += [ast.unparse(n) for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
        if asked := to_answer(source):
            stub = before + source.partition("course.exercise(")[0]
            cells += _question(asked, stub.strip() or "answer = ...", text)
            text = ""  # of several exercises under one text
        before = "" if asked else f"{before}{source}\n\n"
    config = f"# ASSIGNMENT CONFIG\nname: genlab-{path.stem}\nexport_cell: {{pdf: false}}"
    head = f"# {path.stem}\n\nSections and equations are those of the lesson."
    setup = "\n".join(dict.fromkeys(imports))
    begin = [("raw", config), ("markdown", head), ("code", setup)]
    write_new(folder / path.name, as_bytes(as_notebook([*begin, *cells])))
    return folder / path.name


def to_answer(source: str) -> list[tuple[str, str]]:
    """The exercises that a cell asks for, each with the name of its answer; no predictions."""
    asked = [(id, name) for id, name in _ASKED.findall(source) if not is_prediction(id)]
    return [(id, name.replace("...", "answer")) for id, name in asked]


def _question(asked: list[tuple[str, str]], stub: str, text: str) -> Iterator[tuple[str, str]]:
    """The cells of a question in otter's form: first tests are seen, the others hidden."""
    from genlab_course.grading import find_exercise, worked

    right, tests = [], []
    for id, name in asked:
        task = find_exercise(id)
        right.append(RIGHT.format(worked(task).replace("\n", "\n# "), name, id))
        own = [TEST.format(id, name, k) for k, _ in enumerate(task.cases or ())]
        given = f"assert {name} is not None and {name} is not ..."
        own = own or [TEST.format(id, name, None) if callable(task.right) else given]
        own += [TEST.format(id, name, None)] if task.judge or not task.cases else []
        tests += [own[0], *(f"# HIDDEN\n{test}" for test in own[1:])]
    points = f"points: {2 * len(asked)}\nall_or_nothing: {str(len(asked) == 1).lower()}"
    yield "raw", f'# BEGIN QUESTION\nname: "{asked[0][0]}"\n{points}'
    yield "markdown", f"### {asked[0][0]}\n\n{text}".strip()
    yield "raw", "# BEGIN SOLUTION"
    yield "code", ANSWER.format(stub, "\n".join(right))
    yield "raw", "# END SOLUTION"
    yield "raw", "# BEGIN TESTS"
    yield from (("code", test) for test in tests)
    yield "raw", "# END TESTS"
    yield "raw", "# END QUESTION"


def as_gift(lesson: str, asked: tuple[Question, ...]) -> str:
    """A quiz in Moodle's GIFT, with the explanation of every option as its feedback."""
    parts = [f"$CATEGORY: genlab/{lesson}\n"]
    for number, question in enumerate(asked, 1):
        parts.append(f"::{lesson}.quiz.{number}::[html]{_escaped(question.text)} {{")
        parts += ["~="[o.right] + f"{_escaped(o.text)}#{_escaped(o.why)}" for o in question.options]
        parts.append("}\n")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    maths = re.sub(r"\$([^$]+)\$", r"\\(\1\\)", as_html(text))  # as Moodle's MathJax wants it
    return re.sub(r"[\\~=#{}:]", r"\\\g<0>", maths)


asked = functools.cache(standings.asked)  # read once for a whole class


def standing(handed_in: Entries) -> dict[str, tuple[int, int]]:
    """How many exercises and questions of each lesson have been right, and how many there are."""
    right = {entry["id"] for entry in handed_in if entry["right"] is True}
    return {key: counts([*a.exercises, *a.quiz], right) for key, a in asked().items()}


def begun(learners: dict[str, Entries]) -> list[str]:
    """The lessons and labs of which somebody has answered something, right or wrong."""
    tried = {entry["id"] for entries in learners.values() for entry in entries}
    return [key for key, a in asked().items() if not tried.isdisjoint((*a.exercises, *a.quiz))]


def as_csv(learners: dict[str, Entries]) -> str:
    """A row for each learner: how much of each lesson has been right; its head says of how much.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["learner", *(f"{key} (of {of})" for key, (_, of) in standing([]).items())])
    for who, entries in learners.items():
        name = f"'{who}" if who[:1] in "=+-@" else who
        rows.writerow([name, *(right for right, _ in standing(entries).values())])
    return written.getvalue()


def mistakes(learners: dict[str, Entries]) -> list[tuple[str, str, int, int]]:
    """Named mistakes, the most frequent first: exercise, sentence, times, learners."""
    if not any("mistake" in entry for entries in learners.values() for entry in entries):
        return []
    from genlab_course.grading import all_exercises, mistake_id

    says = {mistake_id(e.id, m.says): m.says for e in all_exercises() for m in e.mistakes}
    exercises = {e.id for e in all_exercises()}
    made = []
    for who, entries in learners.items():
        for which in (entry["mistake"] for entry in entries if "mistake" in entry):
            id = which.partition("/")[0] if isinstance(which, str) else ""
            if id in exercises:  # any other was written by hand
                made.append((which if which in says else f"{id}/", who))
    people = collections.Counter(which for which, _ in set(made))
    gone = "the course has no such mistake any more"
    return [
        (which.partition("/")[0], says.get(which, gone), times, people[which])
        for which, times in collections.Counter(which for which, _ in made).most_common()
    ]
