r"""Latent diffusion: a VAE compresses, a text-conditional diffusion model works on its codes.

$$x \xrightarrow{\text{encode}} z \xrightarrow{\;\tilde z = \sigma_d (z - m)/\sigma_z\;}
\tilde z, \qquad
\text{noise} \xrightarrow{\text{guided DDIM}} \tilde z_0 \xrightarrow{\;z = m + \sigma_z \tilde
z_0/\sigma_d\;} z \xrightarrow{\text{decode}} x$$

The VAE of `genlab.latent.vae` is trained first and then left alone; the diffusion model does not
know that these are codes. Rombach et al. 2022 (arXiv:2112.10752), section 3 and appendix G.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event, last
from genlab.latent.vae import ImageVAE
from genlab.systems.text_diffusion import Captions, TextDiffusion

Images = Float[Tensor, " b c h w"]
Codes = Float[Tensor, " b k i j"]


class LatentDiffusion(nn.Module):
    r"""$p(x\mid\text{caption})$: codes by guided diffusion, then one pass of the decoder."""

    shift: Tensor  # m, one number for each channel of a code
    spread: Tensor  # sigma_z, one number

    def __init__(self, vae: ImageVAE, denoiser: TextDiffusion) -> None:
        super().__init__()
        if denoiser.event_shape != vae.latent_shape:
            found = f"the denoiser's {denoiser.event_shape}"
            raise ValueError(f"codes are {vae.latent_shape}, {found}")
        self.vae, self.painter = vae.requires_grad_(False), denoiser  # the name in the weights
        self.event_shape = vae.event_shape
        like = next(denoiser.parameters())
        self.register_buffer("shift", torch.zeros(vae.latent_shape[0], 1, 1).to(like))
        self.register_buffer("spread", torch.ones(()).to(like))

    @torch.no_grad()
    def set_scale(self, x: Images) -> None:
        """Measure shift and spread of the codes of pictures in [0, 1]: once, before training."""
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
        """Denoising loss of scaled codes; not nats, and not of pictures."""
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
        """DDIM on n codes: yields the state of each step, the last one a finished scaled code."""
        denoiser = self.painter.denoiser(captions, guidance_scale=guidance_scale)
        return self.painter.sample_states(
            denoiser, n, n_steps=n_steps, order=1, generator=generator
        )

    @torch.no_grad()
    def draw(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        n_steps: int = 12,
        generator: Generator | None = None,
    ) -> Images:
        """Draw one picture for each caption, `(n, 3, h, w)` in (0, 1)."""
        text = self.painter.encode(captions)
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
        text = None if cond is None else self.painter.encode(cond)
        return self.decode(last(self.codes(text, n, generator=generator)))
