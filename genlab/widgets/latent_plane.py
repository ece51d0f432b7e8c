"""Walk on a plane of codes and see which digit the decoder puts there."""

import ipywidgets
import matplotlib.pyplot as plt
import torch

from ..core.iterate import last
from ..data.digits import load_digits
from ..latent import CategoricalVAE, Recipe, digit_vae, train_digit_vae
from .explorer import Explorer, explore

REACH = 3.0  # the sliders' range, in standard deviations of the prior
PLANE = Recipe(latent_dim=2, depth=2, n_steps=700)


def latent_plane(vae: CategoricalVAE | None = None) -> Explorer:
    """Move a code with two sliders: the digit decoded there, beside the codes of the test digits.

    Args:
        vae: with two latents; None trains one (some seconds).

    Returns:
        The widget; controls `z1` and `z2`, in standard deviations of the prior.

    Raises:
        ValueError: the model's codes are not points of a plane.
    """
    if vae is None:
        vae = digit_vae(PLANE)
        last(train_digit_vae(vae, load_digits("train").images, PLANE))
    if vae.latent_dim != 2:
        raise ValueError(f"latent_plane: the VAE has {vae.latent_dim} latents, expected 2")
    images, labels = load_digits("test")
    with torch.no_grad():
        mu, _ = vae.encode(images)
    figure, (plane, picture) = plt.subplots(
        1, 2, figsize=(8.4, 3.9), width_ratios=[1.35, 1], layout="constrained"
    )
    codes, colours = mu.numpy(), plt.get_cmap("tab10")
    for digit in range(10):
        mine = codes[labels.numpy() == digit]
        plane.scatter(*mine.T, marker=f"${digit}$", s=34, color=colours(digit), linewidth=0.3)
    (here,) = plane.plot([0], [0], "P", color="black", markersize=11, markerfacecolor="none")
    edge = 1.1 * REACH  # so that the cross is whole in the corners too
    plane.set(xlim=(-edge, edge), ylim=(-edge, edge), xlabel="$z_1$", ylabel="$z_2$",
              title="codes of 200 test digits", aspect="equal")  # fmt: skip
    shown = picture.imshow(
        images[0, 0].numpy(), cmap="gray", vmin=0, vmax=16, interpolation="nearest"
    )
    picture.set(xticks=[], yticks=[], title="mean image decoded at the cross")

    def update(z1: float, z2: float) -> str:
        z = torch.tensor([[z1, z2]], dtype=mu.dtype)
        with torch.no_grad():
            mean = vae.mean_image(z)[0, 0]
        here.set_data([z1], [z2])
        shown.set_data(mean.numpy())
        away = (mu - z).norm(dim=1)
        nearest = int(away.argmin())
        return (
            f"z = ({z1:.1f}, {z2:.1f}): the nearest test code, {away[nearest]:.2f} away, "
            f"belongs to a {int(labels[nearest])}"
        )

    return explore(
        figure,
        update,
        z1=ipywidgets.FloatSlider(value=0.0, min=-REACH, max=REACH, step=0.1, description="z1"),
        z2=ipywidgets.FloatSlider(value=0.0, min=-REACH, max=REACH, step=0.1, description="z2"),
    )
