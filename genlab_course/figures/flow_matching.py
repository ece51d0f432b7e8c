"""Pictures of the notebook on flow matching: words of dots, lines beside flows, paths, budgets."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from numpy.typing import NDArray
from torch import Tensor

from genlab_course.figures import BLUE, GREEN, ORANGE, RED, for_text, show_images

LETTERS = (BLUE, ORANGE, GREEN, RED)
GREY = "#888888"
BETWEEN = -0.6  # below it, the lower of the two clusters is the likelier one


def word_dots(word: str, *, spacing: float) -> tuple[Tensor, Tensor]:
    """Dots on a lattice inside the letters of a word, `(n, 2)`, and the letter of each, `(n,)`."""
    dots = []
    letter: list[int] = []
    left = 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold")
    for number, character in enumerate(word):
        path = TextPath((left, 0), character, size=1, prop=font)
        box = path.get_extents()
        x = torch.arange(box.x0, box.x1, spacing)
        y = torch.arange(box.y0, box.y1, spacing)
        lattice = torch.cartesian_prod(x, y) + spacing / 2
        outlines = [Path(corners) for corners in path.to_polygons()]
        rings = [torch.from_numpy(o.contains_points(lattice.numpy())).int() for o in outlines]
        ink = torch.stack(rings).sum(0) % 2 == 1  # inside an odd number of outlines
        dots.append(lattice[ink])
        letter += [number] * len(dots[-1])
        left = box.x1 + 0.08
    found = torch.cat(dots)
    middle = (found.amin(0) + found.amax(0)) / 2
    return ((found - middle) * 5.2 / left).float(), torch.tensor(letter)


def clouds(panels: Sequence[tuple[Sequence[Tensor], Tensor, str]], frame: int, t: float) -> Figure:
    """One frame of the opening film: for each panel its states, letters and title."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    for ax, (states, kind, title) in zip(axes, panels, strict=True):
        _dots(ax, states[frame], kind, 5)
        ax.set(xlim=(-2.9, 2.9), ylim=(-2.2, 2.2), title=f"{title}, t = {t:.2f}")
    return figure


def snapshots(shown: Mapping[float, Tensor], kind: Tensor) -> Figure:
    """The dots at four falling times, each in the colour of the letter where it ends."""
    heights = (2.4, 1.3)  # half of what each row shows
    figure, axes = plt.subplots(2, 2, figsize=(7.5, 4.6), height_ratios=heights)
    for place, (t, x) in enumerate(shown.items()):
        ax = axes.flat[place]
        _dots(ax, x, kind, 5)
        half = heights[place // 2]
        ax.set(xlim=(-2.9, 2.9), ylim=(-half, half), title=f"t = {t}")
    return figure


def _dots(ax: Axes, x: Tensor, kind: Tensor, size: float) -> None:
    colours = [LETTERS[k] for k in kind]
    ax.scatter(x[:, 0], x[:, 1], s=size, c=colours, linewidths=0)
    ax.set_axis_off()


def lines_and_flow(times: Tensor, straight: Tensor, walks: Tensor) -> Figure:
    """Training lines and paths of a flow of numbers, coloured by the cluster where they end."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), sharey=True)
    titles = ("Training lines cross", "The flow does not")
    for ax, paths, title in zip(axes, (straight, walks), titles, strict=True):
        for path in paths[..., 0].T:
            colour = BLUE if path[-1] > BETWEEN else RED
            ax.plot(times, path, color=colour, linestyle="-", linewidth=1.2)
        ax.set(xlim=(1, 0), xlabel="time t (noise left, data right)", title=title)
    axes[0].set_ylabel("position x")
    return figure


def race(
    budgets: Sequence[int], errors: Mapping[str, Sequence[float]], rows: Mapping[int, Tensor]
) -> Figure:
    """Errors of solvers against evaluations, and one noise drawn with more and more of them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), width_ratios=[1, 2.8])
    for (name, values), marker, colour in zip(errors.items(), "os", (BLUE, ORANGE), strict=True):
        left.loglog(budgets, values, marker=marker, color=colour)
        left.text(budgets[-1] * 1.1, values[-1], name, color=for_text(colour), va="center")
    left.set(xlabel="evaluations (NFE)", ylabel="rms distance from the true end")
    left.set_title("Heun needs short steps")
    left.set_xticks([2, 4, 8, 16, 32], [2, 4, 8, 16, 32])
    left.set_xlim(1.7, 100)
    left.minorticks_off()
    show_images(right, torch.cat(list(rows.values())).clamp(-1, 1))
    right.set_title("The same noise, more evaluations")
    for place, n in enumerate(rows):
        right.text(-2, 13 * place + 6, n, ha="right", va="center")
    return figure


def after_reflow(
    far: Mapping[str, Mapping[int, NDArray[np.float64]]], ways: Mapping[str, Tensor], radius: float
) -> Figure:
    """Distances from data of several couplings, and paths as distances from the centre of a ring.

    Left: lowest to highest of the networks, by Euler steps. Then `(n + 1, b, 2)` a panel.
    """
    size = (3.3 * (1 + len(ways)), 3.3)
    figure, axes = plt.subplots(1, 1 + len(ways), figsize=size, layout="constrained")
    colours = (GREY, ORANGE, BLUE, RED)
    for (name, by_steps), colour in zip(far.items(), colours, strict=False):
        steps, found = list(by_steps), np.stack(list(by_steps.values()))
        axes[0].fill_between(steps, found.min(1), found.max(1), color=colour, alpha=0.3)
        axes[0].plot(steps, found.mean(1), color=colour, marker="o", markersize=3, linestyle="-")
        side = "bottom" if found[0].mean() > 2 * found[-1].mean() else "top"  # whence it comes
        end = found[-1].mean()
        axes[0].text(60, end, name, color=for_text(colour), va=side, fontsize=9)
    axes[0].set(xscale="log", yscale="log", xlim=(0.9, 900), xlabel="Euler steps")
    axes[0].set_ylabel("squared energy distance")
    axes[0].set_xticks([1, 2, 4, 50], [1, 2, 4, 50])
    axes[0].minorticks_off()
    axes[0].set_title("After reflow, one step nearly does", fontsize=10)
    for ax, (title, walk), colour in zip(axes[1:], ways.items(), colours[1:], strict=False):
        times = torch.linspace(1, 0, len(walk))
        ax.plot(times, walk.norm(dim=-1), color=colour, linewidth=1.2, linestyle="-")
        ax.axhline(radius, color=GREY, linestyle=":", linewidth=1)
        ax.set(xlim=(1, 0), ylim=(0, 2.5), xlabel="time t (noise left, data right)")
        ax.set_title(title, fontsize=10)
    axes[1].set_ylabel("distance from the centre")
    return figure


def paths_and_chords(times: Tensor, walk: Tensor) -> Figure:
    """Paths `(n, k)` of a flow of numbers against time, each with its chord."""
    figure, ax = plt.subplots(figsize=(6.5, 3.2))
    for path in walk.T:
        ax.plot(times, path, color=BLUE, linestyle="-", linewidth=1.8)
        ax.plot([1, 0], path[[0, -1]], color=GREY, linestyle="--", linewidth=1.2)
    ax.text(-0.01, float(walk[-1, -1]), " path", color=for_text(BLUE), va="center")
    middle = float(walk[[0, -1], 0].mean())
    ax.text(0.5, middle + 0.05, "chord", color=for_text(GREY), ha="center", va="bottom")
    ax.set(xlim=(1, -0.12), xlabel="time t (noise left, data right)", ylabel="position x")
    ax.set_title("Paths bend away from their chords")
    return figure


def error_ratios(times: Tensor, found: Tensor) -> Figure:
    """Ratios of errors `(n networks, n times)`: their geometric mean and twice its error."""
    figure, ax = plt.subplots(figsize=(7, 3.4))
    logs = found.log()
    middle, error = logs.mean(0), logs.std(0) / len(logs) ** 0.5
    ax.axhline(1, color=GREY, linestyle="-", linewidth=0.8)
    ax.plot(times, middle.exp(), color=BLUE, linestyle="-", marker="o", markersize=3)
    low, high = (middle - 2 * error).exp(), (middle + 2 * error).exp()
    ax.fill_between(times, low, high, color=BLUE, alpha=0.25, linewidth=0)
    ax.set_yscale("log")
    ticks = (0.5, 0.7, 1, 1.4, 2, 3)
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set(xlabel="time t", ylabel="error, logit-normal / uniform", xlim=(0, 1), ylim=(0.5, 3.6))
    ax.text(0.5, 2.6, "band: two standard errors\nof eight networks", color=GREY, ha="center")
    ax.minorticks_off()
    ax.set_title("Logit-normal times: mostly better inside, worse at both ends")
    return figure


def label_histograms(
    made: Mapping[str, Tensor], right: Tensor, truth: Callable[[Tensor], Tensor]
) -> Figure:
    """Samples `(n, 1)` of each coupling, by the half of their noise, and their label's density."""
    figure, axes = plt.subplots(1, len(made), figsize=(10, 3), sharey=True)
    bins = torch.linspace(-3, 3.5, 66)
    for ax, (name, ends) in zip(axes, made.items(), strict=True):
        halves = [ends[right, 0].numpy(), ends[~right, 0].numpy()]
        weights = [torch.full((len(half),), 10 / len(ends)).numpy() for half in halves]
        ax.hist(halves, bins.numpy(), weights=weights, stacked=True, color=[BLUE, ORANGE])
        ax.plot(bins, truth(bins), color="black", linestyle="-", linewidth=1.5)
        ax.set(xlabel="sample x", title=name.capitalize())
    axes[0].set_ylabel("density, label c = 1")
    axes[0].text(-2.9, 0.75, "noise > 0", color=for_text(BLUE))
    axes[0].text(-2.9, 0.65, "noise < 0", color=for_text(ORANGE))
    axes[0].text(-2.9, 0.55, "data", color="black")
    return figure
