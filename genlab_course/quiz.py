"""Quiz questions as data: every wrong option explains itself."""

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One option of a question; `why` is shown when it is chosen."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with exactly one right option; text may hold maths between dollar signs."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if sum(o.right for o in self.options) != 1:
            raise ValueError(f"exactly one option must be right in {self.text!r}")


def questions(lesson: int | str) -> tuple[Question, ...]:
    """Return the quiz of a lesson.

    Args:
        lesson: 1..15, or the name of a system's lab.

    Raises:
        ValueError: the lesson has no quiz.
    """
    module = f"system_{lesson}" if isinstance(lesson, str) else f"lesson_{lesson:02d}"
    name = f"{__package__}.quizzes.{module}"
    try:
        found: tuple[Question, ...] = importlib.import_module(name).QUESTIONS
    except ModuleNotFoundError as error:
        raise ValueError(f"no quiz for lesson {lesson!r}; lessons are numbered 1 to 15") from error
    return found
