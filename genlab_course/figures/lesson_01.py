"""The pictures of lesson 01: the data, five panels that fill up, their race, the map, failures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor
from torch.distributions import Normal

from genlab.core.capabilities import likelihood_kind
from genlab.data.toys import plane
from genlab.score import DDPM, score_from_eps
from genlab_course.figures import BLUE, GREEN, ORANGE, RED, SKY, for_text
from genlab_course.lesson_01 import EXTENT

INK, PALE = "#333333", "#CCCCCC"
_SIDE = 120  # pixels along a density's axis
_LEVEL = 12  # noise level at which the slope is drawn, 0..T-1
COLOURS = {"autoregressive": BLUE, "flow": SKY, "VAE": ORANGE, "GAN": RED, "diffusion": GREEN}
KINDS = {"autoregressive": "exact", "flow": "exact", "VAE": "bound", "GAN": "none",
         "diffusion": "bound"}  # fmt: skip


def example_table() -> Tensor:
    """Probabilities (3, 3, 3) of three numbers that depend on one another."""
    weights = torch.tensor([6, 1, 1, 1, 3, 1, 1, 1, 2, 1, 1, 4, 5, 1, 1, 1, 2, 1, 1, 7, 1, 1, 1,
                            3, 4, 1, 1.0])  # fmt: skip
    return (weights / weights.sum()).reshape(3, 3, 3)


def states(name: str, shown: Sequence[Tensor], x: Tensor) -> list[Tensor]:
    """The states (n, 2) of a sampler at each of its evaluations, and its samples."""
    if name == "autoregressive":  # what is not yet drawn lies anywhere
        n = len(x)
        anywhere = EXTENT * (2 * torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) - 1)
        return [anywhere, torch.stack([x[:, 0], anywhere[:, 1]], 1), x]
    return [*(state[:, :2].detach() for state in shown), x]


def _square(ax: Axes) -> None:
    ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, color=PALE, linewidth=0.8)


def _frame(ax: Axes, name: str) -> None:
    _square(ax)
    ax.set_title(name, color=for_text(COLOURS[name]), fontsize=10)


def _count(n: int) -> str:
    return f"{n} evaluation{'' if n == 1 else 's'}"


def the_data(points: Tensor, ring: Any) -> Figure:
    """The ring on the left; on the right the tiny case."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.0))
    left.plot(*points.T, ".", markersize=1.5, alpha=0.4, color=INK)
    left.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$", title="The data: eight blobs")
    x = torch.linspace(-6, 6, 241)
    right.plot(x, Normal(0.0, 2.0).log_prob(x).exp(), color=BLUE)
    right.plot([1, 1], [0, 0.176], "--", color=INK)
    right.plot([1], [0.176], "o", color=INK)
    right.text(1.3, 0.18, "0.176 at x = 1", va="center")
    right.set(xlabel="x", ylabel="density", ylim=(0, 0.22), title="The tiny case: one number")
    return figure


def panels(films: Mapping[str, Sequence[Tensor]]) -> Figure:
    """Five panels, filled as far as the samplers are written."""
    figure, axes = plt.subplots(1, 5, figsize=(9.4, 2.3))
    for ax, name in zip(axes, COLOURS, strict=True):
        _frame(ax, name)
        if name not in films:
            ax.set_facecolor("#F2F2F2")
            ax.text(0, 0, "yours to write", ha="center", va="center", color="#666666", fontsize=9)
            continue
        found = films[name]
        ax.plot(*found[-1][:1_000].T, ".", markersize=1.5, alpha=0.5, color=COLOURS[name],
                rasterized=True)  # fmt: skip
        ax.set_xlabel(f"{_count(len(found) - 1)}, {KINDS[name]}", fontsize=9)
    return figure


def race(films: Mapping[str, Sequence[Tensor]], n_frames: int = 26) -> Iterator[Figure]:
    """Frames of the five samplers under one growing budget of evaluations."""
    most = max(len(found) - 1 for found in films.values())
    budgets = [0, 1, 2] + [round(most * i / (n_frames - 4)) for i in range(1, n_frames - 3)]
    for budget in sorted(set(budgets)):
        figure, axes = plt.subplots(1, 5, figsize=(9.4, 2.3))
        for ax, name in zip(axes, COLOURS, strict=True):
            _frame(ax, name)
            done = min(budget, len(films[name]) - 1)
            ax.plot(*films[name][done][:400].T, ".", markersize=2, color=COLOURS[name])
            ax.set_xlabel(f"{done} of {_count(len(films[name]) - 1)}", fontsize=9)
        yield figure


def your_map(ring: Any, models: Mapping[str, Any], films: Any, rows: Any) -> Figure:
    """Samples above, what is known of p(x) in the middle, numbers below."""
    figure, axes = plt.subplots(2, 6, figsize=(11.2, 4.7), layout="none")
    figure.subplots_adjust(0.008, 0.185, 0.992, 0.925, wspace=0.05, hspace=0.05)
    _points(axes[0, 0], ring.sample(1000, generator=torch.Generator().manual_seed(0)), INK)
    _density(axes[1, 0], ring.log_prob)
    axes[0, 0].set_title("the data", color=INK, weight="bold")
    _caption(axes[1, 0], ["evaluations", "log-likelihood / nats", "energy distance"])
    for column, (name, model) in enumerate(models.items(), 1):
        top, bottom = axes[:, column]
        _points(top, films[name][-1][:1000], COLOURS[name])
        top.set_title(name, color=for_text(COLOURS[name]), weight="bold")
        _knowledge(bottom, model)
        n, kind, value, distance = rows[name]
        at_least = "≥ " if kind == "bound" else ""
        said = "none" if kind == "none" else f"{at_least}{value:.2f} ({kind})".replace("-", "−")
        _caption(bottom, [str(n), said, f"{distance:.4f}"])
    for ax in axes.flat:
        _square(ax)
    return figure


def _points(ax: Axes, x: Tensor, colour: str) -> None:
    ax.scatter(x[:, 0], x[:, 1], s=2.2, color=colour, alpha=0.45, linewidths=0, rasterized=True)


def _density(ax: Axes, log_prob: Callable[[Tensor], Tensor]) -> None:
    with torch.no_grad():
        values = log_prob(plane(EXTENT, _SIDE)[0]).exp().reshape(_SIDE, _SIDE).numpy()
    box = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    look: dict[str, Any] = {"interpolation": "bilinear", "cmap": "magma", "vmin": 0, "vmax": 0.9}
    ax.imshow(values, origin="lower", extent=box, **look)


def _label(ax: Axes, text: str, colour: str) -> None:
    ax.text(0, 2.3, text, ha="center", va="center", fontsize=9, color=colour)


def _knowledge(ax: Axes, model: Any) -> None:
    """Density, bound, slope or nothing: whatever the model can say about a point."""
    kind = likelihood_kind(model)
    if kind == "none":
        ax.set_facecolor("#F2F2F2")
        ax.text(0, 0, "density unknown", ha="center", va="center", fontsize=11, color="#888888")
    elif isinstance(model, DDPM):
        _slope(ax, model)
    elif kind == "exact":
        _density(ax, model.log_prob)
        _label(ax, "density, exact", "white")
    else:
        g = torch.Generator().manual_seed(0)
        _density(ax, lambda x: torch.stack([model.elbo(x, generator=g) for _ in range(16)]).mean(0))
        _label(ax, "exp of the bound", "white")


@torch.no_grad()
def _slope(ax: Axes, model: DDPM) -> None:
    points, _ = plane(EXTENT * 0.8, 18)
    t = torch.full((len(points),), _LEVEL)
    sigma = (1 - model.alphas_bar[_LEVEL]).sqrt()
    slope = score_from_eps(model.eps_net(points, t), sigma)
    length = torch.linalg.vector_norm(slope, dim=1, keepdim=True)
    arrows = slope / length * length.clamp(max=6) ** 0.5
    ax.quiver(points[:, 0], points[:, 1], arrows[:, 0], arrows[:, 1], length[:, 0].sqrt(),
              cmap="viridis_r", scale=42, width=0.007, pivot="mid")  # fmt: skip
    _label(ax, "slope of log p, noised", INK)


def _caption(ax: Axes, lines: list[str]) -> None:
    for number, text in enumerate(lines):
        ax.text(0.5, -0.115 - 0.125 * number, text, transform=ax.transAxes, ha="center",
                va="center", fontsize=11, color=INK)  # fmt: skip


def clouds(drawn: Mapping[Any, Tensor], found: Mapping[Any, Any], ring: Any) -> Figure:
    """Samples of GANs, a row for each momentum, a column for each seed."""
    momenta = sorted({key[0] for key in drawn}, reverse=True)
    seeds = sorted({key[1] for key in drawn})
    figure, axes = plt.subplots(len(momenta), len(seeds), figsize=(9.4, 3.6))
    for row, momentum in zip(axes, momenta, strict=True):
        for ax, seed in zip(row, seeds, strict=True):
            for mean, std in zip(ring.means, ring.stds, strict=True):  # the region that is counted
                ax.add_patch(Circle(tuple(mean), 3 * float(std), fill=False, ec="#999999", lw=0.7))
            ax.plot(*drawn[momentum, seed][:800].T, ".", markersize=1, alpha=0.4, color=RED)
            _square(ax)
            ax.set_xlabel(f"{found[momentum, seed][0]} of 8")
        row[0].set_ylabel(f"momentum {momentum:g}")
    figure.suptitle("With momentum 0.9 the samples reach few of the blobs", fontsize=11)
    return figure


def bars(ceiling: Any, other: Any, exact: Any, bound: Any) -> Figure:
    """Where the VAE's distance from the ceiling comes from."""
    names = ["the data (ceiling)", "autoregressive, exact", "VAE, exact", "VAE, its bound"]
    values = [float(v) for v in (ceiling, other, exact, bound)]
    figure, ax = plt.subplots(figsize=(7.0, 2.4))
    for y, (name, value) in enumerate(zip(names, values, strict=True)):
        colour = (INK, BLUE, ORANGE, ORANGE)[y]
        ax.plot([values[0], value], [y, y], "-", color=colour, linewidth=3, alpha=0.5)
        ax.plot([value], [y], "o", color=colour)
        said = f"{name}  {value:.2f}".replace("-", "\N{MINUS SIGN}")
        ax.text(value - 0.03, y, said, ha="right", va="center")
    low, high = values[3], values[2]
    ax.plot([low, high], [3, 3], "-", color=ORANGE, linewidth=7, solid_capstyle="butt")
    ax.text((low + high) / 2, 3.55, f"{high - low:.2f} nats: only the bound", ha="center")
    ax.set(xlabel="log-likelihood / nats", yticks=[], xlim=(low - 0.55, values[0] + 0.05),
           title="Most of the VAE's distance belongs to its bound")  # fmt: skip
    ax.set_ylim(3.9, -0.6)
    ax.spines["left"].set_visible(False)
    return figure
