"""Pictures of lesson 04: bent graph paper, slivers of mass, sweeps, a bridge, a spike."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from genlab.data.toys import plane
from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED, for_text

AREA = LinearSegmentedColormap.from_list("area", [BLUE, "#FFFFFF", ORANGE])  # log of the area
STEPS = BoundaryNorm([-9, *np.linspace(-1.75, 1.75, 8), 9], AREA.N, clip=True)
SIDE, CELLS, RULED = 2.4, 64, 8  # half the sheet's side, cells a side, cells between two lines


def _corners() -> Tensor:
    ticks = torch.linspace(-SIDE, SIDE, CELLS + 1)
    return torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(-1, 2)


def _middles() -> Tensor:
    return plane(SIDE, CELLS)[0]


def _cloud() -> Tensor:
    return torch.randn(250, 2, generator=torch.Generator().manual_seed(2))


def _draw_grid(
    ax: Axes, corners: Tensor, log_area: Tensor, points: Tensor, half: float = 3.0
) -> None:
    """Cells of the bent sheet, blue where they shrank, with points of the base carried along."""
    c = corners.reshape(CELLS + 1, CELLS + 1, 2).numpy()
    cells = np.stack([c[:-1, :-1], c[:-1, 1:], c[1:, 1:], c[1:, :-1]], 2).reshape(-1, 4, 2)
    look: Any = {"array": log_area.numpy(), "cmap": AREA, "norm": STEPS, "edgecolors": "face"}
    ax.add_collection(PolyCollection(list(cells), linewidths=0.3, antialiaseds=False, **look))
    for k in range(0, CELLS + 1, RULED):
        ax.plot(*c[k].T, *c[:, k].T, color="#777777", linewidth=0.6, linestyle="-")
    ax.scatter(points[:, 0], points[:, 1], s=5, c=BLACK, linewidths=0, zorder=3)
    ax.set(xlim=(-half, half), ylim=(-0.9 * half, 0.9 * half), aspect="equal", xticks=[], yticks=[])


def grid_frame(bend: Callable[[Tensor, float], tuple[Tensor, Tensor]], walked: float) -> Figure:
    """One frame of the opening: the sheet and 250 points after `walked` layers."""
    figure, ax = plt.subplots(figsize=(4.4, 4.0))
    moved = [bend(points, walked) for points in (_corners(), _middles(), _cloud())]
    _draw_grid(ax, moved[0][0], moved[1][1], moved[2][0], half=4.6)  # some cells go far out
    ax.set_axis_off()
    return figure


def slivers() -> Figure:
    """5 % of the mass, twice: where the map is steep, and where it is flat."""
    z = torch.linspace(-3, 3, 1201)
    x = z + 0.4 * torch.sin(2 * z)
    p_z = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    p_x = p_z / (1 + 0.8 * torch.cos(2 * z))
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.1))
    left.plot(z, p_z, color=BLUE)
    middle.plot(z, x, color=BLACK)
    right.plot(x, p_x, color=BLUE)
    for low, colour, name in ((-0.1, ORANGE, "steep"), (1.2, GREEN, "flat")):
        level = torch.special.ndtr(torch.tensor(low)) + 0.05  # equal mass: 5 % each
        sliver = (z >= low) & (z <= torch.special.ndtri(level))
        left.fill_between(z[sliver], p_z[sliver], color=colour, alpha=0.7)
        middle.plot(z[sliver], x[sliver], color=colour, linewidth=5, linestyle="-")
        at = sliver.nonzero().flatten()[0]
        middle.text(z[at] + 0.4, x[at] - 0.5, name, color=for_text(colour))
        right.fill_between(x[sliver], p_x[sliver], color=colour, alpha=0.7, zorder=3)
    left.set(title="The base: 5 % of the mass, twice", xlabel="z", ylabel="density")
    middle.set(title="The map", xlabel="z", ylabel="x = f(z)")
    right.set(title="Steep spreads, flat piles up", xlabel="x", ylabel="density")
    return figure


@torch.no_grad()
def learned_grid(layers: Any, moons: Any) -> Figure:
    """The grid after none, half and all of the layers."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
    figure.suptitle("Your flow shrinks area (blue) where the moons are")
    states = [_corners(), _middles(), _cloud()]
    log_area = torch.zeros(CELLS**2)
    for done in range(len(layers) + 1):
        if done in (0, len(layers) // 2, len(layers)):
            ax = axes[done * 2 // len(layers)]
            _draw_grid(ax, states[0], log_area, states[2])
            ax.set_title(f"after {done} layers", fontsize=10)
            ax.set_axis_off()
        if done < len(layers):
            moved = [layers[done](state) for state in states]
            states = [points for points, _ in moved]
            log_area = log_area + moved[1][1]
    axes[2].set_title(f"after {done} layers; red outline: the moons", fontsize=10)
    places, _ = plane(3.0, 120)
    ticks = places[:120, 0]
    axes[2].contour(
        ticks, ticks, moons.log_prob(places).exp().reshape(120, 120), [0.05], colors=RED
    )
    return figure


def sweep_wall(after: Mapping[int, Tensor], exact: Tensor, wrong: Mapping[int, float]) -> Figure:
    """Ten digits after some sweeps, a row each, and one pixel at a time."""
    names = {n: f"{n} sweep{'s' * (n > 1)}: {wrong[n]:.0%} wrong" for n in after}
    rows = {names[n]: x for n, x in after.items()} | {"one pixel at a time": exact}
    figure = drawn(rows)
    figure.set_figheight(0.8 * len(rows) + 0.45)
    figure.suptitle("A few sweeps make the same digits")
    return figure


def drawn(rows: Mapping[str, Tensor]) -> Figure:
    """Rows of ten digits (n, 64) of whole levels, each with its name at the left."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(8.6, 0.8 * len(rows) + 0.2))
    for ax, (name, x) in zip(axes, rows.items(), strict=True):
        digits = F.pad(x[:10].reshape(10, 8, 8) / 16, (0, 1), value=1.0)  # (10, 8, 9)
        wall = digits.permute(1, 0, 2).flatten(1).numpy()
        ax.imshow(wall, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_axis_off()
        ax.text(-2, 3.5, name, ha="right", va="center", fontsize=10)
    return figure


def bridge(x: Tensor) -> Figure:
    """Samples between two shores."""
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    ax.scatter(x[:, 0], x[:, 1], s=2, c=BLUE, linewidths=0)
    for shore in (-1, 1):
        ax.axvline(shore, color=RED, linestyle=":")
    ax.text(0, 1.55, "water", color=for_text(RED), ha="center")
    ax.set(xlim=(-4, 4), ylim=(-1.9, 1.9), xlabel="first coordinate", ylabel="second coordinate")
    ax.set_title("One bell, bent onto two islands: a bridge stays")
    return figure


def spike(seen: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Places `(n, 2)` and their densities of two flows, the densest on top and in a ring."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2), sharex=True, sharey=True)
    for ax, (name, (x, density)) in zip(axes, seen.items(), strict=True):
        order = density.argsort()
        across, up = x[order].T
        shade = density[order].log10()
        look: Any = {"s": 3, "linewidths": 0, "cmap": "cividis", "vmin": -4, "vmax": 1}
        drawn = ax.scatter(across, up, c=shade, **look)
        top = x[order[-1]]
        ax.plot(*top, "o", markersize=16, markerfacecolor="none", markeredgecolor=RED)
        left, on_moons = bool(top[0] < 0), bool(top[1].abs() < 2)
        beside = float(top[0]), 2.4 if on_moons else float(top[1])  # the label covers no moon
        ax.annotate(
            f"densest: {density.max():.2g}", (float(top[0]), float(top[1])),
            beside if on_moons else (beside[0] + (0.6 if left else -0.6), beside[1]),
            ha="center" if on_moons else "left" if left else "right", va="center",
            arrowprops={"arrowstyle": "-", "color": RED, "shrinkB": 8} if on_moons else None,
            color=for_text(RED), fontsize=11, bbox={"color": "white", "alpha": 0.85, "pad": 2},
        )  # fmt: skip
        ax.set(title=name, xlabel="first coordinate", xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    axes[0].plot([-3, 3, 3, -3, -3], [-3, -3, 3, 3, -3], ":", color=BLACK)
    axes[0].set_ylabel("second coordinate")
    figure.suptitle("High density is not high mass")
    figure.colorbar(drawn, ax=list(axes), label="log10 of the density")
    return figure
