"""Ride through a trained flow, layer by layer: what becomes of a grid, and of the density."""

from dataclasses import dataclass

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from ..course.figures import BLACK, BLUE, ORANGE
from ..data.toys import Moons, plane
from ..flow.change_of_variables import push_forward
from ..flow.coupling import coupling_flow
from ..flow.model import Flow
from ..flow.spline import RationalQuadratic
from ..train import fit, minibatches
from .explorer import Explorer, explore

EXTENT, N_SIDE, N_LINES, N_TICKS = 3.0, 90, 15, 61


@dataclass(frozen=True)
class Journey:
    """Everything that the slider shows, computed once: K layers give K + 1 states."""

    lines: NDArray[np.float64]  # (K + 1, lines, points, 2)
    samples: NDArray[np.float64]  # (K + 1, n, 2)
    images: list[NDArray[np.float64]]  # K + 1 densities on a lattice
    entropies: list[float]  # of the states, nats


def _grid() -> Tensor:
    """Lines along both axes of the base, `(lines, points, 2)`."""
    at = torch.linspace(-EXTENT, EXTENT, N_LINES)
    along = torch.linspace(-EXTENT, EXTENT, N_TICKS)
    upright = torch.stack(torch.meshgrid(at, along, indexing="ij"), -1)
    return torch.cat([upright, upright.flip(-1)])


@torch.no_grad()
def journey(flow: Flow, *, n_samples: int = 400, seed: int = 0) -> Journey:
    """Push a grid and samples through a flow on the plane and keep every state.

    Args:
        flow: a flow on two coordinates.
        n_samples: points to follow.
        seed: of the points.

    Returns:
        The states, and the density after each layer.

    Raises:
        ValueError: the flow is not on the plane.
    """
    if flow.event_shape != (2,):
        raise ValueError(f"flow_warp: event_shape is {flow.event_shape}, expected (2,)")
    grid = _grid()
    z = flow.base.sample(n_samples, generator=torch.Generator().manual_seed(seed))
    states = list(push_forward(flow.transforms, torch.cat([grid.flatten(0, 1), z])))
    points = torch.stack([state for state, _ in states]).double().numpy()
    n_grid = grid.shape[0] * grid.shape[1]
    lattice, _ = plane(EXTENT, N_SIDE)
    parts = [Flow(flow.base, flow.transforms[:k]) for k in range(len(states))]
    images = [p.log_prob(lattice).exp().reshape(N_SIDE, N_SIDE).double().numpy() for p in parts]
    start = -float(flow.base.log_prob(z).mean())
    return Journey(
        lines=points[:, :n_grid].reshape(len(states), *grid.shape),
        samples=points[:, n_grid:],
        images=images,
        entropies=[start + float(log_det[n_grid:].mean()) for _, log_det in states],
    )


def _trained() -> Flow:
    """A spline flow on the two moons, trained on the spot in a second or two."""
    generator = torch.Generator().manual_seed(0)
    flow = coupling_flow(2, RationalQuadratic(8, 3.0), n_layers=4, width=32)
    x = Moons().sample(4000, generator=generator)
    for _ in fit(flow, minibatches(x, 256, generator=generator), n_steps=200, lr=5e-3, clip=10.0):
        pass
    return flow


def flow_warp(flow: Flow | None = None) -> Explorer:
    """Slide from the base to the data through the layers of a flow.

    Args:
        flow: a trained flow on the plane; one on the two moons is trained when None.
    """
    states = journey(_trained() if flow is None else flow)
    n_layers = len(states.images) - 1
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 4.0), layout="none")
    figure.subplots_adjust(left=0.08, right=0.98, top=0.91, bottom=0.13, wspace=0.2)
    for ax, name in ((left, "the base's grid, and samples"), (right, "density")):
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), aspect="equal", title=name)
        ax.set(xlabel="first coordinate", ylabel="second coordinate")
    mesh = LineCollection(list(states.lines[0]), colors=BLACK, linewidths=0.6, alpha=0.55)
    left.add_collection(mesh)
    side = np.where(states.samples[0, :, 0] < 0, BLUE, ORANGE)  # where in the base it began
    dots = left.scatter(*states.samples[0].T, s=7, c=side.tolist(), zorder=3)
    box = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    image = right.imshow(states.images[0], extent=box, origin="lower")

    def update(layers: float) -> str:
        k = min(int(layers), n_layers - 1)
        part = layers - k
        mesh.set_segments(list((1 - part) * states.lines[k] + part * states.lines[k + 1]))
        dots.set_offsets((1 - part) * states.samples[k] + part * states.samples[k + 1])
        done = int(layers + 0.5)
        image.set_data(states.images[done])
        image.set_clim(0, float(np.quantile(states.images[done], 0.998)))
        right.set_title(f"density after {done} of {n_layers} layers")
        return (
            f"After {layers:.1f} of {n_layers} layers. Entropy after {done}: "
            f"{states.entropies[done]:.2f} nats = entropy of the base + mean log|det|."
        )

    slider = ipywidgets.FloatSlider(
        value=float(n_layers), min=0.0, max=float(n_layers), step=0.1, description="layers"
    )
    return explore(figure, update, layers=slider)
