"""From noise to data along four paths, with more or less fresh noise: what changes, what stays."""

from dataclasses import dataclass

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from ..course.figures import BLACK, BLUE, ORANGE
from ..metrics.wasserstein import wasserstein_1d
from ..oracles import GaussianMixture
from ..score.exact_fields import exact_score
from ..score.sde import reverse_sde_sample
from ..score.sde_paths import SDE, VE, VP, Straight, SubVP
from .explorer import Explorer, explore

N_POINTS, N_SHOWN, N_STEPS, EXTENT = 1000, 30, 100, 3.2
PATHS: dict[str, SDE] = {
    "VP": VP(),
    "sub-VP": SubVP(),
    "VE": VE(0.1, 10.0),
    "straight": Straight(),
}
NOISE = (0.0, 0.25, 0.5, 1.0, 1.5)


def two_hills() -> GaussianMixture:
    """The data of the widget: two hills of different size on a line, double precision."""
    weights, means = torch.tensor([0.35, 0.65]), torch.tensor([[-1.2], [1.4]])
    return GaussianMixture(
        weights.double(), means.double(), torch.tensor([0.3, 0.5], dtype=torch.float64)
    )


@dataclass(frozen=True)
class Descent:
    """All trajectories for one path and one amount of noise, heights scaled to about one."""

    ts: NDArray[np.float64]  # (n,), falling
    heights: NDArray[np.float64]  # (n, points)
    started_high: NDArray[np.bool_]  # (points,)
    distance: float  # W1 of the ends to fresh data
    memory: float  # correlation of start and end


def scale_at(sde: SDE, t: Tensor) -> Tensor:
    r"""What heights are divided by, $\sqrt{\alpha_t^2 + \sigma_t^2}$: 1 on the way of `VP`.

    Args:
        sde: the path.
        t: times.

    Lesson: notebooks/14_score_sdes.ipynb
    """
    return (sde.alpha(t) ** 2 + sde.sigma(t) ** 2).sqrt()


def descend(path: str, noise: float, *, data: GaussianMixture | None = None) -> Descent:
    """Bring points from noise to data with the exact score.

    Args:
        path: one of `PATHS`.
        noise: share of the fresh noise; 0 is the ODE, 1 the reverse SDE.
        data: on a line; `two_hills` when None.

    Returns:
        The trajectories; starts and noise are the same for every call.

    Raises:
        ValueError: there is no such path.
    """
    if path not in PATHS:
        raise ValueError(f"sde_paths: path is {path!r}, expected one of {', '.join(PATHS)}")
    sde, law, g = PATHS[path], data or two_hills(), torch.Generator().manual_seed(14)
    u = torch.linspace(torch.pi, 0, N_STEPS + 1, dtype=torch.float64)
    ts = 0.98 * (1 - u.cos()) / 2  # steps shrink towards both ends
    top = law.noised(float(sde.alpha(ts[0])), float(sde.sigma(ts[0])))
    x_T = top.sample(N_POINTS, generator=g)
    fresh = law.sample(N_POINTS, generator=g)[:, 0]
    states = torch.stack(
        list(reverse_sde_sample(sde, exact_score(law, sde), x_T, ts, noise=noise, generator=g))
    )[..., 0]
    memory = float(torch.stack([states[0], states[-1]]).corrcoef()[0, 1])
    return Descent(
        ts=ts.numpy(),
        heights=(states / scale_at(sde, ts)[:, None]).numpy(),
        started_high=(states[0] > states[0].median()).numpy(),
        distance=float(wasserstein_1d(states[-1], fresh)),
        memory=memory,
    )


def shade(path: str, ts: Tensor, grid: Tensor, *, data: GaussianMixture | None = None) -> Tensor:
    """Exact densities of the scaled heights, one column a time, `(grid, times)`.

    Args:
        path: one of `PATHS`.
        ts: times.
        grid: heights.
        data: on a line; `two_hills` when None.
    """
    sde, law = PATHS[path], data or two_hills()
    columns = []
    for t in ts:
        scale = scale_at(sde, t)
        noised = law.noised(float(sde.alpha(t)), float(sde.sigma(t)))
        columns.append(noised.log_prob((grid * scale)[:, None]).exp() * scale)
    return torch.stack(columns, 1)


def sde_paths() -> Explorer:
    """Choose a path and the amount of fresh noise; follow the points, and their histogram."""
    times = torch.linspace(0, 0.98, 80, dtype=torch.float64)
    grid = torch.linspace(-EXTENT, EXTENT, 120, dtype=torch.float64)
    backgrounds = {name: shade(name, times, grid).numpy() for name in PATHS}
    known = {(path, noise): descend(path, noise) for path in PATHS for noise in NOISE}
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 3.8), layout="none", width_ratios=[2.4, 1], sharey=True
    )
    figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.14, wspace=0.06)
    box = (0.0, 0.98, -EXTENT, EXTENT)
    image = left.imshow(
        backgrounds["VP"], extent=box, origin="lower", aspect="auto", cmap="Greys", vmax=0.9
    )
    lines = LineCollection([], linewidths=0.9)
    left.add_collection(lines)
    left.set(xlim=(0.98, 0), ylim=(-EXTENT, EXTENT), xlabel="time t: noise left, data right")
    left.set_ylabel("height, scaled")
    edges = np.linspace(-EXTENT, EXTENT, 41)
    (exact,) = right.plot(backgrounds["VP"][:, 0], grid.numpy(), color=BLACK, linestyle="--")
    low = right.barh(edges[:-1], np.zeros(40), np.diff(edges), align="edge", color=BLUE)
    high = right.barh(edges[:-1], np.zeros(40), np.diff(edges), align="edge", color=ORANGE)
    left.set_xticks([0.8, 0.6, 0.4, 0.2])
    right.set(xlim=(0, 0.75), xlabel="density at t = 0", title="blue: started low")
    right.set_xticks([0.0, 0.25, 0.5, 0.75])

    def update(path: str, noise: float) -> str:
        d = known[path, noise]
        image.set_data(backgrounds[path])
        shown = np.stack([np.broadcast_to(d.ts[:, None], d.heights.shape), d.heights], -1)
        lines.set_segments(list(shown[:, :N_SHOWN].swapaxes(0, 1)))
        lines.set_color([ORANGE if up else BLUE for up in d.started_high[:N_SHOWN]])
        unit = len(d.started_high) * (edges[1] - edges[0])
        below, _ = np.histogram(d.heights[-1][~d.started_high], edges)
        above, _ = np.histogram(d.heights[-1][d.started_high], edges)
        for bar, over, b, a in zip(low, high, below / unit, above / unit, strict=True):
            bar.set_width(b)
            over.set_x(b)
            over.set_width(a)
        exact.set_xdata(backgrounds[path][:, 0])
        kind = "the ODE" if noise == 0 else "reverse SDE" if noise == 1 else "in between"
        left.set_title(f"{path}, noise {noise:g}" + ("" if noise > 1 else f": {kind}"))
        return (
            f"Distance of the ends to fresh data: {d.distance:.2f} (two sets of data: about 0.05). "
            f"Correlation of start and end: {d.memory:.2f}."
        )

    choice = ipywidgets.Dropdown(options=list(PATHS), value="VP", description="path")
    slider = ipywidgets.SelectionSlider(options=NOISE, value=0.0, description="noise")
    return explore(figure, update, path=choice, noise=slider)
