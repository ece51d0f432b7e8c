"""What a bound loses: a normal posterior and its q, and the plane of a VAE."""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Ellipse

from genlab.data.digits import binarize, load_digits, load_mnist
from genlab.latent import CategoricalVAE
from genlab.latent.elbo import mean_field_gap
from genlab.oracles import LinearLatent
from genlab.zoo import load_model
from genlab_course.figures import BLUE, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, explore, panels, slider


def _axes(cov: torch.Tensor) -> tuple[float, float, float]:
    """Width, height and angle of the two-sigma ellipse of a covariance."""
    values, vectors = torch.linalg.eigh(cov)
    long = vectors[:, 1]
    short = 4 * values.sqrt()
    turn = math.degrees(math.atan2(float(long[1]), float(long[0])))
    return float(short[1]), float(short[0]), turn


def posterior_ellipse() -> Explorer:
    """Turn the latent space of a linear model and scale a mean-field q; see the gap in nats."""
    weight = torch.tensor([[1.0, 0.7], [0.9, -0.3], [0.4, 0.8]], dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)
    turns = np.linspace(0, math.pi, 31)

    def precision(angle: float) -> torch.Tensor:
        c = math.cos(angle)
        s = math.sin(angle)
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        _, cov = LinearLatent(weight @ turn, zero, 0.6).posterior(zero[None])
        return torch.linalg.inv(cov)

    precisions = [precision(angle) for angle in turns]
    curves: dict[float, list[float]] = {}  # one curve for each standard deviation tried

    figure, (left, right) = panels(8.6, 3.6)
    patches = [
        left.add_patch(Ellipse((0, 0), 1, 1, fill=False, color=c, ls=ls, lw=2.5, label=label))
        for c, ls, label in ((BLUE, "-", "posterior"), (ORANGE, "--", "mean-field q"))
    ]
    left.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal", title="two-sigma ellipses")
    left.set(xlabel="$z_1$", ylabel="$z_2$")
    left.legend(fontsize=8, loc="upper left")
    (curve,) = right.plot(turns, turns, color=BLUE, linestyle="-")
    (dot,) = right.plot([0], [0], "o", color=RED)
    right.set(xlabel="rotation (radians)", ylabel="gap in nats", ylim=(0, 0.8))

    def update(angle: float, width: float) -> str:
        exact = precision(angle)
        covs = torch.linalg.inv(exact), width**2 * (1 / exact.diagonal()).diag()
        for patch, cov in zip(patches, covs, strict=True):
            patch.width, patch.height, patch.angle = _axes(cov)
        if width not in curves:
            curves[width] = [float(mean_field_gap(at, width)) for at in precisions]
        curve.set_ydata(curves[width])
        here = float(mean_field_gap(exact, width))
        right.set_ylim(0, max(0.8, 1.1 * max(curves[width])))
        dot.set_data([angle], [here])
        said = f"gap = KL(q || posterior) = {here:.4f} nats, the same for every x; "
        return said + "log p(x) does not depend on either slider"

    return explore(figure, update, angle=slider("rotation", 0.0, 0.0, 3.14, 0.02),
                   width=slider("std of q / best", 1.0, 0.5, 2.0, 0.02))  # fmt: skip


REACH = 3.0  # the sliders' range, in standard deviations of the prior


def latent_plane(vae: CategoricalVAE | None = None) -> Explorer:
    """Move a code, in standard deviations of the prior: the digit decoded there, and others' codes.

    A VAE of 8 x 8 digits or of 16 x 16 in black and white; without one, the plane that ships.
    """
    vae = vae or load_model("mnist_plane")
    if vae.latent_dim != 2:
        raise ValueError(f"latent_plane: the VAE has {vae.latent_dim} latents, expected 2")
    side = vae.event_shape[-1]
    top = vae.head.out_features - 1
    images, labels = load_digits("test") if side == 8 else load_mnist("test", side)
    images = binarize(images[:200]) if top == 1 else images
    labels = labels[:200]
    with torch.no_grad():
        mu, _ = vae.encode(images)
    figure, (plane, picture) = panels(8.4, 3.9, width_ratios=[1.35, 1])
    codes = mu.numpy()
    colours = plt.get_cmap("tab10")
    for digit in range(10):
        mine = codes[labels.numpy() == digit]
        plane.scatter(*mine.T, marker=f"${digit}$", s=34, color=colours(digit), linewidth=0.3)
    (here,) = plane.plot([0], [0], "P", color="black", markersize=11, markerfacecolor="none")
    edge = 1.1 * REACH  # so that the cross is whole in the corners too
    plane.set(xlim=(-edge, edge), ylim=(-edge, edge), xlabel="$z_1$", ylabel="$z_2$",
              title="codes of 200 test digits", aspect="equal")  # fmt: skip
    look = {"cmap": "gray", "vmin": 0, "vmax": top, "interpolation": "nearest"}
    shown = picture.imshow(images[0, 0].numpy(), **look)
    picture.set(xticks=[], yticks=[], title="mean image decoded at the cross")

    def update(z1: float, z2: float) -> str:
        z = torch.tensor([[z1, z2]], dtype=mu.dtype)
        with torch.no_grad():
            mean = vae.mean_image(z)[0, 0]
        here.set_data([z1], [z2])
        shown.set_data(mean.numpy())
        away = (mu - z).norm(dim=1)
        nearest = int(away.argmin())
        said = f"z = ({z1:.1f}, {z2:.1f}): the nearest test code, {away[nearest]:.2f} away, "
        return said + f"belongs to a {int(labels[nearest])}"

    return explore(figure, update, z1=slider("z1", 0.0, -REACH, REACH, 0.1),
                   z2=slider("z2", 0.0, -REACH, REACH, 0.1))  # fmt: skip
