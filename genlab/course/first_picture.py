"""The picture of lesson 01: one row of samples, one row of what each model knows about p(x)."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from genlab.core import last, likelihood_kind, make_generator
from genlab.data.toys import GaussianRing, plane
from genlab.score import DDPM, score_from_eps

from .figures import BLUE, GREEN, ORANGE, RED, SKY, begin
from .first_map import EXTENT, RECIPES, Row, learn, measure

INK = "#333333"
COLOURS = {"autoregressive": BLUE, "flow": SKY, "vae": ORANGE, "gan": RED, "diffusion": GREEN}
_SIDE = 120  # pixels along a density's axis
_LEVEL = 12  # noise level at which the slope is drawn, 0..T-1


def density_image(log_prob: Any) -> Tensor:
    """Values of a density on a square lattice, as an image with the origin at the lower left.

    Args:
        log_prob: points to log-densities in nats.

    Returns:
        `(n, n)`.
    """
    points, _ = plane(EXTENT, _SIDE)
    with torch.no_grad():
        values: Tensor = log_prob(points)
    return values.exp().reshape(_SIDE, _SIDE)


def draw_first_map(
    truth: Any, models: Mapping[str, Any], rows: Mapping[str, Row], *, n_points: int = 2500
) -> Figure:
    """Draw what five models learned of one distribution, with what it costs to use them.

    Args:
        truth: the toy, with `sample` and `log_prob`.
        models: trained models by the names of `RECIPES`.
        rows: what `measure` said of each.
        n_points: samples in each panel.

    Returns:
        The figure: samples above, density (or its absence) in the middle, numbers below.
    """
    figure, axes = plt.subplots(2, 6, figsize=(13.2, 5.5), layout="none")
    figure.subplots_adjust(0.008, 0.185, 0.992, 0.925, wspace=0.05, hspace=0.05)
    generator = make_generator(0)
    _points(axes[0, 0], truth.sample(n_points, generator=generator), INK)
    _image(axes[1, 0], density_image(truth.log_prob))
    axes[0, 0].set_title("the data", color=INK, weight="bold")
    _caption(axes[1, 0], ["passes for a sample", "log-likelihood / nats", "distance to the data"])
    for column, (name, model) in enumerate(models.items(), 1):
        top, bottom = axes[:, column]
        _points(top, model.sample(n_points, generator=generator), COLOURS[name])
        top.set_title(RECIPES[name].title, color=COLOURS[name], weight="bold")
        _knowledge(bottom, model)
        row = rows[name]
        said = row.likelihood_text.replace(">= ", "≥ ").replace("-", "−").replace("~", "")
        numbers = [str(row.passes), "—" if row.log_likelihood is None else said,
                   f"{row.distance:.4f}"]  # fmt: skip
        _caption(bottom, numbers, colour=COLOURS[name])
    for ax in axes.flat:
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
        for spine in ax.spines.values():
            spine.set(visible=True, color="#CCCCCC", linewidth=0.8)
    return figure


def save_first_map(path: str, *, dpi: int = 140) -> None:
    """Train the five models as lesson 01 does, and save the picture: the one in the README.

    Args:
        path: where to, with the ending of an image format.
        dpi: resolution, dots for each inch of a figure 13 inches wide.
    """
    begin(lesson=1)
    ring, g, models = GaussianRing(), make_generator(1), dict[str, Any]()
    data, held_out, reference = (ring.sample(n, generator=g) for n in (10_000, 2_000, 4_000))
    for name in RECIPES:
        models[name], run = learn(name, data)
        last(run)
    rows = {name: measure(m, held_out, reference, generator=g) for name, m in models.items()}
    figure = draw_first_map(ring, models, rows)
    figure.savefig(path, dpi=dpi)
    plt.close(figure)


def _points(ax: Axes, x: Tensor, colour: str) -> None:
    ax.scatter(x[:, 0], x[:, 1], s=2.2, color=colour, alpha=0.45, linewidths=0, rasterized=True)


def _image(ax: Axes, values: Tensor) -> None:
    ax.imshow(values.numpy(), origin="lower", extent=(-EXTENT, EXTENT, -EXTENT, EXTENT),
              cmap="magma", vmin=0, vmax=0.9, interpolation="bilinear")  # fmt: skip


def _label(ax: Axes, text: str, colour: str) -> None:
    ax.text(0, 2.3, text, ha="center", va="center", fontsize=9, color=colour)


def _knowledge(ax: Axes, model: Any) -> None:
    """Density, bound, slope or nothing: whatever the model can say about a point."""
    kind = likelihood_kind(model)
    if kind == "none":
        ax.set_facecolor("#F2F2F2")
        ax.text(0, 0, "no density", ha="center", va="center", fontsize=13, color="#888888")
    elif isinstance(model, DDPM):
        _slope(ax, model)
    elif kind == "exact":
        _image(ax, density_image(model.log_prob))
        _label(ax, "density, exact", "white")
    else:
        g = make_generator(0)

        def bound(x: Tensor) -> Tensor:
            return torch.stack([model.elbo(x, generator=g) for _ in range(16)]).mean(0)

        _image(ax, density_image(bound))
        _label(ax, "exp of the bound", "white")


def _slope(ax: Axes, model: DDPM) -> None:
    points, _ = plane(EXTENT * 0.8, 18)
    t = torch.full((len(points),), _LEVEL)
    sigma = (1 - model.alphas_bar[_LEVEL]).sqrt()
    with torch.no_grad():
        slope = score_from_eps(model.eps_net(points, t), sigma)
    length = torch.linalg.vector_norm(slope, dim=1, keepdim=True)
    arrows = slope / length * length.clamp(max=6) ** 0.5
    ax.quiver(points[:, 0], points[:, 1], arrows[:, 0], arrows[:, 1], length[:, 0].sqrt(),
              cmap="viridis_r", scale=42, width=0.007, pivot="mid")  # fmt: skip
    _label(ax, "slope of log p, and a bound", INK)


def _caption(ax: Axes, lines: list[str], colour: str = INK) -> None:
    for number, text in enumerate(lines):
        ax.text(0.5, -0.115 - 0.125 * number, text, transform=ax.transAxes, ha="center",
                va="center", fontsize=11, color=colour)  # fmt: skip
