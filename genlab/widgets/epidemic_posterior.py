"""Choose an epidemic, read its register, and see what the register says of its rates."""

import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from ..course.figures import BLACK, BLUE, ORANGE, RED
from ..data.simulators import Epidemic
from ..systems.npe import NeuralPosterior
from .explorer import Explorer, explore

SIDE, N_DRAWS = 41, 200


def epidemic_posterior(q: NeuralPosterior, town: Epidemic | None = None) -> Explorer:
    """Show a simulated epidemic beside the posterior of its two rates.

    Args:
        q: estimate of the posterior of (log beta, log gamma) given weekly counts.
        town: the simulator; the standard one when None.

    Returns:
        The widget; controls `beta` and `gamma` (rates per day) and `run` (which repetition).
    """
    town = town or Epidemic()
    mean, std = torch.tensor(town.prior_mean), torch.tensor(town.prior_std)
    low, high = mean - 3 * std, mean + 3 * std
    axes = [torch.linspace(float(a), float(b), SIDE) for a, b in zip(low, high, strict=True)]
    places = torch.cartesian_prod(*axes).to(q.x_mean)
    cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
    weeks = np.arange(1, town.weeks + 1)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.6), layout="constrained")
    bars = left.bar(weeks, 0 * weeks, color="#BBBBBB", label="the register")
    (inner,) = left.plot(weeks, 0 * weeks, color=BLUE, linestyle="-", label="posterior predictive")
    edges = [left.plot(weeks, 0 * weeks, color=BLUE, linestyle=":")[0] for _ in range(2)]
    left.set(xlabel="week", ylabel="reported infections", title="what is seen")
    left.legend(loc="upper right", fontsize=8)
    extent = [float(v) for v in (low[0], high[0], low[1], high[1])]
    picture = right.imshow(
        np.zeros((SIDE, SIDE)),
        extent=extent,
        origin="lower",
        aspect="auto",
        cmap="Blues",
        interpolation="bilinear",
    )
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
        return (
            f"reproduction number β/γ: truth {beta / gamma:.2f}, posterior 90 % interval "
            f"{a:.2f} to {b:.2f}; mass of q in this window {mass:.3f}"
        )

    style = {"description_width": "8em"}
    return explore(
        figure,
        update,
        beta=ipywidgets.FloatSlider(
            value=0.4, min=0.12, max=1.2, step=0.02, description="infection β", style=style
        ),
        gamma=ipywidgets.FloatSlider(
            value=0.125, min=0.075, max=0.2, step=0.005, description="recovery γ",
            style=style, readout_format=".3f",
        ),
        run=ipywidgets.IntSlider(
            value=1, min=1, max=20, description="same town again", style=style
        ),
    )  # fmt: skip
