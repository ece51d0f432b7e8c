"""Pictures of lesson 08: arrows that are obeyed, earth to be moved, prices, critics, orbits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, PINK, RED, for_text, show_images

GREY = "#777777"
PER_UNIT = 0.45  # length of a drawn arrow, for a gradient of length 1
COLOURS = (RED, ORANGE, GREEN)


def falling(
    runs: Mapping[str, Mapping[int, tuple[Tensor, Tensor]]],
    means: Tensor,
    n_learn: int,
    colours: Sequence[str] = COLOURS,
) -> Iterator[Figure]:
    """The frames of a film: a panel for each loss, its samples and the arrows that they hear."""
    for step in next(iter(runs.values())):
        figure, axes = plt.subplots(1, len(runs), figsize=(2.5 * len(runs), 5.1))
        for ax, colour, (name, seen) in zip(
            np.atleast_1d(axes), colours, runs.items(), strict=False
        ):
            x, arrows = seen[step]
            ends = x + PER_UNIT * arrows
            ax.plot(*means.T.numpy(), "o", color=BLACK, markersize=11, fillstyle="none")
            ax.plot(np.stack([x[:, 0], ends[:, 0]]), np.stack([x[:, 1], ends[:, 1]]), "-",
                    color=colour, linewidth=1.3)  # fmt: skip
            ax.plot(*x.T.numpy(), ".", color=BLUE, markersize=5)
            ax.spines[:].set_visible(False)
            ax.set(xlim=(-2.3, 2.3), ylim=(-2.2, 5.3), xticks=[], yticks=[], title=name)
            ax.set_aspect("equal")
        judged = f"the network learns: step {step}" if step <= n_learn else "and they obey"
        figure.supxlabel(judged, fontsize=12)
        yield figure


def lengths(sizes: Mapping[str, Mapping[int, float]]) -> Figure:
    """The length of the arrows of each loss over the steps, logarithmic, named at the lines."""
    figure, ax = plt.subplots(figsize=(7.2, 3.1))
    for colour, (name, size) in zip(COLOURS, sizes.items(), strict=False):
        ax.semilogy(list(size), list(size.values()), "-", color=colour, linewidth=2.2)
        last = max(size)
        ax.text(last + 4, size[last], name, va="center", color=for_text(colour))
    ax.plot([0, last], [1, 1], ":", color=GREY, linewidth=1)
    ax.set(xlabel="step of the network", ylabel="length of the arrows", xlim=(0, last * 1.3),
           title="One fades, one grows, one stays near 1")  # fmt: skip
    ax.set_yticks([0.001, 0.01, 0.1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    ax.minorticks_off()
    return figure


def pairs(real: Tensor, fake: Tensor, u: Tensor) -> Figure:
    """Pairs of real and fake examples (n, 2), and the point of each where the slope is charged."""
    figure, ax = plt.subplots(figsize=(5.6, 3.9))
    ends = np.stack([real.numpy(), fake.numpy()])
    ax.plot(ends[..., 0], ends[..., 1], "-", color="#AAAAAA", linewidth=1)
    between = (u[:, None] * real + (1 - u[:, None]) * fake).numpy()
    ax.plot(*real.T.numpy(), "o", color=BLACK, markersize=7, fillstyle="none")
    ax.plot(*fake.T.numpy(), ".", color=BLUE, markersize=8)
    ax.plot(*between.T, "D", color=GREEN, markersize=6)
    ax.text(1.9, -0.6, "real", color=BLACK)
    ax.text(0.8, 4.4, "fake", color=BLUE)
    ax.text(1.35, 2.1, "slope charged here", color=for_text(GREEN))
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-2.2, 4.2), ylim=(-1.9, 5.1), xticks=[], yticks=[],
           title="Random pairs, and a random point between")  # fmt: skip
    return figure


def staircases(places: Tensor, p: Tensor, q: Tensor, area: float) -> Figure:
    """Grains of two distributions, and the area between their distribution functions."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 2.9))
    x = places.numpy()
    left.bar(x - 0.16, p.numpy(), 0.3, color=BLUE)
    left.bar(x + 0.16, q.numpy(), 0.3, color=ORANGE)
    left.text(0.0, 0.36, "data p", color=BLUE, ha="center")
    left.text(4.0, 0.36, "samples q", color=for_text(ORANGE), ha="center")
    left.set(xlabel="x", ylabel="mass", ylim=(0, 0.45), yticks=[0, 1 / 3], xticks=x,
             title="Three grains each")  # fmt: skip
    left.set_yticklabels(["0", "1/3"])
    edges = np.append(x, x[-1] + 1)
    f, g = p.cumsum(0).numpy(), q.cumsum(0).numpy()
    right.stairs(f, edges, baseline=g, fill=True, color=GREEN, alpha=0.35)
    right.stairs(f, edges, baseline=None, color=BLUE, linewidth=2)
    right.stairs(g, edges, baseline=None, color=ORANGE, linewidth=2)
    right.text(1.05, 0.88, r"$F_p$", color=BLUE, ha="right")
    right.text(3.1, 0.45, r"$F_q$", color=for_text(ORANGE))
    right.text(2.0, 0.5, f"area {area:.0f}", ha="center")
    right.set(xlabel="x", ylabel="mass up to x", ylim=(-0.03, 1.06), xticks=x,
              title="What crosses each gap, added up")  # fmt: skip
    return figure


def strings(x: Tensor, scenes: Mapping[str, tuple[Tensor, Tensor, Tensor, float]]) -> Figure:
    """For each scene: the densities p and q, below them the best critic, and its gap."""
    figure, axes = plt.subplots(2, len(scenes), figsize=(9.2, 4.1), sharex=True, sharey="row")
    for column, (name, (p, q, f, gap)) in enumerate(scenes.items()):
        above, below = axes[:, column]
        above.fill_between(x.numpy(), p.numpy(), color=BLUE, alpha=0.35, linewidth=0)
        above.fill_between(x.numpy(), q.numpy(), color=ORANGE, alpha=0.45, linewidth=0)
        above.set(title=name, yticks=[])
        below.plot(x.numpy(), f.numpy(), "-", color=BLACK, linewidth=2.2)
        below.set(xlabel="x", title=f"the best prices: gap {gap:.2f}")
    for ax in axes[0]:
        ax.set_ylim(0, None)
    first = next(iter(scenes.values()))
    for density, word, ink in ((first[0], "data p", BLUE), (first[1], "samples q", ORANGE)):
        top = int(density.argmax())
        axes[0, 0].text(float(x[top]), float(density[top]) * 1.06, word, ha="center",
                        color=for_text(ink))  # fmt: skip
    axes[0, 0].set_ylim(0, float(max(first[0].max(), first[1].max())) * 1.3)
    axes[0, 0].set_ylabel("density")
    axes[1, 0].set_ylabel("price f(x)")
    figure.suptitle("High over the data, low over the samples, never steeper than 1")
    return figure


def along(way: Tensor, critics: Mapping[str, Tensor]) -> Figure:
    """What several critics say on the way from the data to the fakes, each less its value there."""
    figure, axes = plt.subplots(1, len(critics), figsize=(9.2, 2.9), sharex=True)
    for ax, colour, (name, f) in zip(axes, (RED, PINK, GREEN), critics.items(), strict=True):
        ax.axvspan(-0.3, 0.3, color=BLUE, alpha=0.2, linewidth=0)
        ax.axvspan(4.7, 5.3, color=ORANGE, alpha=0.3, linewidth=0)
        ax.plot(way.numpy(), (f - f[-1]).numpy(), "-", color=for_text(colour), linewidth=2.2)
        ax.set(title=name, xlabel="from the data (blue) to the fakes")
    axes[0].set_ylabel("critic's value")
    return figure


def gaps(shifts: Sequence[float], reported: Sequence[float], formula: Any) -> Figure:
    """What a trained critic reports against the true distance, and what (9) makes of it."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    s = np.linspace(0, max(shifts) * 1.1, 50)
    ax.plot(s, s, "-", color=GREY, linewidth=1.4)
    ax.plot(s, [w * float(formula(w, 10.0)) for w in s], "--", color=BLACK, linewidth=1.6)
    ax.plot(shifts, reported, "o", color=GREEN, markersize=9)
    ax.text(s[-1] * 0.80, s[-1] * 0.70, "the truth", color=GREY)
    ax.text(s[-1] * 0.62, s[-1] * 0.90, "your formula", ha="right")
    ax.text(shifts[1] + 0.35, reported[1] - 0.15, "trained critics", color=for_text(GREEN))
    ax.set(xlabel="true distance (a shift)", ylabel="critic's gap",
           title="The gap follows the distance, and is too large")  # fmt: skip
    return figure


def progress(gaps: Tensor, frechet: Mapping[int, float], floor: float) -> Figure:
    """The critic's gap (means of 20 rounds) and the Fréchet distance, over the rounds."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.1))
    window = min(20, len(gaps))
    smooth = np.convolve(gaps.double().numpy(), np.ones(window) / window, "valid")
    left.plot(np.arange(len(smooth)) + window, smooth, "-", color=GREEN)
    left.set(xlabel="round", ylabel="critic's gap", ylim=(0, None),
             title="The gap falls, then creeps")  # fmt: skip
    right.semilogy(list(frechet), list(frechet.values()), "o-", color=BLUE)
    right.axhline(floor, color=GREY, linewidth=1, linestyle=":")
    right.text(max(frechet), floor * 1.12, "real images", ha="right", color=GREY)
    right.set(xlabel="round", ylabel="Fréchet distance", title="The samples go on improving")
    right.set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    right.minorticks_off()
    return figure


def rows(named: Mapping[str, Tensor]) -> Figure:
    """Rows of pictures, each with its name above it."""
    figure, axes = plt.subplots(len(named), 1, figsize=(9.2, 1.12 * len(named)))
    for ax, (name, images) in zip(axes, named.items(), strict=True):
        show_images(ax, images, n_columns=len(images))
        ax.set_title(name, loc="left")
    return figure


def _orbit(ax: Axes, path: Tensor, title: str, colour: Any) -> None:
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.plot(path[:, 0].numpy(), path[:, 1].numpy(), "-", color=colour, linewidth=1.5)
    ax.plot(*path[0].numpy(), "o", color=BLACK, markersize=6, fillstyle="none")
    ax.plot(*path[-1].numpy(), "o", color=colour, markersize=9)
    ax.plot(0, 0, "+", color=BLACK, markersize=13, markeredgewidth=2)
    ax.set(title=title, xlabel=r"generator's point $\theta$")


def orbits(paths: Mapping[str, Tensor]) -> Figure:
    """Orbits (n, 2) of the smallest GAN, each from a ring to a dot; the cross is the goal."""
    figure, axes = plt.subplots(1, len(paths), figsize=(9.4, 3.0))
    colours = (PINK, RED, RED, GREEN)
    for ax, colour, (name, path) in zip(axes, colours, paths.items(), strict=False):
        _orbit(ax, path, name, for_text(colour) if colour == PINK else colour)
    axes[0].set_ylabel(r"critic's slope $\psi$")
    return figure


def crowds(named: Mapping[str, Tensor], means: Tensor) -> Figure:
    """Samples in the plane, a panel for each crowd, over the circles of the data."""
    figure, axes = plt.subplots(1, len(named), figsize=(7.4, 3.9))
    for ax, (name, x) in zip(np.atleast_1d(axes), named.items(), strict=True):
        ax.plot(*means.T.numpy(), "o", color=BLACK, markersize=13, fillstyle="none")
        ax.plot(*x[:400].T.numpy(), ".", color=BLUE, markersize=3)
        ax.spines[:].set_visible(False)
        ax.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[], yticks=[], title=name)
        ax.set_aspect("equal")
    figure.suptitle("A fast generator needs a critic that keeps pace")
    return figure
