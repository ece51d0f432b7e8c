r"""Text-conditional diffusion: text encoder, U-Net and guided sampler in one thin shell.

Trained as in `genlab.score.edm`, sampled in variance-preserving coordinates. Nichol et al. 2021
(arXiv:2112.10741), sections 2.3 and 4; Ho and Salimans 2022 (arXiv:2207.12598).
"""

from collections.abc import Callable, Iterator
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event, PerExample, Rng, drawn, expand, last, randn
from genlab.data.captions import paint
from genlab.data.language import MAX_WORDS, Attributes, encode, write_captions
from genlab.nn.text import Captions, NoCaption, encode_captions
from genlab.nn.unet import UNet
from genlab.score.diffusion import EpsModel
from genlab.score.edm import Denoiser, LogNormal, edm_denoise, edm_loss, edm_sigmas
from genlab.score.guidance import drop_condition, text_guided_denoiser
from genlab.score.samplers import dpm_solver_sample

FLOOR = 0.14  # noise below which the loss of a network that answers the data weighs no more


def eps_from_denoiser(
    denoiser: Denoiser, sigmas: Float[Tensor, " s"], clip: Callable[[Tensor], Tensor]
) -> EpsModel:
    r"""The predicted noise at step t, whose level is `sigmas[t]`, from a clipped guess of the data.

    $$\hat\epsilon(x_t, t) = \frac{x - \mathrm{clip}\,D(x, \sigma_t)}{\sigma_t}, \qquad
    x = \sqrt{1 + \sigma_t^2}\;x_t$$
    """

    def eps_hat(x_t: Event, t: Int[Tensor, " b"]) -> Event:
        sigma = sigmas[t]
        x = expand((1 + sigma**2).sqrt(), x_t) * x_t
        return (x - clip(denoiser(x, sigma))) / expand(sigma, x)

    return eps_hat


def multistep_sample(
    denoiser: Denoiser,
    x_T: Event,
    *,
    sigma_min: float,
    sigma_max: float,
    n_steps: int,
    order: int = 2,
    clip: Callable[[Tensor], Tensor] = lambda x: x,
) -> Iterator[Event]:
    """Yield variance-preserving states of DPM-Solver++ 2M (order 2) or DDIM (1), EDM's levels."""
    levels = edm_sigmas(n_steps, sigma_min=sigma_min, sigma_max=sigma_max)
    sigmas = levels[:-1].flip(0).to(x_T)
    eps_model = eps_from_denoiser(denoiser, sigmas, clip)
    steps = torch.arange(n_steps - 1, -1, -1)
    return dpm_solver_sample(eps_model, x_T, steps, alphas_bar=1 / (1 + sigmas**2), order=order)


class TextDiffusion(nn.Module):
    r"""$p(x \mid \text{caption})$ by diffusion, with classifier-free guidance.

    `net` reads the states of a caption, squares of `patch` pixels being one position. Without
    `text_encoder` captions come encoded. Training drops a fraction `p_drop` of them, at log-normal
    noise levels, `p_mean` and `p_std` of their logarithm. Without EDM's `skip` the network answers
    the picture itself, and the loss weighs no more below the noise `FLOOR`. Sampling starts at
    `sigma_max` and clips guesses to [-limit, limit].
    """

    SIGMA_MIN = 0.01  # of sampling

    def __init__(
        self,
        net: UNet,
        text_encoder: Callable[[Int[Tensor, " b s"]], Float[Tensor, " b s d"]] | None,
        *,
        event_shape: tuple[int, ...],
        sigma_data: float,
        p_drop: float = 0.1,
        p_mean: float = -1.2,
        p_std: float = 1.2,
        patch: int = 1,
        skip: bool = True,
        sigma_max: float = 40.0,
        limit: float | None = 1.0,
    ) -> None:
        super().__init__()
        if not net.config.d_context:
            raise ValueError("this network reads no text: its d_context is 0")
        self.net, self.text_encoder = net, text_encoder
        self.no_caption = NoCaption(net.config.d_context)
        self.event_shape, self.sigma_data, self.p_drop = event_shape, sigma_data, p_drop
        self.levels, self.patch, self.skip = LogNormal(p_mean, p_std), patch, skip
        self.sigma_max, self.limit = sigma_max, limit

    def encode_captions(self, captions: Captions) -> Float[Tensor, " b s d"]:
        """States of captions, for the network; states are returned as they are."""
        return encode_captions(
            captions, self.text_encoder, tokenize=encode, like=self.no_caption.state
        )

    def raw(
        self, states: Float[Tensor, " n s d"], concatenated: Float[Tensor, " b *more"] | None = None
    ) -> Denoiser:
        """The network F for states of captions, `concatenated` beside its input at every level."""

        def net(x: Tensor, c_noise: Tensor) -> Tensor:
            if concatenated is not None:  # once more for the second half of a guided batch
                times = len(x) // len(concatenated)
                x = torch.cat([x, concatenated.repeat(times, 1, 1, 1)], 1)
            x = F.pixel_unshuffle(x, self.patch)
            return F.pixel_shuffle(self.net(x, c_noise, context=states), self.patch)

        return net

    def loss(
        self,
        x: Event,
        *,
        cond: Captions,
        concatenated: Float[Tensor, " b *more"] | None = None,
        generator: Rng = None,
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss, mean over the batch; not nats. Drops captions in training."""
        sigma = self.levels.draw(len(x), like=x, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        states = self.encode_captions(cond)
        if self.training:
            u = drawn(torch.rand, len(x), device=x.device, generator=generator)
            states = drop_condition(states, u, p_drop=self.p_drop, null=self.no_caption.state)
        return edm_loss(
            self.raw(states, concatenated), x, sigma, eps, sigma_data=self.sigma_data,
            skip=self.skip, floor=0.0 if self.skip else FLOOR,
        ).mean()  # fmt: skip

    def denoiser(
        self,
        captions: Captions | None,
        *,
        guidance_scale: float = 1.0,
        interval: tuple[float, float] | None = None,
        concatenated: Float[Tensor, " b *more"] | None = None,
    ) -> Denoiser:
        """Guess of the data, unconditional without captions; outside the `interval`, w = 1."""

        def denoise(x: Event, sigma: PerExample, states: Float[Tensor, " b s d"]) -> Event:
            raw = self.raw(states, concatenated)
            return edm_denoise(raw, x, sigma, sigma_data=self.sigma_data, skip=self.skip)

        free = self.no_caption.state
        if captions is None:
            return lambda x, sigma: denoise(x, sigma, free.expand(len(x), 1, -1))
        states = self.encode_captions(captions)
        return text_guided_denoiser(
            denoise, free.expand_as(states), states, guidance_scale=guidance_scale,
            interval=interval,
        )  # fmt: skip

    def trajectory(
        self,
        denoiser: Denoiser,
        n: int,
        *,
        n_steps: int = 12,
        order: int = 2,
        generator: Rng = None,
    ) -> Iterator[Event]:
        """Yield `n` examples after each step, by any guess of the data: `multistep_sample`."""
        x_T = randn((n, *self.event_shape), like=self.no_caption.state, generator=generator)
        limit = float("inf") if self.limit is None else self.limit
        return multistep_sample(
            denoiser, x_T, sigma_min=self.SIGMA_MIN, sigma_max=self.sigma_max, n_steps=n_steps,
            order=order, clip=lambda x: x.clamp(-limit, limit),
        )  # fmt: skip

    @torch.no_grad()
    def draw(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        interval: tuple[float, float] | None = None,
        n_steps: int = 12,
        order: int = 2,
        concatenated: Float[Tensor, " b *more"] | None = None,
        generator: Rng = None,
    ) -> Event:
        """Draw one example for each caption; w other than 0 and 1 doubles the cost of a step."""
        states = self.encode_captions(captions)
        denoiser = self.denoiser(
            states, guidance_scale=guidance_scale, interval=interval, concatenated=concatenated
        )
        trajectory = self.trajectory(
            denoiser, len(states), n_steps=n_steps, order=order, generator=generator
        )
        return last(trajectory)


def captioned_batch(
    batch: tuple[Tensor, Tensor], generator: Generator, *, p_stroke: float, p_slant: float
) -> tuple[Tensor, Tensor]:
    """Pictures in [-1, 1] in fresh colours, and tokens of fresh captions."""
    grey, columns = batch
    digit, _, stroke, slant = columns.unbind(1)
    colour = torch.randint(6, (len(grey),), generator=generator)
    u = torch.rand(2, len(grey), generator=generator)
    stroke = torch.where(u[0] < p_stroke, stroke, 1)  # the middle third has no word
    slant = torch.where(u[1] < p_slant, slant, 3)
    return 2 * paint(grey, colour) - 1, _caption_table()[digit, colour, stroke, slant]


@cache
def _caption_table() -> Int[Tensor, " 10 6 3 4 6"]:
    """Tokens of all captions by digit, colour, stroke and slant, where slant 3 is "unsaid"."""
    parts = torch.cartesian_prod(*(torch.arange(n) for n in (10, 6, 3, 4))).unbind(1)
    shown = Attributes(parts[0], parts[1], parts[2], parts[3].clamp(max=2))
    captions = write_captions(shown, say_slant=parts[3] < 3)
    return encode(captions).reshape(10, 6, 3, 4, MAX_WORDS)
