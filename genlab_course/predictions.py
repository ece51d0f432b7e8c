"""Predictions: what a learner expects before a lesson shows it, kept and shown again there."""

import math
from dataclasses import dataclass
from typing import Any

MARK = ".predict-"  # in the id of each: "12.predict-lost"


@dataclass(frozen=True)
class Prediction:
    """A question before the lesson: one of some choices, or a number; no answer to it is wrong."""

    id: str
    choices: tuple[str, ...] = ()  # empty: a number
    between: tuple[float, float] = (-math.inf, math.inf)  # of a number
    unit: str = ""  # "steps", "bits": said after the number

    def __post_init__(self) -> None:
        if not is_prediction(self.id):
            raise ValueError(f"the id of a prediction holds {MARK!r}, got {self.id!r}")

    def read(self, answer: Any) -> str:
        """The prediction as it is kept and shown; ValueError says what can be predicted."""
        if isinstance(answer, str):  # "4 %" is 4 where percents are asked for
            answer = answer.strip().removesuffix(self.unit).strip()
        if self.choices:
            return self._chosen(str(answer).strip())
        low, high = self.between
        try:
            number = float(answer)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            span = "" if math.isinf(high - low) else f" from {low:g} to {high:g}"
            raise ValueError(f"predict a number{span}, such as {_example(low, high)}")
        return f"{number:g} {self.unit}".rstrip()

    def _chosen(self, said: str) -> str:
        for choice in self.choices:
            if said.lower() == choice.lower() or _is_number(said, choice):
                return f"{choice} {self.unit}".rstrip()
        raise ValueError(f"choose one of {', '.join(self.choices)}")


def is_prediction(id: str) -> bool:
    """Whether an id is that of a prediction, which is neither right nor wrong."""
    return MARK in id


def _is_number(said: str, choice: str) -> bool:
    try:
        return float(said) == float(choice)
    except ValueError:
        return False


def _example(low: float, high: float) -> str:
    return "0.5" if math.isinf(high - low) else f"{(low + high) / 2:g}"
