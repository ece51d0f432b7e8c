"""Pictures of the notebook on few steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from genlab_course.figures import BLUE, GREEN, ORANGE, PINK, RED, show, show_images

BLACK, GREY = "#222222", "#999999"
Jump = tuple[float, float, Tensor, Tensor, Tensor]  # from t, to r, start, end of chord, of tangent


def rows(pictures: Mapping[str, Tensor], *, title: str, alt: str) -> None:
    """Show rows of ten 12 x 12 digits in [-1, 1], the digits asked for above, names at the left."""
    n = len(pictures)
    figure, ax = plt.subplots(figsize=(9, 0.8 + 0.78 * n))
    drawn = [x.reshape(10, 1, 12, 12).clamp(-1, 1) for x in pictures.values()]
    show_images(ax, torch.cat(drawn))
    ax.set_title(title, pad=24)
    for k, name in enumerate(pictures):
        ax.text(-2, 13 * k + 6, name, ha="right", va="center", fontsize=10)
    for digit in range(10):
        ax.text(13 * digit + 5.5, -2, str(digit), ha="center", va="bottom", fontsize=10)
    ax.text(-2, -2, "asked for", ha="right", va="bottom", fontsize=10)
    show(figure, alt)


def why_few_steps_fail(
    times: Sequence[float],
    tracks: Tensor,
    first_steps: Tensor,
    noise: Tensor,
    ends: Mapping[Any, Tensor],
) -> None:
    """Paths of the exact flow with Euler's single steps, and where 1, 2, 4 steps land."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5))
    left.plot(times, tracks, color=GREY, linestyle="-", linewidth=2)
    for start, end in zip(tracks[0], first_steps[:, 0], strict=True):
        left.plot([1, 0], [start, end], color=RED, linestyle=":", linewidth=1.2)
    left.text(0.33, 1.28, "exact paths", color="#666666")
    left.text(0.62, -1.78, "one Euler step each, from t = 1 to 0", color=RED)
    left.set(xlim=(1, 0), ylim=(-2, 2), xlabel="time t (noise left, data right)", ylabel="x")
    left.set_title("paths bend, Euler's step does not", size=11)
    looks = {1: (RED, "-"), 2: (ORANGE, "-"), 4: (GREEN, "-"), "exact": (BLACK, ":")}
    places = {1: (1.2, 0.08), 2: (0.62, 0.42), 4: (-1.9, -0.82), "exact": (-1.25, -1.3)}
    for name, end in ends.items():
        colour, line = looks[name]
        right.plot(noise, end, color=colour, linestyle=line)
        words = "exact" if name == "exact" else f"{name} step{'s' * (name > 1)}"
        right.text(*places[name], words, color=colour)
    right.set(xlabel="noise", ylabel="sample", xlim=(-2.6, 2.6), ylim=(-1.4, 1.4))
    right.set_title("one step: the mean; four: nearly two points", size=11)
    alt = (
        "Left: grey paths of the exact flow from noise to -1 and 1, which bend; red dotted Euler "
        "steps from the same noise all end at 0. Right: sample against noise; one step is flat at "
        "zero, two steps follow a tanh, four steps are near the exact staircase."
    )
    show(figure, alt)


CHORDS = (
    "Film. Left: a bent path of the flow with a point x on it at t = 0.9. As r goes from t to 0, "
    "a blue chord leads from x to the place of the path at time r; a dotted tangent leaves the "
    "path. Right: twelve paths from noise to -1 and 1. At r = 0 all tangents from the noise meet "
    "at 0, and each chord ends at a sample."
)


def chords(times: Sequence[float], tracks: Sequence[Tensor], jumps: Sequence[Jump]) -> Figure:
    """One frame: a jump as a chord of one path; chords and tangents of many from pure noise."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.3))
    for ax, paths, (t, r, start, end, tangent) in zip(axes, tracks, jumps, strict=True):
        ax.plot(times, paths, color=GREY, linestyle="-", linewidth=4, alpha=0.4)
        for place, colour, line in ((tangent, RED, ":"), (end, BLUE, "-")):
            ends = torch.stack([start, place])
            ax.plot([[t] * len(place), [r] * len(place)], ends, color=colour, linestyle=line)
            ax.plot([r] * len(place), place, "o", color=colour, markersize=4, clip_on=False)
        ax.set(xlim=(1, 0), xlabel="time t (noise left, data right)", ylabel="x")
    t, r, start, *_ = jumps[0]
    axes[0].plot([t], start, "o", color=BLACK, markersize=5)
    for words, x, y, colour in (
        ("$x$ at time $t$", 0.97, 0.13, BLACK),
        ("chord: ends on the path, at $y_r$", 0.97, 0.92, BLUE),
        ("tangent: Euler's step", 0.75, -0.03, RED),
        ("path of the flow", 0.36, 0.26, "#666666"),
    ):
        axes[0].text(x, y, words, color=colour, fontsize=10)
    axes[0].set(ylim=(-0.15, 1.05))
    axes[0].set_title(f"a jump from t = {t:.1f} to r = {r:.2f}: a chord", size=11)
    axes[1].set(ylim=(-2, 2))
    axes[1].set_title(f"from pure noise to r = {jumps[1][1]:.2f}", size=11)
    return figure


LOOKS = {
    "flow matching": (RED, "o"),
    "consistency distillation": (BLUE, "s"),
    "consistency training": (GREEN, "D"),
    "shortcut": (ORANGE, "^"),
    "MeanFlow": (PINK, "v"),
}


def race(record: Mapping[str, Any], *, floor: float, title: str, alt: str) -> None:
    """Fréchet distance against evaluations, means and standard errors; the floor of real digits."""
    figure, ax = plt.subplots(figsize=(8, 4))
    counts = (1, 2, 4, 8)
    for name, (colour, mark) in LOOKS.items():
        values = np.array([seed["guess"][name] for seed in record["seeds"]])
        mean, error = values.mean(0), values.std(0, ddof=1) / len(values) ** 0.5
        ax.errorbar(counts, mean, error, color=colour, marker=mark, linestyle="-", capsize=3)
        if name == "consistency training":  # at the left it would cover distillation
            ax.text(8.5, mean[-1], name, color=colour, va="center")
        else:
            ax.text(0.95, mean[0], name, color=colour, ha="right", va="center")
    long = np.mean([seed["long"] for seed in record["seeds"]])
    for place, words in ((long, "flow matching, 32 steps"), (floor, "other real digits")):
        ax.axhline(place, color=BLACK, linestyle=":")
        ax.text(0.95, place, words, ha="right", va="bottom", color=BLACK)
    ax.set(xscale="log", yscale="log", xlim=(0.3, 22), xlabel="evaluations per drawing")
    ax.set_ylabel("Fréchet distance (lower is better)")
    ax.set_title(title, size=11)
    ax.set_xticks(counts, [str(k) for k in counts])
    ax.set_yticks((1, 2, 3, 4, 6, 8, 14), ("1", "2", "3", "4", "6", "8", "14"))
    ax.minorticks_off()
    show(figure, alt)


def losses(curves: Mapping[str, Sequence[float]], *, title: str, alt: str) -> None:
    """The loss of each step of several trainings, on a logarithmic axis."""
    figure, ax = plt.subplots(figsize=(8, 3))
    for (name, values), colour in zip(curves.items(), (RED, BLUE, GREEN), strict=False):
        ax.plot(values, color=colour, linestyle="-", linewidth=1)
        ax.text(len(values) + 3, np.median(values[-30:]), name, color=colour, va="center")
    ax.set(yscale="log", xlabel="training step", ylabel="MeanFlow loss")
    ax.set_xticks(range(0, max(map(len, curves.values())) + 1, 100))
    ax.set_xlim(0, 1.3 * max(map(len, curves.values())))
    ax.set_title(title, size=11)
    show(figure, alt)
