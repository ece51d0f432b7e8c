"""The map as an instrument, the league as a picture, and samplers at work."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from torch import Tensor

from genlab import map as course_map
from genlab.map import FAMILIES, evaluations, place
from genlab_course.figures import COLOURS, for_text
from genlab_course.lesson_01 import COLOURS as COLOURS_OF_MODELS
from genlab_course.lesson_01 import EXTENT
from genlab_course.widgets.explorer import Explorer, explore, menu, panels, slider, stops

AUTOREGRESSIVE, FLOW, LATENT, ADVERSARIAL, SCORE = FAMILIES
OPEN = "not known"
OWN = "my own clues (below)"
ROWS = {paradigm.name: paradigm for paradigm in course_map.PARADIGMS}
# height on the map: what can be said about p(x)
HEIGHTS = {"exact": 3.0, "indirect": 2.0, "bound": 2.0, "unnormalised": 2.0, "none": 1.0}
MOST = 20_000  # evaluations at the right edge of the map


@dataclass(frozen=True)
class System:
    """A system as a release note would describe it."""

    description: str
    families: tuple[str, ...]  # what it is made of, the outer stage first
    tokens: int = 1  # in one output, for the autoregressive part
    steps: int = 1  # of denoising
    guided: bool = False  # two evaluations for each step


_TOLD = Path(__file__).parents[1] / "data" / "systems.toml"
EXAMPLES = {
    name: System(**told | {"families": tuple(told["families"])})
    for name, told in tomllib.loads(_TOLD.read_text("utf-8")).items()
}


def paradigm_map() -> Explorer:
    """The instrument of lesson 01: a system from a list, or clues about one of your own.

    Across stand the network evaluations for one sample, upwards what the model can say about p(x);
    length and steps move the families that they concern.
    """
    figure, ax = plt.subplots(figsize=(7.6, 3.5), layout="constrained")
    dots, names = {}, {}
    for family, colour in COLOURS.items():
        at = (1.0, 1.0)
        above: dict[str, Any] = {"xytext": (0, 15), "textcoords": "offset points"}
        dots[family] = ax.plot(*at, "o", markersize=20, color=colour)[0]
        names[family] = ax.annotate(family, at, va="bottom", ha="center", fontsize=10, **above)
    ax.set(xscale="log", xlim=(0.3, 2.5 * MOST), ylim=(0.35, 3.75))
    ax.set_xlabel("network evaluations (NFE) for one sample")
    ax.set_yticks([1, 2, 3], ["none", "bound, or\nindirect", "exact"])
    ax.set_ylabel("likelihood")
    ax.grid(axis="y", color="#EEEEEE")

    def light(
        lit: tuple[str, ...], clues: Clues = (None, None), *, cost: Callable[..., int]
    ) -> None:
        for family, (x, y, under) in _spots(lit, clues, cost).items():
            bright = family in lit
            dots[family].set(xdata=[x], ydata=[y], color=COLOURS[family] if bright else "#D9D9D9")
            names[family].xy = (x, y)
            beside = ((14, 0), "left", "center") if under else ((0, 15), "center", "bottom")
            names[family].xyann, across, along = beside
            ink, weight = ("#111111", "bold") if bright else ("#AAAAAA", "normal")
            names[family].set(color=ink, weight=weight, ha=across, va=along)

    def update(
        system: str, objective: str, sampler: str, likelihood: str, tokens: int, steps: int
    ) -> str:
        if system != OWN:
            s = EXAMPLES[system]
            # the families that it has no part of stay where they were
            length = s.tokens if AUTOREGRESSIVE in s.families else tokens
            loop = s.steps if SCORE in s.families else steps
            each = partial(evaluations, tokens=length, steps=loop, guided=s.guided)
            light(s.families, cost=each)
            cost = evaluations(s.families, tokens=s.tokens, steps=s.steps, guided=s.guided)
            return f"<i>It {s.description}.</i><br>{_verdict(s.families, {cost})}"
        known = [None if c == OPEN else c for c in (objective, sampler, likelihood)]
        lit = place(*known)
        each = partial(evaluations, tokens=tokens, steps=steps)
        light(lit, (known[1], known[2]), cost=each)
        costs = {each((one,), sampler=known[1]) for one in lit}
        return _verdict(lit, costs, known[0], known[1])

    tables = course_map.OBJECTIVES, course_map.SAMPLERS, course_map.LIKELIHOODS
    clues = {
        name: menu(name, [(OPEN, OPEN), *((f"{word}: {says}", word) for word, says in of.items())])
        for name, of in zip(("objective", "sampler", "likelihood"), tables, strict=True)
    }
    powers = [2**k for k in range(13)]
    sizes = {"tokens": stops("tokens", powers, 64), "steps": stops("steps", powers, 16)}
    explorer = explore(figure, update, system=menu("system", [OWN, *EXAMPLES]), **clues, **sizes)
    for clue in clues.values():  # a clue is about a system of your own
        clue.observe(lambda _: explorer.set(system=OWN), names="value")
    return explorer


Clues = tuple[str | None, str | None]  # sampler, likelihood


def _spots(
    lit: tuple[str, ...], clues: Clues, cost: Callable[..., int]
) -> dict[str, tuple[int, float, bool]]:
    """Evaluations, height, and whether it moved down, since another stands there already.

    The clues are about those that are lit; the others stay where they usually are.
    """
    sampler, likelihood = clues
    out, taken = {}, set()
    for family in sorted(FAMILIES, key=lambda family: family not in lit):
        ways = dict(ROWS[family].ways)
        known = family in lit
        way = sampler if known and sampler in ways else ROWS[family].samplers[0]
        word = likelihood if known and likelihood else ways[way][0]
        x = cost((family,), sampler=way)
        y = HEIGHTS[word]
        while (x, y) in taken:
            y -= 0.4
        taken.add((x, y))
        out[family] = (x, y, y < HEIGHTS[word])
    return out


def _verdict(
    lit: tuple[str, ...], costs: set[int], objective: str | None = None, sampler: str | None = None
) -> str:
    if not lit:
        why = "Either the system is a hybrid (name each objective and each stage), or one of the"
        return f"<b>No single family fits.</b> {why} claims deserves a second look."
    if len(lit) == len(FAMILIES):
        still = "<b>Everything is still possible.</b>"
        if objective is None:
            return f"{still} Choose an objective, sampler or likelihood."
        return f"{still} This objective trains a finished model of any family: how does it sample?"
    cost = " or ".join(f"{n:,} evaluation{'s' if n > 1 else ''}" for n in sorted(costs))
    bill = "; ".join(f"<b>{f}</b>: {course_map.pays((f,), sampler)[0][0]}" for f in lit)
    return f"A sample costs {cost}. {bill}."


MARK = dict(zip(FAMILIES, "os^DP", strict=True))  # not by colour alone


def five_samplers(films: Mapping[str, Sequence[Tensor]]) -> Explorer:
    """What the samplers of lesson 01 have made of one budget of evaluations.

    `films` holds, for each name, the states `(n, 2)` after 0, 1, 2, ... evaluations. The
    autoregressive model pays one for each token of the `length`: its states are spread over them.
    """
    figure, axes = panels(9.4, 2.3, 1, len(films))
    clouds, counts = {}, {}
    for ax, name in zip(axes, films, strict=True):
        colour = COLOURS_OF_MODELS[name.lower()]
        (clouds[name],) = ax.plot([], [], ".", markersize=2.2, color=colour, alpha=0.6)
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
        ax.set_title(name, fontsize=9, color=for_text(colour))
        ax.spines[["left", "bottom"]].set_visible(False)
        counts[name] = ax.set_xlabel(" ", fontsize=8.5, color="#555555")

    def update(budget: int, length: int) -> None:
        for name, states in films.items():
            needed = length if name == AUTOREGRESSIVE else len(states) - 1
            spent = min(budget, needed)
            done = states[spent * (len(states) - 1) // needed][:800]
            clouds[name].set_data(done[:, 0], done[:, 1])
            word = "evaluation" if needed == 1 else "evaluations"
            counts[name].set_text(f"{spent} of {needed} {word}")

    budget = slider("budget", 50, 0, 100, 1)
    return explore(
        figure, update, play="budget", budget=budget, length=slider("length", 2, 2, 500, 1)
    )
