"""Pictures of lesson 02: what a digit looks like half drawn, one query, a block, four maps."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, SKY, for_text

LATER, CURSOR = torch.tensor([0.27, 0.31, 0.38]), torch.tensor([0.90, 0.62, 0.0])
GREY, PALE = "#555555", "#F2F2F2"


def sheet(pictures: Tensor, done: int = 64, n_columns: int = 10) -> NDArray[np.floating]:
    """A wall of digits `(n, 64)`: `done` pixels drawn, the next one orange, later ones slate."""
    x = pictures.reshape(-1, 64, 1).expand(-1, -1, 3) / 16.0  # (n, 64, 3)
    x = torch.where(torch.arange(64)[:, None] < done, x, LATER)
    if done < 64:
        x[:, done] = CURSOR
    x = F.pad(x.reshape(-1, n_columns, 8, 8, 3), (0, 0, 0, 1, 0, 1), value=1.0)
    wall: NDArray[np.floating] = x.permute(0, 2, 1, 3, 4).flatten(2, 3).flatten(0, 1).numpy()
    return wall[:-1, :-1]


def walls(rows: Mapping[str, Tensor], title: str = "", half: int | None = None) -> Figure:
    """Rows of ten digits, named at the left; `half`: the row whose lower halves were drawn."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(8.6, 0.8 * len(rows) + 0.45))
    for place, (ax, name) in enumerate(zip(np.atleast_1d(axes), rows, strict=True)):
        digits = sheet(rows[name])
        paper = sheet(torch.zeros_like(rows[name]))[..., :1]  # 1 between the digits, which are 0
        ax.imshow(np.concatenate((digits, 1 - paper), axis=-1), interpolation="nearest")
        if place == half:
            ax.axhline(3.5, c=ORANGE, lw=1.5)
        ax.set_axis_off()
        ax.text(-3, 3.5, name, ha="right", va="center", fontsize=10)
    figure.suptitle(title)
    return figure


def surprises(digits: Tensor, rows: Mapping[str, Tensor]) -> Figure:
    """Digits (n, 64), and below them the surprise of each pixel in bits (n, 64), row by row."""
    n = len(digits)
    figure, axes = plt.subplots(1 + len(rows), 1, figsize=(8.6, 1.05 * len(rows) + 1.2),
                                layout="constrained")  # fmt: skip

    def tiled(x: Tensor, gap: float) -> NDArray[np.floating]:
        padded = F.pad(x.reshape(n, 8, 8), (0, 1), value=gap)
        row: NDArray[np.floating] = padded.permute(1, 0, 2).flatten(1)[:, :-1].numpy()
        return row

    axes[0].imshow(tiled(digits / 16.0, 1.0), cmap="gray", vmin=0, vmax=1)
    for ax, (name, bits) in zip(axes[1:], rows.items(), strict=True):
        seen = ax.imshow(tiled(bits, float("nan")), cmap="magma", vmin=0, vmax=8)
        ax.text(-1.5, 3.5, f"{name}:\n{bits.mean():.1f} bits a pixel", ha="right", va="center")
    axes[0].text(-1.5, 3.5, "new digits", ha="right", va="center")
    for ax in axes:
        ax.set_axis_off()
    figure.colorbar(seen, ax=list(axes[1:]), label="bits", shrink=0.9)
    return figure


def draw_query(q: Tensor, k: Tensor, v: Tensor, names: Sequence[str]) -> Figure:
    """One query `(2,)` meets keys `(n, 2)`; its weights; the weighted mean of values `(n, 2)`."""
    weights = (k @ q / q.shape[-1] ** 0.5).softmax(0)
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(9.8, 3.5), gridspec_kw={"width_ratios": [1.35, 0.75, 1]}
    )
    figure.suptitle(f"The query points where {names[-1]}'s key points, so its value weighs most")
    _arrow(left, q, ORANGE, "query", 3)
    for key, name in zip(k, names, strict=True):
        _arrow(left, key, BLUE, f"key of {name}: {float(key @ q):.2f}", 2)
    left.set(
        xlim=(-1.7, 2.5), ylim=(-0.9, 2.2), title="compare: inner products", xticks=[], yticks=[]
    )
    left.set_aspect("equal")
    left.spines[:].set_visible(False)
    places = np.arange(len(names))[::-1]
    middle.barh(places, weights.tolist(), color=BLUE, height=0.55)
    for place, weight in zip(places, weights.tolist(), strict=True):
        middle.text(weight + 0.03, place, f"{weight:.1f}", va="center")
    middle.set_yticks(places, names)
    middle.set(xlim=(0, 1), xlabel="weight", title="weigh: softmax")
    right.fill(*v.T.tolist(), color=PALE)
    mean = (weights @ v).tolist()
    for value, name, weight in zip(v.tolist(), names, weights.tolist(), strict=True):
        right.plot(*zip(value, mean, strict=True), "-", c=SKY, lw=1 + 7 * weight)
        right.plot(*value, "o", c=GREEN, ms=9)
        right.annotate(f"value of {name}", value, (8, 7), textcoords="offset points", fontsize=9)
    right.plot(*mean, "D", c=BLACK, ms=8)
    right.annotate("output", mean, (9, -4), textcoords="offset points", fontweight="bold")
    right.set(xlim=(-0.2, 1.6), ylim=(-0.2, 1.3), title="mix: values", xticks=[0, 1], yticks=[0, 1])
    right.set_aspect("equal")
    return figure


def _arrow(ax: Axes, end: Tensor, colour: str, name: str, width: float) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tuple(end.tolist()), (0, 0), arrowprops=style)
    x, y = (1.07 * end).tolist()
    side = "right" if x < -0.3 else "left"
    ax.text(x, y, name, ha=side, va="bottom", fontsize=9, color=for_text(colour))


def draw_block() -> Figure:
    """One transformer block over the shifted input begin, B, A: who hands what to whom."""
    figure, ax = plt.subplots(figsize=(8.0, 4.6))
    ax.set(xlim=(-2.3, 7.2), ylim=(-0.9, 7.3), xticks=[], yticks=[])
    ax.set_axis_off()
    ax.set_title("One block for the word BAC: information moves up and right, never left")
    tokens = ("begin", "B", "A")
    outputs = ("$p(B)$", "$p(A|B)$", "$p(C|BA)$")
    for i, (token, output) in enumerate(zip(tokens, outputs, strict=True)):
        x = 2.7 * i
        _box(ax, x, 0.3, token, PALE)
        _box(ax, x, 1.7, "norm; q, k, v", (SKY, 0.28))
        _box(ax, x, 3.4, "add what was read", (ORANGE, 0.27))
        _box(ax, x, 4.8, "norm; MLP; add", (ORANGE, 0.27))
        _box(ax, x, 6.3, output, (GREEN, 0.2))
        for low, high in ((0.6, 1.4), (3.7, 4.5), (5.1, 6.0)):
            _line(ax, x, low, x, high, GREY, 1.2)
        side = x - 1.15
        ax.plot([x - 0.95, side, side], [0.3, 0.3, 3.4], "-", color=GREY, lw=1.2)
        _line(ax, side, 3.4, x - 0.96, 3.4, GREY, 1.2)
        for j in range(i + 1):  # its own value, too
            _line(ax, 2.7 * j + 0.35, 2.0, x + 0.3 * (j - i) + 0.35, 3.1, BLUE, 1.8)
    for y, words in zip(
        (0.3, 1.7, 3.4, 4.8, 6.3),
        ("shifted input", "three vectors each", "attention", "each by itself", "next letter"),
        strict=True,
    ):
        ax.text(-1.35, y, words, ha="right", va="center", fontsize=10, color=GREY)
    says = "blue: values, weighted by query and key · grey: the vector passes by"
    ax.text(2.4, -0.6, says, ha="center", fontsize=10, color=GREY)
    return figure


def _box(ax: Axes, x: float, y: float, words: str, colour: object) -> None:
    patch = plt.Rectangle((x - 0.95, y - 0.3), 1.9, 0.6, fc=colour, ec="#333333", lw=1)
    ax.add_patch(patch)
    ax.text(x, y, words, ha="center", va="center", fontsize=10)


def _line(ax: Axes, x0: float, y0: float, x1: float, y1: float, colour: str, width: float) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=style)


def draw_leaks(found: Mapping[str, Tensor]) -> Figure:
    """Maps `(64, 64)` of which prediction responds to which pixel, and their first ten rows."""
    figure, axes = plt.subplots(2, len(found), figsize=(10.4, 5.8))
    figure.suptitle("Orange on the diagonal or above it: a leak")
    colours = ListedColormap(["#8080801A", BLUE, RED])  # the ground is seen through it
    for below, n in enumerate((64, 10)):  # all pixels, and the first ten
        edges = (0.5, n + 0.5, n + 0.5, 0.5)
        for ax, (name, j) in zip(axes[below], found.items(), strict=True):
            coded = (j.int() + j.triu().int())[:n, :n]
            ax.imshow(coded.numpy(), cmap=colours, vmin=0, vmax=2, extent=edges)
            ax.set(xticks=[1, n], yticks=[1, n], title="" if below else name)
        axes[below, 0].set_ylabel("prediction $i$" if n == 64 else "the first ten")
    figure.supxlabel("input pixel $j$ · blue: allowed and read · orange: a leak", fontsize=10)
    return figure


def draw_bits(curve: Sequence[float], bits: Mapping[str, float]) -> Figure:
    """A training loss against the step, and bits per dimension of test digits as bars."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.3))
    smooth = np.convolve(curve, np.ones(20) / 20, mode="valid")
    left.plot(np.arange(20, len(curve) + 1), smooth, c=BLUE)
    left.set(xlabel="training step", ylim=(1.5, 4.2), ylabel="training loss (bits per dimension)")
    left.set_title("Your loss falls, fast and then slowly")
    right.barh(list(bits), list(bits.values()), color=["#BBBBBB"] * (len(bits) - 1) + [BLUE])
    for place, value in enumerate(bits.values()):
        right.text(value + 0.05, place, f"{value:.2f}", va="center")
    right.set(xlabel="bits per dimension, test digits (lower is better)", xlim=(0, 4.8))
    right.set_title("The more of the past, the fewer bits")
    return figure


def draw_compounding(curves: Mapping[str, Tensor]) -> Figure:
    """Fractions of sentences that are correct so far, one curve each, dashed if "predicted"."""
    figure, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.set_title("Errors compound, as the product of $1-\\varepsilon$ predicts")
    for (name, curve), colour in zip(curves.items(), (GREEN, BLACK, BLUE), strict=False):
        words = np.arange(1, len(curve) + 1)
        predicted = "predicted" in name
        ax.plot(words, curve.tolist(), ":" if predicted else "-", c=colour)
        side = (words[-1], float(curve[-1]) + (-0.02 if predicted else 0.02))
        level = "top" if predicted else "bottom"
        ax.text(*side, name, ha="right", va=level, color=for_text(colour))
    ax.set(xlabel="words written", ylabel="fraction correct so far", ylim=(0, 1.02))
    return figure
