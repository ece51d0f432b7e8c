"""Pictures of the notebook on flow matching: words of dots, lines beside flows, paths, budgets."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from torch import Tensor

from genlab_course.figures import BLUE, GREEN, ORANGE, RED, show_images

LETTERS = (BLUE, ORANGE, GREEN, RED)
GREY = "#888888"


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
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.75))
    for ax, (states, kind, title) in zip(axes, panels, strict=True):
        _dots(ax, states[frame], kind, 5)
        ax.set(xlim=(-2.9, 2.9), ylim=(-1.6, 1.6), title=f"{title}, t = {t:.2f}")
    return figure


def snapshots(shown: Mapping[float, Tensor], kind: Tensor) -> Figure:
    """The dots at some times, each in the colour of the letter where it ends."""
    figure, axes = plt.subplots(1, len(shown), figsize=(10, 1.9))
    for ax, (t, x) in zip(axes, shown.items(), strict=True):
        _dots(ax, x, kind, 1.5)
        ax.set(xlim=(-2.9, 2.9), ylim=(-2, 2), title=f"t = {t}")
    return figure


def _dots(ax: Axes, x: Tensor, kind: Tensor, size: float) -> None:
    colours = [LETTERS[k] for k in kind]
    ax.scatter(x[:, 0], x[:, 1], s=size, c=colours, linewidths=0)
    ax.set_axis_off()


def lines_and_flow(times: Tensor, straight: Tensor, walks: Tensor) -> Figure:
    """Training lines and paths of the flow on the line, coloured by the side where they end."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), sharey=True)
    titles = ("Training lines cross", "The flow does not")
    for ax, paths, title in zip(axes, (straight, walks), titles, strict=True):
        for path in paths[..., 0].T:
            colour = BLUE if path[-1] > -0.2 else RED
            ax.plot(times, path, color=colour, linestyle="-", linewidth=1.2)
        ax.set(xlim=(1, 0), xlabel="time t (noise left, data right)", title=title)
    axes[0].set_ylabel("position x")
    return figure


def race(
    budgets: Sequence[int], errors: Mapping[str, Sequence[float]], rows: Mapping[int, Tensor]
) -> Figure:
    """Errors of solvers against evaluations, and one noise drawn with more and more of them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.1), width_ratios=[1, 2])
    for (name, values), marker, colour in zip(errors.items(), "os", (BLUE, ORANGE), strict=True):
        left.loglog(budgets, values, marker=marker, color=colour)
        left.text(budgets[-1] * 1.1, values[-1], name, color=colour, va="center")
    left.set(xlabel="evaluations (NFE)", ylabel="rms distance from the true end")
    left.set_title("Heun needs short steps")
    left.set_xticks([2, 4, 8, 16, 32], [2, 4, 8, 16, 32])
    left.set_xlim(1.7, 70)
    left.minorticks_off()
    show_images(right, torch.cat(list(rows.values())).clamp(-1, 1))
    right.set_title("The same noise, more evaluations")
    for place, n in enumerate(rows):
        right.text(-2, 13 * place + 6, n, ha="right", va="center")
    return figure


def paths(panels: Mapping[str, Tensor]) -> Figure:
    """One panel a title: points along their ways `(n, b, 2)` from noise (grey) to data (red)."""
    size = (2.9 * len(panels), 3.0)
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained")
    for ax, (title, walk) in zip(axes, panels.items(), strict=True):
        colour = GREY if len(walk) == 2 else BLUE
        ax.plot(*walk.unbind(-1), color=colour, linewidth=1.2, linestyle="-")
        ax.scatter(*walk[0].T, s=22, color="#AAAAAA")
        ax.scatter(*walk[-1].T, s=26, color=RED, zorder=3)
        ax.set(xlim=(-2.1, 2.1), ylim=(-2.15, 1.85), aspect="equal")
        ax.set_axis_off()
        ax.set_title(title, fontsize=10)
    return figure


def times_and_ratios(
    density: Callable[[Tensor], Tensor], curves: Mapping[str, tuple[Tensor, Tensor]]
) -> Figure:
    """The logit-normal density of times; up to three curves of ratios `(n networks, n times)`."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=[1, 1.5])
    fine = torch.linspace(0.005, 0.995, 199)
    left.axhline(1, color=GREY, linestyle="-")
    left.plot(fine, density(fine), color=BLUE)
    left.text(0.02, 1.04, "uniform", color=GREY)
    left.text(0.5, 1.65, "logit-normal", color=BLUE, ha="center")
    left.set(xlabel="time t", ylabel="density of training times", ylim=(0, 2))
    left.set_title("Logit-normal: most at 1/2")
    right.axhline(1, color=GREY, linestyle="-", linewidth=0.8)
    places = ((0.5, 1.75), (0.22, 0.57), (0.44, 0.44))
    for (name, (times, found)), colour, at in zip(
        curves.items(), (BLUE, GREEN, ORANGE), places, strict=False
    ):
        logs = found.log()
        middle, error = logs.mean(0), logs.std(0) / len(logs) ** 0.5
        right.plot(times, middle.exp(), color=colour, linestyle="-", marker="o", markersize=3)
        low, high = (middle - 2 * error).exp(), (middle + 2 * error).exp()
        right.fill_between(times, low, high, color=colour, alpha=0.25, linewidth=0)
        right.text(*at, name, color=colour, ha="center")
    right.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    right.set_yscale("log")
    ticks = (0.4, 0.5, 0.7, 1, 1.4, 2, 3)
    right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    right.set(
        xlabel="time t", ylabel="error, logit-normal / uniform", xlim=(0, 1), ylim=(0.38, 3.6)
    )
    right.minorticks_off()
    right.set_title("At first worse at 1/2 itself, and better around")
    return figure


def label_histograms(made: Mapping[str, Tensor], truth: Callable[[Tensor], Tensor]) -> Figure:
    """Samples `(n, 1)` of each coupling against the true density of their label."""
    figure, axes = plt.subplots(1, len(made), figsize=(10, 2.6), sharey=True)
    bins = torch.linspace(-3.5, 3.5, 71)
    for ax, (name, ends) in zip(axes, made.items(), strict=True):
        ax.hist(ends[:, 0].numpy(), bins.numpy(), density=True, color=BLUE, alpha=0.6)
        ax.plot(bins, truth(bins), color=RED, linestyle="-", linewidth=1.5)
        ax.set(xlabel="sample x", title=name.capitalize())
    axes[0].set_ylabel("density, label c = 1")
    return figure
