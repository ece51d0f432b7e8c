"""Two divergences fitted by hand, a flow layer by layer, and the posterior of a simulator."""

import math
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from genlab.data.simulators import Epidemic
from genlab.data.toys import plane
from genlab.flow.model import Flow
from genlab.flow.transforms import push_forward
from genlab.systems.npe import NeuralPosterior
from genlab.zoo import load_model
from genlab_course.figures import BLACK, BLUE, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, explore, panels, slider

EXTENT, N_SIDE, N_LINES, N_TICKS = 3.0, 90, 15, 61


@dataclass(frozen=True)
class Journey:
    """Everything that the slider shows, computed once: K layers give K + 1 states."""

    lines: NDArray[np.float64]  # (K + 1, lines, points, 2)
    samples: NDArray[np.float64]  # (K + 1, n, 2)
    images: list[NDArray[np.float64]]  # K + 1 densities on a lattice
    entropies: list[float]  # of the states, nats


@torch.no_grad()
def journey(flow: Flow, *, n_samples: int = 400, seed: int = 0) -> Journey:
    """Push a grid and samples through a flow on the plane, and keep every state and density."""
    if flow.event_shape != (2,):
        raise ValueError(f"flow_warp: event_shape is {flow.event_shape}, expected (2,)")
    at, along = (torch.linspace(-EXTENT, EXTENT, n) for n in (N_LINES, N_TICKS))
    upright = torch.stack(torch.meshgrid(at, along, indexing="ij"), -1)
    grid = torch.cat([upright, upright.flip(-1)])  # lines along both axes of the base
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


def flow_warp(flow: Flow | None = None) -> Explorer:
    """Slide from the base to the data through the layers of a flow, by default on the two moons."""
    states = journey(load_model("moons_flow") if flow is None else flow)
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
        said = f"After {layers:.1f} of {n_layers} layers. Entropy after {done}: "
        return said + f"{states.entropies[done]:.2f} nats = entropy of the base + mean log|det|."

    end = float(n_layers)
    return explore(figure, update, play="layers", layers=slider("layers", end, 0.0, end, 0.1))


SIDE, N_DRAWS = 41, 200


def epidemic_posterior(q: NeuralPosterior, town: Epidemic | None = None) -> Explorer:
    """A simulated epidemic, and the posterior of its two rates, log beta and log gamma."""
    town = town or Epidemic()
    mean = torch.tensor(town.prior_mean)
    std = torch.tensor(town.prior_std)
    low = mean - 3 * std
    high = mean + 3 * std
    axes = [torch.linspace(float(a), float(b), SIDE) for a, b in zip(low, high, strict=True)]
    places = torch.cartesian_prod(*axes).to(q.x_mean)
    cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
    weeks = np.arange(1, town.weeks + 1)

    figure, (left, right) = panels(9.2, 3.6)
    bars = left.bar(weeks, 0 * weeks, color="#BBBBBB", label="the register")
    (inner,) = left.plot(weeks, 0 * weeks, color=BLUE, linestyle="-", label="posterior predictive")
    edges = [left.plot(weeks, 0 * weeks, color=BLUE, linestyle=":")[0] for _ in range(2)]
    left.set(xlabel="week", ylabel="reported infections", title="what is seen")
    left.legend(loc="upper right", fontsize=8)
    extent = [float(v) for v in (low[0], high[0], low[1], high[1])]
    drawn = {"origin": "lower", "aspect": "auto", "cmap": "Blues", "interpolation": "bilinear"}
    picture = right.imshow(np.zeros((SIDE, SIDE)), extent=extent, **drawn)
    circle = torch.linspace(0, 2 * math.pi, 100)
    for radius in (1.177, 2.146):  # half and nine tenths of a normal prior
        ring = mean + std * radius * torch.stack([circle.cos(), circle.sin()], 1)
        right.plot(*ring.T.numpy(), color=ORANGE, linestyle="--", linewidth=1)
    (truth,) = right.plot([0], [0], "*", color=RED, markersize=13, linestyle="", label="truth")
    (cloud,) = right.plot([0], [0], ".", color=BLACK, markersize=2, alpha=0.4, linestyle="")
    right.plot([], [], color=ORANGE, linestyle="--", label="prior, 50 % and 90 %")
    right.set(
        xlabel=r"$\log\beta$ (infection)", ylabel=r"$\log\gamma$ (recovery)",
        title="what it says", xlim=extent[:2], ylim=extent[2:],
    )  # fmt: skip
    right.legend(loc="lower right", fontsize=8)
    for ax in (left, right):
        ax.locator_params(nbins=5)  # fewer numbers: they are most of the drawing

    def update(beta: float, gamma: float, run: int) -> str:
        generator = torch.Generator().manual_seed(run)
        theta = torch.tensor([[math.log(beta), math.log(gamma)]]).to(q.x_mean)
        x = town.simulate(theta, generator=generator)
        with torch.no_grad():
            density = q.log_prob(places, cond=x.expand(len(places), -1)).exp()
        draws = q.sample(N_DRAWS, cond=x, generator=generator)
        again = town.simulate(draws, generator=generator)
        for bar, height in zip(bars, x[0].tolist(), strict=True):
            bar.set_height(height)
        lines = torch.quantile(again, torch.tensor([0.05, 0.5, 0.95]).to(x), dim=0).numpy()
        for line, values in zip((edges[0], inner, edges[1]), lines, strict=True):
            line.set_ydata(values)
        left.set_ylim(0, 1.15 * max(10.0, float(x.max()), float(lines.max())))
        picture.set_data(density.reshape(SIDE, SIDE).T.numpy())
        picture.set_clim(0, float(density.max()))
        truth.set_data(*theta.T.numpy())
        cloud.set_data(*draws.T.numpy())
        ratio = (draws[:, 0] - draws[:, 1]).exp()
        a, b = torch.quantile(ratio, torch.tensor([0.05, 0.95]).to(x)).tolist()
        mass = float(density.sum()) * cell
        said = f"reproduction number β/γ: truth {beta / gamma:.2f}, posterior 90 % interval "
        return said + f"{a:.2f} to {b:.2f}; mass of q in this window {mass:.3f}"

    return explore(
        figure,
        update,
        beta=slider("infection β", 0.4, 0.12, 1.2, 0.02),
        gamma=slider("recovery γ", 0.125, 0.075, 0.2, 0.005, readout_format=".3f"),
        run=slider("same town again", 1, 1, 20, 1),
    )  # fmt: skip
