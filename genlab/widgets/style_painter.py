"""Mix two styles, draw them towards the mean, push them along an attribute: what is painted."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from ..adversarial.stylegan import mix_styles, truncate
from ..core.moments import ink, slant
from ..course.figures import ORANGE
from ..systems.stylegan import StyleGAN, grey
from .explorer import Explorer, explore

PSIS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # of the lower strip


def style_painter(gan: StyleGAN, directions: dict[str, Tensor]) -> Explorer:
    """Show what two styles paint, and their mixture.

    Args:
        gan: trained, its mean style set.
        directions: of attributes by name, each `(d,)` for one standard deviation of it.

    Returns:
        The widget; controls `truncation`, `seed` (of the coarse layers' style), `other` (of the
        fine layers'), `crossover` (how many layers are coarse), `attribute` and `strength`. The
        noise is the same at every position.
    """
    net = gan.generator_net
    zero = torch.zeros_like(net.mean_style)
    noise = net.draw_noise(3, Generator().manual_seed(0))
    noise = [n[:1].expand(3, -1, -1, -1) for n in noise]
    strip_noise = [n[:1].expand(len(PSIS), -1, -1, -1) for n in noise]

    figure, (above, below) = plt.subplots(
        2, 1, figsize=(7.0, 4.6), height_ratios=[2, 1], layout="constrained"
    )
    large = above.imshow(np.zeros((16, 52)), cmap="gray", vmin=0, vmax=1)
    small = below.imshow(np.zeros((16, 18 * len(PSIS) - 2)), cmap="gray", vmin=0, vmax=1)
    above.set(xticks=[7.5, 25.5, 43.5], yticks=[])
    above.set_xticklabels(["coarse layers' style", "mixture", "fine layers' style"])
    below.set(xticks=[7.5 + 18 * k for k in range(len(PSIS))], yticks=[])
    below.set_xticklabels([rf"$\psi$ = {psi:g}" for psi in PSIS])
    below.set_title("the mixture at other truncations", fontsize=10)
    (mark,) = below.plot([0], [16.6], "^", color=ORANGE, markersize=9, clip_on=False)
    for axes in (above, below):
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    @torch.no_grad()
    def update(
        truncation: float, seed: int, other: int, crossover: int, attribute: str, strength: float
    ) -> str:
        a, b = (gan.styles(1, Generator().manual_seed(s)) for s in (seed, 1000 + other))
        push = strength * directions.get(attribute, zero)
        layers = net.n_layers
        cuts = torch.tensor([layers, crossover, 0])
        styles = mix_styles(a.expand(3, -1), b.expand(3, -1), cuts, layers)
        three = grey(net.synthesis(truncate(styles, net.mean_style, truncation) + push, noise))
        rows = [truncate(styles[1:2], net.mean_style, psi) + push for psi in PSIS]
        film = grey(net.synthesis(torch.cat(rows), strip_noise))
        large.set_data(_side_by_side(three))
        small.set_data(_side_by_side(film))
        mark.set_xdata([7.5 + 18 * truncation / (PSIS[1] - PSIS[0])])
        return (
            f"mixture: slant {float(slant(three)[1]):+.2f} columns a row, "
            f"ink {100 * float(ink(three)[1]):.1f} %; layers 1 to {crossover} from the left, "
            f"the other {layers - crossover} from the right; {attribute} "
            f"{strength:+.1f} standard deviations"
        )

    return explore(
        figure,
        update,
        truncation=ipywidgets.FloatSlider(
            value=1.0, min=0.0, max=1.25, step=0.05, description="truncation ψ"
        ),
        seed=ipywidgets.IntSlider(value=1, min=1, max=200, description="seed, coarse"),
        other=ipywidgets.IntSlider(value=2, min=1, max=200, description="seed, fine"),
        crossover=ipywidgets.IntSlider(
            value=2, min=0, max=net.n_layers, description="coarse layers"
        ),
        attribute=ipywidgets.ToggleButtons(options=list(directions), description="attribute"),
        strength=ipywidgets.FloatSlider(
            value=0.0, min=-3.0, max=3.0, step=0.25, description="strength"
        ),
    )


def _side_by_side(images: Tensor) -> NDArray[np.float64]:
    """Pictures in a row, two columns of white between them."""
    n, side, _ = images.shape
    row = np.ones((side, 18 * n - 2))
    for k, image in enumerate(images):
        row[:, 18 * k : 18 * k + side] = image.numpy()
    return row
