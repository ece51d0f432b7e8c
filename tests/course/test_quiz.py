"""Quizzes: one right option a question, and every option explains itself."""

import importlib
import pkgutil
import re
from html.parser import HTMLParser

import colours
import pytest

from genlab_course import Option, Question, questions, quizzes
from genlab_course.widgets import quiz
from genlab_course.widgets.quiz import RIGHT, WRONG, as_html

MODULES = sorted(m.name for m in pkgutil.iter_modules(quizzes.__path__))
LESSONS = [int(n[-2:]) if n.startswith("lesson_") else n.removeprefix("system_") for n in MODULES]


def test_two_right_options_are_refused():
    with pytest.raises(ValueError, match="exactly one"):
        Question("Which?", (Option("a", "x", right=True), Option("b", "y", right=True)))


def test_a_lesson_without_quiz_is_named():
    with pytest.raises(ValueError, match="no quiz for lesson 99"):
        questions(99)
    with pytest.raises(ValueError, match="no quiz for lesson 'toaster'"):
        questions("toaster")


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_quiz_has_five_to_eight_questions_and_explains_each_option(lesson):
    asked = questions(lesson)
    assert 5 <= len(asked) <= 8
    for question in asked:
        assert len(question.options) >= 3
        assert all(len(o.why) > 15 for o in question.options)
        assert len({o.why for o in question.options}) == len(question.options)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_right_option_is_not_always_in_the_same_place(lesson):
    places = {[o.right for o in q.options].index(True) for q in questions(lesson)}
    assert len(places) > 1


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_option_can_be_chosen_and_replies(lesson):
    for card in quiz(lesson).cards:
        for index, option in enumerate(card.question.options):
            card.buttons[index].value = True
            assert as_html(option.why) in card.reply.value
            assert ("Right." in card.reply.value) == option.right
            assert [b.value for b in card.buttons].count(True) == 1


def test_a_quiz_is_the_one_of_its_own_module():
    for lesson, name in zip(LESSONS, MODULES, strict=True):
        module = importlib.import_module(f"genlab_course.quizzes.{name}")
        assert questions(lesson) is module.QUESTIONS


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


def test_code_and_emphasis_are_shown_and_a_product_is_left_alone():
    assert as_html("`a<b` is *not* $a*b*c$ and 2*3*4") == (
        "<code>a&lt;b</code> is <em>not</em> $a*b*c$ and 2*3*4"
    )


def test_the_verdict_can_be_read_on_a_light_and_on_a_dark_page():
    for colour in (RIGHT, WRONG):
        assert colours.contrast("#FFFFFF", colour) > 4.5  # WCAG 2, level AA
