"""Every trained model that ships: `load_model(NAME)`, its card, and the row that remakes it."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from genlab.zoo.evaluators import EVALUATORS
from genlab.zoo.lessons import LESSONS
from genlab.zoo.scores import DIGITS16, SCORES
from genlab.zoo.systems import SYSTEMS
from genlab.zoo.train import Model

MODELS: tuple[Model, ...] = (*LESSONS, *SCORES, *SYSTEMS, *EVALUATORS)
ROWS = (*MODELS, DIGITS16)  # what can be trained
__all__ = ["DIGITS16", "MODELS", "ROWS", "card", "find", "load_model"]


def find(name: str, rows: Sequence[Any] = ROWS) -> Any:
    """The row of a name; ValueError with the nearest name if there is none."""
    by_name = {row.name: row for row in rows}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else "`genlab train` lists them all"
        raise ValueError(f"no model is named {name!r}; {hint}")
    return by_name[name]


def load_model(name: str, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
    """A trained model, to evaluate, without gradients of its weights: `Model.load`."""
    return find(name).load(path, dtype=dtype)


def card(name: str) -> dict[str, Any]:
    """What `genlab train NAME` wrote beside the shipped weights."""
    return find(name).card()
