r"""Text to picture in pixel space: a small picture first, then a larger one beside it. No VAE.

$$p(x_{32}\mid c) = p(x_{16}\mid c)\;p(x_{32}\mid x_{16}, c), \qquad x_{16} = \text{means of }
2\times2\text{ blocks of } x_{32}$$

Both factors are diffusion models that read the caption. The second one is trained on real small
pictures and used on drawn ones; noise of a told strength on its small picture hides the difference
(conditioning augmentation):

$$y = \mathrm{enlarge}(x_{16} + s\,\epsilon), \qquad s\sim U[0, s_{\max}] \text{ in training}.$$

Lesson: notebooks/systems/glide.ipynb
Sources: Nichol et al. 2021 (arXiv:2112.10741), sections 4 and 4.1; Ho et al. 2021
    (arXiv:2106.15282), section 4.2 (Gaussian conditioning augmentation).
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event, PerExample, expand, randn
from genlab.nn.layers import time_embedding
from genlab.nn.unet import ResBlock
from genlab.score.edm import Denoiser
from genlab.score.guidance import classifier_guided_eps
from genlab.systems.text_diffusion import CaptionedPainter, Captions, Rows

Small = Float[Tensor, " b 3 small small"]
Large = Float[Tensor, " b 3 large large"]  # twice as many


def shrink(large: Large) -> Small:
    """Halve a picture: means of 2 x 2 blocks.

    Example:
        >>> shrink(torch.arange(4.0).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)).flatten()
        tensor([1.5000, 1.5000, 1.5000])
    """
    return F.avg_pool2d(large, 2)


def enlarge(small: Small) -> Large:
    """Double a picture by repeating each pixel four times; `shrink` undoes it.

    Example:
        >>> x = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> torch.equal(shrink(enlarge(x)), x)
        True
    """
    return F.interpolate(small, scale_factor=2.0, mode="nearest")


def bicubic(small: Small) -> Large:
    """Double a picture by cubic interpolation: what every picture viewer does.

    Args:
        small: in [-1, 1].

    Returns:
        In [-1, 1]; what overshoots is cut off.

    Source: Keys 1981, "Cubic convolution interpolation", by `torch` (a = -0.75).
    """
    return F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False).clamp(-1, 1)


def sharpen(large: Large, amount: float) -> Large:
    r"""Unsharp masking: add what a blur would take away, $x + a\,(x - Bx)$.

    Args:
        large: in [-1, 1].
        amount: a; 0 leaves the picture alone.

    Returns:
        In [-1, 1]; B is the binomial blur of 3 x 3 pixels, with the edge repeated.

    Example:
        >>> flat = torch.full((1, 3, 4, 4), 0.25)
        >>> torch.allclose(sharpen(flat, 2.0), flat)
        True
    """
    line = torch.tensor([0.25, 0.5, 0.25], dtype=large.dtype, device=large.device)
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    framed = F.pad(large, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv2d(framed, kernel, groups=3)
    return (large + amount * (large - blurred)).clamp(-1, 1)


@final
class Upsampler(nn.Module):
    r"""$p(x_{32}\mid x_{16}, c)$: a painter that sees the small picture beside its own.

    Args:
        painter: its network sees four channels beside its own three: the enlarged small picture,
            and how much noise is on it.
        s_max: largest noise on the small picture in training, in units of pixels in [-1, 1].

    Example:
        >>> from genlab.nn.transformer import TextEncoder
        >>> from genlab.nn.unet import UNet, UNetConfig
        >>> net = UNet(UNetConfig(c_in=7, c_out=3, width=8, d_context=8, d_pooled=8))
        >>> reader = TextEncoder(28, d=8, n_layer=1, n_head=2)
        >>> up = Upsampler(CaptionedPainter(net, reader, event_shape=(3, 8, 8), sigma_data=0.5))
        >>> up.sample(["a red one"], torch.zeros(1, 3, 4, 4), n_steps=2).shape
        torch.Size([1, 3, 8, 8])

    Source: Ho et al. 2021 (arXiv:2106.15282), section 4.2; Saharia et al. 2022 (arXiv:2205.11487),
        section 2.4 (the strength is told to the network, and chosen when sampling).
    """

    def __init__(self, painter: CaptionedPainter, *, s_max: float = 0.5) -> None:
        super().__init__()
        self.painter, self.s_max = painter, s_max

    def beside(self, small: Small, s: PerExample, eps: Small) -> Float[Tensor, " b 4 large large"]:
        """What the network sees: the small picture, noisy and enlarged, and how noisy it is.

        Args:
            small: in [-1, 1].
            s: strength of the noise for each.
            eps: standard normal noise, like `small`.
        """
        seen = enlarge(small + expand(s, small) * eps)
        return torch.cat([seen, expand(s, seen).expand_as(seen[:, :1])], 1)

    def loss(
        self, x: Large, *, cond: Rows, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Denoising loss of large pictures beside their own noisy small ones."""
        small = shrink(x)
        s = self.s_max * torch.rand(len(x), generator=generator).to(x)
        eps = randn(small.shape, like=x, generator=generator)
        beside = self.beside(small, s, eps)
        return self.painter.loss(x, cond=cond, beside=beside, generator=generator)

    @torch.no_grad()
    def sample(
        self,
        captions: Captions,
        small: Small,
        *,
        s: float = 0.0,
        guidance_scale: float = 1.0,
        n_steps: int = 6,
        generator: Generator | None = None,
    ) -> Large:
        """Draw one large picture for each small one.

        Args:
            captions: what the pictures show.
            small: in [-1, 1].
            s: noise put on them first, in [0, s_max].
            guidance_scale: w.
            n_steps: steps of the sampler.
            generator: source of all noise.

        Returns:
            In [-1, 1].

        Raises:
            ValueError: a strength that no training has shown.
        """
        if not 0 <= s <= self.s_max:
            raise ValueError(f"s must lie in [0, {self.s_max}], got {s}")
        small = small.to(self.painter.no_caption.state)
        eps = randn(small.shape, like=small, generator=generator)
        beside = self.beside(small, torch.full((len(small),), s).to(small), eps)
        return self.painter.sample(
            captions, guidance_scale=guidance_scale, n_steps=n_steps, beside=beside,
            generator=generator,
        )  # fmt: skip


@final
@dataclass(frozen=True)
class Glide:
    """The whole: captions in, pictures of 32 x 32 in [0, 1] out.

    Guidance is limited to the noise levels at which words are decided: in less noise it would only
    add contrast, and with it ink.
    """

    base: CaptionedPainter
    upsampler: Upsampler
    interval: tuple[float, float] | None = (0.4, 5.0)  # noise levels of the base that are guided

    def draw(
        self,
        captions: Captions,
        *,
        guidance_scale: float = 3.0,
        n_steps: int = 12,
        n_steps_up: int = 6,
        s: float = 0.0,
        generator: Generator | None = None,
    ) -> tuple[Small, Large]:
        """Draw one picture for each caption.

        Args:
            captions: strings, or rows of word numbers.
            guidance_scale: w of the small picture.
            n_steps: of the small picture.
            n_steps_up: of the large one.
            s: noise on the small picture that the upsampler sees.
            generator: source of all noise.

        Returns:
            Small and large pictures in [0, 1].
        """
        small = self.base.sample(
            captions, guidance_scale=guidance_scale, interval=self.interval, n_steps=n_steps,
            generator=generator,
        )  # fmt: skip
        large = self.upsampler.sample(captions, small, s=s, n_steps=n_steps_up, generator=generator)
        return (small + 1) / 2, (large + 1) / 2


KINDS = (10, 6, 3, 3)  # digits, colours, strokes, slants
UNSAID = -1


@final
class NoisyReader(nn.Module):
    r"""$p(c_k \mid x, \sigma)$ of every kind of word, for pictures with any amount of noise.

    Args:
        width: channels at a quarter of the pixels; a multiple of 8.

    Example:
        >>> reader = NoisyReader(8)
        >>> [logits.shape[1] for logits in reader(torch.zeros(2, 3, 16, 16), torch.ones(2))]
        [10, 6, 3, 3]
    """

    P_MEAN, P_STD = -0.6, 1.2  # of log sigma in training

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        d = 4 * width
        self.width = width
        self.embed = nn.Sequential(nn.Linear(width, d), nn.SiLU())
        self.stem = nn.Conv2d(12, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            [ResBlock(width, width, d), ResBlock(width, 2 * width, d), ResBlock(2 * width, 32, d)]
        )
        self.heads = nn.ModuleList(nn.Linear(32 * 16, n) for n in KINDS)

    def forward(self, x: Float[Tensor, " b 3 16 16"], sigma: PerExample) -> list[Tensor]:
        """Logits `(b, n)` for each kind of word.

        Args:
            x: picture in [-1, 1] plus noise of standard deviation `sigma`.
            sigma: `(b,)`, positive.
        """
        waves = time_embedding(sigma.log() / 4, self.width, scale=250.0)
        emb = self.embed(waves)
        h = self.stem(F.pixel_unshuffle(x / expand((1 + sigma**2).sqrt(), x), 2))
        h = self.blocks[0](h, emb)
        h = self.blocks[1](F.avg_pool2d(h, 2), emb)
        h = F.silu(self.blocks[2](h, emb)).flatten(1)
        return [head(h) for head in self.heads]

    def log_prob_of_words(
        self, x: Float[Tensor, " b 3 16 16"], sigma: PerExample, words: Int[Tensor, " b 4"]
    ) -> PerExample:
        """Sum over the words said of their log-probabilities, in nats.

        Args:
            x: noisy pictures.
            sigma: their noise.
            words: index of each kind of word, -1 where it is not said.
        """
        total = torch.zeros_like(sigma)
        for logits, word in zip(self(x, sigma), words.unbind(1), strict=True):
            log_p = logits.log_softmax(1).gather(1, word.clamp(min=0)[:, None])[:, 0]
            total = total + torch.where(word == UNSAID, 0.0, log_p)
        return total

    def loss(
        self,
        x: Float[Tensor, " b 3 16 16"],
        *,
        cond: Int[Tensor, " b 4"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Cross-entropy of pictures at log-normal noise levels, summed over kinds, in nats."""
        sigma = (self.P_MEAN + self.P_STD * randn((len(x),), like=x, generator=generator)).exp()
        eps = randn(x.shape, like=x, generator=generator)
        return -self.log_prob_of_words(x + expand(sigma, x) * eps, sigma, cond).mean()


def classifier_guided(
    denoiser: Denoiser, reader: NoisyReader, words: Int[Tensor, " b 4"], *, guidance_scale: float
) -> Denoiser:
    r"""An unconditional guess of the data, pulled up the slope of a classifier.

    $$D_w(x,\sigma) = D(x,\sigma) + w\,\sigma^2\,\nabla_x \log p_\phi(c\mid x,\sigma)$$

    Args:
        denoiser: $(x, \sigma) \mapsto \hat x_0$ without a caption.
        reader: reads noisy pictures.
        words: what the pictures should show.
        guidance_scale: w.

    Returns:
        $(x, \sigma) \mapsto \hat x_0$; one pass of the painter, and one forwards and backwards of
        the classifier.

    Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2, in EDM's coordinates.
    Lesson: notebooks/systems/glide.ipynb
    """

    def guess(x: Event, sigma: PerExample) -> Event:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            log_p = reader.log_prob_of_words(leaf, sigma, words).sum()
            (slope,) = torch.autograd.grad(log_p, leaf)
        scale = expand(sigma, x)
        eps = (x - denoiser(x, sigma)) / scale
        return x - scale * classifier_guided_eps(eps, slope, sigma, guidance_scale=guidance_scale)

    return guess
