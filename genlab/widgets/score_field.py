"""Raise the noise and watch two modes learn of each other; hold learned arrows against exact."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from ..course.figures import BLACK, BLUE, ORANGE, RED
from ..oracles import GaussianMixture
from .explorer import Explorer, explore

LevelScore: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
EXTENT, SIDE, LINE = 4.5, 19, 361


def islands() -> GaussianMixture:
    """Two round modes at (-2, 0) and (2, 0), four to one: the example of lesson 11.

    Returns:
        The mixture, in torch's default dtype.
    """
    return GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


def score_field(
    law: GaussianMixture | None = None, learned: Mapping[str, LevelScore] | None = None
) -> Explorer:
    """Show the score field of a noised mixture at a level that you choose.

    Args:
        law: a mixture in the plane, its modes on the horizontal axis; `islands()` when None.
        learned: scores to hold against the exact one, by name: functions of x and sigma `(b,)`.

    Returns:
        The widget; controls `sigma` (0.05 to 6, logarithmic) and `arrows` (a name, or "exact").
    """
    law, learned = law or islands(), dict(learned or {})
    side = torch.linspace(-EXTENT, EXTENT, SIDE)
    places = torch.cartesian_prod(side, side)
    axis = torch.linspace(-EXTENT, EXTENT, LINE)
    line = torch.stack([axis, torch.zeros_like(axis)], 1)
    fine = torch.linspace(-EXTENT, EXTENT, 81)
    pixels = torch.stack(torch.meshgrid(fine, fine, indexing="xy"), -1).reshape(-1, 2)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.8), layout="constrained")
    box = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    picture = left.imshow(np.zeros((81, 81)), extent=box, origin="lower", cmap="Greys", vmax=1.6)
    at, x1 = places.numpy(), axis.numpy()
    quiver = left.quiver(at[:, 0], at[:, 1], at[:, 0], at[:, 1], color=BLUE,
                         angles="xy", scale_units="xy", scale=1.6, width=0.004)  # fmt: skip
    (ridge,) = left.plot([0, 0], [-EXTENT, EXTENT], color=RED, linestyle="--")
    left.set(xlabel="$x_1$", ylabel="$x_2$", title="density (grey) and σ · score (arrows)")
    (exact_line,) = right.plot(x1, x1, color=BLACK, linestyle="-", label="exact")
    (other_line,) = right.plot(x1, x1, color=ORANGE, linestyle="--", label="learned")
    right.axhline(0, color="#999999", linewidth=0.8)
    (mark,) = right.plot([0], [0], "o", color=RED, linestyle="", label="watershed")
    right.set(xlabel="$x_1$, at $x_2 = 0$", ylabel="σ · score, first component", ylim=(-3, 3),
              title="along the line through the modes")  # fmt: skip
    right.legend(loc="upper right")

    def update(sigma: float, arrows: str) -> str:
        noised = law.noised(1.0, sigma)
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
        picture.set_clim(0, 1.6)
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
    return explore(
        figure,
        update,
        sigma=ipywidgets.FloatLogSlider(
            value=0.3, base=10, min=-1.3, max=0.78, step=0.02, description="noise σ"
        ),
        arrows=ipywidgets.Dropdown(options=names, value=names[-1], description="arrows"),
    )


def watershed(axis: torch.Tensor, slope: torch.Tensor) -> float:
    """Where the slope of log p turns from downhill-left to downhill-right: a valley.

    Args:
        axis: places, rising.
        slope: the score's component along them.

    Returns:
        The first crossing from negative to positive, by linear interpolation; nan if none.
    """
    rising = ((slope[:-1] < 0) & (slope[1:] >= 0)).nonzero()
    if len(rising) == 0:
        return float("nan")
    i = int(rising[0])
    share = slope[i] / (slope[i] - slope[i + 1])
    return float(axis[i] + share * (axis[i + 1] - axis[i]))
