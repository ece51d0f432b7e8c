"""The league table as a picture: choose two columns, and see that no corner holds everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

from ..atlas.league import Row, load_league
from ..atlas.paradigms import PARADIGMS
from ..atlas.picture import COLOURS
from .explorer import Explorer, explore

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
