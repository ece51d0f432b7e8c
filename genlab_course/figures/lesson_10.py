"""Pictures of lesson 10: marbles on a landscape, barriers and springs, what trainings learned."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from genlab.oracles import GaussianMixture
from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, for_text, show_images

GREY = "#777777"
REACH, SIDE = 3.2, 48  # of the plane that is shown: half its width, cells along it
GROUND = LinearSegmentedColormap.from_list("ground", ["#FFFFFF", ORANGE])
Above = Callable[[Tensor], Tensor]  # points (n, 2) to which of them lie above


def _lattice(side: int = SIDE) -> Tensor:
    line = torch.linspace(-REACH, REACH, side)
    return torch.cartesian_prod(line, line)  # (side^2, 2), the first coordinate slow


def _ground(ax: Axes, density: GaussianMixture, *, blur: float = 0.25) -> None:
    """Tint the plane where the density is high, each level of noise by its own measure."""
    height = density.noised(1.0, blur).log_prob(_lattice()).reshape(SIDE, SIDE).T
    tint = (height - height.max()).div(3.0).exp()  # a cube root: the faint is seen as well
    steps = (tint * 5).round() / 5  # few colours: a film is a small file
    ax.imshow(steps.numpy(), cmap=GROUND, vmin=0, vmax=1.6, origin="lower",
              extent=(-REACH, REACH, -REACH, REACH), interpolation="nearest")  # fmt: skip


def _bare(ax: Axes, title: str = "") -> None:
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title)


def _dots(ax: Axes, x: Tensor) -> None:
    ax.plot(*x.clamp(-REACH, REACH).T.numpy(), ".", color=BLUE, markersize=3.5, linewidth=0)


def marbles(
    games: Mapping[str, Sequence[tuple[GaussianMixture, Tensor]]], above: Above
) -> Iterator[Figure]:
    """The frames of a film: a panel for each game, its landscape and its marbles (n, 2)."""
    for frame in zip(*games.values(), strict=True):
        figure, axes = plt.subplots(1, len(games), figsize=(3.3 * len(games), 3.95))
        for ax, name, (density, x) in zip(np.atleast_1d(axes), games, frame, strict=True):
            _ground(ax, density, blur=0.05)
            _dots(ax, x)
            _bare(ax, name)
            share = above(x).double().mean().item()
            ax.set_xlabel(f"above: {share:.0%}", fontsize=11)
        yield figure


def relief(energy: Callable[[Tensor], Tensor], density: GaussianMixture) -> Figure:
    """An energy as a map with contour lines, beside its density."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.0))
    line = torch.linspace(-REACH, REACH, 120)
    places = torch.cartesian_prod(line, line)
    height = energy(places).reshape(120, 120).T
    levels = [2, 5, 10, 20, 40, 80]
    lines = left.contour(line, line, height.numpy(), levels, colors=BLACK, linewidths=1)
    left.clabel(lines, fmt="%g", fontsize=9)
    _bare(left, "Energy: two valleys and a ridge")
    right.imshow(density.log_prob(places).exp().reshape(120, 120).T.numpy(), cmap=GROUND,
                 origin="lower", extent=(-REACH, REACH, -REACH, REACH))  # fmt: skip
    _bare(right, "Density: high where the energy is low")
    right.text(0, 2.35, "20 % of the mass", ha="center")
    right.text(0, -2.4, "80 %", ha="center")
    return figure


def stills(seen: Mapping[int, Tensor], density: GaussianMixture, title: str) -> Figure:
    """The marbles of one chain after several steps, at most four in a row."""
    n_rows = 1 if len(seen) <= 4 else 2
    n_columns = -(-len(seen) // n_rows)
    size = 2.3 * n_columns, 2.4 * n_rows + 0.35
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size)
    for ax, (step, x) in zip(axes.flat, seen.items(), strict=True):
        _ground(ax, density, blur=0.05)
        _dots(ax, x)
        _bare(ax, f"{step} steps" if step else "start")
    figure.suptitle(title)
    return figure


def _density(ax: Axes, p: Tensor, title: str) -> None:
    side = round(len(p) ** 0.5)
    tint = (p / p.max()).pow(1 / 3).reshape(side, side).T
    ax.imshow(tint.numpy(), cmap=GROUND, origin="lower", extent=(-3.5, 3.5, -3.5, 3.5))
    _bare(ax, title)


def lost(truth: Tensor, learned: Tensor, ends: Tensor, shares: Sequence[float]) -> Figure:
    """The data's density on a lattice over ±3.5, the chains of a training, what it learned."""
    figure, axes = plt.subplots(1, 3, figsize=(9.2, 4.2))
    _density(axes[0], truth, "The data")
    _density(axes[1], truth, "The chains of CD-1")
    _dots(axes[1], ends)
    _density(axes[2], learned, "The model that CD-1 trained")
    for ax, share in zip(axes, shares, strict=True):
        ax.set_xlabel(f"above: {float(share):.0%}", fontsize=11)
    figure.suptitle("Perfect chains, and a model that has lost a crescent")
    return figure


def phases(line: Tensor, before: Tensor, after: Tensor, data: Tensor, negatives: Tensor) -> Figure:
    """An energy on a line before and after updates, the data and the negatives under it."""
    figure, ax = plt.subplots(figsize=(8.4, 3.3))
    low = float(before.min())
    ax.plot(line, before, "--", color=GREY, linewidth=1.4)
    ax.plot(line, after, "-", color=BLACK)
    for x, colour, mark, name in (
        (data, BLUE, "o", "data: the energy sinks"),
        (negatives, RED, "X", "samples of the model: it rises"),
    ):
        for at in x.tolist():
            start, end = (float(np.interp(at, line, height)) for height in (before, after))
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.8}
            ax.annotate("", (at, end), (at, start), arrowprops=arrow)
        ax.plot(x, [low - 1.2] * len(x), mark, color=colour, linewidth=0)
        at = {"x": -3.9, "ha": "left"} if colour == BLUE else {"x": 3.9, "ha": "right"}
        ax.text(y=low - 2.1, s=name, va="center", color=for_text(colour), **at)
    ax.set(xlabel="x", ylabel="energy", ylim=(low - 2.7, low + 4.5), xlim=(-4, 4),
           title="Down at the data, up at the model's own samples")  # fmt: skip
    return figure


def _two_valleys(line: Tensor, b: float = 6.0) -> np.ndarray:
    return (b * (line**2 - 1) ** 2 + line / 2).numpy()


def barriers(line: Tensor, waits: Mapping[int, float]) -> Figure:
    """Two valleys with a barrier of 6, and the wait against the barrier."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.3))
    left.plot(line.numpy(), _two_valleys(line), "-", color=BLACK)
    left.plot([1], [1.1], "o", color=BLUE, markersize=11)
    left.text(0, 6.5, "barrier", ha="center")
    left.text(1.0, 2.6, "a marble", ha="center", color=BLUE)
    left.set(ylim=(-1, 9), xlabel="x", ylabel="energy", title="Two valleys and a barrier of 6")
    right.semilogy(list(waits), list(waits.values()), "o-", color=BLUE)
    for b in (1, 3, 6):
        right.text(b - 0.1, waits[b] * 1.25, f"{waits[b]:,.0f}", ha="right" if b > 1 else "left")
    right.set(xlabel="barrier b", ylabel="steps to forget", ylim=(80, 8000), xlim=(0.6, 6.4),
              title="The wait grows exponentially")  # fmt: skip
    right.set_yticks([100, 1000], ["100", "1,000"])
    right.minorticks_off()
    return figure


def springs(line: Tensor, held: Mapping[float, float], longest: float, free: float) -> Figure:
    """The barrier of 6 with two springs tied at 0.1, and the wait against their length."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.4))
    for s, colour, place in ((1.0, RED, (-1.1, 4.6)), (0.2, GREEN, (0.62, 12.5))):
        pulled = _two_valleys(line) + ((line - 0.1) ** 2 / (2 * s**2)).numpy()
        left.plot(line.numpy(), pulled, "-", color=colour)
        left.text(*place, f"s = {s:g}", ha="center", color=for_text(colour))
    left.plot([0.1], [0.6], "^", color=BLACK, markersize=8)
    left.text(0.16, -0.4, "y", color=BLACK)
    left.set(ylim=(-1.2, 16), xlabel="x", ylabel="energy with spring",
             title="A short spring leaves one valley")  # fmt: skip
    right.loglog(list(held), list(held.values()), "o-", color=BLUE)
    right.axhline(free, color=GREY, linewidth=1, linestyle=":")
    right.text(0.145, free * 0.6, "no spring", color=GREY)
    right.axvline(longest, color=GREEN, linewidth=1.2, linestyle="--")
    right.text(longest * 1.06, 3.2, "one valley up to here", color=for_text(GREEN))
    right.set(xlabel="length s of the spring", ylabel="steps to forget", ylim=(2, 8000),
              title="... and the wait all but vanishes")  # fmt: skip
    right.set_xticks([0.15, 0.3, 0.5, 1, 2], ["0.15", "0.3", "0.5", "1", "2"])
    right.set_yticks([10, 100, 1000], ["10", "100", "1,000"])
    right.minorticks_off()
    return figure


def ghosts(found: Mapping[float, tuple[Tensor, Tensor]], mass: Mapping[float, float]) -> Figure:
    """For each width of the valleys: the density handed over, and what CD-1 made of it."""
    figure, axes = plt.subplots(2, len(found), figsize=(2.7 * len(found), 5.9))
    names = ("narrow", "as the data", "wide")
    for column, ((std, (before, after)), name) in enumerate(zip(found.items(), names, strict=True)):
        _density(axes[0, column], before, f"{name}: {std:.2f}")
        _density(axes[1, column], after, "")
        axes[0, column].set_xlabel("mass above: 0.50")
        axes[1, column].set_xlabel(f"mass above: {mass[std]:.2f}")
    axes[0, 0].set_ylabel("handed over", fontsize=11)
    axes[1, 0].set_ylabel("after CD-1", fontsize=11)
    figure.suptitle("All data lie below; nothing decides what is above")
    return figure


def mended(before: Tensor, after: Tensor, mass: tuple[float, float]) -> Figure:
    """The narrow density as handed over, and trained on with chains that live on."""
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.6))
    _density(axes[0], before, "handed over")
    _density(axes[1], after, "chains that live on")
    for ax, above in zip(axes, mass, strict=True):
        ax.set_xlabel(f"mass above: {above:.2f}")
    return figure


def digits(rows: Mapping[str, Tensor]) -> Figure:
    """Rows of pictures, each with its name at the left."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(9.6, 0.74 * len(rows)))
    for ax, (name, images) in zip(axes, rows.items(), strict=True):
        show_images(ax, images.clamp(-1, 1), n_columns=len(images))
        ax.set_anchor("E")
        ax.text(-0.012, 0.5, name, ha="right", va="center", transform=ax.transAxes)
    return figure


def weighted(
    x: Tensor, weights: Tensor, density: GaussianMixture, shares: tuple[float, float]
) -> Figure:
    """Particles as they end, and with dots of an area in proportion to their weights."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 4.4), layout="constrained")
    sizes = 100 * weights / weights.max()
    titles = ("All alike", "Area in proportion to the weight")
    for ax, title, size, share in zip(axes, titles, (4.0, sizes), shares, strict=True):
        _ground(ax, density, blur=0.05)
        ax.scatter(*x.T.numpy(), s=size, color=BLUE, alpha=0.35, linewidths=0)
        _bare(ax, title)
        ax.set_xlabel(f"above: {100 * share:.0f} %", fontsize=11)
    return figure
