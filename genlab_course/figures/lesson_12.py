"""Pictures of lesson 12: the chain and its bound, the U-Net, guesses of the clean digit."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from genlab_course.figures import BLUE, DARK, GREEN, ORANGE, RED, for_text, show_images

GREY = "#777777"


def _arrow(
    ax: Axes, start: tuple[float, float], stop: tuple[float, float], colour: str = "#222222",
    *, style: str = "-", bend: float = 0.0,
) -> None:  # fmt: skip
    look: dict[str, Any] = {
        "color": colour,
        "linestyle": style,
        "linewidth": 1.4,
        "mutation_scale": 12,
    }
    curve = f"arc3,rad={bend}"
    ax.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", connectionstyle=curve, **look))


def chain(states: torch.Tensor) -> Figure:
    """The chain from x_0, on the left, to x_T, and under it the three terms of the bound.

    `states` are five pictures `(5, 1, h, w)`, of x_0, x_1, x_{t-1}, x_t and x_T.
    """
    figure, ax = plt.subplots(figsize=(9.0, 3.2))
    _draw_chain(ax, states)
    return figure


def chain_and_bits(
    states: torch.Tensor, bits: torch.Tensor, prior: float, shaded: tuple[int, int]
) -> Figure:
    """The chain with the bits per dimension of its three terms, over the bits of steps 1 to t.

    `bits` are those of L_0, L_1, ...; in the steps `shaded` the observer loses the digit.
    """
    figure, (top, ax) = plt.subplots(2, 1, figsize=(9.0, 6.0), height_ratios=(3.4, 2.3))
    _draw_chain(top, states, (float(bits[0]), float(bits[1:].sum()), float(prior)))
    spent = bits.cumsum(0).numpy()
    steps = range(1, len(bits) + 1)
    ax.plot(steps, spent, "-", color=for_text(GREEN))
    ax.plot([1, 1], [0, spent[0]], "-", color=RED, linewidth=5, solid_capstyle="butt")
    ax.text(2.5, spent[0] / 3, f"t = 1 alone:\n{100 * spent[0] / spent[-1]:.0f} %", va="center")
    low, high = shaded
    ax.axvspan(low, high, color=ORANGE, alpha=0.25)
    told = "shaded: the observer's P(right label)\nfalls from 0.9 to 0.2"
    ax.text(high + 1, spent[-1] / 2, told, va="center")
    ax.set(xlabel="step t", ylabel="bits per dimension,\nsteps 1 to t", xlim=(0, len(bits) + 1),
           ylim=(0, None), title="Most bits are spent in the first ten steps")  # fmt: skip
    return figure


def _draw_chain(ax: Axes, states: torch.Tensor, bits: Sequence[float] | None = None) -> None:
    if len(states) != 5:
        raise ValueError(f"expected five states, x_0, x_1, x_(t-1), x_t and x_T, got {len(states)}")
    places = (0.7, 2.5, 4.9, 6.7, 9.1)
    names = ("$x_0$", "$x_1$", "$x_{t-1}$", "$x_t$", "$x_T$")
    for x, name, state in zip(places, names, states, strict=True):
        box = (x - 0.5, x + 0.5, 0.5, 1.5)
        ax.imshow(state[0].numpy(), cmap="gray", vmin=-1.8, vmax=1.8, extent=box, zorder=2)
        ax.text(x, 0.3, name, ha="center", va="center")
    for left, right in pairwise(places):
        _arrow(ax, (left + 0.5, 1.45), (right - 0.5, 1.45), GREY, style="--", bend=-0.35)
        _arrow(ax, (right - 0.53, 0.75), (left + 0.53, 0.75), BLUE)
    for x in (3.7, 7.9):
        ax.text(x, 1.1, "...", ha="center", va="center", fontsize=14)
    ax.text(5.8, 1.85, r"$q(x_t\mid x_{t-1})$ adds noise: fixed", ha="center", color="#555555")
    ax.text(5.8, -0.04, r"$p_\theta(x_{t-1}\mid x_t)$: learned", ha="center", color=for_text(BLUE))
    terms = ("$L_0$: the last step", r"$\sum L_{t-1}$: step against step", "prior: is $x_T$ noise?")
    spans = ((0.2, 3.0), (3.2, 7.4), (7.6, 9.6))
    for number, (term, (low, high), colour) in enumerate(
        zip(terms, spans, (RED, GREEN, ORANGE), strict=True)
    ):
        ax.plot([low, high], [-0.42, -0.42], linestyle="-", color=colour, linewidth=5)
        said = term if bits is None else f"{term}\n{bits[number]:.2f} bits per dimension"
        ax.text((low + high) / 2, -0.6, said, ha="center", va="top", color=for_text(colour))
    ax.set(xlim=(0.1, 9.75), ylim=(-1.35 if bits is not None else -1.0, 2.1))
    ax.set_axis_off()


def unet() -> Figure:
    """The U-Net of the lesson: down, across, up, and the vector that every block reads."""
    figure, ax = plt.subplots(figsize=(9.0, 4.0))
    sizes = ("12 x 12\n16 channels", "6 x 6\n32 channels", "3 x 3\n64 channels")

    def box(x: float, y: float, words: str, colour: str, ink: str = "white") -> None:
        shape = FancyBboxPatch(
            (x - 0.75, y - 0.3), 1.5, 0.6, "round,pad=0.05", fc=colour, ec="none"
        )
        ax.add_patch(shape)
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "weight": "bold"}
        ax.text(x, y, words, color=ink, **style)

    for k, words in enumerate(sizes):
        y, left, right = 2.4 - 1.1 * k, 1.6 + 0.6 * k, 8.4 - 0.6 * k
        box(left, y, words, BLUE)
        box(right, y, words, GREEN)
        _arrow(ax, (left + 0.82, y - 0.12), (right - 0.82, y - 0.12), GREY, style="--")
        _arrow(ax, (4.72, y + 0.22), (left + 0.84, y + 0.14), RED)
        _arrow(ax, (5.28, y + 0.22), (right - 0.84, y + 0.14), RED)
        ax.text(5.0, y + 0.22, "$e$", ha="center", va="center", color=for_text(RED), fontsize=13)
        if k < 2:
            _arrow(ax, (left + 0.1, y - 0.36), (left + 0.5, y - 0.74))
            _arrow(ax, (right - 0.5, y - 0.74), (right - 0.1, y - 0.36))
    box(5.0, -0.85, "middle block\n3 x 3, 64", ORANGE, DARK)
    _arrow(ax, (5.0, 0.24), (5.0, -0.48), RED)
    for start, stop in (((3.4, -0.16), (4.15, -0.75)), ((5.85, -0.75), (6.6, -0.16)),
                        ((0.35, 2.4), (0.78, 2.4)), ((9.22, 2.4), (9.62, 2.4))):  # fmt: skip
        _arrow(ax, start, stop)
    for x, y, words, colour in (
        (5.0, 2.12, "skip: concatenate", "#555555"), (0.95, 1.85, "halve", "black"),
        (9.05, 1.85, "double", "black"), (0.15, 2.4, "$x_t$", "black"),
        (9.8, 2.4, r"$\epsilon_\theta$", "black"),
        (5.0, 3.1, "step and label become one vector $e$; every block reads it", for_text(RED)),
    ):  # fmt: skip
        ax.text(x, y, words, ha="center", va="center", color=colour)
    ax.set(xlim=(0, 10), ylim=(-1.25, 3.3))
    ax.set_axis_off()
    return figure


def guesses(noisy: torch.Tensor, guess: torch.Tensor, steps: Sequence[int]) -> Figure:
    """A pair of rows for each step: noisy pictures `(steps, n, 1, h, w)`, and the guesses."""
    if not len(noisy) == len(guess) == len(steps):
        raise ValueError(f"{len(steps)} steps, {len(noisy)} rows of noise, {len(guess)} of guesses")
    figure, axes = plt.subplots(len(steps), 2, figsize=(9.0, 1.15 * len(steps) + 0.4))
    for (left, right), x, clean, t in zip(axes, noisy, guess, steps, strict=True):
        show_images(left, x.clamp(-2, 2), n_columns=len(x))
        show_images(right, clean.clamp(-1, 1), n_columns=len(x))
        left.text(-3, x.shape[-1] / 2, f"t = {t}", ha="right", va="center")
    axes[0, 0].set_title("What the network sees")
    axes[0, 1].set_title("Its guess: the less it knows, the more it averages")
    return figure
