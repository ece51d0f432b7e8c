"""The map as an instrument: say what is known of a system, and see where it can be.

Across: network passes for one sample. Upwards: what the model can say about p(x).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from genlab.map import AR, FAMILIES, LIKELIHOODS, OBJECTIVES, PARADIGMS, SAMPLERS, passes, place
from genlab.map import SCORE_PLACING as SCORE
from genlab.map import SYSTEMS_PLACING as SYSTEMS
from genlab_course.figures import COLOURS, film
from genlab_course.league import Row, load_league
from genlab_course.lesson_01 import COLOURS as COLOURS_FIVE_SAMPLERS
from genlab_course.lesson_01 import EXTENT, RECIPES
from genlab_course.widgets.explorer import Explorer, explore, png

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


COLOUR = {p.name: colour for p, colour in zip(PARADIGMS, COLOURS, strict=True)}
MARK = dict(zip(COLOUR, "os^DP", strict=True))  # not by colour alone


@dataclass(frozen=True)
class Column:
    """A column of the table as an axis."""

    field: str
    label: str
    sign: int  # +1: more is better
    log: bool = True


COLUMNS = {
    "network passes": Column("passes", "network passes a sample", -1),
    "samples a second": Column("samples_per_second", "samples a second", 1),
    "training seconds": Column("train_seconds", "training, seconds", -1),
    "parameters": Column("parameters", "parameters", -1),
    "Fréchet distance": Column("frechet", "Fréchet distance", -1),
    "bits per dimension": Column("bits_per_dim", "bits per dimension, held out", -1, log=False),
    "precision": Column("precision", "precision", 1, log=False),
    "recall": Column("recall", "recall", 1, log=False),
}


def unbeaten(rows: Sequence[Row], across: str, up: str) -> list[Row]:
    """Rows that no other row beats in both columns.

    Args:
        rows: of the table.
        across: a key of `COLUMNS`.
        up: another.

    Returns:
        Those with both numbers, such that no row is at least as good in both and better in one.

    Example:
        >>> len(unbeaten(load_league(), "network passes", "network passes")) >= 1
        True
    """
    a, b = COLUMNS[across], COLUMNS[up]
    points = {
        row.name: (a.sign * getattr(row, a.field), b.sign * getattr(row, b.field))
        for row in rows
        if None not in (getattr(row, a.field), getattr(row, b.field))
    }
    beaten = {
        name
        for name, (x, y) in points.items()
        for u, v in points.values()
        if u >= x and v >= y and (u, v) != (x, y)
    }
    return [row for row in rows if row.name in points and row.name not in beaten]


def league_picture(rows: Sequence[Row] | None = None) -> Explorer:
    """Choose what stands across and what upwards; the unbeaten models are ringed.

    Args:
        rows: of the table; those that ship when None.

    Returns:
        The widget.
    """
    rows = load_league() if rows is None else rows
    figure, ax = plt.subplots(figsize=(7.4, 4.2), layout="constrained")

    def update(across: str, up: str) -> str:
        ax.clear()
        a, b = COLUMNS[across], COLUMNS[up]
        shown = [r for r in rows if None not in (getattr(r, a.field), getattr(r, b.field))]
        best = unbeaten(rows, across, up)
        for row in shown:
            x, y = getattr(row, a.field), getattr(row, b.field)
            ring = "#111111" if row in best else "none"
            ax.plot([x], [y], MARK[row.family], color=COLOUR[row.family], markersize=10,
                    markeredgecolor=ring, markeredgewidth=1.8)  # fmt: skip
            ax.annotate(row.name.removeprefix("digit_"), (x, y), xytext=(7, 5),
                        textcoords="offset points", fontsize=8)  # fmt: skip
        ax.set(xlabel=_better(a), ylabel=_better(b))
        ax.set_xscale("log" if a.log else "linear")
        ax.set_yscale("log" if b.log else "linear")
        for axis, column, width in ((ax.xaxis, a, 0), (ax.yaxis, b, 5)):
            if column.log:
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(partial(_short, width))
                axis.set_minor_locator(NullLocator())
        ax.margins(x=0.28, y=0.12)  # room for the longest name
        absent = [r.name.removeprefix("digit_") for r in rows if r not in shown]
        names = ", ".join(row.name.removeprefix("digit_") for row in best)
        without = f" No number for: {', '.join(absent)}." if absent else ""
        return f"Nobody beats in both: <b>{names}</b>.{without}"

    options = list(COLUMNS)
    return explore(
        figure,
        update,
        across=_menu("across", options, "network passes"),
        up=_menu("up", options, "Fréchet distance"),
    )


def _better(column: Column) -> str:
    return f"{column.label} ({'more' if column.sign > 0 else 'less'} is better)"


def _short(width: int, value: float, _: int) -> str:
    """The number with k for thousands; upwards as wide as any other, so that the layout stays."""
    said = f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
    return said.rjust(width, "\u2007")  # the space of a figure


def _menu(description: str, options: list[str], value: str) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=options, value=value, description=description)


@runtime_checkable
class HasLosses(Protocol):
    """One record of a training loop."""

    @property
    def step(self) -> int:
        """1, 2, ..."""

    @property
    def losses(self) -> dict[str, float]:
        """By name."""


R = TypeVar("R", bound=HasLosses)


class Curve:
    """A live plot of every loss against the step, smoothed by a running mean.

    Each drawing replaces the one before it, so that a stored notebook keeps the last.
    """

    def __init__(self, label: str, total: int) -> None:
        self._figure, self._ax = plt.subplots(figsize=(6.0, 2.4), layout="constrained")
        self._ax.set(xlabel="step", ylabel=label)
        self._lines: dict[str, Any] = {}
        self._total, self._begun = total, time.perf_counter()
        plt.close(self._figure)
        self._handle: Any = display(self._picture(), display_id=True)  # type: ignore[no-untyped-call]

    def draw(self, records: list[Any]) -> None:
        """Show the records so far.

        Args:
            records: at least one, each with `step` and `losses`.
        """
        steps = [r.step for r in records]
        for name in records[-1].losses:
            if name not in self._lines:
                (self._lines[name],) = self._ax.plot([], [], label=name)
            self._lines[name].set_data(steps, _smooth([r.losses[name] for r in records]))
        if len(self._lines) > 1:
            self._ax.legend()
        self._ax.relim()
        self._ax.autoscale_view()
        self._ax.set_title(self._progress(len(records)), loc="right", fontsize=9)
        if self._handle:  # there is none outside a notebook
            self._handle.update(self._picture())

    def _picture(self) -> Image:
        return Image(png(self._figure), alt="training curve")  # type: ignore[no-untyped-call]

    def _progress(self, done: int) -> str:
        """How far, and how long it still takes; the last drawing names no time."""
        left = (time.perf_counter() - self._begun) / done * (self._total - done)
        return f"{done} of {self._total}" + (f", {left:.0f} s left" if done < self._total else "")


def _smooth(values: list[float], weight: float = 0.9) -> list[float]:
    out, mean = [], 0.0
    for k, value in enumerate(values, 1):
        mean = weight * mean + (1 - weight) * value
        out.append(mean / (1 - weight**k))
    return out


def watch(
    records: Iterable[R], total: int, *, label: str = "loss", every: int | None = None
) -> list[R]:
    """Run a training generator to its end with a live curve that says how far it is.

    Interrupt the kernel and the model keeps what it has learned so far.

    Args:
        records: what `train.fit` or `train.fit_adversarial` returned.
        total: how many records to expect.
        label: unit or name on the vertical axis.
        every: steps between redrawings; about twenty in all when None.

    Returns:
        All records, for a static figure beside the live one.
    """
    curve, seen = Curve(label, total), list[R]()
    every = every or max(1, total // 20)
    for record in records:
        seen.append(record)
        if record.step % every == 0:
            curve.draw(seen)
    if seen:
        curve.draw(seen)
    return seen


def five_samplers(models: Mapping[str, Any], *, n_points: int = 800, seed: int = 0) -> Explorer:
    """Show how far each sampler has come after a share of its own passes.

    Args:
        models: trained models by the names of `lesson_01.RECIPES`.
        n_points: points in each panel.
        seed: of the noise that every sampler starts from.

    Returns:
        The widget; every frame was computed when it was made.
    """
    films = {name: film(model, n_points, seed=seed) for name, model in models.items()}
    figure, axes = plt.subplots(1, len(films), figsize=(9.4, 2.3), layout="constrained")
    clouds, titles = {}, {}
    for ax, name in zip(axes, films, strict=True):
        (clouds[name],) = ax.plot(
            [], [], ".", markersize=2.2, color=COLOURS_FIVE_SAMPLERS[name], alpha=0.6
        )
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
        ax.set_title(
            RECIPES[name].title.split(" (")[0], fontsize=9, color=COLOURS_FIVE_SAMPLERS[name]
        )
        ax.spines[["left", "bottom"]].set_visible(False)
        titles[name] = ax.set_xlabel(" ", fontsize=8.5, color="#555555")

    def update(share: float) -> None:
        for name, frames in films.items():
            done = int(share * (len(frames) - 1) + 1e-9)
            clouds[name].set_data(frames[done][:, 0], frames[done][:, 1])
            word = "pass" if len(frames) == 2 else "passes"
            titles[name].set_text(f"{done} of {len(frames) - 1} {word}")

    slider = ipywidgets.FloatSlider(
        value=0.0, min=0.0, max=1.0, step=0.02, description="share done", readout_format=".0%"
    )
    return explore(figure, update, share=slider)
