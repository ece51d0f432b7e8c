r"""Classifier guidance: a network that reads captions off *noisy* pictures, and its slope.

$$\hat\epsilon = \epsilon_\theta(x_t, t, \varnothing) - w\,\sigma_t\,
\nabla_{x_t}\sum_{k \in \text{words said}} \log p_\phi(c_k \mid x_t, t)$$

The painter needs no captions for this; the classifier needs every noise level, because the sampler
asks it about states that are mostly noise. One head for each kind of word; kinds that a caption
leaves out do not pull.

Lesson: notebooks/systems/glide.ipynb
Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 4 and algorithm 2.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, expand
from genlab.nn.embedding import time_embedding
from genlab.nn.unet import ResBlock
from genlab.score.edm import Denoiser
from genlab.score.guidance import classifier_guided_eps

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
