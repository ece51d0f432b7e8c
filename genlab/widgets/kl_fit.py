"""Fit a Gaussian to two modes by hand, and watch both divergences and where they are paid."""

import ipywidgets
import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ..core.quadrature import kl_on_grid
from ..course.figures import BLACK, BLUE, ORANGE
from ..oracles import Gaussian, GaussianMixture
from .explorer import Explorer, explore

X = torch.linspace(-16.0, 16.0, 1601, dtype=torch.float64)
TOP = 0.9  # of the densities' axis


def two_modes() -> GaussianMixture:
    """The target of the lesson: two modes, the left one heavier."""
    return GaussianMixture(
        weights=torch.tensor([0.6, 0.4], dtype=torch.float64),
        means=torch.tensor([[-2.0], [2.0]], dtype=torch.float64),
        stds=torch.tensor([0.6, 0.6], dtype=torch.float64),
    )


def both_kl(p: GaussianMixture, mean: float, std: float) -> tuple[float, float, Tensor, Tensor]:
    """Forward and reverse divergence of one normal from `p`, and its log-density on the grid.

    Args:
        p: the target, on a line.
        mean: of the normal.
        std: of the normal, positive.

    Returns:
        KL(p || q), KL(q || p), then log p and log q on the grid `X`.
    """
    q = Gaussian(torch.tensor([mean]).to(X), torch.tensor([[std**2]]).to(X))
    log_p, log_q = p.log_prob(X[:, None]), q.log_prob(X[:, None])
    forward, reverse = kl_on_grid(log_p, log_q, X), kl_on_grid(log_q, log_p, X)
    return float(forward), float(reverse), log_p, log_q


def kl_fit(p: GaussianMixture | None = None) -> Explorer:
    """Slide the mean and the width of a Gaussian under a density with two modes.

    Args:
        p: the target, on a line; the lesson's two modes when None.
    """
    target = two_modes() if p is None else p
    _, _, log_p, log_q = both_kl(target, 0.0, 1.0)
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.0, 4.4), sharex=True, height_ratios=(3, 2), layout="constrained"
    )
    grid = X.numpy()
    top.plot(grid, log_p.exp(), color=BLACK, linestyle="-", label="data $p$")
    (model,) = top.plot(grid, log_q.exp(), color=BLUE, linestyle="--", label="model $q$")
    top.set(xlim=(-6, 6), ylim=(0, TOP), ylabel="density")
    top.legend(loc="upper right")
    (paid_forward,) = bottom.plot(
        grid, 0 * grid, color=ORANGE, linestyle="-", label=r"$p\,\log(p/q)$: forward"
    )
    (paid_reverse,) = bottom.plot(
        grid, 0 * grid, color=BLUE, linestyle="--", label=r"$q\,\log(q/p)$: reverse"
    )
    bottom.axhline(0.0, color=BLACK, linewidth=0.8, linestyle="-")
    bottom.set(ylim=(-0.6, 2.5), xlabel="$x$", ylabel="nats per unit $x$")
    bottom.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    bottom.yaxis.set_major_formatter("{x:4.0f}")  # as wide at 1 as at 10: the layout is kept
    bottom.legend(loc="upper right", ncols=2)

    def update(mean: float, width: float) -> str:
        forward, reverse, log_p, log_q = both_kl(target, mean, width)
        model.set_ydata(log_q.exp())
        costs = log_p.exp() * (log_p - log_q), log_q.exp() * (log_q - log_p)
        paid_forward.set_ydata(costs[0])
        paid_reverse.set_ydata(costs[1])
        bottom.set_ylim(-0.6, max(2.5, 1.25 * float(torch.maximum(*costs).max())))
        return (
            f"mean {mean:.2f}, width {width:.2f}: forward KL(p || q) = <b>{forward:.3f}</b> nats, "
            f"reverse KL(q || p) = <b>{reverse:.3f}</b> nats."
        )

    return explore(
        figure,
        update,
        mean=ipywidgets.FloatSlider(value=0.0, min=-4.0, max=4.0, step=0.05, description="mean"),
        width=ipywidgets.FloatSlider(value=1.0, min=0.3, max=3.0, step=0.05, description="width"),
    )
