"""Turn up guidance on two classes whose sharpened law is known, and watch the samples leave it."""

from typing import NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from ..core.iterate import last
from ..core.quadrature import integrate
from ..course.figures import BLACK, ORANGE, RED, SKY
from ..metrics.wasserstein import wasserstein_1d
from ..oracles import Gaussian, GaussianMixture
from ..score import cfg_eps, ddim_sample, exact_eps_model, tilted_density
from .explorer import Explorer, explore

N, LEVELS = 300, 60
GRID = torch.linspace(-7, 11, 1801, dtype=torch.float64)
STD = 0.7  # of both classes
SCALES = (0.0, 1.0, 2.0, 4.0, 7.0, 10.0)  # where the curves of the right panel are computed
GAPS = (0.5, 1.0, 2.0, 3.0, 4.0)  # between the means of the classes


class Guided(NamedTuple):
    """The two laws at one guidance scale."""

    samples: Tensor  # of guided DDIM, even quantiles, (n,)
    density: Tensor  # of the sharpened law, on GRID
    distance: float  # W1 between them


def laws(gap: float) -> tuple[GaussianMixture, Gaussian]:
    """Two classes a distance `gap` apart, and the right-hand one alone.

    Args:
        gap: between the means, in units of the data.

    Returns:
        The law of all data, and that of the class.
    """
    half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    means = torch.tensor([[-gap / 2], [gap / 2]], dtype=torch.float64)
    law = GaussianMixture(half, means, torch.full((2,), STD, dtype=torch.float64))
    return law, Gaussian(means[1], STD**2 * torch.eye(1, dtype=torch.float64))


def guided(w: float, gap: float, n: int = N) -> Guided:
    """Guided DDIM with perfect networks, and the sharpened law by quadrature.

    Args:
        w: guidance scale.
        gap: distance of the classes.
        n: samples.

    Returns:
        Samples, density and distance.
    """
    law, of_class = laws(gap)
    bar = torch.sigmoid(torch.linspace(9.0, -9.0, LEVELS, dtype=torch.float64))
    free, told = exact_eps_model(law, bar), exact_eps_model(of_class, bar)
    start = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None]
    samples = last(
        ddim_sample(
            lambda x, t: cfg_eps(free(x, t), told(x, t), guidance_scale=w),
            start,
            torch.arange(LEVELS - 1, -1, -1),
            alphas_bar=bar,
        )
    ).squeeze(1)
    density = tilted_density(law, of_class, GRID, guidance_scale=w)
    picks = torch.multinomial(density, 4 * N, replacement=True,
                              generator=torch.Generator().manual_seed(0))  # fmt: skip
    return Guided(samples, density, float(wasserstein_1d(samples, GRID[picks])))


def guidance() -> Explorer:
    """Move the guidance scale and the distance of the classes: guided samples, sharpened law.

    Returns:
        Controls `w` and `gap`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), layout="constrained")
    grid = GRID.numpy()
    (everything,) = left.plot(grid, grid, color=SKY, ls=":", label="all data")
    (sharp,) = left.plot(grid, grid, color=BLACK, ls="-", label="sharpened law (exact)")
    edges = torch.linspace(-4, 7, 89, dtype=torch.float64)
    bars = left.stairs(torch.zeros(88).numpy(), edges.numpy(), fill=True, color=ORANGE,
                       alpha=0.8, label="guided samples")  # fmt: skip
    left.set(xlabel="x", ylabel="density", xlim=(-4, 6), ylim=(0, 1.5))
    left.legend(loc="upper left", fontsize=8)
    curves = {
        "mean, guided": right.plot([], [], color=ORANGE, ls="-", marker="o")[0],
        "mean, sharpened": right.plot([], [], color=BLACK, ls="-", marker="s")[0],
        "sd, guided": right.plot([], [], color=ORANGE, ls="--", marker="o")[0],
        "sd, sharpened": right.plot([], [], color=BLACK, ls="--", marker="s")[0],
    }
    for name, curve in curves.items():
        curve.set_label(name)
    here = right.axvline(1.0, color=RED, lw=1, ls="-")
    right.set(xlabel="guidance scale w", ylabel="unit of the data", xlim=(0, 10), ylim=(-0.4, 5.2))
    right.legend(loc="upper left", fontsize=8, ncols=2)
    for ax in (left, right):
        ax.locator_params(nbins=5)  # fewer numbers: they are most of the drawing

    def moments(found: Guided) -> tuple[float, ...]:
        mean = integrate(GRID * found.density, GRID)
        spread = integrate((GRID - mean) ** 2 * found.density, GRID).sqrt()
        x = found.samples
        return float(x.mean()), float(mean), float(x.std(correction=0)), float(spread)

    known = {gap: [moments(guided(k, gap, 60)) for k in SCALES] for gap in GAPS}

    def update(w: float, gap: float) -> str:
        everything.set_ydata(laws(gap)[0].log_prob(GRID[:, None]).exp().numpy())
        for curve, values in zip(curves.values(), zip(*known[gap], strict=True), strict=True):
            curve.set_data(SCALES, values)
        now = guided(w, gap)
        sharp.set_ydata(now.density.numpy())
        counts = torch.histc(now.samples, 88, -4, 7) / N / float(edges[1] - edges[0])
        bars.set_data(counts.numpy())
        here.set_xdata([w, w])
        m, m_sharp, s, s_sharp = moments(now)
        return (
            f"guided: mean {m:.2f}, sd {s:.2f}; sharpened: mean {m_sharp:.2f}, sd {s_sharp:.2f}; "
            f"W1 between them {now.distance:.2f}"
        )

    return explore(
        figure,
        update,
        w=ipywidgets.FloatSlider(value=3.0, min=0, max=10, step=0.5, description="w"),
        gap=ipywidgets.SelectionSlider(options=GAPS, value=2.0, description="gap"),
    )
