r"""Noise for the frames of a film: one's own, everybody's, or a blend of both.

$$\epsilon_f = \sqrt a\,\epsilon_{\text{common}} + \sqrt{1-a}\,\epsilon_f^{\text{own}},
\qquad \mathrm{Cov}(\epsilon_f, \epsilon_g) = a \quad (f \ne g)$$

Each frame's noise is standard normal whatever the share $a$; only what neighbours have in common
changes. And for films that are Gaussian, with correlation $\rho$ between any two frames, everything
that the course asks of a film has a closed form.

Lesson: notebooks/systems/text_to_video.ipynb
Source: Ge et al. 2023 (arXiv:2305.10474), the mixed noise model (their $\alpha^2/(1+\alpha^2)$
    is our $a$).
"""

import math
from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, expand, last, mean_event, randn
from genlab.data.captions import encode
from genlab.nn.transformer import NoCaption, Text, TextEncoder
from genlab.nn.unet import VideoUNet
from genlab.score.edm import Denoiser, edm_precondition, edm_sigmas
from genlab.score.guidance import cfg_eps
from genlab.score.samplers import dpm_solver_sample

Films = Float[Tensor, " n c f *hw"]


def mixed_noise(common: Float[Tensor, " n c 1 *hw"], own: Films, *, share: float) -> Films:
    r"""Blend one noise for all frames with one noise for each.

    $$\epsilon_f = \sqrt a\,\epsilon_{\text{common}} + \sqrt{1-a}\,\epsilon_f^{\text{own}}$$

    Args:
        common: standard normal, one frame.
        own: standard normal, all frames.
        share: a, in [0, 1]: 0 independent frames, 1 equal frames.

    Returns:
        Like `own`; unit variance, correlation `share` between frames.

    Raises:
        ValueError: `share` outside [0, 1].

    Example:
        >>> import torch
        >>> mixed_noise(torch.ones(1, 1, 1), torch.zeros(1, 1, 3), share=0.25)
        tensor([[[0.5000, 0.5000, 0.5000]]])

    Source: Ge et al. 2023 (arXiv:2305.10474), the mixed noise model.
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    return math.sqrt(share) * common + math.sqrt(1 - share) * own


def total_correlation(rho: float, n_frames: int) -> float:
    r"""What is lost when normal frames with equal correlations are drawn independently, in nats.

    $$\mathrm{KL}\Big(p(x_{1:F})\,\Big\|\,\prod_f p(x_f)\Big) =
    -\tfrac12\big[(F-1)\log(1-\rho) + \log(1 + (F-1)\rho)\big]$$

    For two frames it is their mutual information, $-\tfrac12\log(1-\rho^2)$; no choice of
    independent frames loses less.

    Args:
        rho: correlation of any two frames, in (-1/(F-1), 1).
        n_frames: F, at least 1.

    Returns:
        Nats per pixel; 0 for uncorrelated frames, infinite in the limit of equal ones.

    Raises:
        ValueError: no such frames exist.

    Example:
        >>> round(total_correlation(0.9, 2), 4), total_correlation(0.0, 8)
        (0.8304, 0.0)

    Source: Watanabe 1960, "Information theoretical analysis of multivariate correlation".
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if n_frames < 1 or not rho < 1 or (n_frames - 1) * rho <= -1:
        raise ValueError(f"no {n_frames} frames have the correlation {rho}")
    own, joint = math.log1p(-rho), math.log1p((n_frames - 1) * rho)
    return -0.5 * ((n_frames - 1) * own + joint) + 0.0


def frame_error(rho: float, sigma: float, n_frames: int) -> float:
    r"""Mean square error of the best denoiser of normal frames that sees all of them.

    $$\frac1F\Big[\frac{\sigma^2\lambda_1}{\lambda_1+\sigma^2} +
    (F-1)\frac{\sigma^2\lambda_2}{\lambda_2+\sigma^2}\Big], \qquad
    \lambda_1 = 1 + (F-1)\rho,\quad \lambda_2 = 1-\rho$$

    With one frame, or $\rho = 0$, it is the error of frames denoised alone,
    $\sigma^2/(1+\sigma^2)$. Equal frames, $\rho = 1$, at noise $\sigma\sqrt F$ are as clear as one
    frame at $\sigma$: films need more noise, in training and sampling, by the factor $\sqrt F$ at
    most.

    Args:
        rho: correlation of any two frames, in [0, 1].
        sigma: noise level, positive.
        n_frames: F.

    Returns:
        Error per pixel, below $\sigma^2$ and below 1.

    Raises:
        ValueError: a correlation outside [0, 1], no frame, or no noise.

    Example:
        >>> frame_error(1.0, 2.0, 4), frame_error(1.0, 1.0, 1)
        (0.5, 0.5)

    Source: the eigenvalues of a matrix of equal correlations; compare the shift of Hoogeboom et al.
        2023 (arXiv:2301.11093) for the pixels of larger images.
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if not 0 <= rho <= 1 or n_frames < 1 or not sigma > 0:
        raise ValueError(f"no {n_frames} frames with correlation {rho} and noise {sigma}")
    variances = [1 + (n_frames - 1) * rho] + (n_frames - 1) * [1 - rho]
    return sum(sigma**2 * v / (v + sigma**2) for v in variances) / n_frames


SIGMA_DATA = 0.5  # of the scaled pixels, as the painters of single pictures have it
Films_text_to_video = Float[Tensor, " n 3 f h w"]
Rows = Int[Tensor, " n s"]
Captions = Sequence[str] | Rows


def scale(films: Films_text_to_video) -> Films_text_to_video:
    """Colours in [0, 1] to [-1, 1].

    Example:
        >>> scale(torch.full((1, 3, 1, 1, 1), 0.5)).unique()
        tensor([0.])
    """
    return 2 * films - 1


def to_colours(x: Films_text_to_video) -> Films_text_to_video:
    """Undo `scale`, and cut off what lies outside [0, 1].

    Example:
        >>> to_colours(torch.full((1, 3, 1, 1, 1), 10.0)).unique()
        tensor([1.])
    """
    return ((x + 1) / 2).clamp(0, 1)


@final
class FilmMaker(nn.Module):
    r"""$p(\text{film} \mid \text{caption})$ by diffusion, with classifier-free guidance.

    Args:
        net: built with `d_context` and `d_pooled` of the reader's width.
        reader: rows of word numbers to `Text`.
        size: `(f, h, w)` of a film.
        log_sigma: mean and standard deviation of the logarithm of training's noise levels.
        shift: added to that mean for films, which stand more noise than one frame: at most
            log(f) / 2.
        p_drop: share of captions hidden in training.
        p_alone: share of films in training whose frames do not see each other.

    Example:
        >>> from genlab.nn.unet import UNetConfig
        >>> from genlab.nn.unet import VideoUNetConfig
        >>> image = UNetConfig(c_in=12, c_out=12, width=8, d_context=8, d_pooled=8)
        >>> reader = TextEncoder(28, d=8, n_layer=1, n_head=2)
        >>> maker = FilmMaker(VideoUNet(VideoUNetConfig(image, patch=2)), reader)
        >>> maker.sample(["a red one turning"], n_steps=2).shape
        torch.Size([1, 3, 8, 16, 16])

    Source: Ho et al. 2022 (arXiv:2204.03458), section 3.
    Lesson: notebooks/systems/text_to_video.ipynb
    """

    SIGMA_MIN, SIGMA_MAX = 0.01, 30.0  # of sampling
    GUIDED_ABOVE = 0.4  # noise level below which films are not guided: words are decided in more
    FLOOR = 0.14  # noise level below which the loss weighs the film's error no more

    def __init__(
        self,
        net: VideoUNet,
        reader: TextEncoder,
        *,
        size: tuple[int, int, int] = (8, 16, 16),
        log_sigma: tuple[float, float] = (-0.5, 1.3),
        shift: float = 0.6,
        p_drop: float = 0.1,
        p_alone: float = 0.15,
    ) -> None:
        super().__init__()
        self.net, self.reader, self.no_caption = net, reader, NoCaption(reader.d)
        self.event_shape, self.log_sigma, self.shift = (3, *size), log_sigma, shift
        self.stills = False  # whether the loss looks at one frame of each film
        self.p_drop, self.p_alone = p_drop, p_alone

    def read(self, captions: Captions) -> Text:
        """Captions as the network reads them.

        Raises:
            ValueError: a word is unknown.
        """
        rows = captions if isinstance(captions, Tensor) else encode(captions)
        rows = rows.to(self.no_caption.state.device)
        text: Text = self.reader(rows)
        return text

    def clean(
        self,
        x: Films_text_to_video,
        sigma: PerExample,
        text: Text,
        joined: Bool[Tensor, " b"] | None = None,
        times: Float[Tensor, " *b f"] | None = None,
    ) -> Films_text_to_video:
        r"""The network's guess of the clean films, $D(x, \sigma, c)$, its input scaled as EDM's.

        Args:
            x: noisy films $x_0 + \sigma\epsilon$.
            sigma: noise level of each, `(b,)`.
            text: what the captions say.
            joined: films whose frames see each other; None: all.
            times: number of each frame; None: 0, 1, ...
        """
        c = edm_precondition(sigma, sigma_data=SIGMA_DATA)
        x = expand(c.c_in, x) * x
        guess: Films_text_to_video = self.net(x, c.c_noise, *text, joined=joined, times=times)
        return guess

    def loss(
        self, x: Films_text_to_video, *, cond: Captions, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Weighted noise-prediction error, mean over the batch; not nats."""
        n, (mean, std), times = len(x), self.log_sigma, None
        if self.stills:  # one frame of each film
            frame = torch.randint(x.shape[2], (n, 1), generator=generator).to(x.device)
            x, times = x[torch.arange(n), :, frame[:, 0]][:, :, None], frame.to(x)
        mean = mean if self.stills else mean + self.shift
        sigma = (mean + std * randn((n,), like=x, generator=generator)).exp()
        eps = randn(x.shape, like=x, generator=generator)
        text, joined = self.read(cond), None
        if self.training:
            u = torch.rand(2, n, generator=generator).to(x.device)
            text, joined = self.no_caption(text, u[0] < self.p_drop), u[1] >= self.p_alone
        joined = torch.zeros(n, dtype=torch.bool) if self.stills else joined
        guess = self.clean(x + expand(sigma, x) * eps, sigma, text, joined, times)
        weight = 1 / sigma.clamp(min=self.FLOOR) ** 2 + 1 / SIGMA_DATA**2  # EDM's, cut off
        return (weight * mean_event((guess - x) ** 2)).mean()

    def denoiser(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        joined: bool = True,
        times: Float[Tensor, " f"] | None = None,
    ) -> Denoiser:
        r"""Guess of the clean film, $(x, \sigma) \mapsto \hat x_0$; guided in much noise only.

        Args:
            captions: one for each film.
            guidance_scale: w; 0 unconditional, 1 conditional, above 1 guided, which costs two
                passes.
            joined: frames see each other; False is the model of single frames.
            times: number of each frame; None: 0, 1, ...
        """
        told = self.read(captions)
        free = self.no_caption(told, torch.ones(len(told.pooled), dtype=torch.bool))

        def plain(text: Text, x: Films_text_to_video, sigma: PerExample) -> Films_text_to_video:
            links = None if joined else torch.zeros(len(x), dtype=torch.bool)
            return self.clean(x, sigma, text, links, times)

        def guess(x: Films_text_to_video, sigma: PerExample) -> Films_text_to_video:
            if guidance_scale == 0:
                return plain(free, x, sigma)
            if guidance_scale == 1 or float(sigma[0]) < self.GUIDED_ABOVE:
                return plain(told, x, sigma)
            both = Text(*(torch.cat(pair) for pair in zip(free, told, strict=True)))
            two = plain(both, torch.cat([x, x]), torch.cat([sigma, sigma])).chunk(2)
            return cfg_eps(*two, guidance_scale=guidance_scale)

        return guess

    def sample_states(
        self, denoiser: Denoiser, x_T: Films_text_to_video, *, n_steps: int = 10, order: int = 2
    ) -> Iterator[Films_text_to_video]:
        """All frames at once, from noise; yields the (variance-preserving) state of each step.

        Args:
            denoiser: from `denoiser`.
            x_T: standard normal noise.
            n_steps: passes of the denoiser.
            order: 2 for DPM-Solver++ 2M, 1 for DDIM.
        """
        levels = edm_sigmas(n_steps, sigma_min=self.SIGMA_MIN, sigma_max=self.SIGMA_MAX)
        sigmas = levels[:-1].flip(0).to(x_T)

        def eps_hat(x_t: Films_text_to_video, t: Int[Tensor, " b"]) -> Films_text_to_video:
            sigma = sigmas[t]
            x = expand((1 + sigma**2).sqrt(), x_t) * x_t
            guess = scale(to_colours(denoiser(x, sigma)))
            return (x - guess) / expand(sigma, x)

        steps = torch.arange(n_steps - 1, -1, -1)
        return dpm_solver_sample(eps_hat, x_T, steps, alphas_bar=1 / (1 + sigmas**2), order=order)

    @torch.no_grad()
    def sample(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        joined: bool = True,
        n_steps: int = 10,
        order: int = 2,
        noise: Films_text_to_video | None = None,
        times: Float[Tensor, " f"] | None = None,
        generator: Generator | None = None,
    ) -> Films_text_to_video:
        """Draw one film for each caption.

        Args:
            captions: strings, or rows of word numbers.
            guidance_scale: w; anything but 0 and 1 doubles the cost of a step.
            joined: all frames of a film together; False: each frame alone, told its number.
            n_steps: steps, one (guided) pass each.
            order: 2 for DPM-Solver++ 2M, 1 for DDIM.
            noise: where to start; its frames may be more than trained on. None: drawn.
            times: number of each frame; None: 0, 1, ...
            generator: source of that noise.

        Returns:
            `(n, 3, f, h, w)` in [0, 1].
        """
        if noise is None:
            shape = (len(captions), *self.event_shape)
            noise = randn(shape, like=self.no_caption.state, generator=generator)
        denoiser = self.denoiser(
            captions, guidance_scale=guidance_scale, joined=joined, times=times
        )
        return to_colours(last(self.sample_states(denoiser, noise, n_steps=n_steps, order=order)))
