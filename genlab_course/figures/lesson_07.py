"""Pictures of lesson 07: two players over a ring, the best discriminator, the game, digits."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor, nn

from genlab_course.figures import BLACK, BLUE, DARK, GREEN, ORANGE, RED, for_text, show_images

GREY = "#777777"
MOVES = to_hex(LinearSegmentedColormap.from_list("", ["white", ORANGE])(0.6))  # of what is trained
REACH, SIDE = 2.6, 40  # of the plane that is shown: half its width, cells along it
OPINION = LinearSegmentedColormap.from_list("opinion", [BLUE, "#FFFFFF", ORANGE])
PALE: Any = {"vmin": -0.4, "vmax": 1.4}  # of its colours the inner ones, on which dots are seen


class Look(NamedTuple):
    """What is seen of a game in the plane: samples (n, 2), and D on a lattice (SIDE, SIDE)."""

    samples: Tensor
    opinion: Tensor


@torch.no_grad()
def look(generator: nn.Module, discriminator: nn.Module, z: Tensor) -> Look:
    """Draw with the noise z, and ask the discriminator, which gives logits (n,), everywhere."""
    line = torch.linspace(-REACH, REACH, SIDE)
    places = torch.cartesian_prod(line, line).to(z)  # (SIDE^2, 2), the first coordinate slow
    return Look(generator(z), discriminator(places).sigmoid().reshape(SIDE, SIDE).T)


def _plane(ax: Axes, seen: Look, means: Tensor, title: str) -> None:
    ends = (-REACH, REACH, -REACH, REACH)
    levels = (seen.opinion * 6).round().clamp(1, 5) / 6  # few colours: a film is a small file
    ax.imshow(levels.numpy(), cmap=OPINION, **PALE, origin="lower", extent=ends,
              interpolation="nearest")  # fmt: skip
    ax.plot(*means.T.numpy(), "o", color=BLACK, markersize=11, fillstyle="none", linewidth=0)
    ax.plot(*seen.samples.T.numpy(), ".", color=BLUE, markersize=3.5, linewidth=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=ends[:2], ylim=ends[2:], xticks=[], yticks=[], title=title)


def game(games: Mapping[str, Mapping[int, Look]], means: Tensor) -> Iterator[Figure]:
    """The frames of a film: a panel for each game, after each of the steps kept of the first."""
    for step in next(iter(games.values())):
        figure, axes = plt.subplots(1, len(games), figsize=(3.3 * len(games), 3.95))
        for ax, (name, seen) in zip(np.atleast_1d(axes), games.items(), strict=True):
            _plane(ax, seen[step], means, name)
        figure.supxlabel(f"round {step:,}", fontsize=11)
        yield figure


def stills(seen: Mapping[int, Look], means: Tensor, title: str) -> Figure:
    """One game after several rounds, side by side."""
    figure, axes = plt.subplots(1, len(seen), figsize=(9.2, 2.75))
    for ax, (step, one) in zip(axes, seen.items(), strict=True):
        _plane(ax, one, means, f"round {step:,}")
    figure.suptitle(title)
    return figure


def duel(line: Tensor, pairs: Mapping[str, tuple[Tensor, Tensor, Tensor]]) -> Figure:
    """For each pair: the densities p and q on a line, and the best D below them."""
    figure, axes = plt.subplots(2, len(pairs), figsize=(8.8, 3.9), sharex=True, sharey="row")
    x = line.numpy()
    for column, (name, (p, q, d)) in enumerate(pairs.items()):
        above, below = axes[:, column]
        above.fill_between(x, p.numpy(), color=ORANGE, alpha=0.45, linewidth=0)
        above.plot(x, q.numpy(), "-", color=BLUE)
        above.set(title=name, yticks=[])
        below.plot(x, d.numpy(), "-", color=BLACK)
        below.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
        below.set(xlabel="x", ylim=(-0.04, 1.04), yticks=[0, 0.5, 1])
    axes[0, 0].set_ylabel("density")
    axes[1, 0].set_ylabel("best D")
    first, q = axes[0, 0], next(iter(pairs.values()))[1]
    first.text(-4.6, 0.3, "data p", color=for_text(ORANGE))
    first.text(float(line[q.argmax()]) + 1.0, 0.35, "generator q", color=BLUE)
    figure.suptitle("D falls below one half exactly where q exceeds p")
    return figure


def ratio(line: Tensor, truth: Tensor, learned: Tensor, seen: Tensor) -> Figure:
    """The exact log-ratio of two densities, what a network found, and where it saw samples."""
    figure, ax = plt.subplots(figsize=(7.4, 3.1))
    ax.plot(line.numpy(), truth.numpy(), "-", color=ORANGE, linewidth=5, alpha=0.7)
    ax.plot(line.numpy(), learned.numpy(), "-", color=BLACK, linewidth=1.6)
    low = float(min(truth.min(), learned.min()))
    ax.plot(seen.numpy(), np.full(len(seen), low - 0.4), "|", color=GREY, markersize=5, linewidth=0)
    ax.text(-2.62, float(truth[4]) - 0.1, "log p - log q", color=for_text(ORANGE))
    ax.text(-0.35, float(learned[len(line) // 2]) - 1.0, "your discriminator's logit")
    ax.set(xlabel="x (grey ticks: samples that it saw)", ylabel="logit",
           title="The discriminator finds the ratio of densities that it never saw")  # fmt: skip
    return figure


def _box(ax: Axes, x: float, y: float, name: str, colour: str, wide: float = 1.5) -> None:
    box = FancyBboxPatch((x - wide / 2, y - 0.34), wide, 0.68, "round,pad=0.04", fc=colour,
                         ec=BLACK, linewidth=1.2)  # fmt: skip
    ax.add_patch(box)
    ax.text(x, y, name, ha="center", va="center", color=DARK if colour == MOVES else BLACK)


def _arrow(
    ax: Axes, start: tuple[float, float], stop: tuple[float, float], colour: Any = BLACK,
    *, bend: float = 0.0, dashed: bool = False,
) -> None:  # fmt: skip
    look: dict[str, Any] = {"color": colour, "linewidth": 1.6, "mutation_scale": 13}
    look["linestyle"] = (0, (4, 2)) if dashed else "-"
    curve = f"arc3,rad={bend}"
    ax.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", connectionstyle=curve, **look))


def players(data: Tensor, samples: Tensor) -> Figure:
    """Who gets what: noise, generator and fakes; data and fakes, the discriminator, its answer."""
    figure, ax = plt.subplots(figsize=(8.8, 2.3))
    for x, y, name, colour, wide in (
        (0.9, 1.0, "noise z", "white", 1.3), (3.1, 1.0, "generator G", MOVES, 1.7),
        (8.0, 1.55, "discriminator D", MOVES, 2.1), (10.6, 1.55, "real?", "white", 1.1),
    ):  # fmt: skip
        _box(ax, x, y, name, colour, wide)
    for start, stop in (((1.6, 1.0), (2.2, 1.0)), ((4.0, 1.0), (4.75, 0.85)),
                        ((6.1, 0.85), (6.9, 1.4)), ((6.1, 2.3), (6.9, 1.75)),
                        ((9.1, 1.55), (10.0, 1.55))):  # fmt: skip
        _arrow(ax, start, stop)
    for points, y, name, ink in ((samples[:150], 0.85, "fakes", BLUE),
                                 (data[:150], 2.3, "data", for_text(ORANGE))):  # fmt: skip
        place = 0.24 * points.clamp(-REACH, REACH) + torch.tensor([5.4, y])
        ax.plot(*place.T.numpy(), ".", color=ink, markersize=2.5, linewidth=0)
        ax.text(4.55, y + 0.35, name, ha="right", color=ink)
    ax.set(xlim=(0, 11.4), ylim=(0.1, 3.0), title="One of the two networks never sees data")
    ax.set_axis_off()
    return figure


def machine() -> Figure:
    """The two turns of a round: what is computed (solid) and how far the gradient runs (dashed)."""
    figure, axes = plt.subplots(2, 1, figsize=(8.8, 4.1))
    names = (
        "The discriminator's turn: the gradient stops at the fakes",
        "The generator's turn: it passes through the discriminator, which holds still",
    )
    for turn, (ax, name) in enumerate(zip(axes, names, strict=True)):
        moves, still = MOVES, "#E4E4E4"
        _box(ax, 0.9, 1.0, "noise z", "white", 1.3)
        _box(ax, 3.1, 1.0, "generator G", (still, moves)[turn], 1.7)
        _box(ax, 5.4, 1.0, "fakes", "white", 1.2)
        _box(ax, 7.9, 1.0, "discriminator D", (moves, still)[turn], 2.1)
        _box(ax, 10.6, 1.0, "loss", "white", 1.1)
        for start, stop in ((1.6, 2.2), (4.0, 4.75), (6.05, 6.8), (9.0, 10.0)):
            _arrow(ax, (start, 1.0), (stop, 1.0))
        if turn == 0:
            _box(ax, 5.4, 2.05, "data x", "white", 1.2)
            _arrow(ax, (6.05, 2.05), (7.4, 1.42))
            ax.plot([4.37, 4.37], [0.6, 1.4], "-", color=RED, linewidth=3)
            ax.text(4.37, 1.5, "detach", ha="center", color=for_text(RED))
        end = (7.9, 3.1)[turn]
        _arrow(ax, (10.6, 0.6), (end, 0.6), for_text(GREEN), bend=-0.22, dashed=True)
        ax.text((9.25, 6.85)[turn], (-0.1, -0.7)[turn], "gradient", ha="center",
                color=for_text(GREEN))  # fmt: skip
        ax.set(xlim=(0, 11.4), ylim=((-0.3, 2.5), (-0.8, 1.6))[turn], title=name)
        ax.set_axis_off()
    return figure


def digits(rows: Mapping[str, Tensor]) -> Figure:
    """Rows of pictures in [-1, 1], each with its name at the left."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(9.2, 0.72 * len(rows)))
    for ax, (name, images) in zip(axes, rows.items(), strict=True):
        show_images(ax, images, n_columns=len(images))
        ax.set_anchor("E")
        ax.text(-0.012, 0.5, name, ha="right", va="center", transform=ax.transAxes)
    return figure


def flat(losses: Tensor, frechet: Mapping[int, float], floor: float) -> Figure:
    """The discriminator's loss, what it lacks to log 4 (means of 100 rounds), the distance."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.1))
    window = min(100, len(losses))
    smooth = np.convolve(losses.double().numpy(), np.ones(window) / window, "valid")
    rounds = np.arange(len(smooth)) + window
    left.plot(rounds, smooth, "-", color=BLUE, linewidth=1.4)
    left.axhline(np.log(4), color=GREY, linewidth=1, linestyle=":")
    left.text(len(losses), np.log(4) + 0.04, "log 4", ha="right", color=GREY)
    left.set(xlabel="round", ylabel="nats", ylim=(0, 1.6), title="The loss seems to stand still")
    middle.semilogy(rounds, np.log(4) - smooth, "-", color=BLUE, linewidth=1.4)
    middle.set(xlabel="round", ylabel="nats", title="log 4 less the loss shrinks")
    middle.set_yticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
    right.semilogy(list(frechet), list(frechet.values()), "o-", color=BLUE)
    right.axhline(floor, color=GREY, linewidth=1, linestyle=":")
    right.text(len(losses), floor * 1.12, "real images", ha="right", color=GREY)
    right.set(xlabel="round", ylabel="Fréchet distance", title="The samples improve")
    right.set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    for ax in (middle, right):
        ax.minorticks_off()
    return figure
