r"""GLIDE: text to picture in pixel space, a small picture first and then a larger one. No VAE.

$$p(x_{32}\mid c) = p(x_{16}\mid c)\;p(x_{32}\mid x_{16}, c), \qquad x_{16} = \text{means of }
2\times2\text{ blocks of } x_{32}$$

Nichol et al. 2021 (arXiv:2112.10741), section 4; Ho et al. 2021 (arXiv:2106.15282), section 4.2.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.tensors import Event, PerExample, Rng, drawn, expand, randn, require_between
from genlab.nn.layers import time_embedding
from genlab.nn.text import Captions
from genlab.nn.unet import ResBlock
from genlab.score.edm import Denoiser, LogNormal
from genlab.score.guidance import classifier_guided_eps
from genlab.systems.text_diffusion import TextDiffusion


def shrink(large: Float[Tensor, " b 3 large large"]) -> Float[Tensor, " b 3 small small"]:
    """Halve a picture: means of 2 x 2 blocks."""
    return F.avg_pool2d(large, 2)


def nearest(small: Float[Tensor, " b 3 small small"]) -> Float[Tensor, " b 3 large large"]:
    """Double a picture by repeating each pixel four times; `shrink` undoes it."""
    return F.interpolate(small, scale_factor=2.0, mode="nearest")


def bicubic(small: Float[Tensor, " b 3 small small"]) -> Float[Tensor, " b 3 large large"]:
    """Double a picture in [-1, 1] by cubic interpolation, what overshoots cut off (Keys 1981)."""
    return F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False).clamp(-1, 1)


def sharpen(
    large: Float[Tensor, " b 3 large large"], amount: float
) -> Float[Tensor, " b 3 large large"]:
    r"""Unsharp masking of a picture in [-1, 1]: $x + a\,(x - Bx)$, B the binomial blur of 3 x 3."""
    line = torch.tensor([0.25, 0.5, 0.25], dtype=large.dtype, device=large.device)
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    framed = F.pad(large, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv2d(framed, kernel, groups=3)
    return (large + amount * (large - blurred)).clamp(-1, 1)


def enlarged(
    small: Float[Tensor, " b 3 small small"], amount: float
) -> Float[Tensor, " b 3 large large"]:
    """Double pictures in [0, 1] without a network: bicubic, then sharpened."""
    return (sharpen(bicubic(2 * small - 1), amount) + 1) / 2


class Upsampler(nn.Module):
    r"""$p(x_{32}\mid x_{16}, c)$: concatenated are the small picture and its noise, up to `s_max`.

    Ho et al. 2021, section 4.2; Saharia et al. 2022 (arXiv:2205.11487), section 2.4.
    """

    def __init__(self, denoiser: TextDiffusion, *, s_max: float = 0.5) -> None:
        super().__init__()
        self.painter, self.s_max = denoiser, s_max  # the name in the files of weights

    def condition(
        self,
        small: Float[Tensor, " b 3 small small"],
        s: PerExample,
        eps: Float[Tensor, " b 3 small small"],
    ) -> Float[Tensor, " b 4 large large"]:
        """What is concatenated: the small picture in [-1, 1], noisy and enlarged, and its noise."""
        seen = nearest(small + expand(s, small) * eps)
        return torch.cat([seen, expand(s, seen).expand_as(seen[:, :1])], 1)

    def loss(
        self,
        x: Float[Tensor, " b 3 large large"],
        *,
        cond: Int[Tensor, " b s"],
        generator: Rng = None,
    ) -> Float[Tensor, ""]:
        """Denoising loss of large pictures, given their own noisy small ones."""
        small = shrink(x)
        s = self.s_max * drawn(torch.rand, len(x), device=x.device, generator=generator).to(x)
        eps = randn(small.shape, like=x, generator=generator)
        condition = self.condition(small, s, eps)
        return self.painter.loss(x, cond=cond, concatenated=condition, generator=generator)

    @torch.no_grad()
    def draw(
        self,
        captions: Captions,
        small: Float[Tensor, " b 3 small small"],
        *,
        s: float = 0.0,
        guidance_scale: float = 1.0,
        n_steps: int = 6,
        generator: Rng = None,
    ) -> Float[Tensor, " b 3 large large"]:
        """Draw one large picture in [-1, 1] for each small one, noise of strength s put on it."""
        require_between(0, self.s_max, s=s)
        small = small.to(self.painter.no_caption.state)
        eps = randn(small.shape, like=small, generator=generator)
        condition = self.condition(small, torch.full((len(small),), s).to(small), eps)
        return self.painter.draw(
            captions, guidance_scale=guidance_scale, n_steps=n_steps, concatenated=condition,
            generator=generator,
        )  # fmt: skip


@dataclass(frozen=True)
class Glide:
    """The whole: captions in, pictures of 32 x 32 in [0, 1] out; guided in much noise only."""

    base: TextDiffusion
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
        generator: Rng = None,
    ) -> tuple[Float[Tensor, " b 3 small small"], Float[Tensor, " b 3 large large"]]:
        """Draw a small and a large picture in [0, 1] for each caption."""
        small = self.base.draw(
            captions, guidance_scale=guidance_scale, interval=self.interval, n_steps=n_steps,
            generator=generator,
        )  # fmt: skip
        large = self.upsampler.draw(captions, small, s=s, n_steps=n_steps_up, generator=generator)
        return (small + 1) / 2, (large + 1) / 2


KINDS = (10, 6, 3, 3)  # digits, colours, strokes, slants


class NoisyClassifier(nn.Module):
    r"""$p(c_k \mid x, \sigma)$ of every kind of word, for pictures with any amount of noise."""

    def __init__(self, width: int = 32, *, p_mean: float = -0.6, p_std: float = 1.2) -> None:
        super().__init__()
        self.levels = LogNormal(p_mean, p_std)  # of training
        d = 4 * width
        self.width = width
        self.embed = nn.Sequential(nn.Linear(width, d), nn.SiLU())
        self.stem = nn.Conv2d(12, width, 3, padding=1)
        sizes = ((width, width), (width, 2 * width), (2 * width, 32))
        self.blocks = nn.ModuleList(ResBlock(a, b, d) for a, b in sizes)
        self.heads = nn.ModuleList(nn.Linear(32 * 16, n) for n in KINDS)

    def forward(self, x: Float[Tensor, " b 3 16 16"], sigma: PerExample) -> list[Tensor]:
        """Logits `(b, n)` of each kind of word, for pictures with noise `sigma` added."""
        emb = self.embed(time_embedding(sigma.log() / 4, self.width, scale=250.0))
        h = self.stem(F.pixel_unshuffle(x / expand((1 + sigma**2).sqrt(), x), 2))
        h = self.blocks[0](h, emb)
        h = self.blocks[1](F.avg_pool2d(h, 2), emb)
        h = F.silu(self.blocks[2](h, emb)).flatten(1)
        return [head(h) for head in self.heads]

    def log_prob_of_words(
        self, x: Float[Tensor, " b 3 16 16"], sigma: PerExample, words: Int[Tensor, " b 4"]
    ) -> PerExample:
        """Sum of the log-probabilities of the words said, in nats; -1 is a word not said."""
        total = torch.zeros_like(sigma)
        for logits, word in zip(self(x, sigma), words.unbind(1), strict=True):
            log_p = logits.log_softmax(1).gather(1, word.clamp(min=0)[:, None])[:, 0]
            total = total + torch.where(word == -1, 0.0, log_p)
        return total

    def loss(
        self, x: Float[Tensor, " b 3 16 16"], *, cond: Int[Tensor, " b 4"], generator: Rng = None
    ) -> Float[Tensor, ""]:
        """Cross-entropy of pictures at log-normal noise levels, summed over kinds, in nats."""
        sigma = self.levels.draw(len(x), like=x, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        return -self.log_prob_of_words(x + expand(sigma, x) * eps, sigma, cond).mean()


def classifier_guided(
    denoiser: Denoiser,
    classifier: NoisyClassifier,
    words: Int[Tensor, " b 4"],
    *,
    guidance_scale: float,
) -> Denoiser:
    r"""An unconditional guess of the data, pulled up the slope of a classifier.

    $$D_w(x,\sigma) = D(x,\sigma) + w\,\sigma^2\,\nabla_x \log p_\phi(c\mid x,\sigma)$$

    Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2, in EDM's coordinates.
    """

    def guess(x: Event, sigma: PerExample) -> Event:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            log_p = classifier.log_prob_of_words(leaf, sigma, words).sum()
            (slope,) = torch.autograd.grad(log_p, leaf)
        scale = expand(sigma, x)
        eps = (x - denoiser(x, sigma)) / scale
        return x - scale * classifier_guided_eps(eps, slope, sigma, guidance_scale=guidance_scale)

    return guess
