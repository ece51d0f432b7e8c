"""The cheat sheet, two pages made from the map and the models' cards, and the equations.

No figure on them is typed, so they cannot drift from the course; `docs/cheatsheet.md` is the sheet.
"""

import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genlab.map import LESSONS, PARADIGMS, SYSTEMS, Paradigm
from genlab_course.rows import card

TEXTS = tomllib.loads(
    (Path(__file__).parent / "data" / "cheatsheet.toml").read_text(encoding="utf-8")
)
KERNELS: dict[int | str, tuple[str, ...]] = {
    int(key) if key.isdigit() else key: tuple(paths) for key, paths in TEXTS["kernels"].items()
}


class _Cards(dict[str, dict[str, Any]]):
    """The figures on a model's card, by its name."""

    def __missing__(self, name: str) -> dict[str, Any]:
        return self.setdefault(name, card(name)["metrics"])


def _doc(path: str) -> str:
    module, _, name = path.rpartition(".")
    return inspect.getdoc(getattr(importlib.import_module(f"genlab.{module}"), name)) or ""


def equation(path: str) -> str:
    """The first displayed equation of a kernel's docstring, as TeX in one line."""
    found = re.search(r"\$\$(.+?)\$\$", _doc(path), re.S)
    if not found:
        raise ValueError(f"genlab.{path} has no displayed equation in its docstring")
    return " ".join(found[1].split())


def title(path: str) -> str:
    """What a kernel is: the first line of its docstring, without the full stop."""
    return _doc(path).partition("\n")[0].rstrip(".")


def cheat_sheet() -> str:
    """The two pages as Markdown, figures from the cards of the shipped models."""
    words, cards = TEXTS, _Cards()
    filled = {k: v.format_map(cards) for k, v in (words["systems"] | words["trade_offs"]).items()}
    head = ("paradigm", "$p(x)$", "objective", "sampler", "evaluations", "likelihood", "pays")
    made = [
        (name, ", ".join(made), words["mechanisms"][lab], filled[lab])
        for lab, (name, made) in SYSTEMS.items()
    ]
    known_for = [(p.name, words["known_for"][p.name]) for p in PARADIGMS]
    trade_offs = [(pair, filled[pair]) for pair in words["trade_offs"]]
    page = [
        "# The course on two pages",
        "## The map",
        _table(head, [_on_the_map(p) for p in PARADIGMS]),
        _table(("paradigm", "known for"), known_for),
        "## What all share",
        "\n".join(f"- {line}" for line in words["shared"]),
        "## Reading a release in four steps",
        "\n".join(f"{k}. {step}" for k, step in enumerate(words["steps"], 1)),
        "## Cue words",
        _table(("a text says", "it implies"), list(words["cues"].items())),
        "## The seven systems, measured",
        _table(("system", "made of", "mechanism", "in its lab"), made),
        "## Trade-offs",
        _table(("pair", "what this course measured"), trade_offs),
        "`=` an exact likelihood, `<=` a bound. Two exact values can be ranked, and a bound below "
        "an exact value; two bounds cannot.",
        "## Left out, and where to go",
        "\n".join(f"- **{what}**: {where}" for what, where in words["left_out"].items()),
        "The equations, lesson by lesson: `genlab cheatsheet --equations`.",
    ]
    return "\n\n".join(page) + "\n"


def equation_sheet() -> str:
    """The equations of the lessons as Markdown, from the docstrings of the code under them."""
    if sys.flags.optimize > 1:
        raise ValueError("python -OO strips docstrings, in which the equations are: use python -O")
    return "\n\n".join(["# The equations, lesson by lesson", *map(_lesson, KERNELS)]) + "\n"


def _on_the_map(p: Paradigm) -> tuple[str, ...]:
    tex = p.equation.replace("|", r"\vert ")  # a bar would end the cell
    return p.name, f"${tex}$", p.objectives[0], p.draws, p.evaluations, p.likelihoods[0], p.pays


def _lesson(key: int | str) -> str:
    lines = [f"{title(k)} (`genlab.{k}`)\n\n$${equation(k)}$$" for k in KERNELS[key]]
    heading = key if isinstance(key, str) else f"{key:02d} {LESSONS[key]}"
    return "\n\n".join([f"## {heading}", *lines])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
