"""Write a caption, choose guidance and steps, and see codes become a picture."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from ..data.captions import read, write
from ..systems.judging import Judge, kept_words, measure
from ..systems.latent_diffusion import LatentDiffusion
from .explorer import Explorer, explore


def latent_painter(model: LatentDiffusion, judge: Judge) -> Explorer:
    """Paint one caption by a few steps of DDIM on codes; show channels, picture and verdict.

    Args:
        model: VAE and painter.
        judge: reads the digit of the picture.

    Returns:
        The widget; controls `prompt`, `w` (guidance), `steps` and `noise` (the seed).
    """
    k = model.vae.latent_shape[0]
    small, large = [1.0] * k, 2.2
    figure, axes = plt.subplots(
        1, k + 1, figsize=(8.4, 2.6), layout="constrained", width_ratios=[*small, large]
    )
    channels = []
    for number, ax in enumerate(axes[:k]):
        channels.append(
            ax.imshow(np.zeros(model.vae.latent_shape[1:]), cmap="PuOr", vmin=-1.5, vmax=1.5)
        )
        ax.set_title(f"channel {number + 1}", fontsize=9)
    picture = axes[k].imshow(np.zeros((*model.event_shape[1:], 3)))
    axes[k].set_title("decoded", fontsize=9)
    for ax in axes:
        ax.set_axis_off()

    def update(prompt: str, w: float, steps: int, noise: int) -> str:
        try:
            claims = read(prompt)
        except ValueError as error:
            return f"not painted: {error}"
        words = " ".join(prompt.lower().strip().rstrip(".").split())
        generator = torch.Generator().manual_seed(noise)
        with torch.no_grad():
            *_, code = model.codes([words], 1, guidance_scale=w, n_steps=steps, generator=generator)
            image = model.decode(code)
        for shown, values in zip(channels, code[0], strict=True):
            shown.set_data(values.numpy())
        picture.set_data(image[0].permute(1, 2, 0).numpy())
        found = measure(image, torch.tensor([claims.digit]), judge)
        kept = kept_words(image, [claims], judge)
        broken = [kind for kind in ("digit", "colour", "stroke", "slant") if kept[kind][0] == 0]
        verdict = f"broken: {', '.join(broken)}" if broken else "every claim kept"
        passes = steps if w in (0, 1) else 2 * steps
        cost = f"{passes} passes of the U-Net, one of the decoder"
        return f"judged: {write(found)[0]}; {verdict}; {cost}"

    return explore(
        figure,
        update,
        prompt=ipywidgets.Text(
            value="a thin red seven leaning right", description="prompt", continuous_update=False
        ),
        w=ipywidgets.FloatSlider(value=2.0, min=0, max=10, step=0.5, description="guidance w"),
        steps=ipywidgets.IntSlider(value=6, min=2, max=12, description="steps"),
        noise=ipywidgets.IntSlider(value=1, min=1, max=20, description="noise"),
    )
