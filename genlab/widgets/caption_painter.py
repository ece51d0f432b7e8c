"""Write a caption, turn up the guidance, and see small pictures, large ones and their verdict."""

import html

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from ..course.figures import BLACK, RED
from ..data.captions import read
from ..systems.glide import Glide
from ..systems.judging import Judge, kept_words
from .explorer import Explorer, explore

N, STEPS, STEPS_UP = 3, 8, 2  # few, to be quick; with 6 and w = 6 the ink is gone
KINDS = ("digit", "colour", "stroke", "slant")


def caption_painter(
    glide: Glide, judge: Judge, prompt: str = "a thin red seven leaning right"
) -> Explorer:
    """Draw three pictures of a caption in both stages, and say which words they keep.

    Args:
        glide: both stages, in single precision.
        judge: reads the digits.
        prompt: what stands in the box at first.

    Returns:
        The widget; controls `prompt` (read when you press Enter), `w` (guidance of the small
        pictures), `s` (noise on them, for the second stage) and `seed`. Eight steps below and two
        above, instead of twelve and six, so that it follows your hand.
    """
    figure, axes = plt.subplots(2, N, figsize=(5.6, 3.9), layout="constrained")
    sides = glide.base.event_shape[-1], glide.upsampler.painter.event_shape[-1]
    shown = [[ax.imshow(np.zeros((side, side, 3))) for ax in row]
             for row, side in zip(axes, sides, strict=True)]  # fmt: skip
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    for row, side in zip(axes, sides, strict=True):
        row[0].set_ylabel(f"{side} x {side}")
    last: dict[tuple[str, float, int], Tensor] = {}

    @torch.inference_mode()
    def small_pictures(caption: str, w: float, seed: int) -> Tensor:
        """Drawn anew only when one of its own controls has moved."""
        if (caption, w, seed) not in last:
            last.clear()
            last[caption, w, seed] = glide.base.sample(
                [caption] * N, guidance_scale=w, interval=glide.interval, n_steps=STEPS,
                generator=torch.Generator().manual_seed(seed),
            )  # fmt: skip
        return last[caption, w, seed]

    @torch.inference_mode()
    def update(prompt: str, w: float, s: float, seed: int) -> str:
        try:
            claims = read(prompt)
        except ValueError as error:
            return f"<b>Not drawn.</b> {html.escape(str(error))}"
        caption = " ".join(prompt.lower().strip().rstrip(".").split())
        small = small_pictures(caption, w, seed)
        large = glide.upsampler.sample(
            [caption] * N, small, s=s, n_steps=STEPS_UP,
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        images = ((large + 1) / 2).clamp(0, 1)
        kept = kept_words(images, [claims] * N, judge)
        for row, pictures in zip(shown, (((small + 1) / 2).clamp(0, 1), images), strict=True):
            for artist, picture in zip(row, pictures, strict=True):
                artist.set_data(picture.permute(1, 2, 0).numpy())
        for k, ax in enumerate(axes[1]):
            broken = [kind for kind in KINDS if kept[kind][k] == 0]
            said = f"not its {', '.join(broken)}" if broken else "every word kept"
            ax.set_xlabel(said, color=RED if broken else BLACK, fontsize=8)
        return (
            f"{int(kept['all'].sum())} of {N} keep every word; spread of the pixels between the "
            f"three {float(images.std(0).mean()):.3f}"
        )

    return explore(
        figure,
        update,
        prompt=ipywidgets.Text(value=prompt, description="prompt", continuous_update=False),
        w=ipywidgets.FloatSlider(value=3.0, min=0, max=10, step=0.5, description="guidance w"),
        s=ipywidgets.FloatSlider(
            value=0.1, min=0, max=0.5, step=0.05, description="noise for stage two"
        ),
        seed=ipywidgets.IntSlider(value=1, min=1, max=30, description="seed"),
    )
