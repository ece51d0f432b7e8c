"""Quizzes: one right option a question, and every option explains itself."""

import re
from html.parser import HTMLParser

import pytest

from genlab_course.quiz import QUIZZES, Option, Question, questions, read_quiz
from genlab_course.widgets import quiz
from genlab_course.widgets.quiz import as_html

FILES = sorted(file.stem for file in QUIZZES.glob("*.md"))
LESSONS = [int(n[-2:]) if n.startswith("lesson_") else n.partition("_")[2] for n in FILES]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_quiz_has_five_to_eight_questions_and_explains_each_option(lesson):
    asked = questions(lesson)
    assert len({[o.right for o in q.options].index(True) for q in asked}) > 1
    assert 5 <= len(asked) <= 8
    for question in asked:
        assert len(question.options) >= 3
        assert all(len(o.why) > 15 for o in question.options)
        assert len({o.why for o in question.options}) == len(question.options)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_option_can_be_chosen_and_replies(lesson):
    for card in quiz(lesson).cards:
        for index, option in enumerate(card.question.options):
            card.buttons[index].value = True
            assert as_html(option.why) in card.reply.value
            assert ("Right." in card.reply.value) == option.right
            assert [b.value for b in card.buttons].count(True) == 1
            looks = [set(row._dom_classes) - {"genlab-option"} for row in card.rows]
            assert looks.pop(index) == {"genlab-right" if option.right else "genlab-wrong"}
            assert not any(looks)


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


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_text_of_a_quiz_loses_a_part_to_the_browser(lesson):
    texts = [t for q in questions(lesson) for o in q.options for t in (q.text, o.text, o.why)]
    for text in texts:
        shown = as_html(text)
        parser = Reader()
        parser.feed(shown)
        plain = "".join(parser.text)
        assert "`" not in plain, shown
        assert plain.count("$") == text.count("$")
        assert sorted(re.findall(r"\$[^$]+\$", plain)) == sorted(re.findall(r"\$[^$]+\$", text))
        assert parser.tags <= {"code", "em"}


class Reader(HTMLParser):
    """What a browser would show of a text, and the tags it would see."""

    def __init__(self):
        super().__init__()
        self.text, self.tags = [], set()

    def handle_data(self, data):
        self.text.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
