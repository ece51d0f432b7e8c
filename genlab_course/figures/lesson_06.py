"""Pictures of lesson 06: two walks, the machine, rows of digits, paid and carried, codes in use."""

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from genlab_course.figures import BLUE, DARK, GREEN, ORANGE, PINK, RED, SKY, for_text, show_images

GREY, PALE = "#555555", "#C8C8C8"


def walks(along: Tensor, faded: Tensor) -> Iterator[Figure]:
    """Frames of two walks (pairs, steps, 256): through codes above, through pixels below."""
    n = along.shape[1]
    there = list(range(n))
    for step in [*there, n - 1, n - 1, *there[::-1]]:
        figure, axes = plt.subplots(2, 1, figsize=(6.4, 4.2))
        rows = (along, f"{100 * step // (n - 1)} % of the way between two codes"), (
            faded, "as far between two pictures")  # fmt: skip
        for ax, (images, title) in zip(axes, rows, strict=True):
            show_images(ax, images[:, step].reshape(-1, 1, 16, 16), n_columns=4)
            ax.set_title(title, fontsize=14)
        yield figure


def one_step() -> Figure:
    """The tiny case: prior and guess, the draw, the pixel, what is described and what is paid."""
    figure, ax = plt.subplots(figsize=(8.4, 2.9))
    line = np.linspace(-3.2, 3.6, 300)
    for mean, colour, name, at in ((0.0, GREY, "prior", -1.05), (0.5, BLUE, "guess q", 1.25)):
        bell = np.exp(-((line - mean) ** 2) / 2) / np.sqrt(2 * np.pi)
        ax.plot(line, bell, "-", color=colour)
        height = float(np.exp(-((at - mean) ** 2) / 2) / np.sqrt(2 * np.pi))
        side = "right" if at < 0 else "left"
        ax.text(at, height + 0.02, f" {name} ", color=for_text(colour), ha=side)
    for place, colour, name in ((0.2, BLUE, "draw z = 0.2"), (1.2, ORANGE, "pixel x = 1.2")):
        ax.plot([place], [0], "o", color=colour, markersize=9, clip_on=False)
        ax.text(place, 0.03, name, color=for_text(colour), ha="center")
    looks = ((0.2, 1.2, -0.05, "description 1.419"), (0.0, 0.5, 0.43, "price 0.125"))
    for start, end, height, name in looks:
        arrow = {"arrowstyle": "<->", "color": RED, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (end, height), (start, height), arrowprops=arrow)
        ax.text(end + 0.06, height, name, color=for_text(RED), va="center")
    ax.set(ylim=(-0.09, 0.48), xlim=(-3.2, 3.6), yticks=[], xlabel="one number")
    ax.set_title("The draw lies too far from the pixel, the guess too far from the prior")
    return figure


def machine(middle: str, prices: Sequence[str]) -> Figure:
    """Encoder, draw, decoder; above, the noise; beneath, what is paid, and the gradient's way."""
    figure, ax = plt.subplots(figsize=(9.0, 2.9), layout="none")
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.99)
    boxes = (
        (0.0, "picture x", "#F0F0F0"), (1.75, "encoder", SKY), (3.5, middle, "#F0F0F0"),
        (5.95, "decoder", SKY), (7.7, "probability\nof ink", "#F0F0F0"),
    )  # fmt: skip
    for left, word, colour in boxes:
        width = 2.1 if left == 3.5 else 1.4
        box = FancyBboxPatch((left, 1.0), width, 0.9, "round,pad=0.05", fc=colour, ec="none")
        ax.add_patch(box)
        ax.text(left + width / 2, 1.45, word, ha="center", va="center", color=DARK, fontsize=12)
    for start, end in ((1.45, 1.7), (3.2, 3.45), (5.65, 5.9), (7.4, 7.65)):
        ax.annotate("", (end, 1.45), (start, 1.45), arrowprops={"arrowstyle": "->", "lw": 1.6})
    ax.annotate(
        "noise ε, drawn first", (4.55, 1.95), (4.55, 2.4), ha="center", fontsize=12,
        arrowprops={"arrowstyle": "->", "lw": 1.6},
    )  # fmt: skip
    for at, price in zip((4.55, 8.4), prices, strict=True):
        ax.text(at, 0.9, price, ha="center", va="top", fontsize=12, color=for_text(RED))
    ax.plot([8.4, 8.4, 2.45], [0.6, 0.4, 0.4], color=RED, linestyle="-")
    back = {"arrowstyle": "->", "lw": 2.0, "color": RED, "shrinkA": 0}
    ax.annotate("", (2.45, 0.95), (2.45, 0.4), arrowprops=back)
    words = "the gradient returns through the draw, since ε stays"
    ax.text(5.4, 0.33, words, ha="center", va="top", fontsize=12, color=for_text(RED))
    ax.set(xlim=(-0.1, 9.2), ylim=(-0.05, 2.65))
    ax.set_axis_off()
    return figure


def rows(pictures: Mapping[str, Tensor], title: str = "") -> Figure:
    """One row of digits of 16 x 16, or of pictures in colour, for each name on the left."""
    n = len(next(iter(pictures.values())))
    figure, axes = plt.subplots(
        len(pictures), 1, figsize=(9.0, 0.86 * len(pictures) + 0.35), layout="none"
    )
    figure.subplots_adjust(0.23, 0.02, 0.995, 1 - 0.35 / figure.get_figheight(), hspace=0.08)
    for ax, (name, images) in zip(np.atleast_1d(axes), pictures.items(), strict=True):
        shaped = images if images.dim() == 4 else images.reshape(-1, 1, 16, 16)
        show_images(ax, shaped, n_columns=n)
        ax.text(-0.02, 0.5, name, transform=ax.transAxes, ha="right", va="center", fontsize=12)
    figure.suptitle(title)
    return figure


def paid_and_carried(runs: Mapping[str, Tensor]) -> Figure:
    """Two bars for each run, means over seeds (seed, 3) of nats, paid and carried; dots: seeds."""
    figure, ax = plt.subplots(figsize=(9.0, 0.62 * len(runs) + 1.2))
    places = range(len(runs))
    for place, found in zip(places, runs.values(), strict=True):
        nats, paid, carried = found.T
        ax.barh(place, float(paid.mean()), color=PALE, height=0.75)
        ax.barh(place, float(carried.mean()), color=BLUE, height=0.42)
        ax.plot(carried.numpy(), [place] * len(carried), "o", color=ORANGE, markersize=4)
        said = f"  bound {nats.min():.1f} to {nats.max():.1f} nats"
        ax.text(float(paid.max()), place, said, va="center")
    ax.set(yticks=places, yticklabels=list(runs), xlabel="nats a picture")
    ax.set(title="What is paid (grey) and what the code carries (blue; dots: three seeds)")
    ax.set_xlim(0, 1.35 * max(float(found[:, 1].max()) for found in runs.values()))
    ax.invert_yaxis()
    return figure


def usage(counts: Mapping[str, Tensor]) -> Figure:
    """Fractions (seed, code) of the codes in use, sorted, one line a seed; names at the lines."""
    figure, ax = plt.subplots(figsize=(8.4, 3.4))
    colours = (RED, BLUE, GREEN, PINK)
    for (name, found), colour in zip(counts.items(), colours, strict=False):
        shown = found.sort(1, descending=True).values.clamp(min=1e-5)
        for line in shown:
            ax.semilogy(range(1, 1 + found.shape[1]), line, "-", color=colour, linewidth=1.4)
        in_use = int((found > 0).sum(1).double().median())
        at = min(in_use, 60) if in_use < 60 else {BLUE: 46, GREEN: 30}.get(colour, 38)
        height = float(shown[:, at - 1].max())
        up = 1.5 if colour != GREEN else 0.42
        ax.text(at + 0.5, height * up, name, color=for_text(colour))
    ax.axhline(1 / next(iter(counts.values())).shape[1], color=GREY, linewidth=1, linestyle=":")
    ax.set(xlabel="codes, most used first", ylabel="fraction of the tokens", ylim=(2e-5, 1.2))
    ax.set(title="Most codes of the plain codebook are never chosen")
    return figure


def best_scale(scales: Tensor, bits: Tensor, best: float, blind: float) -> Figure:
    """Bits per pixel against the decoder's standard deviation, with the best one and with 1."""
    figure, ax = plt.subplots(figsize=(8.0, 3.4))
    ax.semilogx(scales, bits, "-", color=BLUE)
    ax.axhline(blind, color=GREY, linestyle=":")
    ax.text(float(scales[-1]), blind + 0.15, "a blind guess", color=GREY, ha="right")
    for s, name, colour in ((best, "s² = mean squared error", BLUE), (1.0, "s = 1", RED)):
        height = np.interp(np.log(s), scales.log(), bits)
        ax.plot([s], [height], "o", color=colour, markersize=8)
        ax.text(s, height - 0.5, name, color=for_text(colour), ha="center")
    ax.set(xlabel="standard deviation s of the decoder", ylabel="bits per pixel",
           ylim=(float(bits.min()) - 0.9, 12),
           title="The same pictures, told with another s")  # fmt: skip
    return figure


def energy(rings: Sequence[float], curves: Mapping[str, Tensor]) -> Figure:
    """Mean energy in rings of frequency, one line for each kind of picture, named at its end."""
    figure, ax = plt.subplots(figsize=(8.4, 3.4))
    looks = zip(curves.items(), (GREY, ORANGE, BLUE, GREEN), strict=False)
    at = 0.0
    for (name, curve), colour in sorted(looks, key=lambda look: float(look[0][1][-1])):
        ax.semilogy(rings, curve.numpy(), "o-", color=colour, markersize=4)
        at = max(float(curve[-1]), 1.45 * at)  # names keep apart
        ax.text(rings[-1] + 0.012, at, name, color=for_text(colour), va="center")
    ax.set(xlabel="waves per pixel", ylabel="mean energy", xlim=(0, rings[-1] + 0.24))
    ax.set(title="Means lose the fast waves; samples replace them by speckle")
    return figure


def tiles(z: Tensor) -> Tensor:
    """Tokens of three numbers in [-1, 1], (n, 16, 3), as coloured squares in a grid of 4 x 4."""
    lowest, highest = z.min(), z.max()
    grid = (2 * (z - lowest) / (highest - lowest) - 1).mT.reshape(-1, 3, 4, 4)
    return grid.repeat_interleave(4, 2).repeat_interleave(4, 3)
