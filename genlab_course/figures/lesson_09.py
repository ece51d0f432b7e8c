"""Pictures of lesson 09: ten boxes and their stars, a ruler, its noise, two fractions, copies."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, for_text, show_images

GREY = "#777777"
N_STARS = 3  # for the best of a column; two and one for those that follow


def stars(boxes: Mapping[str, Tensor], columns: Mapping[str, Sequence[float]]) -> Figure:
    """Eight pictures of each box; stars for the three largest values of each column."""
    figure, axes = plt.subplots(
        len(boxes), 2, figsize=(9.4, 0.64 * len(boxes) + 0.3), width_ratios=(5.4, 3.6),
        layout="constrained",
    )  # fmt: skip
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.015, w_pad=0.02, hspace=0, wspace=0)
    ranks = {name: np.argsort(np.argsort(-np.asarray(v))) for name, v in columns.items()}
    for row, ((letter, images), (left, right)) in enumerate(zip(boxes.items(), axes, strict=True)):
        show_images(left, images[:8], n_columns=8)
        left.set_anchor("E")
        left.text(-0.03, 0.5, letter, ha="right", va="center", transform=left.transAxes)
        right.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-1, 1))
        right.set_axis_off()
        for place, rank in enumerate(ranks[name][row] for name in columns):
            n = max(N_STARS - rank, 0)
            x = place + 0.2 * (np.arange(n) - (n - 1) / 2)
            right.plot(x, 0 * x, "*", color=ORANGE, markersize=14, linewidth=0)
            if n == 0:
                right.plot(place, 0, "_", color=GREY, markersize=8, linewidth=0)
    for place, name in enumerate(columns):
        axes[0, 1].text(place, 1.0, name, ha="center", va="bottom", fontsize=10)
    figure.suptitle("Ten boxes, four metrics: which box holds real digits?")
    return figure


def rows(named: Mapping[str, Tensor], title: str) -> Figure:
    """Rows of grey pictures, each with its name at the left."""
    figure, axes = plt.subplots(len(named), 1, figsize=(9.2, 0.74 * len(named) + 0.3))
    for ax, (name, images) in zip(np.atleast_1d(axes), named.items(), strict=True):
        show_images(ax, images, n_columns=len(images))
        ax.set_anchor("E")
        ax.text(-0.012, 0.5, name, ha="right", va="center", transform=ax.transAxes)
    figure.suptitle(title)
    return figure


def ruler(values: Mapping[str, float], real: Sequence[float], title: str) -> Figure:
    """Boxes in the order of their distance on a logarithmic axis; a band where real sets lie."""
    figure, ax = plt.subplots(figsize=(8.6, 0.36 * len(values) + 1.1))
    order = sorted(values, key=lambda name: values[name])
    ax.axvspan(min(real), max(real), color=GREEN, alpha=0.25, linewidth=0)
    for place, name in enumerate(order):
        ax.plot(values[name], place, "o", color=BLUE, linewidth=0, markersize=8)
        ax.text(values[name] * 1.12, place, f"{values[name]:.2f}", va="center", fontsize=10)
    ax.set_xscale("log")
    ax.set_yticks(range(len(order)), order)
    ax.invert_yaxis()
    ax.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    ax.minorticks_off()
    ax.set(xlabel="Fréchet distance to 400 held-out digits (green: ten sets of real ones)",
           xlim=(0.08, 14), title=title)  # fmt: skip
    return figure


def by_size(
    found: Mapping[int, Tensor], limit: float, slope: float, static: Sequence[float]
) -> Figure:
    """Distances of real sets of several sizes, the line through them in 1/n, and tuned static."""
    figure, ax = plt.subplots(figsize=(8.6, 3.4))
    sizes = np.array(list(found))
    for n, values in found.items():
        ax.plot(np.full(len(values), 1 / n), values.numpy(), "o", color=BLUE, alpha=0.5,
                markersize=6, linewidth=0)  # fmt: skip
    line = np.array([0.0, 1 / sizes.min()])
    ax.plot(line, limit + slope * line, "-", color=BLUE)
    ax.plot(0, limit, "s", color=BLUE, markersize=8, clip_on=False)
    ax.plot(np.full(len(static), 1 / 400), static, "X", color=RED, markersize=9, linewidth=0)
    ax.annotate("tuned static, n = 400", (1 / 395, float(np.mean(static))), (1 / 160, 0.08),
                color=for_text(RED), va="center",
                arrowprops={"arrowstyle": "-", "color": RED})  # fmt: skip
    ax.text(1 / 130, 0.85 * (limit + slope / 130), "sets of real digits", color=BLUE, va="top")
    ax.axhline(0, color=GREY, linewidth=1, linestyle=":")
    ax.set_xticks([0, *(1 / sizes)], ["1/∞", *(f"1/{n}" for n in sizes)])
    ax.set(xlabel="1/n", ylabel="Fréchet distance", ylim=(-0.12, None),
           title="Real digits score what their number makes them score")  # fmt: skip
    return figure


def halves(
    points: Mapping[str, tuple[float, float]], aside: Mapping[str, tuple[float, float]]
) -> Figure:
    """(recall, precision) of each box, with its name; `aside` shifts a label, in points."""
    figure, ax = plt.subplots(figsize=(8.2, 4.6))
    for name, (recall, precision) in points.items():
        tuned = "your" in name
        ax.plot(recall, precision, "X" if tuned else "o", color=RED if tuned else BLUE, linewidth=0,
                markersize=9)  # fmt: skip
        dx, dy = aside.get(name, (8, 0))
        ax.annotate(name, (recall, precision), (dx, dy), textcoords="offset points", va="center",
                    ha="left" if dx > 0 else "right", color=for_text(RED) if tuned else BLACK,
                    fontsize=10)  # fmt: skip
    ax.set(xlabel="recall: real digits that lie among the samples", xlim=(-0.04, 1.12),
           ylabel="precision: samples that lie\namong real digits", ylim=(-0.05, 1.08),
           title="One number for what is wrong, another for what is missing")  # fmt: skip
    return figure


def memory(
    steps: Sequence[int], bits: Tensor, frechet: Sequence[float], copies: Sequence[float],
    *, uniform: float, floor: float, honest: float,
) -> Figure:  # fmt: skip
    """A model that is trained for too long: bits (2, s) of training and held-out, two measures."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.3))
    train, held_out = bits.numpy()
    left.loglog(steps, held_out, "o-", color=RED)
    left.loglog(steps, train, "o-", color=BLUE)
    left.axhline(uniform, color=GREY, linewidth=1, linestyle=":")
    left.text(steps[0], uniform * 1.08, "uniform noise", color=GREY)
    left.text(steps[-1], held_out[-1] * 0.55, "held-out", ha="right", color=for_text(RED))
    left.text(steps[-1], train[-1] * 1.7, "training", ha="right", color=BLUE)
    left.set(ylabel="bits per dimension", title="It forgets the world", ylim=(0.1, 40))
    left.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    middle.loglog(steps, frechet, "o-", color=BLUE)
    middle.axhline(floor, color=GREY, linewidth=1, linestyle=":")
    middle.text(steps[-1], floor * 1.1, "real digits", ha="right", color=GREY)
    middle.set(ylabel="Fréchet distance", title="Fréchet approves")
    middle.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    right.semilogx(steps, copies, "o-", color=RED)
    right.axhline(honest, color=GREY, linewidth=1, linestyle=":")
    right.text(steps[0], honest + 0.03, "held-out digits", color=GREY)
    right.set(ylabel="fraction of copies", ylim=(-0.02, 1), title="The copies rise")
    for ax in (left, middle, right):
        ax.set_xlabel("training step")
        ax.minorticks_off()
        ax.set_xticks([30, 100, 300, 1000], ["30", "100", "300", "1,000"])
    return figure


def league(values: Tensor, low: Tensor, high: Tensor, names: Sequence[str]) -> Figure:
    """Strengths with their intervals, the strongest first."""
    figure, ax = plt.subplots(figsize=(8.0, 0.5 * len(names) + 1.2))
    order = torch.argsort(values, descending=True).tolist()
    for place, i in enumerate(order):
        ax.plot([low[i], high[i]], [place, place], "-", color=BLUE, linewidth=3, alpha=0.5)
        ax.plot(values[i], place, "o", color=BLUE, markersize=9)
    ax.set_yticks(range(len(order)), [names[i] for i in order])
    ax.set(xlabel="strength, in log-odds (line: 95 % interval)", ylim=(len(order) - 0.5, -0.5),
           title="A place in the table is an interval")  # fmt: skip
    return figure
