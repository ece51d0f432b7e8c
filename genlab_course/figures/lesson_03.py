"""Pictures of lesson 03: two hills, a diary, tables, over-fitting, three estimates, a memory."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY, for_text

EMPTY = 0.01  # the fraction of the data that lives where a dot is drawn in red
GREY, PALE = "#555555", "#C8C8C8"
Path = Sequence[tuple[float, float]]  # (m, s) of a curve after each step


def threshold(line: Tensor, log_p: Callable[[Tensor], Tensor], empty: float = EMPTY) -> float:
    """The log-density below which the fraction `empty` of the mass lies, on an even grid."""
    found = log_p(line).sort().values
    mass = found.exp().cumsum(0) / found.exp().sum()
    return float(found[int((mass < empty).sum())])


def two_hills(
    line: Tensor,
    log_p: Callable[[Tensor], Tensor],
    paths: Mapping[str, Path],
    noise: Tensor,
    n_frames: int,
) -> Iterator[Figure]:
    """The frames of a film, dense at the start, with a panel for each path."""
    last = min(len(path) for path in paths.values()) - 1
    for k in (last * np.linspace(0, 1, n_frames) ** 1.6).round().astype(int):
        yield hills_and_curves(line, log_p, {name: path[k] for name, path in paths.items()}, noise)


def hills_and_curves(
    line: Tensor,
    log_p: Callable[[Tensor], Tensor],
    fits: Mapping[str, tuple[float, float]],
    noise: Tensor,
) -> Figure:
    """A panel for each fit (m, s): the hills in grey, the curve, its dots, red in empty country."""
    figure, axes = plt.subplots(len(fits), 1, figsize=(6.4, 2.1 * len(fits)), sharex=True)
    floor = threshold(line, log_p)
    shake = np.random.default_rng(0).uniform(0.02, 0.12, len(noise))
    for ax, (name, (m, s)) in zip(np.atleast_1d(axes), fits.items(), strict=True):
        ax.fill_between(line.numpy(), log_p(line).exp().numpy(), color=PALE, linewidth=0)
        ax.plot(line.numpy(), Normal(m, s).log_prob(line).exp().numpy(), "-", color=BLUE)
        lost = (log_p(m + s * noise) < floor).numpy()
        z = (m + s * noise).numpy()
        ax.scatter(z[~lost], -shake[~lost], s=5, color=BLUE)
        ax.scatter(z[lost], -shake[lost], s=7, color=RED)
        ax.text(0.01, 0.88, name, transform=ax.transAxes)
        said = f"{100 * lost.mean():.0f} % where hardly any data live"
        ax.text(0.99, 0.88, said, c=for_text(RED), transform=ax.transAxes, ha="right")
        ax.set(xlim=(-6, 6), ylim=(-0.14, 0.96), yticks=[], ylabel="density")
    figure.axes[-1].set_xlabel("x")
    return figure


def diary(days: Tensor, surprise: Tensor, least: Tensor) -> Figure:
    """Two bars for each day, the surprise of a forecaster and the least one; both means."""
    figure, ax = plt.subplots(figsize=(8.6, 3.0))
    names = ("sun", "clouds", "rain")
    at = np.arange(1, len(days) + 1)
    looks = ((-0.19, surprise, SKY, "the forecaster"), (0.19, least, GREEN, "the diary itself"))
    for (shift, bars, colour, name), side in zip(looks, ("bottom", "top"), strict=True):
        ax.bar(at + shift, bars.numpy(), color=colour, width=0.36)
        mean = float(bars.mean())
        ax.plot([0.4, 10.7], [mean, mean], "-", color=for_text(colour), linewidth=1.2)
        ax.text(10.8, mean, f"{name}: {mean:.2f}", va=side, color=for_text(colour))
    ax.set_xticks(at, [names[int(day)] for day in days])
    ax.set_title("The forecaster: less surprised by sun, more by clouds, a little more in all")
    ax.set(xlim=(0.4, 13.4), xlabel="ten days", ylabel="surprise (nats)")
    return figure


def tables(learned: Mapping[int, Tensor], counted: Tensor, pixel: int) -> Figure:
    """The table of one pixel after some steps of descent, and the fractions counted."""
    figure, axes = plt.subplots(1, len(learned), figsize=(9.0, 2.7), sharey=True)
    for ax, (step, table) in zip(axes, learned.items(), strict=True):
        ax.bar(range(17), table[pixel].numpy(), color=SKY)
        ax.plot(range(17), counted[pixel].numpy(), "o", color=BLACK, markersize=4)
        ax.set(xlabel="grey level", title=f"after {step} step{'s' * (step > 1)}")
    axes[0].set_ylabel("probability")
    axes[0].text(1.5, 0.86, "dots: counted", transform=axes[0].get_xaxis_transform())
    figure.suptitle("Your gradient finds the counts")
    return figure


def two_bars(gains: Tensor, paired: Tensor, unpaired: Tensor) -> Figure:
    """A heap of gains (n,), and beneath it what two error bars say of its scatter."""
    figure, ax = plt.subplots(figsize=(8.0, 2.8))
    heights, edges = np.histogram(gains.numpy(), bins=40)
    ax.stairs(heights, edges, color=PALE, fill=True)
    middle, top = float(gains.mean()), float(heights.max())
    looks = ((paired, BLUE, "paired", 0.15), (unpaired, RED, "unpaired", 0.33))
    for bar, colour, name, down in looks:
        half = float(bar)
        ax.plot([middle - half, middle + half], 2 * [-down * top], "|-", color=colour, lw=3, ms=10)
        ax.text(
            middle + half, -down * top, f"  {name}: {half:.3f}", c=for_text(colour), va="center"
        )
    spread = float(gains.std())
    for end in (middle - spread, middle + spread):
        ax.axvline(end, color=GREY, linewidth=1, linestyle=":")
    ax.text(middle + spread, 0.94 * top, "  standard deviation of the gains", color=GREY)
    ax.set(yticks=[], xlabel="gain of one diary of 100 days (bits)", ylim=(-0.48 * top, 1.08 * top),
           title="The paired bar says how far the gains scatter")  # fmt: skip
    return figure


def over_fitting(steps: Tensor, curves: Tensor, table: float) -> Figure:
    """Both losses (seed, round, part); beside it validation alone, a star at each lowest."""
    figure, (both, alone) = plt.subplots(1, 2, figsize=(9.0, 3.3))
    end = float(steps[-1]) + 4.0
    for part, (name, colour) in enumerate((("training", BLUE), ("validation", RED))):
        for curve in curves[..., part]:
            both.plot(steps.numpy(), curve.numpy(), "-", color=colour, linewidth=1.4)
        y = float(curves[:, -1, part].mean())
        both.text(end, y, name, color=for_text(colour), va="center")
    both.plot([0, end - 4], [table, table], ":", color=GREY, linewidth=1)
    both.text(95, table, "histogram, validation", va="bottom", color=GREY)
    both.set(xlim=(0, 335), xticks=range(0, 251, 50), ylim=(1.7, 2.75), xlabel="training step",
             ylabel="bits per dimension", title="Training goes on falling")  # fmt: skip
    for curve in curves[..., 1]:
        alone.plot(steps.numpy(), curve.numpy(), "-", color=RED, linewidth=1.4)
        at, low = float(steps[int(curve.argmin())]), float(curve.min())
        alone.plot(at, low, "*", color=RED, markersize=12)
    low = float(curves[..., 1].min())
    alone.text(130, low + 0.002, "stars: the lowest", color=for_text(RED))
    alone.set(ylim=(low - 0.01, low + 0.11), xlabel="training step",
              title="Validation, enlarged, turns around")  # fmt: skip
    return figure


def estimators(near: tuple[float, Tensor], far: tuple[float, Tensor], pieces: Tensor) -> Figure:
    """Around the exact KL, the estimates (batch, 3) of two drifts; far, k3 piece by piece too."""
    figure, axes = plt.subplots(1, 2, figsize=(9.8, 3.4), width_ratios=(3, 4), layout="constrained")
    titles = ("Near: $k_3$ hardly scatters", "Far: most $k_3$ of whole pictures are too low")
    names = ("$k_1$", "$k_2$", "$k_3$", "$k_3$ by pixel")
    exact_far, estimated = far
    four = torch.cat([estimated, pieces[:, None]], 1)
    for ax, title, (exact, k) in zip(axes, titles, (near, (exact_far, four)), strict=True):
        scaled = torch.log10 if ax is axes[1] else torch.clone
        shown, level, n = scaled(k), float(scaled(torch.tensor(exact))), k.shape[1]
        parts = ax.violinplot([*shown.T.numpy()], showextrema=False, widths=0.8)
        for body, colour in zip(parts["bodies"], (BLUE, ORANGE, PINK, GREEN)[:n], strict=True):
            body.set(facecolor=colour, alpha=0.7)
        ax.plot(range(1, n + 1), scaled(k.mean(0)).numpy(), "o", color=BLACK, markersize=5)
        ax.axhline(level, color=BLACK, linewidth=1, linestyle="--")
        ax.text(0.98, level, "exact", va="bottom", ha="right",
                transform=ax.get_yaxis_transform())  # fmt: skip
        low, high = np.quantile(shown.numpy(), [0.001, 0.999])
        ax.set(xlim=(0.4, n + 0.9), xticks=range(1, n + 1), xticklabels=names[:n],
               ylim=(low, high), ylabel="estimate of one batch (nats)", title=title)  # fmt: skip
    ticks = (5, 7, 10, 15, 25, 40)
    axes[1].set_yticks(np.log10(ticks), [str(tick) for tick in ticks])
    axes[1].set_ylabel("nats, logarithmic scale")
    axes[1].text(2.42, float(estimated.mean(0)[1].log10()), "mean", va="center")
    axes[1].text(3.08, math.log10(20), "a few batches", color=for_text(PINK))
    return figure


def memory(other: Tensor, scan: Mapping[str, Sequence[float]], name_one: float) -> Figure:
    """Bits per dimension against the chance of not copying; enlarged, what sees the copying."""
    figure, (ax, near) = plt.subplots(
        1, 2, figsize=(9.8, 3.4), width_ratios=(3, 2), layout="constrained"
    )
    looks = ((BLUE, "-"), (RED, "-"), (GREEN, "--"), (ORANGE, "--"))
    places = ((2e-2, 0.72), (1.5e-2, 4.7), (1.8e-2, 3.2), (2e-2, 1.22))
    for (name, values), (colour, style), (x, y) in zip(scan.items(), looks, places, strict=True):
        ax.plot(other.numpy(), values, style, color=colour)
        side = "right" if (colour == RED) else "left"
        ax.text(x, y, name, color=for_text(colour), ha=side, va="center")
        if name in ("validation", "training, itself left out"):
            near.plot(1 - other.numpy(), values, style, color=colour)
    best = int(np.argmin(scan["validation"]))
    at, low = 1 - float(other[best]), scan["validation"][best]
    near.plot(at, low, "*", color=RED, markersize=12, zorder=3)
    near.text(at, low + 0.03, f"best: {low:.2f}", color=for_text(RED), ha="center")
    near.set(xlim=(0, 0.6), ylim=(low - 0.06, low + 0.24), title="Enlarged: best at a moderate $c$",
             xlabel="chance $c$ that a pixel is copied")  # fmt: skip
    ax.plot([1, 1e-6], [name_one, name_one], ":", color=GREY, linewidth=1)
    ax.text(1.2e-6, name_one + 0.1, r"$\log_2N/64$: to name one of $N$ digits", color=GREY,
            ha="right", va="bottom")  # fmt: skip
    ax.set(xscale="log", xlim=(1, 1e-6), ylim=(0, 6), ylabel="bits per dimension",
           xlabel="chance $1-c$ that a pixel is not copied (log scale)",
           title="A memory shines only where a copy is stored")  # fmt: skip
    return figure


def scatter(estimates: Mapping[int, Tensor], truth: float, information: float) -> Figure:
    """Histograms of estimates from few and many examples, and normals of variance 1 / (N I)."""
    figure, ax = plt.subplots(figsize=(8.0, 3.4))
    for (n, found), colour in zip(estimates.items(), (SKY, ORANGE, RED), strict=True):
        spread = (n * information) ** -0.5
        edges = (np.arange(-int(4 * spread * n), int(4 * spread * n) + 2) - 0.5) / n
        edges = edges + round(truth * n) / n  # one bar for each value that a mean of n can have
        ax.hist(found.numpy(), edges.tolist(), density=True, color=colour, alpha=0.35)
        x = torch.linspace(truth - 4 * spread, truth + 4 * spread, 201)
        height = Normal(truth, spread).log_prob(x).exp()
        ax.plot(x, height, "-", color=colour)
        ax.text(truth + 1.1 * spread, 0.6 * float(height.max()), f"N = {n}", color=for_text(colour))
    ax.axvline(truth, color=GREY, linestyle=":")
    ax.set(xlabel="estimated rate", ylabel="density", yticks=[], xlim=(0, 2 * truth),
           title="The steeper the bowl, the less the estimates scatter")  # fmt: skip
    return figure


def beliefs(
    places: Tensor, scores: Mapping[str, Tensor], truth: Tensor, best: Mapping[str, Tensor]
) -> Figure:
    """What each belief (n, 3) earns on average, on a triangle; the truth and the best belief."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]], dtype=places.dtype)
    figure, axes = plt.subplots(1, len(scores), figsize=(9.0, 3.5))
    for ax, (name, score) in zip(axes, scores.items(), strict=True):
        inside = score.isfinite()
        x, y = (places[inside] @ corners).T.numpy()
        rank = score[inside].argsort().argsort() / inside.sum()  # even steps of colour
        ax.tricontourf(x, y, rank.numpy(), levels=10, cmap="Blues")
        ax.plot(*(truth @ corners).numpy(), "o", color=RED, markersize=8)
        ax.plot(*(best[name] @ corners).numpy(), "x", color=BLACK, markersize=12, mew=2.5)
        ax.set_title(name)
        ax.set(xticks=[], yticks=[], aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.12, 0.95))
        ax.spines[:].set_visible(False)
    axes[0].text(-0.05, 0.88, "o truth", color=for_text(RED))
    axes[0].text(-0.05, 0.76, "x best belief")
    return figure
