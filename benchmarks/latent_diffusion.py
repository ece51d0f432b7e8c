"""What compression buys: one guided picture of 32 x 32 in colour, among codes and among pixels.

    python benchmarks/latent_diffusion.py

All ways are measured in one run: the shipped latent diffusion from caption to picture (text
encoder, U-Net on 4 x 8 x 8, decoder); a pixel-space model of the same family with as many
parameters, three levels and untrained weights, which cost what trained ones do; the latent U-Net's
own configuration on pixels; and, where it is shipped, the two-stage pixel system of the GLIDE lab
(16 x 16, then 32 x 32). Times are medians of interleaved repetitions; counts are exact.
"""

import statistics
import time

import torch

from genlab.data.captions import WORDS, load_captioned, write
from genlab.metrics.cost import multiply_adds
from genlab.nn.transformer import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.text_diffusion import TextDiffusion
from genlab.zoo import load_model

BATCH, STEPS, W, REPETITIONS = 16, 12, 2.0, 7


def pixel_model(width, mults, d):
    """A denoiser of 3 x 32 x 32 pictures, untrained."""
    config = UNetConfig(
        c_in=3, c_out=3, width=width, mults=mults, time_scale=250.0, d_context=d, d_pooled=d
    )
    reader = TextEncoder(len(WORDS), d=d, n_layer=1)
    return TextDiffusion(
        UNet(config), reader, event_shape=(3, 32, 32), sigma_data=0.5
    ).eval()  # fmt: skip


def two_stages():
    """The GLIDE lab's system with its own steps, or None while it is not shipped."""
    try:
        from genlab.systems.glide import Glide

        return Glide(load_model("glide_base"), load_model("glide_upsampler"))
    except (ImportError, ValueError, FileNotFoundError):
        return None


def ways():
    """Name every way, and say how it paints: captions to pictures."""
    latent = load_model("latent_diffusion")
    config = latent.painter.net.config
    d = config.d_context
    found = {"latent: U-Net on 4 x 8 x 8, decoder once": latent.draw}
    for name, width, mults in (
        ("pixels: as many parameters, three levels", 16, (1, 2, 4)),
        ("pixels: the latent U-Net's configuration", config.width, config.mults),
    ):
        found[name] = pixel_model(width, mults, d).sample
    if (glide := two_stages()) is not None:
        found["pixels: two stages of the GLIDE lab"] = lambda captions, **_: glide.draw(captions)
    return found


def main():
    """Print the table."""
    torch.set_num_threads(1)
    captions = write(load_captioned("test").attributes)[:BATCH]
    found, times = ways(), {}
    work = {
        name: multiply_adds(lambda p=paint: p(captions[:1], guidance_scale=W, n_steps=STEPS))
        for name, paint in found.items()
    }
    for _ in range(REPETITIONS):
        for name, paint in found.items():
            start = time.process_time()
            paint(captions, guidance_scale=W, n_steps=STEPS)
            times.setdefault(name, []).append((time.process_time() - start) / BATCH)
    first = next(iter(found))
    base = statistics.median(times[first])
    print(f"one picture of 32 x 32, guidance {W:g}, {STEPS} steps; medians of {REPETITIONS}")
    print(f"{'':<44} {'multiply-adds':>14} {'ratio':>6} {'core ms':>8} {'ratio':>6}")
    for name in found:
        ms = statistics.median(times[name])
        print(
            f"{name:<44} {work[name]:>14,} {work[name] / work[first]:>6.1f} "
            f"{1000 * ms:>8.2f} {ms / base:>6.1f}"
        )


if __name__ == "__main__":
    main()
