"""One look for every figure of the course: colour-blind safe, opaque, legible at half size."""

import os
import zlib
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from genlab.map import FAMILIES, FRONTIER, LESSONS, PARADIGMS, SYSTEMS, Paradigm, lit
from genlab.train.fit import keep_freed_memory

BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#222222",
)  # fmt: skip
OKABE_ITO = (BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK)

STYLE: dict[str, Any] = {
    "figure.figsize": (8.0, 3.2),
    "figure.dpi": 90,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "white",
    "axes.prop_cycle": cycler(color=OKABE_ITO)
    + cycler(linestyle=["-", "--", "-.", ":", "-", "--", "-."]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titley": 1.0,  # where it would be anyway; to look for it costs a tenth of a drawing
    "axes.labelsize": 10,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "image.cmap": "viridis",
}


def begin(lesson: int | str, *, threads: int | None = None) -> None:
    """Start a lesson or lab: the figures' style, seeds of its own, memory that stays, one thread.

    The networks are so small that several threads mostly wait for each other, ten times longer than
    they work when the machine is shared; the environment variable GENLAB_THREADS asks for more.
    """
    seed = zlib.crc32(lesson.encode()) if isinstance(lesson, str) else lesson
    if isinstance(lesson, int) and not 1 <= lesson <= 15:
        raise ValueError(f"lessons are numbered 1 to 15, got {lesson}")
    if threads is None:
        threads = int(os.environ.get("GENLAB_THREADS", "1"))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    torch.set_num_threads(threads)
    keep_freed_memory()
    for name, value in STYLE.items():
        mpl.rcParams[name] = value  # type: ignore[index]
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    np.random.seed(seed)  # noqa: NPY002 - libraries that ask for no generator use this one


def show_images(ax: Axes, images: torch.Tensor, *, n_columns: int = 10, title: str = "") -> None:
    """Draw one-channel images `(n, 1, h, w)` as one grid, light ink on dark ground."""
    x = images.detach().cpu().float().reshape(len(images), *images.shape[-2:])
    n_rows = -(-len(x) // n_columns)
    h, w = x.shape[1:]
    canvas = torch.full((n_rows * (h + 1) - 1, n_columns * (w + 1) - 1), float(x.min()))
    for i, image in enumerate(x):
        r, c = divmod(i, n_columns)
        canvas[r * (h + 1) : r * (h + 1) + h, c * (w + 1) : c * (w + 1) + w] = image
    ax.imshow(canvas.numpy(), cmap="gray", interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)


COLOURS = dict(zip(FAMILIES, (BLUE, SKY, ORANGE, RED, GREEN), strict=True))
WIDTH, GAP = 2.5, 0.14


def draw_map(lesson: int | str) -> Figure:
    """Draw the map of the course: one card a paradigm, the lesson's or lab's own in colour."""
    bright = lit(lesson)
    figure, ax = plt.subplots(figsize=(11.0, 2.75), layout="none")
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.99)
    for column, (paradigm, colour) in enumerate(zip(PARADIGMS, COLOURS.values(), strict=True)):
        _card(ax, column * (WIDTH + GAP), paradigm, colour, paradigm.name in bright)
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
    if lesson in FRONTIER:
        return f"Frontier  {FRONTIER[str(lesson)][0]}"
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
        ("learn", paradigm.objectives[0]),
        ("sample", paradigm.draws),
        ("NFE", paradigm.evaluations),
        ("log p(x)", paradigm.likelihoods[0]),
        ("pays", paradigm.pays),
    ]
    for row, (label, value) in enumerate(rows):
        y = 1.80 - 0.37 * row
        ax.text(x + 0.08, y, label, fontsize=7.2, color="#666666" if bright else "#AAAAAA")
        ax.text(x + 0.62, y, value, fontsize=8.0, color=ink)
