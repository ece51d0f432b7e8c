"""The map as an instrument: say what is known of a system, and see where it can be.

Across: network passes for one sample. Upwards: what the model can say about p(x).
"""

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from ..atlas.picture import COLOURS
from ..course.placing import (
    AR,
    FAMILIES,
    LIKELIHOODS,
    OBJECTIVES,
    SAMPLERS,
    SCORE,
    SYSTEMS,
    passes,
    place,
)
from .explorer import Explorer, explore

OPEN = "not known"
OWN = "my own clues (below)"
# height on the map: what can be said about p(x); the three at one pass stand side by side
HEIGHTS = dict(zip(FAMILIES, (3.0, 3.0, 2.0, 1.0, 2.0), strict=True))
PAYS = {
    FAMILIES[0]: "latency grows with the length of the output",
    FAMILIES[1]: "every layer must be invertible",
    FAMILIES[2]: "only a bound on the likelihood; its samples tend to blur",
    FAMILIES[3]: "no likelihood at all; modes may go missing",
    FAMILIES[4]: "one pass for each denoising step",
}
MOST = 20_000  # passes at the right edge of the map
_GREY = "#D9D9D9"


class _Map:
    """The picture: five places, of which some are lit."""

    def __init__(self) -> None:
        self.figure, ax = plt.subplots(figsize=(7.6, 3.5), layout="constrained")
        self.dots = {
            family: ax.plot([1], [HEIGHTS[family]], "o", markersize=20, color=colour)[0]
            for family, colour in zip(FAMILIES, COLOURS, strict=True)
        }
        self.names = {
            family: ax.annotate(family, (1, HEIGHTS[family]), xytext=(0, 15), va="bottom",
                                ha="center", textcoords="offset points", fontsize=10)
            for family in FAMILIES
        }  # fmt: skip
        self._axes(ax)

    @staticmethod
    def _axes(ax: Axes) -> None:
        ax.set(xscale="log", xlim=(0.3, 2.5 * MOST), ylim=(0.45, 3.75))
        ax.set_xlabel("network passes for one sample")
        ax.set_yticks([1, 2, 3], ["nothing", "a bound,\nor indirect", "exactly"])
        ax.set_ylabel("what it says about p(x)")
        ax.grid(axis="y", color="#EEEEEE")

    def light(self, lit: tuple[str, ...], pieces: int, steps: int, guided: bool) -> None:
        for (family, dot), colour in zip(self.dots.items(), COLOURS, strict=True):
            x = passes((family,), pieces=pieces, steps=steps, guided=guided)
            bright = family in lit
            dot.set_xdata([x])
            dot.set(color=colour if bright else _GREY)
            self.names[family].xy = (x, HEIGHTS[family])
            self.names[family].set(color="#111111" if bright else "#AAAAAA",
                                   weight="bold" if bright else "normal")  # fmt: skip


def paradigm_map() -> Explorer:
    """Make the instrument of lesson 01.

    Returns:
        The widget: a system from a list, or clues about one of your own; the length of the
        output and the number of denoising steps move the two families that they concern.
    """
    picture = _Map()

    def update(
        system: str, objective: str, sampler: str, likelihood: str, pieces: int, steps: int
    ) -> str:
        if system != OWN:
            s = SYSTEMS[system]
            shown_pieces = (
                s.pieces if AR in s.families else pieces
            )  # the others stay where they were
            shown_steps = s.steps if SCORE in s.families else steps
            picture.light(s.families, shown_pieces, shown_steps, s.guided)
            cost = passes(s.families, pieces=s.pieces, steps=s.steps, guided=s.guided)
            return f"<i>It {s.description}.</i><br>{_verdict(s.families, f'{cost:,} passes')}"
        clues = [None if c == OPEN else c for c in (objective, sampler, likelihood)]
        lit = place(*clues)
        picture.light(lit, pieces, steps, guided=False)
        return _verdict(lit, _range(lit, pieces, steps))

    explorer = explore(
        picture.figure,
        update,
        system=_dropdown("system", [OWN, *SYSTEMS]),
        objective=_dropdown("objective", [OPEN, *OBJECTIVES]),
        sampler=_dropdown("sampler", [OPEN, *SAMPLERS]),
        likelihood=_dropdown("likelihood", [OPEN, *LIKELIHOODS]),
        pieces=_powers("pieces", 64),
        steps=_powers("steps", 16),
    )
    for clue in ("objective", "sampler", "likelihood"):  # a clue is about a system of your own
        explorer.controls[clue].observe(lambda _: explorer.set(system=OWN), names="value")
    return explorer


def _dropdown(description: str, options: list[str]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=options, description=description)


def _powers(description: str, value: int) -> ipywidgets.SelectionSlider:
    options = [2**k for k in range(13)]
    return ipywidgets.SelectionSlider(options=options, value=value, description=description)


def _range(lit: tuple[str, ...], pieces: int, steps: int) -> str:
    counts = sorted({passes((family,), pieces=pieces, steps=steps) for family in lit})
    return " or ".join(f"{n:,} pass{'es' if n > 1 else ''}" for n in counts)


def _verdict(lit: tuple[str, ...], cost: str) -> str:
    if not lit:
        return (
            "<b>No single family fits.</b> Either the system is a hybrid (name each objective and "
            "each stage), or one of the claims deserves a second look."
        )
    if len(lit) == len(FAMILIES):
        return (
            "<b>Everything is still possible.</b> Choose an objective, a sampler or a likelihood."
        )
    costs = "; ".join(f"<b>{family}</b>: {PAYS[family]}" for family in lit)
    return f"A sample costs {cost}. {costs}."
