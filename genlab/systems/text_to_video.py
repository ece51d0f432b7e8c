"""Text to video: noise for frames, what independent frames lose, and a model that joins them.

Ho et al. 2022 (arXiv:2204.03458); Ge et al. 2023 (arXiv:2305.10474).
"""

import math
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, Rng, drawn, last, randn, require_between
from genlab.data.language import COLOURS, DIGITS, MAX_WORDS, MOTIONS, encode, write_moving
from genlab.data.moving import animate, frames_in_colour
from genlab.nn.text import Captions, NoCaption, TextEncoder, encode_captions
from genlab.nn.unet import VideoUNet
from genlab.score.edm import Denoiser, LogNormal, edm_denoise, edm_loss
from genlab.score.guidance import drop_condition, text_guided_denoiser
from genlab.systems.text_diffusion import FLOOR, TextDiffusion, multistep_sample

SIGMA_DATA = 0.5  # of the scaled pixels


def mixed_noise(
    common: Float[Tensor, " n c 1 *hw"], own: Float[Tensor, " n c f *hw"], *, correlation: float
) -> Float[Tensor, " n c f *hw"]:
    r"""Blend one noise for all frames with one noise for each (Ge et al. 2023, mixed noise model).

    $$\epsilon_f = \sqrt a\,\epsilon_{\text{common}} + \sqrt{1-a}\,\epsilon_f^{\text{own}}$$

    `correlation` a: 0 independent, 1 equal frames.

    >>> mixed_noise(torch.ones(1, 1, 1), torch.zeros(1, 1, 3), correlation=0.25)
    tensor([[[0.5000, 0.5000, 0.5000]]])
    """
    require_between(0, 1, correlation=correlation)
    return math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own


def total_correlation_of_frames(rho: float, n_frames: int) -> float:
    r"""What is lost when normal frames are drawn independently, in nats (Watanabe 1960).

    $$\mathrm{KL}\Big(p(x_{1:F})\,\Big\|\,\prod_f p(x_f)\Big) =
    -\tfrac12\big[(F-1)\log(1-\rho) + \log(1 + (F-1)\rho)\big]$$
    """
    if n_frames < 1 or not rho < 1 or (n_frames - 1) * rho <= -1:
        raise ValueError(f"no {n_frames} frames have the correlation {rho}")
    own = math.log1p(-rho)
    joint = math.log1p((n_frames - 1) * rho)
    return -0.5 * ((n_frames - 1) * own + joint) + 0.0


def frame_error(rho: float, sigma: float, n_frames: int) -> float:
    r"""Mean square error per pixel of the best denoiser of normal frames that sees all of them.

    $$\frac1F\Big[\frac{\sigma^2\lambda_1}{\lambda_1+\sigma^2} +
    (F-1)\frac{\sigma^2\lambda_2}{\lambda_2+\sigma^2}\Big], \qquad
    \lambda_1 = 1 + (F-1)\rho,\quad \lambda_2 = 1-\rho$$
    """
    if not 0 <= rho <= 1 or n_frames < 1 or not sigma > 0:
        raise ValueError(f"no {n_frames} frames with correlation {rho} and noise {sigma}")
    variances = [1 + (n_frames - 1) * rho] + (n_frames - 1) * [1 - rho]
    return sum(sigma**2 * v / (v + sigma**2) for v in variances) / n_frames


def scale(videos: Float[Tensor, " n 3 f h w"]) -> Float[Tensor, " n 3 f h w"]:
    """Colours in [0, 1] to [-1, 1]."""
    return 2 * videos - 1


def to_colours(x: Float[Tensor, " n 3 f h w"]) -> Float[Tensor, " n 3 f h w"]:
    """Undo `scale`, and cut off what lies outside [0, 1]."""
    return ((x + 1) / 2).clamp(0, 1)


class TextToVideo(nn.Module):
    r"""$p(\text{video} \mid \text{caption})$ by diffusion, with classifier-free guidance.

    `size` is (f, h, w). `p_mean` and `p_std` are of the log noise level in training, `shift` is
    added to the mean for whole videos. A fraction `p_drop` of the captions is dropped, and in a
    fraction `p_alone` of the videos frames do not see each other (Ho et al. 2022, section 3).
    """

    SIGMA_MIN, SIGMA_MAX = 0.01, 30.0  # of sampling
    GUIDED = (0.4, math.inf)  # noise levels that are guided: words are decided in much noise

    def __init__(
        self,
        net: VideoUNet,
        text_encoder: TextEncoder,
        *,
        size: tuple[int, int, int] = (8, 16, 16),
        p_mean: float = -0.5,
        p_std: float = 1.3,
        shift: float = 0.6,
        p_drop: float = 0.1,
        p_alone: float = 0.15,
    ) -> None:
        super().__init__()
        self.net, self.text_encoder = net, text_encoder
        self.no_caption = NoCaption(text_encoder.d)
        self.event_shape = (3, *size)
        self.still_levels = LogNormal(p_mean, p_std)
        self.levels = LogNormal(p_mean + shift, p_std)
        self.p_drop, self.p_alone = p_drop, p_alone

    def encode_captions(self, captions: Captions) -> Float[Tensor, " b s d"]:
        """States of captions, for the network; states are returned as they are."""
        return encode_captions(
            captions, self.text_encoder, tokenize=encode, like=self.no_caption.state
        )

    def raw(
        self,
        states: Float[Tensor, " b s d"],
        joined: Bool[Tensor, " b"] | None = None,
        times: Float[Tensor, " *b f"] | None = None,
    ) -> Denoiser:
        """The network for states of captions: `joined` videos (None: all) see all their frames."""
        return lambda x, c_noise: self.net(x, c_noise, states, joined=joined, times=times)

    def loss(
        self, x: Float[Tensor, " n 3 f h w"], *, cond: Captions, generator: Rng = None
    ) -> Float[Tensor, ""]:
        """Weighted error of the predicted videos, mean over the batch; not nats."""
        return self._loss(x, cond, self.levels, joined=None, times=None, generator=generator)

    def still_loss(
        self, x: Float[Tensor, " n 3 f h w"], *, cond: Captions, generator: Rng = None
    ) -> Float[Tensor, ""]:
        """The same of one frame of each video, drawn at random, alone."""
        n = len(x)
        frame = drawn(torch.randint, x.shape[2], (n, 1), device=x.device, generator=generator)
        still = x[torch.arange(n), :, frame[:, 0]][:, :, None]
        alone = torch.zeros(n, dtype=torch.bool)
        return self._loss(
            still, cond, self.still_levels, joined=alone, times=frame.to(x), generator=generator
        )

    def _loss(
        self,
        x: Float[Tensor, " n 3 f h w"],
        cond: Captions,
        levels: LogNormal,
        *,
        joined: Bool[Tensor, " b"] | None,
        times: Float[Tensor, " b f"] | None,
        generator: Rng,
    ) -> Float[Tensor, ""]:
        n = len(x)
        sigma = levels.draw(n, like=x, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        states = self.encode_captions(cond)
        if self.training:
            u = drawn(torch.rand, 2, n, device=x.device, generator=generator)
            states = drop_condition(states, u[0], p_drop=self.p_drop, null=self.no_caption.state)
            joined = u[1] >= self.p_alone if joined is None else joined
        raw = self.raw(states, joined, times)
        return edm_loss(raw, x, sigma, eps, sigma_data=SIGMA_DATA, skip=False, floor=FLOOR).mean()

    def denoiser(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        joined: bool = True,
        times: Float[Tensor, " f"] | None = None,
    ) -> Denoiser:
        """Guess of the clean video, guided in much noise only.

        If not `joined`, every frame is guessed by itself.
        """
        states = self.encode_captions(captions)
        free = self.no_caption.state.expand_as(states)

        def denoise(
            x: Float[Tensor, " n 3 f h w"], sigma: PerExample, states: Float[Tensor, " b s d"]
        ) -> Float[Tensor, " n 3 f h w"]:
            raw = self.raw(states, None if joined else torch.zeros(len(x), dtype=torch.bool), times)
            return edm_denoise(raw, x, sigma, sigma_data=SIGMA_DATA, skip=False)

        return text_guided_denoiser(
            denoise, free, states, guidance_scale=guidance_scale, interval=self.GUIDED
        )

    @torch.no_grad()
    def draw(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        joined: bool = True,
        n_steps: int = 10,
        order: int = 2,
        noise: Float[Tensor, " n 3 f h w"] | None = None,
        times: Float[Tensor, " f"] | None = None,
        generator: Rng = None,
    ) -> Float[Tensor, " n 3 f h w"]:
        """Draw one video in [0, 1] for each caption by DPM-Solver++ 2M, or DDIM at order 1."""
        if noise is None:
            shape = (len(captions), *self.event_shape)
            noise = randn(shape, like=self.no_caption.state, generator=generator)
        denoiser = self.denoiser(
            captions, guidance_scale=guidance_scale, joined=joined, times=times
        )
        trajectory = multistep_sample(
            denoiser, noise, sigma_min=self.SIGMA_MIN, sigma_max=self.SIGMA_MAX,
            n_steps=n_steps, order=order, clip=lambda x: scale(to_colours(x)),
        )  # fmt: skip
        return to_colours(last(trajectory))


@torch.no_grad()
def inflate(model: TextToVideo, pretrained: TextDiffusion) -> None:
    """Copy a trained image model into a video model of the same sizes (arXiv:2209.14792, 3.2).

    What only videos need starts at zero: every frame is drawn as the image model draws a picture.
    """
    if not isinstance(pretrained.text_encoder, TextEncoder):
        raise ValueError("this image model has no text encoder that a video model could start from")
    model.net.image.load_state_dict(pretrained.net.state_dict())
    model.text_encoder.load_state_dict(pretrained.text_encoder.state_dict())
    model.no_caption.load_state_dict(pretrained.no_caption.state_dict())


@cache
def caption_table() -> Int[Tensor, " 10 6 5 6"]:
    """Tokens of all 300 captions, by digit, colour and motion."""
    sizes = (len(DIGITS), len(COLOURS), len(MOTIONS))
    parts = torch.cartesian_prod(*(torch.arange(n) for n in sizes)).unbind(1)
    return encode(write_moving(*parts)).reshape(*sizes, MAX_WORDS)


def video_batch(
    batch: tuple[Tensor, Tensor], generator: Generator
) -> tuple[Float[Tensor, " n 3 f h w"], Tensor]:
    """Scaled videos of grey digits `(b, 14, 14)`, newly moved and coloured, and tokens."""
    grey, digit = batch
    colour = torch.randint(len(COLOURS), digit.shape, generator=generator)
    motion = torch.randint(len(MOTIONS), digit.shape, generator=generator)
    videos = frames_in_colour(animate(grey, motion), colour)
    return scale(videos), caption_table()[digit, colour, motion]
