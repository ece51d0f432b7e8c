"""The pictures of lesson 15, each from data that the notebook computes."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from genlab_course.figures import BLUE, COLOURS, GREEN, ORANGE, RED, show_images

MARKS = dict(zip(COLOURS, "os^DP", strict=True))  # not by colour alone
SHORT = {
    "autoregressive": "AR", "latent-variable": "latent", "score / diffusion": "score",
    "denoising of tokens": "tokens denoised", "parallel-refinement": "refinement",
}  # fmt: skip
VERDICTS = {
    "right": (*to_rgb(GREEN), 0.2), "wrong": (*to_rgb(RED), 0.35), "no answer": "#EEEEEE",
}  # fmt: skip


def frame(reels: Mapping[str, Sequence[torch.Tensor]], n_calls: int) -> Figure:
    """Four digits (4, 1, 8, 8) of each of six models, in grey levels, after `n_calls` calls."""
    figure, axes = plt.subplots(2, 3, figsize=(6.4, 4.9))
    for ax, (name, states) in zip(axes.flat, reels.items(), strict=True):
        x = states[min(n_calls, len(states) - 1)].reshape(4, 1, 8, 8).float()
        grey = x.clamp(0, 16) / 8 - 1  # as colour: one scale for all frames
        show_images(ax, grey.expand(-1, 3, -1, -1), n_columns=2, title=name)
    figure.suptitle(f"after {n_calls} sequential calls", fontsize=12)
    return figure


def new_pixels(marks: Mapping[str, tuple[str, torch.Tensor]]) -> Figure:
    """Which of 64 pixels (down) are new in which call (across): name -> (family, (64, calls))."""
    widths = [max(8, new.shape[1]) for _, new in marks.values()]
    figure, axes = plt.subplots(1, len(marks), figsize=(9.4, 3.4), sharey=True, width_ratios=widths)
    for ax, (name, (family, new)) in zip(axes, marks.items(), strict=True):
        n_calls = new.shape[1]
        ax.imshow(
            new.numpy(), cmap=ListedColormap(["#F3F3F3", COLOURS[family]]), vmin=0, vmax=1,
            aspect="auto", interpolation="nearest", extent=(0.5, n_calls + 0.5, 64.5, 0.5),
        )  # fmt: skip
        ax.set(title=name, xlabel="call", xticks=sorted({1, n_calls}))
    axes[0].set(ylabel="pixel, row by row", yticks=[1, 64])
    return figure


def verdicts(grid: Mapping[str, Sequence[tuple[str, float, str]]]) -> Figure:
    """What a reader says: release -> (answer, confidence, verdict) of each of four blanks."""
    figure, ax = plt.subplots(figsize=(10.4, 0.42 * len(grid) + 1.1))
    for y, (name, answers) in enumerate(grid.items()):
        ax.text(-0.03, y, name, ha="right", va="center", fontsize=10)
        for x, (said, sure, verdict) in enumerate(answers):
            ax.add_patch(Rectangle((x, y - 0.46), 0.98, 0.92, color=VERDICTS[verdict]))
            for long, brief in SHORT.items():
                said = said.replace(long, brief)
            sign = "× " if verdict == "wrong" else ""
            silent = "no answer" in (said, verdict)
            words = "no answer" if silent else f"{sign}{said} ({sure:.2f})"
            ax.text(x + 0.02, y, words, va="center", fontsize=9)
    for x, blank in enumerate(("place", "objective", "sampler", "likelihood")):
        ax.text(x + 0.02, -0.75, blank, fontsize=10, fontweight="bold")
    meant = {"right": "right", "wrong": "× wrong", "no answer": "no answer, though the key has one"}
    key = [Rectangle((0, 0), 1, 1, color=VERDICTS[k], label=said) for k, said in meant.items()]
    ax.legend(handles=key, ncols=3, loc="upper left", bbox_to_anchor=(0, 0), frameon=False)
    ax.set(xlim=(0, 4), ylim=(len(grid) - 0.4, -1.1))
    ax.set_title("Sure, and wrong in every blank: LLaDA")
    ax.set_axis_off()
    return figure


def two_splits(apart: float, error: float, mixed: Sequence[float]) -> Figure:
    """Accuracy on systems apart, with its standard error, beside random splits."""
    figure, ax = plt.subplots(figsize=(7.2, 2.1))
    ax.errorbar([apart], [0], xerr=[error], fmt="o", color=BLUE, capsize=4, markersize=8)
    heights = 1 + 0.18 * (np.arange(len(mixed)) - (len(mixed) - 1) / 2)  # equal ones stay apart
    ax.plot(mixed, heights, "s", color=ORANGE, markersize=7)
    ax.annotate("bar: one standard error", (apart + error, 0), (8, 0),
                textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    ax.set_yticks([0, 1], ["systems apart", "random splits"])
    ax.set(
        xlabel="fraction of test texts with exactly the right families", ylim=(-0.6, 1.6),
        title="A random split flatters",
    )  # fmt: skip
    return figure


def league(ordered: Sequence[Any], names: Sequence[str], n_front: int, floor: float) -> Figure:
    """Five trainings of each recipe, best first; `names` at the lines, a gap after `n_front`."""
    figure, ax = plt.subplots(figsize=(8.4, 4.3))
    for y, row in enumerate(ordered):
        ax.plot(
            row.frechet, [y] * len(row.frechet), MARKS[row.family], color=COLOURS[row.family],
            markersize=8, alpha=0.7, linestyle="", label=row.family,
        )  # fmt: skip
    front, rest = ordered[:n_front], ordered[n_front:]
    ax.axvspan(max(max(r.frechet) for r in front), min(min(r.frechet) for r in rest), color="0.93")
    ax.axvline(floor, color="0.3", linewidth=1, linestyle=":")
    ax.text(floor + 0.005, len(ordered) - 0.6, "real digits", fontsize=9, color="0.3")
    labels = [f"{n} ({r.passes})" for n, r in zip(names, ordered, strict=True)]
    ax.set_yticks(np.arange(len(ordered)), labels)
    ax.invert_yaxis()
    ax.set(
        xlabel="Fréchet distance (lower is better)", xlim=(0, 0.95),
        ylabel="recipe (sequential calls)", title="Five trainings each: one gap that none crosses",
    )  # fmt: skip
    kinds = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(kinds.values(), kinds.keys(), fontsize=9, loc="upper right")
    return figure
