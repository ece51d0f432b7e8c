"""Pictures of lesson 11: walkers on arrows, targets and their mean, one level and many, digits."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from genlab.oracles import GaussianMixture
from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, SKY, for_text, show_images

GREY = "#777777"
REACH = 6.0  # of the plane that is shown, half its width
Field = Callable[[Tensor], Tensor]  # points (n, 2) to arrows (n, 2)


def lattice(side: int, reach: float) -> Tensor:
    """Points (side^2, 2) of a square of half the width `reach`."""
    line = torch.linspace(-reach, reach, side)
    return torch.cartesian_prod(line, line)


def _arrows(ax: Axes, field: Field, sigma: float, *, side: int, reach: float) -> None:
    """Arrows of sigma times a score; long ones are cut to one length."""
    at = lattice(side, reach * 0.92)
    with torch.no_grad():
        arrows = sigma * field(at)
    arrows = arrows / arrows.norm(dim=1, keepdim=True).clamp(min=1)
    ax.quiver(*at.T.numpy(), *arrows.T.numpy(), color=GREY, angles="xy", scale_units="xy",
              scale=1.2, width=0.006)  # fmt: skip


def _bare(ax: Axes, reach: float, title: str = "") -> None:
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title)


def _walkers(ax: Axes, x: Tensor, size: float) -> None:
    """Dots inside the frame, blue on the left and orange on the right."""
    x = x[x.abs().amax(1) < REACH]
    for side, colour in ((x[:, 0] < 0, BLUE), (x[:, 0] >= 0, ORANGE)):
        ax.plot(*x[side].T.numpy(), ".", color=colour, markersize=size, linewidth=0)


def pour(
    games: Mapping[str, Sequence[tuple[float, Tensor]]], score_at: Callable[[float], Field]
) -> Iterator[Figure]:
    """The frames of a film: a panel for each game, with the arrows of its level and walkers."""
    for frame in zip(*games.values(), strict=True):
        figure, axes = plt.subplots(1, len(games), squeeze=False, figsize=(3.3 * len(games), 3.95))
        for ax, name, (sigma, x) in zip(axes[0], games, frame, strict=True):
            _arrows(ax, score_at(sigma), sigma, side=11, reach=REACH)
            _walkers(ax, x[:400], 3)
            _bare(ax, REACH, f"{name}, σ = {sigma:.2f}")
            share = (x[:, 0] < 0).double().mean().item()
            ax.set_xlabel(f"left: {100 * share:.0f} %", fontsize=11)
        yield figure


def targets(noisy: Tensor, target: Tensor, line: Tensor, mean: Tensor) -> Figure:
    """Targets -eps against noisy inputs, their mean at each input, and the row (2.5, -0.5)."""
    figure, ax = plt.subplots(figsize=(8.0, 3.6))
    ax.plot(noisy, target, ".", color=SKY, markersize=3, linewidth=0)
    ax.plot(line, mean, "-", color=BLACK)
    ax.plot([2.5], [-0.5], "D", color=RED, markersize=8)
    ax.annotate("one row: (2.5, -0.5)", (2.5, -0.5), (2.9, 1.1), color=for_text(RED),
                arrowprops={"arrowstyle": "-", "color": RED})  # fmt: skip
    ax.plot([2.5], [-1.25], "o", color=BLACK, markersize=8)
    ax.annotate("mean at 2.5: -1.25", (2.5, -1.25), (2.9, -2.6),
                arrowprops={"arrowstyle": "-", "color": BLACK})  # fmt: skip
    ax.annotate("mean of the targets", (-3.6, 1.8), (-4.8, -1.5),
                arrowprops={"arrowstyle": "-", "color": BLACK})  # fmt: skip
    ax.set(xlabel="noisy input", ylabel="target", xlim=(-5, 5.6), ylim=(-3.4, 3.4),
           title="Each target is noise; their mean is the score")  # fmt: skip
    return figure


def slopes(line: Tensor, curves: Mapping[str, Tensor]) -> Figure:
    """The learned slope on a line beside the noised data's and the clean data's."""
    looks = {"yours": ("-", RED), "noised data": ("--", BLACK), "clean data": (":", GREY)}
    places = {"yours": (2.3, -4.6), "noised data": (-3.6, 6.3), "clean data": (0.1, 4.7)}
    figure, ax = plt.subplots(figsize=(8.0, 3.4))
    for name, curve in curves.items():
        style, colour = looks[name]
        ax.plot(line, curve, style, color=colour)
        ax.text(*places[name], name, color=for_text(colour))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="x", ylabel="score", xlim=(-4, 4), ylim=(-8, 8),
           title="Your loss has learned the score of the noised data")  # fmt: skip
    return figure


def parabolas(a: Tensor, explicit: Tensor, denoising: Tensor) -> Figure:
    """Both losses of the model -a x against a."""
    figure, ax = plt.subplots(figsize=(8.0, 3.5))
    ax.plot(a, explicit, "-", color=BLUE)
    ax.plot(a, denoising, "-", color=RED)
    ax.plot([1.0], [0.0], "o", color=BLUE, markersize=8)
    ax.plot([0.5], [0.25], "o", color=RED, markersize=8)
    ax.text(1.62, -0.02, "distance from the score\nof the clean data", color=for_text(BLUE))
    ax.text(-0.05, 0.78, "denoising, σ = 1", color=for_text(RED))
    ax.text(0.5, 0.3, "floor 1/4", ha="center", color=for_text(RED))
    ax.set(xlabel="a in the model $s(x) = -ax$", ylabel="mean loss", ylim=(-0.05, 1.1),
           title="The denoising loss has another minimum, and a floor")  # fmt: skip
    return figure


def one_level(
    coarse: Field, wrong: Tensor, density: GaussianMixture, ends: Tensor, share: float
) -> Figure:
    """Arrows learned at level 1, the error of those learned at 0.1 (on a lattice), and chains."""
    reach, side = 4.5, 91
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.6))
    line = torch.linspace(-reach, reach, side)
    height = density.log_prob(lattice(side, reach)).reshape(side, side).T
    for ax, colour in ((left, BLACK), (middle, "white")):
        ax.contour(line, line, height.numpy(), levels=[-9, -6, -3], colors=colour,
                   linestyles="solid", linewidths=0.8)  # fmt: skip
    _arrows(left, coarse, 1.0, side=11, reach=reach)
    shown = middle.imshow(wrong.clamp(0.03, 3).log10().reshape(side, side).T.numpy(),
                          extent=(-reach, reach, -reach, reach), origin="lower",
                          cmap="magma")  # fmt: skip
    bar = figure.colorbar(shown, ax=middle, shrink=0.75, ticks=[-1, 0])
    bar.ax.set_yticklabels(["0.1", "1"])
    bar.set_label("relative error")
    _walkers(right, ends[:700], 2.5)
    _bare(left, reach, "Learned at σ = 1: too wide")
    _bare(middle, reach, "At σ = 0.1: a desert")
    _bare(right, reach, f"Exact score: {100 * share:.0f} % left, not 80 %")
    return figure


def hills(line: Tensor, heights: Mapping[float, Tensor]) -> Figure:
    """The log-density along the line between the modes at several levels of noise."""
    figure, ax = plt.subplots(figsize=(8.0, 3.6))
    for (sigma, height), colour in zip(heights.items(), (BLUE, SKY, GREEN, ORANGE, RED),
                                       strict=True):  # fmt: skip
        ax.plot(line, height, "-", color=colour)
        near = height[(line + 2).abs().argmin()]
        ax.text(-2, float(near) + 0.1, f"σ = {sigma:g}", color=for_text(colour), ha="center")
    ax.set(xlabel="place between the modes", ylabel="log-density (nats)", xlim=(-4, 4),
           ylim=(-10, 0.5), title="Noise fills the valley, until there is one hill")  # fmt: skip
    return figure


def without_noise(learned: Field, density: GaussianMixture) -> Figure:
    """Arrows of the exact score and of one that was learned without noise, on the density."""
    reach, side = 3.0, 91
    figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.0))
    line = torch.linspace(-reach, reach, side)
    height = density.log_prob(lattice(side, reach)).reshape(side, side).T
    for ax, name, field in zip(axes, ("exact", "yours, without noise"),
                               (density.score, learned), strict=True):  # fmt: skip
        ax.contour(line, line, height.numpy(), levels=[-6, -4, -3], colors=BLUE,
                   linestyles="solid", linewidths=0.8)  # fmt: skip
        _arrows(ax, field, 0.2, side=9, reach=reach)
        _bare(ax, reach, name)
    return figure


def area(log_sigma: Tensor, height: Tensor, kl: float) -> Figure:
    """What each level adds to a KL: 2 sigma^2 J against the level."""
    figure, ax = plt.subplots(figsize=(8.0, 3.4))
    sigma = log_sigma.exp().numpy()
    ax.plot(sigma, height, "-", color=RED)
    ax.fill_between(sigma, 0, height, color=RED, alpha=0.2)
    ax.set_xscale("log")
    k = int(height.argmax())
    ax.text(sigma[k], 0.3 * float(height[k]), f"area:\n{kl:.3f} nats", ha="center")
    ax.annotate("small noise\nsees nothing", (0.1, 0.0), (0.1, 0.45 * float(height[k])),
                ha="center", arrowprops={"arrowstyle": "-", "color": BLACK})  # fmt: skip
    ax.set(xlabel="level σ", ylabel=r"$2\sigma^2 J_\sigma$ (nats)", ylim=(0, None),
           title="Which levels know that the shares differ?")  # fmt: skip
    return figure


def found(
    shares: Mapping[str, Sequence[float]], stills: Mapping[str, Tensor], title: str
) -> Figure:
    """Walkers at several levels, and the fraction on the left from level to level."""
    figure = plt.figure(figsize=(9.6, 4.9))
    top = figure.add_gridspec(2, len(stills), height_ratios=(1, 1.05))
    for k, (name, x) in enumerate(stills.items()):
        ax = figure.add_subplot(top[0, k])
        _walkers(ax, x[:400], 2)
        _bare(ax, REACH, name)
    ax = figure.add_subplot(top[1, :])
    looks = {"the data": (":", GREY), "exact scores": ("--", BLACK), "your network": ("-", RED)}
    for name, curve in shares.items():
        style, colour = looks[name]
        ax.plot(range(len(curve)), list(curve), style, color=colour)
        ax.text(len(curve) - 0.8, curve[-1], name, va="center", color=for_text(colour))
    ax.set(xlabel="levels walked", ylabel="left", xlim=(0, 18.6), ylim=(0.44, 0.86))
    ax.set_xticks([0, 4, 8, 12, 16])
    ax.set_yticks([0.5, 0.6, 0.7, 0.8], ["50 %", "60 %", "70 %", "80 %"])
    names = sorted(ax.texts, key=lambda text: -text.get_position()[1])
    highest, lowest = (names[k].get_position()[1] for k in (0, -1))
    if highest - lowest < 0.12:  # names that would cover one another
        for text, y in zip(names, np.linspace(highest + 0.03, lowest - 0.06, 3), strict=True):
            text.set_y(y)
    figure.suptitle(title)
    return figure


def digit_rows(rows: Mapping[str, Tensor], titles: Sequence[str] = ()) -> Figure:
    """Rows of digits (n, 1, 8, 8), each with its name at the left."""
    n_columns = max(map(len, rows.values()))
    size = (0.72 * n_columns + 0.96, 0.78 * len(rows) + 0.25)
    figure, axes = plt.subplots(len(rows), 1, squeeze=False, figsize=size)
    for ax, (name, images) in zip(axes[:, 0], rows.items(), strict=True):
        show_images(ax, images.clamp(-1, 1), n_columns=len(images))
        ax.set_anchor("E")
        ax.text(-0.012, 0.5, name, ha="right", va="center", transform=ax.transAxes)
    for k, title in enumerate(titles):
        axes[0, 0].text(9 * k + 3.5, -1.2, title, ha="center")
    return figure


def descent(frames: Sequence[tuple[str, Tensor]]) -> Iterator[Figure]:
    """The frames of a film: twelve digits, with the level in the title."""
    for title, x in frames:
        figure, ax = plt.subplots(figsize=(6, 2.3))
        show_images(ax, x.clamp(-1, 1), n_columns=6, title=title)
        yield figure
