"""Exercises that recognise the mistake you made.

An exercise knows the right answer (from the package or a closed form) and what the common wrong
answers compute. An attempt is compared with both, on several inputs, so that the reply can name
the misunderstanding without giving the answer away.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .checks import as_array
from .progress import record


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and the sentence that names it."""

    wrong: Any  # what such a learner would write: a function, or a value
    says: str  # names the mistake; never the answer


@dataclass(frozen=True)
class Exercise:
    """One exercise: either `right` with `cases`, or a `judge` where the answer is not unique."""

    id: str  # "02.sequence-nll": lesson (or system), then name
    task: str  # one sentence
    right: Any = None  # a correct function or value; with a judge: an answer that it accepts
    cases: tuple[tuple[Any, ...], ...] | None = None  # arguments to try; None for a value
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, str, str] = ("", "", "")
    judge: Callable[[Any], str] | None = None  # "" when right, else the sentence to say
    rtol: float = 1e-4
    atol: float = 1e-6


class _Untouched(Exception):  # noqa: N818 - a signal, not an error
    """The blank of the exercise is still empty."""


def all_exercises() -> Iterator[Exercise]:
    """Yield every exercise of the course, lesson by lesson."""
    from . import exercises

    for module in sorted(m.name for m in pkgutil.iter_modules(exercises.__path__)):
        yield from importlib.import_module(f"{exercises.__name__}.{module}").EXERCISES


def find_exercise(id: str) -> Exercise:
    """Look an exercise up by its id, such as "02.sequence-nll".

    Raises:
        ValueError: no such exercise; the message lists those of the same lesson.
    """
    bank = {e.id: e for e in all_exercises()}
    if id not in bank:
        lesson = id.partition(".")[0]
        near = [known for known in bank if known.partition(".")[0] == lesson] or list(bank)
        raise ValueError(f"no exercise {id!r}; there are: {', '.join(near)}")
    return bank[id]


def exercise(id: str, answer: Any) -> None:
    """Say whether an answer is right and, when wrong, which mistake it shows.

    Never raises because of the answer, so that an unfinished notebook still runs to its end. In a
    working copy the answer is also kept: see `progress`.

    Args:
        id: the exercise, such as "02.sequence-nll".
        answer: your function or value; `None`, `...` or a function returning them is untouched.

    Raises:
        ValueError: no exercise has this id.
    """
    reply = assess(find_exercise(id), answer)
    if reply != "not attempted":
        record(id, reply == "right")
    print(f"[{id}] {reply}")


def assess(task: Exercise, answer: Any) -> str:
    """Return the reply to an answer: "not attempted", "right", or "not yet: ...".

    Args:
        task: the exercise.
        answer: function or value, as for `exercise`.
    """
    try:
        reply = task.judge(_touched(answer)) if task.judge else _compare(task, answer)
    except _Untouched:
        return "not attempted"
    except Exception as error:  # a learner's bug must not stop the notebook
        return f"not yet: your answer raised {type(error).__name__}: {error}"
    return f"not yet: {reply}" if reply else "right"


def _touched(value: Any) -> Any:
    if value is None or value is Ellipsis:
        raise _Untouched
    return value


def _results(answer: Any, task: Exercise) -> list[Any]:
    if task.cases is None:
        return [_touched(answer)]
    return [_touched(answer(*case)) for case in task.cases]


def _compare(task: Exercise, answer: Any) -> str:
    if task.cases is not None and not callable(_touched(answer)):
        return f"expected a function, got {answer!r}"
    given, right = _results(answer, task), _results(task.right, task)
    if all(_same(g, r, task) for g, r in zip(given, right, strict=True)):
        return ""
    for mistake in task.mistakes:
        wrong = _results(mistake.wrong, task)
        if all(_same(g, w, task) for g, w in zip(given, wrong, strict=True)):
            return mistake.says
    return _in_general(given, right) or _describe(given, right, task)


def _same(given: Any, wanted: Any, task: Exercise) -> bool:
    if isinstance(wanted, str) or isinstance(given, str):
        return str(given).strip().lower() == str(wanted).strip().lower()
    a, b = as_array(given), as_array(wanted)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=task.rtol, atol=task.atol))


_FACTORS = (
    (-1.0, "Every number has the opposite sign."),
    (2.0, "Every number is twice what it should be: a factor is missing somewhere."),
    (0.5, "Every number is half of what it should be: a factor too many somewhere."),
    (math.log(2), "Every number is off by the factor log 2: nats and bits are mixed up."),
    (1 / math.log(2), "Every number is off by the factor log 2: nats and bits are mixed up."),
)


def _in_general(given: list[Any], right: list[Any]) -> str:
    """Name a mistake that any exercise can show; "" when there is none of these."""
    if any(isinstance(value, str) for value in (*given, *right)):
        return ""
    numbers = [as_array(g) for g in given]
    if any(np.isnan(a).any() for a in numbers):
        return "There is a nan: 0 log 0, 0 / 0, or the logarithm or root of a negative number?"
    if any(np.isinf(a).any() for a in numbers):
        return "There is an infinity: a division by 0, log 0, or an exponential of a large number?"
    wanted = [as_array(r) for r in right]
    if [a.shape for a in numbers] != [b.shape for b in wanted]:
        return ""
    a, b = (np.concatenate([part.reshape(-1) for part in side]) for side in (numbers, wanted))
    for factor, says in _FACTORS:
        if np.abs(b).max(initial=0.0) > 0 and np.allclose(a, factor * b, rtol=1e-5, atol=1e-9):
            return says
    return ""


def _shown(value: Any) -> str:
    text = str(value)
    if not isinstance(value, str):
        text = " ".join(np.array2string(as_array(value), precision=4, separator=", ").split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _describe(given: list[Any], right: list[Any], task: Exercise) -> str:
    for number, (g, r) in enumerate(zip(given, right, strict=True)):
        if _same(g, r, task):
            continue
        case = f" on input {number + 1} of {len(right)}" if task.cases and len(right) > 1 else ""
        if not isinstance(r, str) and as_array(g).shape != as_array(r).shape:
            return f"expected shape {as_array(r).shape}, got {as_array(g).shape}{case}"
        return f"{_shown(g)} is not it{case}; try hint({task.id!r})"
    return "not it"


_hints_given: dict[str, int] = {}


def hint(id: str) -> None:
    """Print the next of the three hints of an exercise, from a nudge to nearly the answer."""
    task = find_exercise(id)
    level = min(_hints_given.get(id, 0), len(task.hints) - 1)
    _hints_given[id] = level + 1
    print(f"[{id}] hint {level + 1} of {len(task.hints)}: {task.hints[level]}")
