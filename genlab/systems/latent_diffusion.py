r"""Latent diffusion: a VAE compresses, a network that reads the caption moves noise to codes.

$$x \xrightarrow{\text{encode}} z \xrightarrow{\;(z - m)/\sigma_z\;} z_0, \qquad
\epsilon \xrightarrow{\ \text{guided steps}\ } z_0 \xrightarrow{\;m + \sigma_z z_0\;} z
\xrightarrow{\text{decode}} x$$

Rombach et al. 2022 (arXiv:2112.10752), sections 3.1 to 3.3; for the path, straight lines, and its
times Esser et al. 2024 (arXiv:2403.03206), section 3.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.tensors import Event, PerExample, Rng, drawn, expand, last, randn
from genlab.data.language import MAX_SCENE_WORDS, encode_scenes, read_scenes
from genlab.latent.vae import ImageVAE
from genlab.nn.text import Captions, TextEncoder, encode_captions
from genlab.score.diffusion import add_noise
from genlab.score.guidance import drop_condition, text_guided_denoiser

Target = Literal["velocity", "noise"]  # noise: only for benchmarks/latent_diffusion.py
LOG_ODDS = 0.8  # of the times: their mean in training, and added to even steps in sampling
NARROWEST = 0.02  # of 1 - t, where a velocity is computed from predicted noise


def sampling_times(n_steps: int) -> Float[Tensor, " n"]:
    r"""From 1 down to 0: even times r, log-odds raised by $\log c = 0.8$ (Esser et al., eq. 23).

    $$t = \frac{c\,r}{1 + (c - 1)\,r}$$
    """
    r = torch.linspace(1, 0, n_steps + 1)
    c = math.exp(LOG_ODDS)
    return c * r / (1 + (c - 1) * r)


def _tokens(captions: Sequence[str]) -> Int[Tensor, " n s"]:
    """Tokens of captions of scenes, which are read before: a sentence of no scene is refused."""
    return encode_scenes(read_scenes(captions))


class Pixels(nn.Module):
    """In place of a VAE: the code of a picture in [0, 1] is the picture itself."""

    def __init__(self, event_shape: tuple[int, ...] = (3, 32, 32)) -> None:
        super().__init__()
        self.event_shape = self.latent_shape = event_shape

    def encode(
        self, x: Float[Tensor, " b c h w"]
    ) -> tuple[Float[Tensor, " b c h w"], Float[Tensor, " b c h w"]]:
        """The picture, and a log-variance that stands for no noise."""
        return x, torch.full_like(x, -20.0)

    def decode(self, z: Float[Tensor, " b c h w"]) -> Float[Tensor, " b c h w"]:
        """The picture again, its values clipped to [0, 1]."""
        return z.clamp(0, 1)


class LatentDiffusion(nn.Module):
    r"""$p(x\mid\text{caption})$: codes by guided flow, then one pass of the decoder.

    `net(z_t, t, context=states)` answers the `target`; `p_drop` of training's captions are empty.
    """

    shift: Tensor  # m, one number for each channel of a code
    spread: Tensor  # sigma_z, one number

    def __init__(
        self,
        vae: ImageVAE | Pixels,
        net: nn.Module,
        text_encoder: TextEncoder,
        *,
        p_drop: float = 0.1,
        target: Target = "velocity",
    ) -> None:
        super().__init__()
        self.vae, self.net = vae.requires_grad_(False), net
        self.text_encoder = text_encoder
        self.event_shape, self.p_drop, self.target = vae.event_shape, p_drop, target
        self.register_buffer("shift", torch.zeros(vae.latent_shape[0], 1, 1))
        self.register_buffer("spread", torch.ones(()))

    @torch.no_grad()
    def set_scale(self, x: Float[Tensor, " b c h w"]) -> None:
        """Measure shift and spread of the codes of pictures in [0, 1]: once, before training."""
        mu, _ = self.vae.encode(x.to(self.shift.device))
        self.shift.copy_(mu.mean((0, 2, 3))[:, None, None])
        self.spread.copy_((mu - self.shift).std(correction=0))

    @torch.no_grad()
    def encode(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b k i j"]:
        """Scaled codes of pictures in [0, 1]: the encoder's means, without its noise."""
        return (self.vae.encode(x.to(self.shift.device))[0] - self.shift) / self.spread

    def decode(self, z: Float[Tensor, " b k i j"]) -> Float[Tensor, " b c h w"]:
        """Pictures of scaled codes."""
        return self.vae.decode(self.shift + self.spread * z)

    def encode_captions(self, captions: Captions) -> Float[Tensor, " b s d"]:
        """States of captions, for the network; states are returned as they are."""
        return encode_captions(captions, self.text_encoder, tokenize=_tokens, like=self.shift)

    def no_caption(self, n: int) -> Float[Tensor, " b s d"]:
        """States of the empty caption, n times."""
        return self.text_encoder(self.shift.new_zeros(n, MAX_SCENE_WORDS, dtype=torch.int64))

    def velocity(
        self, z_t: Float[Tensor, " b k i j"], t: PerExample, states: Float[Tensor, " b s d"]
    ) -> Float[Tensor, " b k i j"]:
        r"""Predicted $\epsilon - z_0$; from noise it is $(\hat\epsilon - z_t)/(1 - t)$."""
        out: Tensor = self.net(z_t, t, context=states)
        if self.target == "velocity":
            return out
        return (out - z_t) / expand((1 - t).clamp(min=NARROWEST), z_t)

    def loss(
        self, z0: Float[Tensor, " b k i j"], *, cond: Int[Tensor, " b s"], generator: Rng = None
    ) -> Float[Tensor, ""]:
        r"""Squared error of the target for scaled codes, a mean over batch and event; not nats.

        Times: $t = 1/(1 + e^{-u})$, $u \sim \mathcal N(0.8, 1)$ (Esser et al. 2024, section 3.1).
        ValueError: `z0` has not the shape of codes.
        """
        if (shape := tuple(z0.shape[1:])) != self.vae.latent_shape:
            raise ValueError(f"codes are {self.vae.latent_shape}, got {shape}: use model.encode(x)")
        t = (LOG_ODDS + randn((len(z0),), like=z0, generator=generator)).sigmoid()
        eps = randn(z0.shape, like=z0, generator=generator)
        u = drawn(torch.rand, len(z0), device=z0.device, generator=generator)
        p_drop = self.p_drop if self.training else 0.0
        states = self.text_encoder(drop_condition(cond, u, p_drop=p_drop, null=0))
        out: Tensor = self.net(add_noise(z0, 1 - t, t, eps), t, context=states)
        return (out - (eps if self.target == "noise" else eps - z0)).square().mean()

    def guided_velocity(
        self, captions: Captions | None, n: int, *, guidance_scale: float = 1.0
    ) -> Callable[[Float[Tensor, " b k i j"], PerExample], Float[Tensor, " b k i j"]]:
        r"""Velocity $v_\varnothing + w\,(v_c - v_\varnothing)$, both from one batch of 2n rows.

        Ho and Salimans 2022 (arXiv:2207.12598), eq. 6 with $w$ for $1 + w$; w = 1 needs n rows.
        ValueError: there are captions, and not n.
        """
        if captions is not None and len(captions) != n:
            raise ValueError(f"{n} pictures but {len(captions)} captions")
        free = self.no_caption(n)
        if captions is None:
            return lambda z, t: self.velocity(z, t, free)
        text = self.encode_captions(captions)
        return text_guided_denoiser(self.velocity, free, text, guidance_scale=guidance_scale)

    @torch.no_grad()
    def codes(
        self,
        captions: Captions | None,
        n: int,
        *,
        guidance_scale: float = 1.0,
        n_steps: int = 20,
        generator: Rng = None,
    ) -> Iterator[Float[Tensor, " b k i j"]]:
        r"""DDIM on n codes, from noise: yields every state, the last one a finished scaled code.

        On straight lines that is Euler's step, $z_s = z_t + (s - t)\,v(z_t, t)$.
        """
        ts = sampling_times(n_steps).to(self.spread)
        velocity = self.guided_velocity(captions, n, guidance_scale=guidance_scale)
        z = randn((n, *self.vae.latent_shape), like=self.spread, generator=generator)
        yield z
        for t, s in pairwise(ts):
            z = z + (s - t) * velocity(z, t.expand(n))
            yield z

    @torch.no_grad()
    def draw(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        n_steps: int = 20,
        generator: Rng = None,
    ) -> Float[Tensor, " b c h w"]:
        """Draw one picture for each caption, `(n, 3, h, w)` in [0, 1]."""
        states = self.codes(
            captions, len(captions),
            guidance_scale=guidance_scale, n_steps=n_steps, generator=generator,
        )  # fmt: skip
        return self.decode(last(states))

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Int[Tensor, " b s"] | None = None, generator: Rng = None
    ) -> Event:
        """Draw `n` pictures, of the captions whose tokens `cond` holds, or of any."""
        return self.decode(last(self.codes(cond, n, generator=generator)))
