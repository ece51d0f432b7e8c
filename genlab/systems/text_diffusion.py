r"""A painter that is told: text encoder, U-Net and guided sampler in one thin shell.

$$D_w(x,\sigma,c) = D(x,\sigma,\varnothing) + w\,\big(D(x,\sigma,c) - D(x,\sigma,\varnothing)\big),
\qquad \hat\epsilon = \frac{x - D_w}{\sigma}$$

The network is trained as in `genlab.score.edm`: EDM's scales, log-normal noise levels, the
caption of a tenth of the rows hidden. It is sampled in variance-preserving coordinates, where its
$\hat\epsilon$ drives DDIM and DPM-Solver++ alike. Channels and sizes are the caller's: the shell
paints 16 x 16 pictures, latents of a VAE, or 32 x 32 pictures *beside* a smaller one.

Lesson: notebooks/systems/glide.ipynb
Sources: Nichol et al. 2021 (arXiv:2112.10741), sections 2.3 and 4; Karras et al. 2022
    (arXiv:2206.00364), table 1; Ho and Salimans 2022 (arXiv:2207.12598), algorithms 1 and 2.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event, PerExample, expand, last, mean_event, randn
from genlab.data.captions import MAX_WORDS, Attributes, encode, paint, write
from genlab.nn.transformer import NoCaption, Text
from genlab.nn.unet import UNet
from genlab.score.diffusion import EpsModel
from genlab.score.edm import Denoiser, edm_denoise, edm_loss, edm_precondition, edm_sigmas
from genlab.score.guidance import cfg_eps
from genlab.score.samplers import dpm_solver_sample

Rows = Int[Tensor, " b s"]
Beside = Float[Tensor, " b *beside"]  # of as many pixels as the picture, with any channels
Captions = Sequence[str] | Rows | Text  # as text, as rows of word numbers, or already read


@final
class CaptionedPainter(nn.Module):
    r"""$p(x \mid \text{caption})$ by diffusion, with classifier-free guidance.

    Args:
        net: built with `d_context` and `d_pooled` of the text's width d, and with
            `c_in = c_out +` the channels of the picture beside it, if any; with `patch`, the
            channels of a patch, and heights and widths that much smaller.
        reader: rows of word numbers to `Text`; None when every caption comes already read, such as
            the hidden states of a language model.
        event_shape: shape of one example, `(c, h, w)`.
        sigma_data: standard deviation of the data.
        p_drop: share of captions hidden in training.
        p_mean: mean of log sigma in training: larger where the words are decided in much noise.
        patch: side of the squares of pixels that the network sees as one place; 2 makes it four
            times cheaper, and large pictures need not more than their squares say.
        skip: whether the guess copies the noisy picture through EDM's skip; without it the network
            answers the picture itself, which leaves flat paper flat.
        sigma_max: noise level at which sampling starts.
        limit: guesses of the data are clipped to [-limit, limit] while sampling; None: not.

    Raises:
        ValueError: the network's text widths differ, or are 0.

    Example:
        >>> from genlab.nn.transformer import TextEncoder
        >>> from genlab.nn.unet import UNetConfig
        >>> net = UNet(UNetConfig(c_in=3, c_out=3, width=8, d_context=8, d_pooled=8))
        >>> reader = TextEncoder(28, d=8, n_layer=1, n_head=2)
        >>> painter = CaptionedPainter(net, reader, event_shape=(3, 16, 16), sigma_data=0.5)
        >>> painter.sample(["a red one"], n_steps=2, guidance_scale=3.0).shape
        torch.Size([1, 3, 16, 16])

    Source: Nichol et al. 2021 (arXiv:2112.10741), section 4.
    """

    P_STD, SIGMA_MIN = 1.2, 0.01  # of log sigma in training; smallest in sampling
    FLOOR = 0.14  # noise below which the loss of a network without skip weighs no more

    def __init__(
        self,
        net: UNet,
        reader: Callable[[Rows], Text] | None,
        *,
        event_shape: tuple[int, ...],
        sigma_data: float,
        p_drop: float = 0.1,
        p_mean: float = -1.2,
        patch: int = 1,
        skip: bool = True,
        sigma_max: float = 40.0,
        limit: float | None = 1.0,
    ) -> None:
        super().__init__()
        d = net.config.d_context
        if not d or d != net.config.d_pooled:
            raise ValueError(f"d_context and d_pooled are {d} and {net.config.d_pooled}")
        self.net, self.reader, self.no_caption = net, reader, NoCaption(d)
        self.event_shape, self.sigma_data, self.p_drop = event_shape, sigma_data, p_drop
        self.p_mean, self.patch, self.skip = p_mean, patch, skip
        self.sigma_max, self.limit = sigma_max, limit

    def read(self, captions: Captions) -> Text:
        """Captions as the network reads them.

        Args:
            captions: strings, rows of word numbers, or a `Text`, which is returned as it is.

        Raises:
            ValueError: a word is unknown, or there is nobody to read it.
        """
        if isinstance(captions, Text):
            return captions
        if self.reader is None:
            raise ValueError("this painter has no reader: pass captions as a Text")
        rows = captions if isinstance(captions, Tensor) else encode(captions)
        return self.reader(rows.to(self.no_caption.state.device))

    def hide(self, text: Text, hidden: Bool[Tensor, " b"] | None = None) -> Text:
        """The same with some captions hidden; all of them when `hidden` is None."""
        all_rows = torch.ones(len(text.pooled), dtype=torch.bool, device=text.pooled.device)
        told: Text = self.no_caption(text, all_rows if hidden is None else hidden)
        return told

    def raw(self, text: Text, beside: Beside | None = None) -> Denoiser:
        """The network F, told a text and the picture beside its own."""

        def told(x: Tensor, c_noise: Tensor) -> Tensor:
            x = x if beside is None else torch.cat([x, beside], 1)
            x = F.pixel_unshuffle(x, self.patch)
            out = self.net(x, c_noise, context=text.states, pooled=text.pooled)
            return F.pixel_shuffle(out, self.patch)

        return told

    def loss(
        self,
        x: Event,
        *,
        cond: Captions,
        beside: Beside | None = None,
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss, mean over the batch; not nats. Hides captions in training."""
        sigma = (self.p_mean + self.P_STD * randn((len(x),), like=x, generator=generator)).exp()
        eps = randn(x.shape, like=x, generator=generator)
        text = self.read(cond)
        if self.training:
            u = torch.rand(len(x), generator=generator)
            text = self.hide(text, u.to(x.device) < self.p_drop)
        raw = self.raw(text, beside)
        if self.skip:
            return edm_loss(raw, x, sigma, eps, sigma_data=self.sigma_data).mean()
        guess = self._guess(raw, x + expand(sigma, x) * eps, sigma)
        weight = 1 / sigma.clamp(min=self.FLOOR) ** 2 + 1 / self.sigma_data**2
        return (weight * mean_event((guess - x) ** 2)).mean()

    def _guess(self, raw: Denoiser, x: Event, sigma: PerExample) -> Event:
        """The guess of the data that a raw network makes, with or without EDM's skip."""
        if self.skip:
            return edm_denoise(raw, x, sigma, sigma_data=self.sigma_data)
        c = edm_precondition(sigma, sigma_data=self.sigma_data)
        return raw(expand(c.c_in, x) * x, c.c_noise)

    def denoiser(
        self,
        captions: Captions | None,
        *,
        guidance_scale: float = 1.0,
        interval: tuple[float, float] | None = None,
        beside: Beside | None = None,
    ) -> Denoiser:
        r"""$D_w$ for these captions, $(x, \sigma) \mapsto \hat x_0$; one pass if w is 0 or 1.

        Args:
            captions: one for each row; None: all rows are told nothing.
            guidance_scale: w; 0 unconditional, 1 conditional, above 1 guided.
            interval: smallest and largest noise that is guided; outside w = 1. None: all.
            beside: picture that the network sees beside each row, at any noise level.

        Raises:
            ValueError: an interval that does not rise.

        Source: Ho and Salimans 2022 (arXiv:2207.12598), eq. 6; interval: Kynkaanniemi et al. 2024
            (arXiv:2404.07724), eq. 5.
        """
        if interval is not None and interval[0] > interval[1]:
            raise ValueError(f"interval must rise, got {interval}")

        def plain(text: Text, x: Event, sigma: PerExample, picture: Beside | None) -> Event:
            return self._guess(self.raw(text, picture), x, sigma)

        text = None if captions is None else self.read(captions)

        def guess(x: Event, sigma: PerExample) -> Event:
            if text is None or guidance_scale == 0:
                return plain(self.hide(text or self._blank(len(x))), x, sigma, beside)
            inside = interval is None or interval[0] <= float(sigma[0]) <= interval[1]
            if guidance_scale == 1 or not inside:
                return plain(text, x, sigma, beside)
            both = Text(*(torch.cat(pair) for pair in zip(self.hide(text), text, strict=True)))
            twice = None if beside is None else torch.cat([beside, beside])
            x2, sigma2 = torch.cat([x, x]), torch.cat([sigma, sigma])
            free, told = plain(both, x2, sigma2, twice).chunk(2)
            return cfg_eps(free, told, guidance_scale=guidance_scale)

        return guess

    def _blank(self, n: int) -> Text:
        """A text of one state for n rows, to be hidden."""
        state = self.no_caption.state
        return Text(state.expand(n, 1, -1), state.expand(n, -1))

    def sample_states(
        self,
        denoiser: Denoiser,
        n: int,
        *,
        n_steps: int = 12,
        order: int = 2,
        generator: Generator | None = None,
    ) -> Iterator[Event]:
        """Draw `n` examples by any denoiser; yields the (variance-preserving) state of each step.

        Args:
            denoiser: from `denoiser`, or another guess of the data.
            n: how many.
            n_steps: passes of the denoiser.
            order: 2 for DPM-Solver++ 2M, 1 for DDIM.
            generator: source of the first noise; no other is drawn.
        """
        like = self.no_caption.state
        x_T = randn((n, *self.event_shape), like=like, generator=generator)
        levels = edm_sigmas(n_steps, sigma_min=self.SIGMA_MIN, sigma_max=self.sigma_max)
        sigmas = levels[:-1].flip(0).to(like)
        steps = torch.arange(n_steps - 1, -1, -1)
        eps_model = self._eps_model(denoiser, sigmas)
        return dpm_solver_sample(eps_model, x_T, steps, alphas_bar=1 / (1 + sigmas**2), order=order)

    def _eps_model(self, denoiser: Denoiser, sigmas: Float[Tensor, " s"]) -> EpsModel:
        """The predicted noise at step t, whose level is `sigmas[t]`, from a guess of the data."""

        def eps_hat(x_t: Event, t: Int[Tensor, " b"]) -> Event:
            sigma = sigmas[t]
            x = expand((1 + sigma**2).sqrt(), x_t) * x_t
            guess = denoiser(x, sigma)
            if self.limit is not None:
                guess = guess.clamp(-self.limit, self.limit)
            return (x - guess) / expand(sigma, x)

        return eps_hat

    @torch.no_grad()
    def sample(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 1.0,
        interval: tuple[float, float] | None = None,
        n_steps: int = 12,
        order: int = 2,
        beside: Beside | None = None,
        generator: Generator | None = None,
    ) -> Event:
        """Draw one example for each caption.

        Args:
            captions: strings, rows of word numbers, or a `Text`.
            guidance_scale: w; anything but 0 and 1 doubles the cost of a step.
            interval: smallest and largest noise that is guided; None: all.
            n_steps: steps, one (guided) pass each.
            order: 2 for DPM-Solver++ 2M, 1 for DDIM.
            beside: picture that the network sees beside each row.
            generator: source of the first noise.

        Returns:
            `(n, *event_shape)`.
        """
        text = self.read(captions)
        denoiser = self.denoiser(
            text, guidance_scale=guidance_scale, interval=interval, beside=beside
        )
        n = len(text.pooled)
        return last(
            self.sample_states(denoiser, n, n_steps=n_steps, order=order, generator=generator)
        )


def captioned_batch(
    p_stroke: float, p_slant: float, generator: Generator
) -> Callable[[tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
    """Fresh colours and fresh captions for a minibatch: the `change` of `minibatches`.

    Args:
        p_stroke: share of captions that say a word about the stroke, where there is one.
        p_slant: share that says a word about the slant.
        generator: of the minibatches, too.

    Returns:
        (grey digits `(b, s, s)`, attributes as columns `(b, 4)`) to (pictures in [-1, 1], rows of
        word numbers).

    Example:
        >>> from genlab.data.captions import load_captioned
        >>> grey, attributes = load_captioned("test", 16)
        >>> change = captioned_batch(1.0, 1.0, torch.Generator().manual_seed(0))
        >>> x, rows = change((grey[:2], torch.stack(attributes, 1)[:2]))
        >>> x.shape, rows.shape
        (torch.Size([2, 3, 16, 16]), torch.Size([2, 6]))
    """
    table = _caption_table()

    def change(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        grey, columns = batch
        digit, _, stroke, slant = columns.unbind(1)
        colour = torch.randint(6, (len(grey),), generator=generator)
        u = torch.rand(2, len(grey), generator=generator)
        stroke = torch.where(u[0] < p_stroke, stroke, 1)  # the middle third has no word
        slant = torch.where(u[1] < p_slant, slant, 3)
        return 2 * paint(grey, colour) - 1, table[digit, colour, stroke, slant]

    return change


def _caption_table() -> Int[Tensor, " 10 6 3 4 6"]:
    """Rows of all captions by digit, colour, stroke and slant, where slant 3 is "unsaid"."""
    parts = torch.cartesian_prod(*(torch.arange(n) for n in (10, 6, 3, 4))).unbind(1)
    said = parts[3] < 3
    shown = Attributes(parts[0], parts[1], parts[2], parts[3].clamp(max=2))
    captions = write(shown, say_slant=said)
    return encode(captions).reshape(10, 6, 3, 4, MAX_WORDS)
