"""The map as a picture, with one lesson's or one system's place lit."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from .paradigms import LESSONS, PARADIGMS, SYSTEMS, Paradigm, lit

COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73")
WIDTH, GAP = 2.5, 0.14


def draw_map(lesson: int | str) -> Figure:
    """Draw the map of the course: one card a paradigm, the lesson's own in colour.

    Args:
        lesson: 1..15, or the name of a system's lab.

    Returns:
        The figure; end the cell with a semicolon.

    Raises:
        ValueError: there is no such lesson or lab.
    """
    bright = lit(lesson)
    figure, ax = plt.subplots(figsize=(11.0, 2.75), layout="none")
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.99)
    for column, (paradigm, colour) in enumerate(zip(PARADIGMS, COLOURS, strict=True)):
        _card(ax, column * (WIDTH + GAP), paradigm, colour, paradigm in bright)
    right = len(PARADIGMS) * (WIDTH + GAP) - GAP
    ax.text(0, 3.34, _title(lesson), fontsize=13, weight="bold")
    ax.text(
        right, 3.34, "a likelihood you can compute  ⟵    ⟶  only samples, or a gradient",
        ha="right", fontsize=9, color="#555555",
    )  # fmt: skip
    ax.set(xlim=(-0.05, right + 0.05), ylim=(-0.05, 3.65))
    ax.set_axis_off()
    return figure


def _title(lesson: int | str) -> str:
    if isinstance(lesson, str):
        return f"System {list(SYSTEMS).index(lesson) + 1}  {SYSTEMS[lesson][0]}"
    return f"Lesson {lesson:02d}  {LESSONS[lesson]}"


def _card(ax: Axes, x: float, paradigm: Paradigm, colour: str, bright: bool) -> None:
    ink = "#111111" if bright else "#8A8A8A"
    ax.add_patch(
        FancyBboxPatch(
            (x + 0.06, 0.06), WIDTH - 0.12, 3.0, boxstyle="round,pad=0.06",
            facecolor="white" if bright else "#F6F6F6",
            edgecolor=colour if bright else "#D5D5D5", linewidth=2.6 if bright else 1.0,
        )
    )  # fmt: skip
    middle = x + WIDTH / 2
    ax.text(middle, 2.76, paradigm.name, ha="center", weight="bold", fontsize=11,
            color=colour if bright else "#8A8A8A")  # fmt: skip
    ax.text(middle, 2.27, f"${paradigm.equation}$", ha="center", fontsize=9.5, color=ink)
    rows = [
        ("learn", paradigm.objective),
        ("sample", paradigm.sampler),
        ("passes", paradigm.passes),
        ("log p(x)", paradigm.likelihood),
        ("pays", paradigm.pays),
    ]
    for row, (label, value) in enumerate(rows):
        y = 1.80 - 0.37 * row
        ax.text(x + 0.08, y, label, fontsize=7.2, color="#666666" if bright else "#AAAAAA")
        ax.text(x + 0.62, y, value, fontsize=8.0, color=ink)
