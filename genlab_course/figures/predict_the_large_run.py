"""Pictures of the notebook *Predict the large run*: laws, budgets, forecasts and what happened."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, SKY, for_text

COMPUTE = "compute of the run, in units of the smallest"
LOSS = "loss (nats a character)"
EXCESS = (1, 4, 10)  # of chi squared over its least value: the edges of the valley's bands


def three_laws(c: Any, loss: Any, target: float) -> Figure:
    """Five runs, three kinds of law that pass near them, and the run that is asked for."""
    figure, ax = plt.subplots(figsize=(8.0, 4.0))
    line = np.geomspace(0.6, target, 100)
    power, start = np.polyfit(np.log(c), np.log(loss), 1)
    above, begin = np.polyfit(np.log(c), np.log(loss - 1.2), 1)
    slope, top = np.polyfit(np.log(c), loss, 1)
    laws = (
        ("law with a floor, here at 1.2", 1.2 + np.exp(begin + above * np.log(line)), GREEN),
        ("power law", np.exp(start + power * np.log(line)), BLUE),
        ("straight line", top + slope * np.log(line), ORANGE),
    )
    for name, curve, colour in laws:
        ax.plot(line, curve, color=colour, linestyle="-")
        ax.text(target * 1.12, curve[-1], name, color=for_text(colour), va="center")
    ax.plot(c, loss, "o", color=BLACK, markersize=8)
    ax.text(c[1] * 1.15, loss[1] + 0.05, "five small runs, some seconds each")
    ax.axvline(target, color="#BBBBBB", linewidth=6, zorder=0)
    ax.text(target, 2.2, "?", ha="center", fontsize=26)
    ax.set(xscale="log", xlim=(0.5, target * 14), xlabel=COMPUTE, ylabel=LOSS)
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    ax.set_title("Three laws agree on five small runs, and disagree about the large one")
    return figure


def first_run(read: Any, loss: Any, levels: Mapping[str, float], text: str) -> Figure:
    """How the loss of one small run falls, and what it writes at its end."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.4), width_ratios=(1.1, 1))
    left.plot(read, loss, color=BLUE)
    for name, level in levels.items():
        left.axhline(level, color="#999999", linewidth=1, linestyle="--")
        low = level == min(levels.values())  # below its line, where the loss is not yet
        x, y, side = (read[0], level - 0.15, "left") if low else (read[-1], level + 0.03, "right")
        left.text(x, y, name, ha=side, color="#555555")
    left.set(xlabel="characters read", ylabel="loss of a batch (nats a character)", ylim=(2, 4.8))
    left.set_title("Your first run learns more than letters")
    right.text(0, 1, text, family="monospace", fontsize=10, va="top", linespacing=1.5)
    right.set_axis_off()
    right.set_title("and writes like this", loc="left")
    return figure


def written(texts: Mapping[str, str]) -> Figure:
    """What networks write, side by side."""
    figure, axes = plt.subplots(1, len(texts), figsize=(10.0, 2.2), squeeze=False)
    for ax, (name, text) in zip(axes[0], texts.items(), strict=True):
        ax.text(0, 1, text, family="monospace", fontsize=10, va="top", linespacing=1.5)
        ax.set_axis_off()
        ax.set_title(f"{name} writes", loc="left")
    return figure


def budgets(sizes: Any, curves: Mapping[str, Any], best: Any, ratio: Any, runs: Any) -> Figure:
    """Loss against model size at fixed budgets, by the published law and by our own runs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.6))
    for (name, curve), colour in zip(curves.items(), (SKY, BLUE, BLACK), strict=True):
        left.plot(sizes, curve, color=colour, linestyle="-")
        end = np.flatnonzero(np.asarray(curve) < 3.9)[-1]  # of what is in sight
        left.text(sizes[end] * 1.25, curve[end], name, color=for_text(colour), va="center")
    left.plot(*best, "o", color=RED)
    left.set(xscale="log", xlim=(sizes[0] / 2, sizes[-1] * 20), ylim=(1.8, 4))
    left.set(xlabel="weights N", ylabel="loss (nats a token)")
    left.set_title("A published law: each budget has a best size")
    mean, error = runs
    right.errorbar(ratio, mean, error, fmt="o-", color=BLUE, capsize=3)
    right.set(xscale="log", xlabel="characters for each weight, D / N", ylabel=LOSS)
    right.minorticks_off()
    right.set_xticks([2, 5, 20, 50, 170], ["2", "5", "20", "50", "170"])
    right.set_title("Our network, one budget: 20 is best of five")
    return figure


def valley(laws: tuple[Any, Any, Any], grid: Any, curves: Any, points: Any) -> Figure:
    """The band of floors and exponents that fit, and the same laws carried on."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.8))
    gammas, floors, excess = laws
    shades = (BLUE, SKY, "#E5E5E5")
    left.contourf(gammas, floors, excess.T, (0, *EXCESS), colors=shades)
    left.set(xlim=(0.07, 0.3), ylim=(0, 1.4))
    left.set(xlabel="exponent $\\gamma$", ylabel="floor E (nats)")
    left.set_title("A valley: a higher floor asks for a steeper law")
    for limit in EXCESS:  # each label at the top of its band
        i, j = max(np.argwhere(np.asarray(excess) < limit), key=lambda place: place[1])
        name = f"least $\\chi^2$ + {limit}"
        left.text(gammas[i] + 0.008, floors[j], name, va="center", fontsize=9)
    for curve in curves:
        right.plot(grid, curve, color=SKY, linestyle="-", linewidth=0.6)
    right.errorbar(*points, fmt="o", color=BLACK, capsize=3, markersize=4)
    right.axvline(grid[-1], color="#BBBBBB", linewidth=6, zorder=0)
    right.set(xscale="log", xlabel=COMPUTE, ylabel=LOSS)
    right.set_title("The laws of the valley part where no run is")
    return figure


def envelope(
    grid: Any, bands: Mapping[str, Any], small: Any, runs: Mapping[str, tuple[float, Any]]
) -> Figure:
    """The picture of the opening again: forecasts as bands, and the runs that came after.

    Each of `runs`, from the smallest to the outcome: compute and the losses of its seeds. The
    panel below shows every run less the first of `bands`.
    """
    figure, (ax, below) = plt.subplots(
        2, 1, figsize=(8.0, 6.4), height_ratios=(3, 1.3), sharex=True
    )
    losses = [values for _, values in runs.values()]
    high = np.mean(losses[-1])  # of the labels, from the outcome down
    ax.text(grid[-1] * 1.3, high, f"the large run: {high:.2f}", va="center", weight="bold")
    ranked = sorted(bands.items(), key=lambda band: -band[1][0][-1])
    colours = dict(zip(bands, (GREEN, BLUE, ORANGE), strict=True))
    for name, (mean, std) in ranked:
        colour = colours[name]
        ax.fill_between(grid, mean - std, mean + std, color=colour, alpha=0.25, lw=0)
        ax.plot(grid, mean, color=colour, linestyle="-")
        high = min(mean[-1], high - 0.07)
        ax.text(grid[-1] * 1.3, high, name, color=for_text(colour), va="center")
    at, seen, error = small
    ax.errorbar(at, seen, error, fmt="o", color=BLACK, capsize=2, markersize=5)
    for c, values in runs.values():
        ax.plot([c] * len(values), values, "_", color=BLACK, markersize=11, markeredgewidth=2)
    ax.set(xscale="log", xlim=(0.5, grid[-1] * 14), ylabel=LOSS)
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    ax.set_title("The best fit made the worst forecast")
    _less_a_forecast(below, grid, *next(iter(bands.items())), small, runs)
    return figure


def _less_a_forecast(
    ax: Axes, grid: Any, name: str, band: Any, small: Any, runs: Mapping[str, tuple[float, Any]]
) -> None:
    mean, std = band
    ax.fill_between(grid, -std, std, color=GREEN, alpha=0.25, lw=0)
    ax.axhline(0, color=GREEN, linestyle="-")
    at, seen, error = small
    level = np.interp(np.log(at), np.log(grid), mean)
    ax.errorbar(at, seen - level, error, fmt="o", color=BLACK, capsize=2, markersize=5)
    for run, (c, values) in runs.items():
        left = np.asarray(values) - np.interp(np.log(c), np.log(grid), mean)
        ax.plot([c] * len(left), left, "_", color=BLACK, markersize=11, markeredgewidth=2)
        ax.text(c * 1.2, left.mean(), run, va="center", fontsize=10)
    ax.set(xlabel=COMPUTE, ylabel=f"run less\n{name}")


def two_errors(forecast: tuple[float, float], price: tuple[float, float], outcome: float) -> Figure:
    """From the forecast to the outcome: what repetition added, and what else must have happened.

    Forecast and price come with their standard deviations; the price's own rounding is kept, and
    the last of the changes takes what is left.
    """
    figure, ax = plt.subplots(figsize=(8.0, 3.0))
    told, cost, end = (round(float(value), 3) for value in (forecast[0], price[0], outcome))
    both = float(np.hypot(forecast[1], price[1]))
    steps = (
        ("forecast", 1.2, told, GREEN, f"{told:.3f} ± {forecast[1]:.3f}"),
        ("repeated text", told, told + cost, RED, f"{cost:+.3f} ± {price[1]:.3f}"),
        ("the law's own miss", told + cost, end, SKY, f"{end - told - cost:+.3f} ± {both:.3f}"),
        ("the large run", 1.2, end, BLACK, f"{end:.3f}"),
    )
    for x, (_, start, stop, colour, label) in enumerate(steps):
        ax.bar(x, stop - start, bottom=start, color=colour, width=0.6)
        ax.text(x, max(start, stop) + 0.01, label, ha="center", weight="bold")
        if x < len(steps) - 1:
            ax.plot([x + 0.3, x + 0.7], [stop, stop], color="#999999", linewidth=1, linestyle="-")
    ax.set(ylim=(1.2, 1.65), ylabel=LOSS)
    ax.set_xticks(range(len(steps)), [name for name, *_ in steps])
    ax.set_title("If repetition costs what it cost the small runs, two errors have opposite signs")
    return figure


def rates(
    sweeps: Mapping[str, Any], wrong: Mapping[str, Any], ladders: Mapping[str, Any], outcome: float
) -> Figure:
    """Loss against learning rate at three widths, and what one rate for all does to a forecast.

    Each sweep and each wrong rate: rates in units of the rule and losses above the best; each
    ladder: compute, mean and error of its runs, then compute, mean and error of its forecast of
    the outcome.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.8))
    for (name, (rate, above)), colour in zip(sweeps.items(), (SKY, BLUE, BLACK), strict=False):
        left.plot(rate, above, "o-", color=colour)
        left.text(rate[-1] * 1.1, above[-1], name, color=for_text(colour), va="center")
    for name, (rate, above) in wrong.items():
        left.plot(rate, above, "^", color=RED, markersize=9)
        left.text(rate * 0.85, above, name, color=for_text(RED), ha="right", va="center")
    left.text(0.035, 0.2, "one rate for all", color=for_text(RED))
    left.axvline(1, color="#999999", linewidth=1)
    left.set(xscale="log", xlim=(0.03, 11), xlabel="learning rate, in units of 0.8 / width")
    left.set(ylabel="loss above the best (nats)")
    left.minorticks_off()
    left.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4], ["1/8", "1/4", "1/2", "1", "2", "4"])
    left.set_title("The rule is near the best rate, and near a cliff")
    _two_ladders(right, ladders)
    right.axhline(outcome, color=BLACK, linestyle="--", linewidth=1)
    right.text(1, outcome + 0.03, "the large run", color=BLACK)
    return figure


def _two_ladders(ax: Axes, ladders: Mapping[str, Any]) -> None:
    marks = ((BLUE, "o", -0.6), (RED, "^", 0.06))
    for (name, (runs, told)), look in zip(ladders.items(), marks, strict=False):
        colour, mark, up = look
        at, losses, errors = runs
        ax.errorbar(at, losses, errors, fmt=mark, color=colour, markersize=5)
        c, mean, std = told
        ax.errorbar(c, mean, std, fmt=mark, color=colour, mfc="white", capsize=4)
        ax.text(c * 0.8, mean, "its forecast", color=for_text(colour), ha="right", va="center")
        ax.text(1.2, losses[0] + up, name, color=for_text(colour))
    ax.set(xscale="log", ylim=(1.2, 3.0), xlabel=COMPUTE, ylabel=LOSS)
    ax.set_title("Too high at the small end, so too low at the large one")
