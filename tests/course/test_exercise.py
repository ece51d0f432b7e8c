"""Exercises recognise right answers, untouched blanks and the mistakes they name."""

import math
import re

import numpy as np
import pytest

from genlab.course.exercise import Exercise, Mistake, all_exercises, assess, exercise, find_exercise

NLL = Exercise(
    id="00.nll",
    task="Return the negative log-likelihood.",
    right=lambda p: -sum(math.log(q) for q in p),
    cases=(([0.5, 0.25],), ([0.1],)),
    mistakes=(
        Mistake(lambda p: sum(math.log(q) for q in p), "the sign is flipped"),
        Mistake(lambda p: -sum(math.log2(q) for q in p), "these are bits"),
    ),
    hints=("a", "b", "c"),
)


def test_the_right_function_is_recognised():
    assert assess(NLL, lambda p: -np.log(p).sum()) == "right"


def test_a_known_mistake_is_named():
    assert assess(NLL, lambda p: np.log(p).sum()) == "not yet: the sign is flipped"
    assert assess(NLL, lambda p: -np.log2(p).sum()) == "not yet: these are bits"


@pytest.mark.parametrize("blank", [None, ..., lambda p: None, lambda p: ...])
def test_an_untouched_exercise_is_not_attempted(blank):
    assert assess(NLL, blank) == "not attempted"


def test_an_unknown_wrong_answer_points_to_the_hints():
    assert "hint('00.nll')" in assess(NLL, lambda p: 3.0)


CASES = (([0.5, 2.0],), ([3.0],))
PLAIN = Exercise(id="00.plain", task="Return p.", right=lambda p: p, cases=CASES)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda p: -np.array(p), "opposite sign"),
        (lambda p: 2 * np.array(p), "twice what it should be"),
        (lambda p: np.array(p) / 2, "half of what it should be"),
        (lambda p: np.array(p) / math.log(2), "nats and bits"),
        (lambda p: np.array(p) * math.log(2), "nats and bits"),
        (lambda p: np.array(p) * math.nan, "There is a nan"),
        (lambda p: np.array(p) * math.inf, "There is an infinity"),
        (lambda p: np.array(p) + 1, "[1.5, 3. ] is not it on input 1 of 2"),
    ],
)
def test_a_mistake_that_any_exercise_can_show_is_named(answer, says):
    assert says in assess(PLAIN, answer)


def test_a_mistake_that_the_exercise_knows_is_named_first():
    known = Exercise(
        id="00.known",
        task="Return p.",
        right=1.5,
        mistakes=(Mistake(-1.5, "the sign belongs to the loss"),),
    )
    assert assess(known, -1.5) == "not yet: the sign belongs to the loss"


def test_a_wrong_shape_is_named():
    assert "expected shape (), got (2,)" in assess(NLL, lambda p: [1.0, 2.0])


def test_a_crash_of_the_answer_is_reported_and_not_raised():
    assert "ZeroDivisionError" in assess(NLL, lambda p: 1 / 0)


def test_a_value_where_a_function_is_expected_is_explained():
    assert "expected a function" in assess(NLL, 2.0)


def test_a_judge_decides_where_the_answer_is_not_unique():
    even = Exercise(
        id="00.even", task="Give an even number.", judge=lambda n: "odd" if n % 2 else ""
    )
    assert assess(even, 4) == "right"
    assert assess(even, 3) == "not yet: odd"
    assert assess(even, None) == "not attempted"


def test_an_unknown_id_lists_its_neighbours():
    with pytest.raises(ValueError, match="no exercise"):
        find_exercise("99.nothing")


BANK = list(all_exercises())


def test_ids_are_unique():
    assert len({e.id for e in BANK}) == len(BANK)


@pytest.mark.parametrize("task", BANK, ids=lambda e: e.id)
def test_every_exercise_accepts_its_own_right_answer(task):
    assert assess(task, task.right) == "right"


@pytest.mark.parametrize("task", BANK, ids=lambda e: e.id)
def test_every_exercise_names_at_least_three_mistakes(task):
    assert len(task.mistakes) >= 3
    for mistake in task.mistakes:
        assert assess(task, mistake.wrong) == f"not yet: {mistake.says}"


@pytest.mark.parametrize("task", BANK, ids=lambda e: e.id)
def test_every_exercise_has_three_hints_and_starts_untouched(task, capsys):
    assert all(task.hints)
    assert len(set(task.hints)) == 3
    emphasis = re.compile(r"(?<![\w*)])\*[A-Za-z][\w -]*\*(?![\w*(])")  # a hint is printed as it is
    assert not any(emphasis.search(hint) for hint in task.hints)
    exercise(task.id, None)
    assert capsys.readouterr().out == f"[{task.id}] not attempted\n"
