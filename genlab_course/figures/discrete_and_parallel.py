"""Pictures of the notebook on parallel tokens."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from genlab_course.figures import BLUE, GREEN, ORANGE, PINK, RED, for_text, show

BLACK, GREY = "#222222", "#777777"
FILLING = (
    "Three groups of six digits fill up from blue, hidden pixels. In one evaluation all are full "
    "at once and are speckle. In eight evaluations they are digits with some stray pixels. Pixel "
    "by pixel takes 64 evaluations and draws cleaner digits."
)
HIDDEN = torch.tensor([0.62, 0.78, 0.92])  # the colour of a hidden pixel


def sheet(x: Tensor, n_columns: int) -> NDArray[np.float32]:
    """Digits of 8 x 8 pixels, 17 grey levels or hidden (17), side by side with gutters."""
    x = x.reshape(-1, 8, 8, 1)
    ink = (1 - x.float() / 16).expand(-1, -1, -1, 3)
    coloured = torch.where(x == 17, HIDDEN, ink)
    tiles = torch.nn.functional.pad(coloured, (0, 0, 1, 1, 1, 1), value=0.88)
    rows = [torch.cat(list(row), 1) for row in tiles.split(n_columns)]
    return torch.cat(rows, 0).numpy()


def frame(filled: Mapping[int, Sequence[Tensor]], p: int) -> Figure:
    """Six digits of each number of evaluations n, after p of them."""
    figure, axes = plt.subplots(1, len(filled), figsize=(9, 2.8))
    for ax, (n, states) in zip(axes, filled.items(), strict=True):
        ax.imshow(sheet(states[min(p, n)], 3), interpolation="nearest")
        ax.set_axis_off()
        name = f"{n} evaluation{'s' * (n > 1)}"
        ax.set_title(f"{name}\n{min(p, n)} of {n}")
    return figure


def kept_and_replaced(target: Tensor, draft: Tensor) -> None:
    """Draft and target, what is kept of the draft, and what replacements from the target give."""
    p, q = target.numpy(), draft.numpy()
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), sharey=True)
    both, place = np.minimum(p, q), np.arange(3)
    axes[0].bar(place - 0.2, q, 0.38, color=ORANGE)
    axes[0].bar(place + 0.2, p, 0.38, color=BLUE)
    for ax in axes[1:]:
        ax.bar(place, both, 0.5, color=GREEN)
        ax.hlines(p, place - 0.36, place + 0.36, color=BLACK, linestyle="--", linewidth=1.3)
    axes[1].bar(place, q - both, 0.5, both, color=ORANGE, alpha=0.45)
    axes[2].bar(place, (1 - both.sum()) * p, 0.5, both, color=BLUE)
    titles = ("Two distributions", "The draft, checked", "Replaced from p: wrong")
    words = (
        ((0.15, 0.53, "target p", BLUE), (1.3, 0.72, "draft q", ORANGE)),
        ((-0.35, 0.14, "kept", GREEN), (1.3, 0.72, "rejected", ORANGE), (0.42, 0.48, "p", BLACK)),
        ((-0.35, 0.38, "drawn from p", BLUE), (0.42, 0.48, "p", BLACK)),
    )
    for ax, title, labels in zip(axes, titles, words, strict=True):
        ax.set(xticks=place, xticklabels=list("abc"), title=title, ylim=(0, 0.8), xlabel="token")
        for x, y, word, colour in labels:
            ax.text(x, y, word, color=for_text(colour), fontsize=10)
    axes[0].set_ylabel("probability")
    alt = (
        "Bars over three tokens. Left: a draft that favours c, a target that favours a. Middle: "
        "what is kept of the draft reaches the dashed target at c alone, and a large part of c is "
        "rejected. Right: with replacements from the target, a stays too low, b and c are too high."
    )
    show(figure, alt)


def drafting(
    ks: Sequence[int],
    tokens: Mapping[int, Any],
    formula: Callable[[float, Any], Any],
    written: Sequence[tuple[str, Sequence[int]]],
) -> None:
    """Tokens per evaluation against k, and texts with their rounds."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), width_ratios=[1, 1.9])
    far = np.arange(0, 9)
    for (order, rows), colour in zip(tokens.items(), (PINK, RED), strict=True):
        mean, error = rows.mean(0), rows.std(0, ddof=1)
        line = formula(mean[0] - 1, far)
        left.plot(far, line, "--", color=colour)
        left.errorbar(ks, mean, error, fmt="o", color=colour)
        name = f"draft sees {order} character{'s' * (order > 1)}"
        left.text(7.4, line[-1] + 0.12, name, color=for_text(colour), ha="right", fontsize=10)
    left.set(xlabel="drafted tokens k", ylabel="tokens per evaluation", ylim=(0.9, 3.6))
    left.set_title("Each further draft yields less", size=11)
    left.text(0.2, 3.35, "dashed: formula (4)", color=BLACK, fontsize=9)
    right.set_axis_off()
    right.set(xlim=(0, 64), ylim=(-0.5, 6))
    for line_number, (text, ends) in enumerate(written):
        for at, character in enumerate(text):
            last = at + 2 in ends
            right.text(
                at, 5 - line_number, character, fontsize=12.5, family="monospace",
                color=BLUE if last else for_text(GREEN), weight="bold" if last else "normal",
            )  # fmt: skip
    right.set_title("A round keeps drafts (green) and ends in one token from the target", size=11)
    alt = (
        "Left: tokens per evaluation against drafted tokens, for two drafts. Points lie by two "
        "curves that flatten, at two and at three tokens. Right: six lines of text in which most "
        "characters are green, kept drafts, and about four in ten are blue."
    )
    show(figure, alt)


def word_frequencies(names: Sequence[str], ratios: Mapping[str, Tensor]) -> None:
    """How often each word is written, over how often it should be, by two rules."""
    exact, biased = (ratio.numpy() for ratio in ratios.values())
    rank = np.argsort(-biased)
    figure, ax = plt.subplots(figsize=(11, 3.2))
    ax.bar(range(len(names)), biased[rank], color=PINK)
    ax.plot(range(len(names)), exact[rank], "o", color=BLUE, markersize=4)
    ax.text(14, 2.3, "bars: the surest value is kept", color=for_text(PINK))
    ax.text(40, 1.3, "dots: the surest position", color=BLUE)
    ax.set_xticks(range(len(names)), [names[i] for i in rank], rotation=90, fontsize=9)
    ax.set(ylabel="times its right frequency", xlim=(-0.7, len(names) - 0.3))
    ax.set_title("Every result is a word of the list, but not equally often", size=11)
    alt = (
        "Bars of 64 words, by how often they are written relative to what is right. Keeping the "
        "surest value writes a few words three times as often and some almost never; dots for the "
        "surest position scatter about one."
    )
    show(figure, alt)


def prices(
    curves: Mapping[str, Any],
    trained: Any,
    bounds: Mapping[str, tuple[Sequence[int], Any]],
    plans: Mapping[str, Sequence[float]],
) -> None:
    """Bits against evaluations: lost by rules and plans for words, spent on pixels for digits.

    Of a plan, named like "3 evaluations, 1 + 1 + 3", `plans` holds the bits that the ideal network
    loses, and then those of trained ones.
    """
    figure, (ideal, learnt, right) = plt.subplots(1, 3, figsize=(11, 3.9))
    looks = {
        "random times": (GREY, "s", (3.96, 0.57)),
        "surest first": (ORANGE, "^", (3.27, 1.34)),
        "least sure first": (BLUE, "o", (2.23, -0.16)),
    }
    for name, (n, bits) in curves.items():
        colour, mark, place = looks[name]
        ideal.plot(n, bits, f"{mark}-", color=colour)
        ideal.text(*place, name, color=for_text(colour), fontsize=10)
    ideal.set_title("Words, ideal network:\nfree from 3.1 evaluations", size=11)
    mean, error = trained.mean(0), trained.std(0, ddof=1)
    learnt.errorbar(mean[:, 0], mean[:, 1], error[:, 1], fmt="o-", color=BLUE)
    learnt.text(3.18, 0.72, "least sure first", color=for_text(BLUE), fontsize=10)
    learnt.set_title("Words, three trained networks:\nnever free", size=11)
    for ax, told in ((ideal, lambda bits: bits[0]), (learnt, lambda bits: np.mean(bits[1:]))):
        for name, bits in plans.items():
            n = int(name.split()[0])
            ax.plot(n, told(bits), "D", color=BLACK, markersize=6)
            at, side = (n - 0.08, "right") if n < 4 else (n + 0.02, "center")
            down = 0 if n < 4 else 0.22
            plan = name.split(", ")[1]
            ax.text(at, told(bits) - down, plan, fontsize=9, ha=side, va="center")
        ax.set(xlabel="evaluations (mean of the words)", xlim=(2.2, 4.9), ylim=(-0.3, 2.1))
    ideal.set_ylabel("bits lost per word")
    for (name, (ks, bits)), colour in zip(bounds.items(), (PINK, RED), strict=True):
        spread = bits.std(0, ddof=1) if len(bits) > 1 else None
        right.errorbar(ks, bits.mean(0), spread, fmt="o-", color=colour)
        words = "U-Net" if name == "U-Net" else "three small networks"
        right.text(64, bits.mean(0)[-1] + 0.06, words, color=for_text(colour), ha="right")
    right.set(xscale="log", xlabel="evaluations per digit", ylabel="bits per pixel, at most")
    right.set_xticks((1, 2, 4, 8, 16, 32, 64), ("1", "2", "4", "8", "16", "32", "64"))
    right.minorticks_off()
    right.set_title("Digits: most of the price\nis gone after eight", size=11)
    alt = (
        "Bits lost per word against evaluations. Left, ideal network: least sure first falls to "
        "zero at 3.1 evaluations, surest first at four, random times are at 0.6 bits there; the "
        "plan 1 + 1 + 3 loses 0.64 bits at three. Middle, trained networks: least sure first "
        "stays near a third of a bit, the plan 1 + 1 + 1 + 2 near a quarter. Right: bits per pixel "
        "of digits fall from 2.4 at one evaluation, steeply until four to eight, then slowly, for "
        "two kinds of network."
    )
    show(figure, alt)


def digit_sheets(sheets: Mapping[str, Tensor], scores: Mapping[str, Any]) -> None:
    """Digits of each rule, with precision and recall where they are given, four sheets a row."""
    figure, axes = plt.subplots(2, -(-len(sheets) // 2), figsize=(11, 6.6))
    figure.suptitle("The cleanest digits are the least varied", size=12)
    for ax, (name, x) in zip(axes.flat, sheets.items(), strict=True):
        ax.imshow(sheet(x, 3), interpolation="nearest")
        ax.set_axis_off()
        told = (
            "precision {:.2f}, recall {:.2f}".format(*scores[name])
            if name in scores
            else "one picture"
        )
        ax.set_title(f"{name}\n{told}", size=10)
    alt = (
        "Sheets of nine digits: real ones, and drawn in eight evaluations. With random positions, "
        "with the surest positions and with MaskGIT's noise many digits occur. With weak noise, "
        "and more so with half ink, many are ones. With the surest values nearly every picture is "
        "an upright stroke, a one. At temperature 0 all nine are the same picture."
    )
    show(figure, alt)
