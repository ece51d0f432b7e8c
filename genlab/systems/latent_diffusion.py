r"""Latent diffusion: a VAE compresses, a painter that is told the caption works on its codes.

$$x \xrightarrow{\text{encode}} z \xrightarrow{\;\tilde z = \sigma_d (z - m)/\sigma_z\;}
\tilde z, \qquad
\text{noise} \xrightarrow{\text{guided DDIM}} \tilde z_0 \xrightarrow{\;z = m + \sigma_z \tilde
z_0/\sigma_d\;} z \xrightarrow{\text{decode}} x$$

The composition is all there is: the VAE of `genlab.latent.vae`, trained first and then left
alone; the painter of `genlab.systems.text_diffusion`, which paints arrays of any shape and does
not know that these are codes; and between them a shift and a scale. The encoder is needed for
training only, the decoder once for each picture.

Lesson: notebooks/systems/latent_diffusion.ipynb
Source: Rombach et al. 2022 (arXiv:2112.10752), sections 3.1 to 3.3 and appendix G.
"""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event, last
from genlab.latent.vae import ImageVAE
from genlab.systems.text_diffusion import CaptionedPainter, Captions

Images = Float[Tensor, " b c h w"]
Codes = Float[Tensor, " b k i j"]


@final
class LatentDiffusion(nn.Module):
    r"""$p(x\mid\text{caption})$: codes by guided diffusion, then one pass of the decoder.

    Args:
        vae: trained; its weights are not trained here.
        painter: of the codes' shape; its `sigma_data` is the spread that scaled codes have.

    Raises:
        ValueError: the painter paints another shape than the codes'.

    Source: Rombach et al. 2022 (arXiv:2112.10752), figure 3.
    Lesson: notebooks/systems/latent_diffusion.ipynb
    """

    shift: Tensor  # m, one number for each channel of a code
    spread: Tensor  # sigma_z, one number

    def __init__(self, vae: ImageVAE, painter: CaptionedPainter) -> None:
        super().__init__()
        if painter.event_shape != vae.latent_shape:
            raise ValueError(f"codes are {vae.latent_shape}, the painter's {painter.event_shape}")
        self.vae, self.painter = vae.requires_grad_(False), painter
        self.event_shape = vae.event_shape
        like = next(painter.parameters())
        self.register_buffer("shift", torch.zeros(vae.latent_shape[0], 1, 1).to(like))
        self.register_buffer("spread", torch.ones(()).to(like))

    @torch.no_grad()
    def set_scale(self, x: Images) -> None:
        """Measure shift and spread of the codes of some pictures: once, before the training.

        Args:
            x: a few hundred pictures or more, in [0, 1].
        """
        mu, _ = self.vae.encode(x)
        self.shift.copy_(mu.mean((0, 2, 3))[:, None, None])
        self.spread.copy_((mu - self.shift).std(correction=0))

    @torch.no_grad()
    def encode(self, x: Images) -> Codes:
        """Scaled codes of pictures in [0, 1]: the encoder's means, without its noise."""
        return self.scaled(self.vae.encode(x)[0])

    def scaled(self, z: Codes) -> Codes:
        r"""From codes to what is diffused: $\sigma_d\,(z - m)/\sigma_z$."""
        return (z - self.shift) * (self.painter.sigma_data / self.spread)

    def unscaled(self, z: Codes) -> Codes:
        """Undo `scaled`: what the decoder reads."""
        return self.shift + z * (self.spread / self.painter.sigma_data)

    def decode(self, z: Codes) -> Images:
        """Pictures of scaled codes."""
        return self.vae.decode(self.unscaled(z))

    def loss(
        self, x: Codes, *, cond: Captions, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """The painter's denoising loss on scaled codes; not nats, and not of pictures.

        Args:
            x: scaled codes; a training encodes its pictures once.
            cond: captions, or rows of word numbers.
            generator: source of noise levels, noise and hidden captions.
        """
        return self.painter.loss(x, cond=cond, generator=generator)

    def codes(
        self,
        captions: Captions | None,
        n: int,
        *,
        guidance_scale: float = 1.0,
        n_steps: int = 12,
        generator: Generator | None = None,
    ) -> Iterator[Codes]:
        """DDIM on codes: yields the state of each step, the last one a finished scaled code.

        Args:
            captions: n of them, or None for codes of anything.
            n: how many.
            guidance_scale: w; anything but 0 and 1 doubles the cost of a step.
            n_steps: steps.
            generator: source of the first noise; no other is drawn.
        """
        denoiser = self.painter.denoiser(captions, guidance_scale=guidance_scale)
        return self.painter.sample_states(
            denoiser, n, n_steps=n_steps, order=1, generator=generator
        )

    @torch.no_grad()
    def paint(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        n_steps: int = 12,
        generator: Generator | None = None,
    ) -> Images:
        """Draw one picture for each caption, `(n, 3, h, w)` in (0, 1).

        Args:
            captions: strings, rows of word numbers, or a `Text`.
            guidance_scale: w.
            n_steps: steps of DDIM.
            generator: source of the noise.
        """
        text = self.painter.read(captions)
        states = self.codes(
            text, len(text.pooled),
            guidance_scale=guidance_scale, n_steps=n_steps, generator=generator,
        )  # fmt: skip
        return self.decode(last(states))

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` pictures, of the captions whose rows of word numbers `cond` holds, or of any."""
        text = None if cond is None else self.painter.read(cond)
        return self.decode(last(self.codes(text, n, generator=generator)))
