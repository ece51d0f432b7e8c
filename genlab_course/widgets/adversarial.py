"""The game of two networks at its best discriminator, and a style-based generator."""

import ipywidgets
import numpy as np
import torch
from torch import Generator, Tensor

from genlab.adversarial.gan import Duel, gaussian_duel
from genlab.adversarial.stylegan import mix_styles, truncate
from genlab.core.stats import ink, slant
from genlab.systems.stylegan import StyleGAN, grey
from genlab_course.figures import BLACK, BLUE, GREEN, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, explore, panels, slider

CELLS = torch.linspace(-16.0, 16.0, 1601, dtype=torch.float64)  # that integrals are summed over
PLACES = torch.linspace(-6, 6, 97, dtype=torch.float64)  # of the generator's mean


def gan_game() -> Explorer:
    """Move the generator of N(0, 1): the best discriminator, JS and both slopes follow."""
    figure, (left, right) = panels(9.0, 3.2)
    x = CELLS.numpy()
    (real,) = left.plot(x, x, color=BLUE, ls="-", label="data p")
    (fake,) = left.plot(x, x, color=ORANGE, ls="--", label="generator q")
    (best,) = left.plot(x, x, color=BLACK, ls=":", label="best discriminator D*")
    left.set(xlabel="x", ylabel="density, or probability", xlim=(-7, 7), ylim=(0, 1.6))
    left.legend(loc="upper left", fontsize=8)
    curves = (
        *right.plot([], [], color=RED, ls="-", label="minimax: log(1 - D)"),
        *right.plot([], [], color=GREEN, ls="--", label="non-saturating: -log D"),
    )
    dots = [right.plot([], [], "o", color=c.get_color())[0] for c in curves]
    right.set(xlabel="generator's mean", ylabel="slope of its loss", xlim=(-6, 6), ylim=(-7, 7))
    right.legend(loc="upper left", fontsize=8)
    known: dict[float, list[Duel]] = {}

    def update(mean: float, std: float) -> str:
        if std not in known:
            known[std] = [gaussian_duel(float(m), std, CELLS) for m in PLACES[::4]]
        now = gaussian_duel(mean, std, CELLS)
        for line, y in ((real, now.p), (fake, now.q), (best, now.d)):
            line.set_ydata(y.numpy())
        here = (now.saturating, now.non_saturating)
        for index, (curve, dot) in enumerate(zip(curves, dots, strict=True)):
            curve.set_data(PLACES[::4].numpy(), [other[4 + index] for other in known[std]])
            dot.set_data([mean], [here[index]])
        said = f"JS = {now.js:.4f} nats of at most log 2 = 0.6931; slopes: minimax "
        return said + f"{now.saturating:+.4f}, non-saturating {now.non_saturating:+.4f}"

    return explore(
        figure, update, mean=slider("mean", 2.0, -6, 6, 0.25), std=slider("std", 1.0, 0.4, 2, 0.2)
    )


PSIS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # of the lower strip


def style_mixer(gan: StyleGAN, directions: dict[str, Tensor]) -> Explorer:
    """What two styles draw, and their mixture, with the same noise at every position.

    `directions` of attributes, each `(d,)`, are for one standard deviation. Coarse layers take the
    style of `seed`, fine ones that of `other`, and `crossover` says how many layers are coarse.
    """
    net = gan.generator_net
    drawn = net.draw_noise(3, Generator().manual_seed(0))
    noise, strip_noise = ([z[:1].expand(n, -1, -1, -1) for z in drawn] for n in (3, len(PSIS)))

    figure, (above, below) = panels(7.0, 4.6, 2, 1, height_ratios=[2, 1])
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
        push = strength * directions.get(attribute, torch.zeros_like(net.mean_style))
        layers = net.n_layers
        cuts = torch.tensor([layers, crossover, 0])
        styles = mix_styles(a.expand(3, -1), b.expand(3, -1), cuts, layers)
        three = grey(net.synthesis(truncate(styles, net.mean_style, truncation) + push, noise))
        rows = [truncate(styles[1:2], net.mean_style, psi) + push for psi in PSIS]
        strip = grey(net.synthesis(torch.cat(rows), strip_noise))
        large.set_data(_side_by_side(three))
        small.set_data(_side_by_side(strip))
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
        truncation=slider("truncation ψ", 1.0, 0.0, 1.25, 0.05),
        seed=slider("seed, coarse", 1, 1, 200, 1),
        other=slider("seed, fine", 2, 1, 200, 1),
        crossover=slider("coarse layers", 2, 0, net.n_layers, 1),
        attribute=ipywidgets.ToggleButtons(options=list(directions), description="attribute"),
        strength=slider("strength", 0.0, -3.0, 3.0, 0.25),
    )


def _side_by_side(images: Tensor) -> np.ndarray:
    """Pictures in a row, two columns of white between them."""
    wide = torch.nn.functional.pad(images, (0, 2), value=1.0)
    return wide.transpose(0, 1).flatten(1)[:, :-2].numpy()
