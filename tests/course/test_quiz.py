"""Quizzes: one right option a question, and every option explains itself."""

import re
from html.parser import HTMLParser

import pytest

from genlab_course.quiz import QUIZZES, Option, Question, as_html, questions, read_quiz
from genlab_course.widgets import quiz

FILES = sorted(file.stem for file in QUIZZES.glob("*.md"))
LESSONS = [int(n[-2:]) if n.startswith("lesson_") else n.partition("_")[2] for n in FILES]


def test_each_quiz_has_five_to_eight_questions_and_explains_each_option():
    faults = []
    for lesson in LESSONS:
        asked = questions(lesson)
        if len({[o.right for o in q.options].index(True) for q in asked}) == 1:
            faults.append((lesson, "the right option stands at one place in all questions"))
        if not 5 <= len(asked) <= 8:
            faults.append((lesson, f"{len(asked)} questions"))
        for q in asked:
            if len(q.options) < 3:
                faults.append((lesson, q.text, "fewer than three options"))
            faults += [
                (lesson, o.text, "is hardly explained") for o in q.options if len(o.why) < 16
            ]
            if len({o.why for o in q.options}) < len(q.options):
                faults.append((lesson, q.text, "two options have one explanation"))
    assert not faults, faults


def test_every_option_can_be_chosen_and_replies():
    faults = []
    for lesson in LESSONS:
        for card in quiz(lesson).cards:
            for index, option in enumerate(card.question.options):
                card.buttons[index].value = True
                looks = [set(row._dom_classes) - {"genlab-option"} for row in card.rows]
                own = looks.pop(index)
                holds = {
                    "its explanation is shown": as_html(option.why) in card.reply.value,
                    "it is called right if it is": ("Right." in card.reply.value) == option.right,
                    "it alone is chosen": [b.value for b in card.buttons].count(True) == 1,
                    "it has its colour": own
                    == {"genlab-right" if option.right else "genlab-wrong"},
                    "no other has one": not any(looks),
                }
                faults += [(lesson, option.text, what) for what, true in holds.items() if not true]
    assert not faults, faults


WRITTEN = """# Quiz of a lesson

## Is $x_{<i}$ all of $x$?
- [ ] Yes.
  > Only the part before $i$.
- [x] No: `x[:i]`.
  > Right.
"""


def test_a_quiz_is_read_from_markdown(tmp_path):
    file = tmp_path / "lesson_00.md"
    file.write_text(WRITTEN, encoding="utf-8")
    options = Option("Yes.", "Only the part before $i$."), Option("No: `x[:i]`.", "Right.", True)
    assert read_quiz(file) == (Question("Is $x_{<i}$ all of $x$?", options),)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("- [ ] Yes.", "- [x] Yes.", "line 3: exactly one option must be right in 'Is"),
        ("  > Only the part before $i$.\n", "", "line 5: expected `> why` below the option"),
        ("  > Right.\n", "", "line 6: expected `> why` below the option, got the end"),
        ("the part", "the\npart", "line 6: expected `## question` or `- \\[ ] option`, got 'part"),
        ("## Is $x_{<i}$ all of $x$?\n", "", "line 3: expected `## question`"),
    ],
)
def test_a_quiz_that_cannot_be_read_names_file_and_line(tmp_path, old, new, says):
    file = tmp_path / "lesson_00.md"
    file.write_text(WRITTEN.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=f"lesson_00.md, {says}"):
        read_quiz(file)


def test_no_text_of_a_quiz_loses_a_part_to_the_browser():
    faults = []
    asked = [(lesson, q, o) for lesson in LESSONS for q in questions(lesson) for o in q.options]
    for lesson, question, option in asked:
        for text in (question.text, option.text, option.why):
            parser = Reader()
            parser.feed(as_html(text))
            plain = "".join(parser.text)
            formulas = [sorted(re.findall(r"\$[^$]+\$", t)) for t in (plain, text)]
            holds = {
                "code is marked": "`" not in plain,
                "as many dollars": plain.count("$") == text.count("$"),
                "the same formulas": formulas[0] == formulas[1],
                "no other tags": parser.tags <= {"code", "em"},
            }
            faults += [(lesson, text, what) for what, true in holds.items() if not true]
    assert not faults, faults


class Reader(HTMLParser):
    """What a browser would show of a text, and the tags it would see."""

    def __init__(self):
        super().__init__()
        self.text, self.tags = [], set()

    def handle_data(self, data):
        self.text.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
