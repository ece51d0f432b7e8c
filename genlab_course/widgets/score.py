"""Noise, scores and samplers: what is lost on the way to noise, and how one comes back from it."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from genlab.core.tensors import make_generator
from genlab.metrics.distances import wasserstein_1d
from genlab.oracles import GaussianMixture
from genlab.score.exact import exact_score
from genlab.score.sde import SDE, VE, VP, Straight, SubVP, reverse_sde_sample
from genlab_course.figures import BLACK, BLUE, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, explore, menu, panels, powers, stops


def line_mixture(*parts: Sequence[float]) -> GaussianMixture:
    """A mixture on a line from its weights, means and standard deviations, double precision."""
    weights, means, stds = torch.tensor(parts, dtype=torch.float64)
    return GaussianMixture(weights, means[:, None], stds)


LevelScore: TypeAlias = Callable[[Tensor, Tensor], Tensor]
EXTENT, SIDE, LINE = 4.5, 19, 361


def islands() -> GaussianMixture:
    """Two round modes at (-2, 0) and (2, 0), four to one: the example of lesson 11."""
    means = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    return GaussianMixture(torch.tensor([0.8, 0.2]), means, torch.tensor([0.5, 0.5]))


def score_field(
    data: GaussianMixture | None = None, learned: Mapping[str, LevelScore] | None = None
) -> Explorer:
    """The score field of a noised mixture in the plane, its modes on the horizontal axis.

    `learned` scores, functions of x and sigma `(b,)` by name, are held against the exact one.
    """
    data = data or islands()
    learned = dict(learned or {})
    side = torch.linspace(-EXTENT, EXTENT, SIDE)
    places = torch.cartesian_prod(side, side)
    axis = torch.linspace(-EXTENT, EXTENT, LINE)
    line = torch.stack([axis, torch.zeros_like(axis)], 1)
    fine = torch.linspace(-EXTENT, EXTENT, 81)
    pixels = torch.stack(torch.meshgrid(fine, fine, indexing="xy"), -1).reshape(-1, 2)

    figure, (left, right) = panels(9.2, 3.8)
    box = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    picture = left.imshow(np.zeros((81, 81)), extent=box, origin="lower", cmap="Greys", vmax=1.6)
    at = places.numpy()
    x1 = axis.numpy()
    units = {"angles": "xy", "scale_units": "xy", "scale": 1.6, "width": 0.004}
    quiver = left.quiver(*at.T, *at.T, color=BLUE, **units)
    (ridge,) = left.plot([0, 0], [-EXTENT, EXTENT], color=RED, linestyle="--")
    left.set(xlabel="$x_1$", ylabel="$x_2$", title="density (grey) and σ · score (arrows)")
    (exact_line,) = right.plot(x1, x1, color=BLACK, linestyle="-", label="exact")
    (other_line,) = right.plot(x1, x1, color=ORANGE, linestyle="--", label="learned")
    right.axhline(0, color="#999999", linewidth=0.8)
    (mark,) = right.plot([0], [0], "o", color=RED, linestyle="", label="watershed")
    right.set(xlabel="$x_1$, at $x_2 = 0$", ylabel="σ · score, first component", ylim=(-3, 3))
    right.set_title("along the line through the modes")
    right.legend(loc="upper right")

    def update(sigma: float, arrows: str) -> str:
        noised = data.noised(1.0, sigma)
        exact = sigma * noised.score(places)
        shown, slope = exact, sigma * noised.score(line)[:, 0]
        other = torch.full_like(axis, float("nan"))
        said = ""
        if arrows != "exact":
            with torch.no_grad():
                field = learned[arrows]
                shown = sigma * field(places, torch.full((len(places),), sigma))
                other = sigma * field(line, torch.full((len(line),), sigma))[:, 0]
            weight = noised.log_prob(places).softmax(0)[:, None]
            error = (weight * (shown - exact) ** 2).sum() / (weight * exact**2).sum()
            said = f"; {arrows}: relative error {100 * float(error):.1f} % where the data are"
        density = noised.log_prob(pixels).exp()
        picture.set_data((density / density.max()).reshape(81, 81).numpy())
        lengths = shown.norm(dim=1, keepdim=True).clamp(min=1e-9)
        drawn = shown / lengths * lengths.clamp(max=1.0)  # long arrows are cut, or they hide it all
        quiver.set_UVC(*drawn.T.numpy())
        exact_line.set_ydata(slope.numpy())
        other_line.set_ydata(other.numpy())
        place = watershed(axis, slope)
        ridge.set_xdata([place, place])
        mark.set_data([place], [0.0])
        where = f"watershed at {place:.2f}" if place == place else "one hill, no watershed"
        return f"σ = {sigma:.2f}: {where}{said}"

    names = ["exact", *learned]
    return explore(figure, update, play="sigma", sigma=powers("noise σ", 0.3, -1.3, 0.78, 0.02),
                   arrows=menu("arrows", names, names[-1]))  # fmt: skip


def watershed(axis: Tensor, slope: Tensor) -> float:
    """Where a slope of log p along a rising axis first turns from negative to positive; or nan."""
    rising = ((slope[:-1] < 0) & (slope[1:] >= 0)).nonzero()
    if len(rising) == 0:
        return float("nan")
    i = int(rising[0])
    share = slope[i] / (slope[i] - slope[i + 1])
    return float(axis[i] + share * (axis[i + 1] - axis[i]))


N_POINTS, N_SHOWN, N_DESCENT, TOP = 1000, 30, 100, 3.2
PATHS: dict[str, SDE] = {"VP": VP(), "sub-VP": SubVP(), "VE": VE(0.1, 10.0), "straight": Straight()}
NOISE = (0.0, 0.25, 0.5, 1.0, 1.5)
HILLS = line_mixture((0.35, 0.65), (-1.2, 1.4), (0.3, 0.5))


class Descent(NamedTuple):
    """All trajectories for one path and one amount of noise, heights scaled to about one."""

    ts: NDArray[np.float64]  # (n,), falling
    heights: NDArray[np.float64]  # (n, points)
    started_high: NDArray[np.bool_]  # (points,)
    distance: float  # W1 of the ends to fresh data
    memory: float  # correlation of start and end


def _noised(sde: SDE, t: Tensor) -> GaussianMixture:
    return HILLS.noised(float(sde.alpha(t)), float(sde.sigma(t)))


def scale_at(sde: SDE, t: Tensor) -> Tensor:
    """What heights are divided by: 1 on the way of `VP`."""
    return (sde.alpha(t) ** 2 + sde.sigma(t) ** 2).sqrt()


def descend(path: str, noise: float) -> Descent:
    """Bring points from noise to data with the exact score, with a part of the fresh noise.

    0 is the ODE, 1 the reverse SDE; starts and noise are the same for every call.
    """
    sde = PATHS[path]
    g = make_generator(14)
    u = torch.linspace(torch.pi, 0, N_DESCENT + 1, dtype=torch.float64)
    ts = 0.98 * (1 - u.cos()) / 2  # steps shrink towards both ends
    x_T = _noised(sde, ts[0]).sample(N_POINTS, generator=g)
    fresh = HILLS.sample(N_POINTS, generator=g)[:, 0]
    slope = exact_score(HILLS, sde)
    run = reverse_sde_sample(sde, slope, x_T, ts, noise=noise, generator=g)
    states = torch.stack(list(run))[..., 0]
    return Descent(
        ts.numpy(),
        (states / scale_at(sde, ts)[:, None]).numpy(),
        (states[0] > states[0].median()).numpy(),
        float(wasserstein_1d(states[-1], fresh)),
        float(torch.stack([states[0], states[-1]]).corrcoef()[0, 1]),
    )


def shade(path: str, ts: Tensor, grid: Tensor) -> Tensor:
    """Exact densities of the scaled heights, one column a time, `(grid, times)`."""
    sde = PATHS[path]
    at = [(_noised(sde, t), scale_at(sde, t)) for t in ts]
    return torch.stack([law.log_prob((grid * s)[:, None]).exp() * s for law, s in at], 1)


def sde_paths() -> Explorer:
    """Choose a path and the amount of fresh noise; follow the points, and their histogram."""
    times = torch.linspace(0, 0.98, 80, dtype=torch.float64)
    grid = torch.linspace(-TOP, TOP, 120, dtype=torch.float64)
    backgrounds = {name: shade(name, times, grid).numpy() for name in PATHS}
    known = lru_cache(maxsize=None)(descend)  # each when it is first asked for
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 3.8), layout="none", width_ratios=[2.4, 1], sharey=True
    )
    figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.14, wspace=0.06)
    box = (0.0, 0.98, -TOP, TOP)
    image = left.imshow(
        backgrounds["VP"], extent=box, origin="lower", aspect="auto", cmap="Greys", vmax=0.9
    )
    lines = LineCollection([], linewidths=0.9)
    left.add_collection(lines)
    left.set(xlim=(0.98, 0), ylim=(-TOP, TOP), xlabel="time t: noise left, data right")
    left.set_ylabel("height, scaled")
    edges = np.linspace(-TOP, TOP, 41)
    (exact,) = right.plot(backgrounds["VP"][:, 0], grid.numpy(), color=BLACK, linestyle="--")
    turned = {"orientation": "horizontal", "fill": True}
    low, high = (right.stairs(0 * edges[1:], edges, color=c, **turned) for c in (BLUE, ORANGE))
    left.set_xticks([0.8, 0.6, 0.4, 0.2])
    right.set(xlim=(0, 0.75), xlabel="density at t = 0", title="blue: started low")
    right.set_xticks([0.0, 0.25, 0.5, 0.75])

    def update(path: str, noise: float) -> str:
        d = known(path, noise)
        image.set_data(backgrounds[path])
        shown = np.stack([np.broadcast_to(d.ts[:, None], d.heights.shape), d.heights], -1)
        lines.set_segments(list(shown[:, :N_SHOWN].swapaxes(0, 1)))
        lines.set_color([ORANGE if up else BLUE for up in d.started_high[:N_SHOWN]])
        unit = len(d.started_high) * (edges[1] - edges[0])
        below, _ = np.histogram(d.heights[-1][~d.started_high], edges)
        above, _ = np.histogram(d.heights[-1][d.started_high], edges)
        low.set_data(below / unit)
        high.set_data((below + above) / unit, baseline=below / unit)
        exact.set_xdata(backgrounds[path][:, 0])
        kind = "the ODE" if noise == 0 else "reverse SDE" if noise == 1 else "in between"
        left.set_title(f"{path}, noise {noise:g}" + ("" if noise > 1 else f": {kind}"))
        return (
            f"Distance of the ends to fresh data: {d.distance:.2f} (two sets of data: about 0.05). "
            f"Correlation of start and end: {d.memory:.2f}."
        )

    return explore(figure, update, path=menu("path", PATHS), noise=stops("noise", NOISE, 0.0))
