"""Pictures of the notebook on the speed-run."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, for_text, show, show_images

ROWS = {
    "former": "old recipe",
    "labels": "drop no label",
    "muon": "Muon",
    "late": "fall late",
    "levels": "higher levels",
    "average": "longer average",
}


def rows(pictures: Mapping[str, Any], *, title: str, alt: str) -> None:
    """Show rows of ten 16 x 16 digits, grey levels 0 to 255, with names at the left."""
    n = len(pictures)
    figure, ax = plt.subplots(figsize=(9, 0.5 + 0.76 * n))
    drawn = [torch.as_tensor(x).reshape(10, 1, 16, 16) for x in pictures.values()]
    show_images(ax, torch.cat(drawn))
    for k, name in enumerate(pictures):
        ax.text(-2, 17 * k + 8, name, ha="right", va="center", fontsize=11)
    ax.set_title(title, size=11)
    show(figure, alt)


def luck(scores: Tensor, best: int) -> None:
    """Scores of perfect generators by A and by B, and the one that A likes best."""
    figure, ax = plt.subplots(figsize=(6, 3.4))
    ax.scatter(scores[:, 0], scores[:, 1], s=14, color=BLUE, alpha=0.5)
    where: Any = scores[best].tolist()
    ax.scatter(where[0], where[1], s=110, color=RED, marker="*", zorder=3)
    ax.annotate("best by A", where, (-4, 10), textcoords="offset points", color=for_text(RED))
    by_a, by_b = scores.mean(0).tolist()
    ax.axvline(by_a, color=BLACK, linewidth=1, linestyle=":")
    ax.axhline(by_b, color=BLACK, linewidth=1, linestyle=":")
    right, top = scores.max(0).values.tolist()
    ax.text(right, by_b, "mean by B", ha="right", va="bottom", fontsize=10)
    ax.text(by_a, top, " mean by A", ha="left", va="top", fontsize=10)
    ax.set(xlabel="Fréchet distance by A", ylabel="Fréchet distance by B")
    ax.set_title("200 perfect generators: the best by A is ordinary by B", size=11)
    alt = (
        "Scores of 200 sets of real digits by two evaluators, a round cloud; the set with the "
        "lowest score by A lies near the mean of B's scores."
    )
    show(figure, alt)


def tricks(
    noise: Tensor, real: Tensor, by_a: tuple[float, float], by_b: tuple[float, float]
) -> None:
    """Ten squares of noise over ten real digits, each with its distance by both evaluators."""
    figure, ax = plt.subplots(figsize=(9, 2))
    show_images(ax, torch.cat([noise, real]))
    for k, (a, b) in enumerate(zip(by_a, by_b, strict=True)):
        ax.text(-2, 17 * k + 8, f"A {a:.2f},  B {b:.2f}", ha="right", va="center", fontsize=11)
    ax.set_title("A prefers the noise to real digits; B does not", size=11)
    alt = (
        "Ten squares of grey noise without a digit in them, above ten real digits, with the "
        "Fréchet distances of such sets by A and by B."
    )
    show(figure, alt)


def orthogonal(line: Tensor, after: Mapping[Any, Tensor], sizes: Mapping[str, Tensor]) -> None:
    """What the iteration does to a singular value, and to those of a real gradient."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7))
    looks: dict[Any, tuple[str, str, str]] = {
        "classical": (BLACK, ":", "classical, 5 iterations"),
        1: (ORANGE, "-.", "Muon's, 1 iteration"),
        3: (RED, "--", "Muon's, 3 iterations"),
        5: (BLUE, "-", "Muon's, 5 iterations"),
    }
    left.axhspan(0.68, 1.21, color=GREEN, alpha=0.15)
    for name, values in after.items():
        colour, style, label = looks[name]
        left.semilogx(line, values, color=colour, linestyle=style, label=label)
    left.set(xlabel="singular value before (largest possible: 1)", ylabel="singular value after")
    left.set_title("Five iterations lift even 0.0015 into the band", size=11)
    left.legend(fontsize=9)
    drawn = {"gradient": (BLACK, "-"), "signs": (ORANGE, "--"), "Muon": (BLUE, "-")}
    words = {"gradient": "gradient", "signs": "signs of the gradient", "Muon": "Muon"}
    for name, values in sizes.items():
        colour, style = drawn[name]
        part = values / values[0]
        right.semilogy(range(1, len(part) + 1), part, color=colour, linestyle=style)
        place = {"gradient": (9, part[8] * 0.5), "signs": (20, part[19] * 1.45)}
        x, y = place.get(name, (20, part[19] * 1.25))
        right.text(x, float(y), words[name], color=for_text(colour), fontsize=10)
    right.set(xlabel="direction, from the strongest to the weakest", ylabel="size over the largest")
    right.set_ylim(top=1.6)
    right.set_title("A real gradient: Muon makes all 48 nearly equal", size=11)
    alt = (
        "Left: what the polynomial makes of singular values from 0.001 to 1; after five of Muon's "
        "iterations all above 0.0015 lie between 0.68 and 1.21, while five classical ones have "
        "lifted only large ones. Right: 48 singular values of a gradient fall by far more than "
        "ten, those of its signs by less, after Muon by at most 2."
    )
    show(figure, alt)


SCHEDULES = {
    "constant": (BLACK, ":"),
    "early fall": (ORANGE, "-."),
    "cosine": (RED, "--"),
    "late fall": (BLUE, "-"),
}


def schedules(rates: Mapping[str, Tensor], peaks: Tensor, losses: Mapping[str, Tensor]) -> None:
    """Four schedules, and the loss at the end against the peak of each."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for name, (colour, style) in SCHEDULES.items():
        part = np.arange(len(rates[name])) / len(rates[name])
        left.plot(part, rates[name], color=colour, linestyle=style, label=name)
        loss = losses[name]
        right.plot(peaks, loss, color=colour, linestyle=style, label=name)
        k = int(loss.argmin())
        right.plot(peaks[k], loss[k], "o", color=colour, markersize=7)
    left.set(xlabel="fraction of the training", ylabel="rate over its peak")
    left.set_title("Four schedules", size=11)
    low = min(float(loss.min()) for loss in losses.values())
    right.set(xscale="log", xlabel="peak of the rate", ylabel="expected loss at the end")
    right.set_ylim(0.95 * low, 1.6 * low)
    right.set_xticks([0.05, 0.1, 0.2, 0.5, 1], labels=["0.05", "0.1", "0.2", "0.5", "1"])
    right.minorticks_off()
    right.set_title("Cosine and late fall nearly tie, each at its best peak", size=11)
    right.legend(fontsize=9)
    alt = (
        "Left: four schedules over time: constant, early fall, cosine, late fall. Right: expected "
        "loss at the end against the peak, four valleys; those of cosine and late fall are nearly "
        "equally deep, at different peaks, and those of early fall and constant are shallower."
    )
    show(figure, alt)


def decided(levels: Tensor, exact: Tensor, network: Tensor, by_class: Tensor) -> None:
    """Where the class of a digit is open, and where it is decided next to where EDM trains."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7))
    left.plot(levels, exact, color=BLUE)
    left.plot(levels, network, color=RED, linestyle="none", marker="o", markersize=4)
    left.text(0.25, 0.62, "exact:\nentropy\nover log 10", color=for_text(BLUE), ha="right")
    left.text(1.5, 0.3, "U-Net: wrong\nguesses over 0.9", color=for_text(RED))
    left.axvline(0.65, color=BLACK, linewidth=1, linestyle=":")
    left.text(0.7, 0.03, "σ = 1.9", fontsize=10)
    left.set(ylabel="uncertainty about the class\n(1: nothing is known)")
    left.set_title("The class is lost between σ = 1 and σ = 5", size=11)
    axis = torch.linspace(-4.5, 3.5, 200)
    right.fill_between(levels, by_class, color=GREEN, alpha=0.3, label="class decided")
    for mean, colour, style in ((-1.2, BLACK, "--"), (-0.8, BLUE, "-"), (0.5, RED, "-.")):
        bell = torch.distributions.Normal(mean, 1.2).log_prob(axis).exp()
        right.plot(axis, bell, color=colour, linestyle=style, label=f"training, P = {mean:g}")
    right.set(ylabel="density over log σ", ylim=(0, 1.1))
    for ax, marks in ((left, (0.5, 1, 2, 5, 10, 20)), (right, (0.02, 0.1, 0.3, 1, 3, 10))):
        ax.set_xticks(np.log(marks), labels=[f"{mark:g}" for mark in marks])
        ax.set_xlabel("noise σ (logarithmic axis)")
    right.set_title("The old recipe trains mostly below these levels", size=11)
    right.legend(fontsize=9, loc="upper left")
    alt = (
        "Left: the uncertainty about the class rises from 0 at sigma 1 to 1 at sigma 12; the U-Net "
        "loses the class at slightly lower levels than the exact posterior. Right: densities over "
        "log sigma; the class is decided near sigma 1.6; training densities peak at 0.3, 0.45 and "
        "1.6."
    )
    show(figure, alt)


def crossing(runs: Sequence[Mapping[str, Any]]) -> None:
    """Distance against steps for two optimisers, each with two means of the noise level."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.7), sharey=True)
    for ax, name in zip(axes, ("AdamW", "Muon"), strict=True):
        for p_mean, colour, style in ((-1.2, BLACK, "--"), (0.5, RED, "-")):
            mine = [r for r in runs if r["optimizer"] == name and r["p_mean"] == p_mean]
            steps = sorted({r["n_steps"] for r in mine if r["seed"] > 0})
            found = [
                [r["frechet_a"] for r in mine if r["n_steps"] == n and r["seed"] > 0] for n in steps
            ]
            low, middle, high = np.quantile(np.array(found), [0, 0.5, 1], axis=1)
            ax.fill_between(steps, low, high, color=colour, alpha=0.15)
            ax.plot(steps, middle, color=colour, linestyle=style, marker="o", markersize=4)
            side: dict[str, Any] = {"ha": "left", "va": "bottom" if p_mean < 0 else "top"}
            last = (steps[-1] * 1.05, middle[-1])
            ax.text(*last, f"P = {p_mean:g}", color=for_text(colour), **side)
        ticks = sorted({r["n_steps"] for r in runs if r["optimizer"] == name and r["seed"] > 0})
        ax.set(xscale="log", yscale="log", xlabel="training steps")
        ax.set_xlim(ticks[0] * 0.9, ticks[-1] * 1.7)
        ax.set_xticks(ticks, labels=[str(n) for n in ticks])
        ax.set_yticks([1.5, 2, 3, 5, 10], labels=["1.5", "2", "3", "5", "10"])
        ax.minorticks_off()
        ax.set_title(name, size=11)
    axes[0].set_ylabel("Fréchet distance by A")
    figure.suptitle("The same idea hurts short runs and helps long ones", size=12)
    alt = (
        "Two panels, AdamW and Muon: Fréchet distance against training steps on logarithmic axes, "
        "ten seeds each. In both, P = 0.5 starts above P = -1.2 and ends below it; the curves "
        "cross between 300 and 400 steps for AdamW, and near 100 for Muon."
    )
    show(figure, alt)


def ladder(
    by_row: Mapping[str, Sequence[float]], control: Sequence[float], floor: float, error: float
) -> None:
    """The recorded table, the control in its place, and the floor."""
    figure, ax = plt.subplots(figsize=(9, 3.8))
    names = [*by_row]
    at = names.index("muon")
    places = {name: k + (k >= at) for k, name in enumerate(names)}
    for name, values in by_row.items():
        for seed, value in enumerate(values):  # the second seed is hollow
            inside = "none" if seed else BLUE
            ax.plot(places[name], value, "o", color=BLUE, markerfacecolor=inside, markersize=6)
    for seed, value in enumerate(control):
        inside = "none" if seed else RED
        ax.plot(at, value, "s", color=RED, markerfacecolor=inside, markersize=7)
    means = [float(np.mean(values)) for values in by_row.values()]
    ax.plot(range(at), means[:at], color=BLUE, linestyle="-", linewidth=1)
    ax.plot(range(at + 1, len(means) + 1), means[at:], color=BLUE, linestyle="-", linewidth=1)
    ax.text(0.12, by_row[names[0]][0], "seed 0", fontsize=10, va="center")
    ax.text(0.12, by_row[names[0]][1], "seed 1", fontsize=10, va="center")
    words = "the control: AdamW with Muon's settings"
    ax.text(at + 0.15, float(np.mean(control)), words, color=for_text(RED), va="center")
    ax.axhspan(floor - error, floor + error, color=BLACK, alpha=0.12)
    ax.text(0, floor, "the floor: perfect generators", fontsize=10, va="center")
    labels = [ROWS[name].replace(" ", "\n", 1) for name in names]
    labels[-1] += "\n(a placebo)"
    ax.set_xticks([*places.values(), at], [*labels, "control"])
    ax.set(ylabel="Fréchet distance by A", ylim=(0.08, 0.64))
    ax.set_title("Muon's other settings gain nothing without Muon", size=11)
    alt = (
        "Fréchet distance by A for six recipes and two seeds: about 0.54 for the old recipe, 0.51 "
        "without dropped labels, 0.25 with Muon, then 0.23, 0.20 and 0.20. The control, AdamW "
        "with Muon's settings, lies at 0.55. The floor is a band at 0.13."
    )
    show(figure, alt)
