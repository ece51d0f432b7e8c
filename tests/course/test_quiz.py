"""Quizzes: one right option a question, and every option explains itself."""

import importlib
import pkgutil

import pytest

from genlab.course import Option, Question, questions, quizzes
from genlab.widgets import quiz

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
            assert option.why in card.reply.value
            assert ("Right." in card.reply.value) == option.right
            assert [b.value for b in card.buttons].count(True) == 1


def test_a_quiz_is_the_one_of_its_own_module():
    for lesson, name in zip(LESSONS, MODULES, strict=True):
        module = importlib.import_module(f"genlab.course.quizzes.{name}")
        assert questions(lesson) is module.QUESTIONS
