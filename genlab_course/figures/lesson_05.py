"""Pictures of lesson 05: templates, a wall, an arch, a staircase, missed guesses, a flat line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, for_text, show_images

GREY = "#555555"
KEPT = (0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 29)  # M-steps of the film


def mean_ink(log_tables: Tensor) -> Tensor:
    """Mean grey level of each pixel (k, 8, 8) of tables of log-probabilities (k, 64, levels)."""
    levels = torch.arange(log_tables.shape[-1], dtype=log_tables.dtype)
    return (log_tables.exp() @ levels).reshape(-1, 8, 8)


def order_of(log_weights: Tensor) -> Tensor:
    """The templates from the heaviest to the lightest."""
    return log_weights.argsort(descending=True)


def templates(ink: Tensor, done: int, bits: float) -> Figure:
    """One frame of the film: twenty templates (20, 8, 8) after some M-steps, and their bits."""
    figure, ax = plt.subplots(figsize=(6.4, 1.75))
    said = f"{done} step{'s' * (done != 1)} of EM: {bits:.2f} bits per dimension"
    show_images(ax, ink.detach(), title=said)
    return figure


def film_of(climb: Iterable[tuple[Tensor, Tensor, float]]) -> Iterator[Figure]:
    """The frames of a climb, a triple (log-weights, log-tables, bits) for each M-step done."""
    steps = list(climb)
    order = order_of(steps[-1][0])
    for done in KEPT:
        _, log_tables, bits = steps[done]
        yield templates(mean_ink(log_tables)[order], done, bits)


def wall(z: Tensor, prior: Tensor, posterior: Tensor, k: Tensor, draws: Tensor) -> Figure:
    """Left a prior and the posterior inside it; right the draws needed against the latents."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.1))
    for density, colour, name, at in (
        (prior, BLUE, "prior p(z)", (-2.7, 0.32)),
        (posterior, RED, "posterior p(z|x)", (-2.2, 0.75)),
    ):
        left.plot(z.numpy(), density.numpy(), "-", color=colour)
        left.text(*at, name, color=for_text(colour))
    left.set(xlim=(-3.2, 3.2), xlabel="z", ylabel="density", title="Few prior draws explain x")
    right.semilogy(k.numpy(), draws.numpy(), "-", color=BLUE)
    for latents in (10, 20, 40):
        needed = float(draws[k == latents])
        right.plot(latents, needed, "o", color=BLUE, markersize=5)
        side = "right" if latents == 40 else "left"
        power = int(np.log10(needed))
        said = f"{needed / 10**power:.0f}" + rf"$\cdot10^{{{power}}}$"
        right.text(latents + (1.2 if latents < 40 else -1.5), needed, said, ha=side, va="center")
    right.set(xlabel="number of latents k", ylabel="prior draws", xlim=(0, 41), ylim=(1, 1e20),
              title="For 10 % accuracy the draws explode")  # fmt: skip
    return figure


def arch(q: Tensor, elbo: Tensor, log_px: float, guesses: Mapping[float, float]) -> Figure:
    """The ELBO against the guess, an arch below log p(x), with the gap at some guesses."""
    figure, ax = plt.subplots(figsize=(8.2, 3.2))
    ax.plot(q.numpy(), elbo.numpy(), "-", color=BLUE)
    ax.text(0.22, float(np.interp(0.24, q, elbo)), "ELBO ", color=BLUE, ha="right")
    ax.axhline(log_px, color=BLACK, linewidth=1, linestyle="--")
    ax.text(0.02, log_px + 0.012, f"log p(x) = {log_px:.3f}", va="bottom")
    for guess, value in guesses.items():
        ax.plot([guess, guess], [value, log_px], "-", color=RED, linewidth=4)
        ax.plot(guess, value, "o", color=RED, markersize=6, zorder=3)
        ax.text(guess + 0.015, value - 0.03, f"guess {guess:g}: gap {log_px - value:.3f}",
                va="top", color=for_text(RED))  # fmt: skip
    top = float(q[elbo.argmax()])
    ax.text(top, log_px + 0.012, f"posterior {top:.1f}: no gap", va="bottom", ha="center")
    ax.set(xlabel="guess q(z = 1)", ylabel="nats", xlim=(0, 1), ylim=(-1.65, -0.58),
           title="Nearly right is cheap: the ELBO is flat at the posterior")  # fmt: skip
    return figure


def staircase(bound: Sequence[float], truth: Sequence[float]) -> Figure:
    """Bound and log-likelihood after each half-step of EM, in nats a picture."""
    figure, ax = plt.subplots(figsize=(8.6, 3.3))
    at = np.arange(len(bound)) / 2
    ax.plot(at, truth, "o-", color=BLACK, markersize=4, linewidth=1)
    ax.plot(at, bound, "s-", color=BLUE, markersize=4)
    look: Any = {"arrowprops": {"arrowstyle": "-", "color": GREY}, "va": "center"}
    ax.annotate("log p(x)", (at[1], truth[1]), (at[1] - 0.35, truth[1] + 0.9), **look)
    ax.annotate("bound", (at[1], bound[1]), (at[1] + 0.3, bound[1] - 0.9), color=BLUE, **look)
    look = look | {"color": GREY}
    ax.annotate("E: the bound comes up", (at[2], bound[2]), (at[2] + 0.6, bound[2] - 0.8), **look)
    ax.annotate("M: both rise", (at[3], bound[3]), (at[3] + 0.6, bound[3] - 0.6), **look)
    ax.set(xlabel="steps of EM", ylabel="nats a picture", xlim=(-0.2, at[-1] + 0.2),
           title="E closes the gap, M opens it again, higher up")  # fmt: skip
    return figure


def missed(behind: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """What the ELBO loses against log p(x), a dot a picture, for each (log p(x), ELBO)."""
    figure, axes = plt.subplots(1, len(behind), figsize=(9.0, 3.4), sharex=True, sharey=True)
    for ax, (name, (exact, elbo)) in zip(axes, behind.items(), strict=True):
        lost = exact - elbo
        far = lost > 1
        ax.scatter(exact[~far].numpy(), lost[~far].numpy(), s=12, color=BLUE, linewidths=0)
        ax.scatter(exact[far].numpy(), lost[far].numpy(), s=24, color=RED, linewidths=0)
        said = f"{int(far.sum())} of {len(lost):,} lose more than a nat"
        ax.text(0.03, 0.9, said, transform=ax.transAxes, color=for_text(RED))
        ax.text(0.03, 0.79, f"mean {lost.mean():.2f} nats", transform=ax.transAxes)
        ax.set(xlabel="log p(x), nats", title=name)
    axes[0].set_ylim(top=1.35 * max(float((a - b).max()) for a, b in behind.values()))
    axes[0].set_ylabel("log p(x) - ELBO, nats")
    figure.suptitle("The guesser knows its training digits, and misses some others")
    return figure


def more_draws(k: Sequence[int], right: Sequence[float], wrong: Sequence[float]) -> Figure:
    """What is left below log p(x) after k draws: log of the mean, mean of the logs."""
    figure, ax = plt.subplots(figsize=(8.2, 3.1))
    for values, colour, name in (
        (wrong, RED, "mean of the logs:\nthe ELBO for ever"),
        (right, BLUE, "log of the mean"),
    ):
        ax.semilogx(k, values, "o-", color=colour, markersize=5)
        ax.text(k[-1] * 1.15, max(values[-1], 0.03), name, color=for_text(colour), va="center")
    ax.axhline(0, color=BLACK, linewidth=1, linestyle="--")
    ax.set_xticks(k, [str(n) for n in k])
    ax.minorticks_off()
    ax.set(xlabel="draws K", ylabel="nats below log p(x)", xlim=(0.85, k[-1] * 6),
           ylim=(-0.03, None),
           title="With more draws the bound reaches log p(x), if you average first")  # fmt: skip
    return figure


def _ellipse(cov: Tensor, **look: Any) -> Ellipse:
    values, vectors = torch.linalg.eigh(cov)
    tilt = float(torch.rad2deg(torch.atan2(vectors[1, 1], vectors[0, 1])))
    long, short = (4 * values.flip(0).sqrt()).tolist()
    return Ellipse((0, 0), long, short, angle=tilt, fill=False, linewidth=2.5, **look)


def turned(posterior: Tensor, angles: Tensor, bounds: Tensor, log_px: float) -> Figure:
    """Left a posterior and the best guess with independent entries; right the ELBO, turned."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.7))
    guess = (1 / torch.linalg.inv(posterior).diagonal()).diag()
    left.add_patch(_ellipse(posterior, color=BLUE))
    left.add_patch(_ellipse(guess, color=RED, linestyle="--"))
    reach = 2.8 * float(posterior.diagonal().max().sqrt())
    left.text(-0.95 * reach, 0.82 * reach, "posterior", color=BLUE)
    left.text(0.95 * reach, -0.9 * reach, "best independent guess", color=for_text(RED), ha="right")
    left.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$z_1$",
             ylabel="$z_2$", title="The guess is too narrow")  # fmt: skip
    right.plot(torch.rad2deg(angles).numpy(), bounds.numpy(), "-", color=RED)
    right.axhline(log_px, color=BLACK, linewidth=1, linestyle="--")
    right.text(2, log_px + 0.004, "log p(x), the same all the way", va="bottom")
    right.text(77, float(bounds.min()) - 0.004, "ELBO", color=for_text(RED), ha="center", va="top")
    low = float(bounds.min())
    right.set(xlabel="rotation of the latent space (degrees)", ylabel="nats, mean over x",
              xticks=range(0, 181, 45), ylim=(low - 0.025, log_px + 0.02),
              title="Same model, same data, other ELBO")  # fmt: skip
    return figure


def leads(said: Mapping[str | int, Sequence[tuple[float, float]]]) -> Figure:
    """A's lead over B by each measure, three pairs side by side, with bars of two errors."""
    figure, ax = plt.subplots(figsize=(8.6, 3.3))
    ax.axhline(0, color=GREY, linewidth=1)
    for place, pairs in enumerate(said.values()):
        for k, (mean, error) in enumerate(pairs):
            colour = BLUE if mean > 0 else RED
            at = place + 0.16 * (k - 1)
            ax.errorbar(at, mean, yerr=2 * error, fmt="o", color=colour, capsize=3, markersize=5)
    names = [f"{how} draws" if isinstance(how, int) else how for how in said]
    ax.set_xticks(range(len(names)), names)
    for y, words, colour in ((0.93, "A is better", BLUE), (0.05, "B is better", RED)):
        ax.text(0.01, y, words, transform=ax.transAxes, color=for_text(colour), va="center")
    low = min(mean - 3 * error for pairs in said.values() for mean, error in pairs)
    high = max(mean + 4 * error for pairs in said.values() for mean, error in pairs)
    ax.set(ylabel="A's lead (bits per dimension)", xlim=(-0.5, len(names) - 0.5), ylim=(low, high),
           title="The ELBO prefers the worse model; many draws turn the order round")  # fmt: skip
    return figure


def uptake(steps: Tensor, runs: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """ELBO (above) and information in z of some trainings, a column for each name."""
    figure, axes = plt.subplots(2, len(runs), figsize=(9.6, 4.4), sharex=True, sharey="row")
    for column, (name, (elbo, told)) in zip(axes.T, runs.items(), strict=True):
        for ax, values, colour in zip(column, (elbo, told), (BLUE, RED), strict=True):
            ax.plot(steps.numpy(), values.numpy(), "-", color=colour, linewidth=1, alpha=0.8)
        column[0].set_title(name, fontsize=11)
        column[1].set_xlabel("training step")
    axes[0, 0].set(ylabel="ELBO (nats)", ylim=(-1.5, -0.6))
    axes[1, 0].set(ylabel="information in z\n(nats)", ylim=(-0.05, 0.78))
    figure.suptitle("The bound is the same. How much z is used in 2,000 steps, the start decides")
    return figure


def spectrum(values: Tensor, stds: Sequence[float]) -> Figure:
    """Eigenvalues (n,) of the data on a logarithmic axis, and dashed lines of the noise."""
    figure, ax = plt.subplots(figsize=(8.2, 3.2))
    ax.semilogy(range(1, len(values) + 1), values.numpy(), "o-", color=BLUE, markersize=4)
    for std, colour in zip(stds, (GREEN, ORANGE, RED), strict=True):
        ax.axhline(std**2, color=colour, linestyle="--")
        ax.text(0.6, 0.93 * std**2, f"noise {std:g}", color=for_text(colour), va="top")
    ax.set(xlabel="latent direction", ylabel="variance (grey levels squared)", ylim=(6, 230),
           xticks=range(1, len(values) + 1, 2),
           title="A latent whose variance lies below the noise is dead")  # fmt: skip
    return figure
