"""Noise a digit step by step and ask a perfect observer what is left of it."""

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from ..course.figures import BLUE, GREEN, ORANGE
from ..data.digits import N_CLASSES, load_digits
from ..oracles import Empirical
from ..score.digit_diffusion import scale
from ..score.paths import add_noise
from ..score.schedules import (
    alphas_bar_from_betas,
    cosine_betas,
    linear_betas,
    linear_rate_betas,
    log_snr,
)
from .explorer import Explorer, explore

T = 100
SCHEDULES: dict[str, Callable[[int], Tensor]] = {
    "linear, made for 100 steps": linear_rate_betas,
    "cosine": cosine_betas,
    "linear, made for 1000 steps": linear_betas,
}
LEVELS = torch.linspace(-14.0, 8.0, 45, dtype=torch.float64)  # log SNR of the curve's points


class Guess(NamedTuple):
    """What an observer who knows every training image believes about one noised digit."""

    mean: Tensor  # E[x0 | x_t], (8, 8)
    classes: Tensor  # probability of each digit, (10,)


class Observer:
    """Bayes' rule over the training images; test images are what it is shown."""

    def __init__(self) -> None:
        images, self.labels = load_digits("train")
        self.data = Empirical(scale(images).double())
        shown, labels = load_digits("test")
        candidates = scale(shown).double()
        gaps = self.data.nearest(candidates)
        rows = [int(gaps.masked_fill(labels != c, torch.inf).argmin()) for c in range(N_CLASSES)]
        self.shown = candidates[rows]  # of each digit, the one most like a training image
        generator = torch.Generator().manual_seed(12)
        self.eps = torch.randn(self.shown.shape, dtype=torch.float64, generator=generator)

    def noised(self, digits: Tensor, ratio: float) -> Tensor:
        """The digits' images at a log SNR, each with its own fixed noise."""
        alpha, sigma = (torch.tensor(r).sigmoid().sqrt() for r in (ratio, -ratio))
        return add_noise(self.shown[digits], alpha, sigma, self.eps[digits])

    def guess(self, x_t: Tensor, ratio: float) -> list[Guess]:
        """Its belief about each noised image at a log SNR."""
        alpha, sigma = (float(torch.tensor(r).sigmoid().sqrt()) for r in (ratio, -ratio))
        weights = self.data.noised(alpha, sigma).responsibilities(x_t.flatten(1))
        classes = torch.zeros(len(x_t), N_CLASSES, dtype=weights.dtype)
        classes.index_add_(1, self.labels, weights)
        means = (weights @ self.data.points.flatten(1)).reshape(-1, 8, 8)
        return [Guess(m, c) for m, c in zip(means, classes, strict=True)]

    def curve(self) -> Tensor:
        """Probability of the right digit at each of LEVELS, averaged over the ten shown."""
        digits = torch.arange(N_CLASSES)
        right = []
        for ratio in LEVELS.tolist():
            guesses = self.guess(self.noised(digits, ratio), ratio)
            right.append(torch.stack([g.classes[c] for c, g in enumerate(guesses)]).mean())
        return torch.stack(right)


def forward_process() -> Explorer:
    """Choose a digit, a schedule and a step; see the noised image and what is still known.

    Returns:
        The widget; controls `step` (1 to 100), `schedule` (a name) and `digit` (0 to 9).
    """
    observer = Observer()
    ratios = {name: log_snr(alphas_bar_from_betas(make(T))).double()
              for name, make in SCHEDULES.items()}  # fmt: skip
    curve = observer.curve().numpy()
    figure, axes = plt.subplots(1, 4, figsize=(10.0, 2.7), layout="constrained",
                                width_ratios=[1, 1, 1.2, 1.6])  # fmt: skip
    blank = np.zeros((8, 8))
    noisy = axes[0].imshow(blank, cmap="gray", vmin=-2, vmax=2)
    best = axes[1].imshow(blank, cmap="gray", vmin=-1, vmax=1)
    for ax, title in zip(axes[:2], ("$x_t$", "best guess $E[x_0 | x_t]$"), strict=True):
        ax.set_axis_off()
        ax.set_title(title)
    bars = axes[2].bar(range(N_CLASSES), np.zeros(N_CLASSES), color=BLUE)
    axes[2].set(ylim=(0, 1.05), xticks=range(N_CLASSES), xlabel="digit", title="probability")
    (line,) = axes[3].plot(range(1, T + 1), np.zeros(T), color=GREEN)
    (dot,) = axes[3].plot([1], [0], "o", color="black")
    axes[3].axhline(0.1, color="#999999", linewidth=0.8, linestyle="-")
    axes[3].set(xlim=(0, T + 1), ylim=(0, 1.05), xlabel="step t",
                title="right digit, mean of ten images")  # fmt: skip

    def update(step: int, schedule: str, digit: int) -> str:
        ratio = float(ratios[schedule][step - 1])
        x_t = observer.noised(torch.tensor([digit]), ratio)
        (guess,) = observer.guess(x_t, ratio)
        noisy.set_data(x_t[0, 0].numpy())
        best.set_data(guess.mean.numpy())
        for c, bar in enumerate(bars):
            bar.set_height(float(guess.classes[c]))
            bar.set_color(ORANGE if c == digit else BLUE)
        known = np.interp(ratios[schedule].numpy(), LEVELS.numpy(), curve)
        line.set_ydata(known)
        dot.set_data([step], [known[step - 1]])
        return (
            f"step {step}: log SNR = {ratio:.2f}, this digit is recognised with probability "
            f"{guess.classes[digit]:.3f}, ten digits on average with {known[step - 1]:.3f}"
        )

    return explore(
        figure,
        update,
        step=ipywidgets.IntSlider(value=25, min=1, max=T, description="step"),
        schedule=ipywidgets.Dropdown(options=list(SCHEDULES), description="schedule"),
        digit=ipywidgets.IntSlider(value=3, min=0, max=9, description="digit"),
    )
