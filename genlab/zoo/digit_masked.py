r"""Masked diffusion of the 8 x 8 digits: architecture and recipe in one place.

$$p_\theta(x_0^i \mid x_t) = \mathrm{softmax}\big(a_i(x_t)\big), \qquad
x_t^i \in \{0, \dots, 16, \text{hidden}\}$$

A U-Net reads what is in sight and guesses all 64 pixels at once. Hidden pixels are drawn a few at a
time: 64 passes make an autoregressive model in a random order, 8 passes a parallel one.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Source: Sahoo et al. 2024 (arXiv:2406.07524), section 3.5, on pixels; Hoogeboom et al. 2022
(arXiv:2110.02037), section 3.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, last
from genlab.data.digits import EVENT_SHAPE, N_LEVELS
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.masked import Filler, mask_count, masked_nll, masked_sample
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA

HIDDEN = N_LEVELS  # the level that means "not seen yet"


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    width: int = 24  # channels of the U-Net at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of its two levels, in units of width
    dropout: float = 0.1
    n_steps: int = 2500
    batch_size: int = 64
    lr: float = 4e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    weight_decay: float = 0.01
    decay: float = 0.998  # of the averaged weights
    seed: int = 17  # of weights, order of the data and masks


@final
class PixelFiller(nn.Module):
    """Guesses of all pixels from those in sight: level, whether it is hidden, whether it is paper.

    Args:
        net: an image of three channels and the share hidden to `n_levels` channels.
        event_shape: `(1, h, w)`.
        n_levels: grey levels; level `n_levels` means "hidden".
    """

    def __init__(self, net: UNet, event_shape: tuple[int, ...], n_levels: int) -> None:
        super().__init__()
        self.net, self.n_levels = net, n_levels
        self.offset = nn.Parameter(torch.zeros(*event_shape, n_levels))

    def forward(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b 1 h w k"]:
        """Logits of every pixel; those of pixels in sight mean nothing."""
        hidden, dtype = x == self.n_levels, self.offset.dtype
        level = (x.to(dtype) * (2 / (self.n_levels - 1)) - 1).masked_fill(hidden, 0)
        channels = torch.cat([level, hidden.to(dtype), (x == 0).to(dtype)], 1)
        out: Tensor = self.net(channels, hidden.to(dtype).mean((1, 2, 3)))
        logits: Tensor = out.permute(0, 2, 3, 1)[:, None] + self.offset
        return logits


@final
class MaskedDiffusion(nn.Module):
    r"""Diffusion of tokens by hiding them: trains on random counts, samples in parallel steps.

    Its bound is that of infinitely many steps; `sample` takes `n_steps`, a different law for each
    number, nearer to the bound's the more there are.

    Args:
        filler: tokens, some hidden, to logits `(b, *event, n_tokens)`.
        event_shape: shape of one example.
        n_tokens: values of a token; this number itself stands for "hidden".
        n_steps: of the sampler.
        n_draws: masks that `elbo` averages over, one pass each.

    Example:
        >>> even = nn.Module()
        >>> even.forward = lambda x: torch.zeros(*x.shape, 4)
        >>> model = MaskedDiffusion(even, event_shape=(6,), n_tokens=4, n_steps=3)
        >>> model.sample(2).shape, model.elbo(torch.zeros(1, 6, dtype=torch.long)) / 6
        (torch.Size([2, 6]), tensor([-1.3863]))
    """

    def __init__(
        self,
        filler: nn.Module,
        *,
        event_shape: tuple[int, ...],
        n_tokens: int,
        n_steps: int = 16,
        n_draws: int = 4,
    ) -> None:
        super().__init__()
        self.filler, self.event_shape, self.n_tokens = filler, event_shape, n_tokens
        self.n_steps, self.n_draws = n_steps, n_draws

    def nll_term(self, x: Tensor, *, generator: Generator | None = None) -> PerExample:
        """One random term of the bound for each example: counts spread evenly over the batch."""
        n, b = x[0].numel(), len(x)
        place = (torch.rand((), generator=generator) + torch.arange(b) / b) % 1
        count = (place * n).floor().long().clamp(max=n - 1).to(x.device) + 1
        count = count[torch.randperm(b, generator=generator).to(x.device)]
        u = torch.rand(x.shape, generator=generator).to(x.device)
        x_t = mask_count(x, count, u, mask=self.n_tokens)
        logits: Tensor = self.filler(x_t)
        return masked_nll(logits, x, x_t == self.n_tokens, count.to(logits) / n)

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Minus the bound per token, in nats, mean over the batch."""
        if cond is not None:
            raise ValueError("MaskedDiffusion.loss: cond is given, expected None")
        return self.nll_term(x, generator=generator).mean() / x[0].numel()

    def elbo(self, x: Tensor, *, generator: Generator | None = None) -> PerExample:
        """Random bound on log p(x) in nats, of the sampler that reveals one token at a time."""
        terms = [self.nll_term(x, generator=generator) for _ in range(self.n_draws)]
        return -torch.stack(terms).mean(0)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        cond: Tensor | None = None,
        generator: Generator | None = None,
        n_steps: int | None = None,
    ) -> Tensor:
        """Draw `n` examples in `n_steps` passes."""
        if cond is not None:
            raise ValueError("MaskedDiffusion.sample: cond is given, expected None")
        model: Filler = self.filler
        hidden = torch.full((n, *self.event_shape), self.n_tokens)
        steps = masked_sample(
            model, hidden, n_steps or self.n_steps, mask=self.n_tokens, generator=generator
        )
        return last(steps)


def digit_masked(recipe: Recipe = Recipe()) -> MaskedDiffusion:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A masked diffusion on grey levels 0..16.

    Example:
        >>> model = digit_masked(Recipe(width=8))
        >>> model.sample(2, n_steps=1).shape
        torch.Size([2, 1, 8, 8])
    """
    config = UNetConfig(
        c_in=3, c_out=N_LEVELS, width=recipe.width, mults=recipe.mults,
        time_scale=100.0, dropout=recipe.dropout,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        filler = PixelFiller(UNet(config), EVENT_SHAPE, N_LEVELS)
    return MaskedDiffusion(filler, event_shape=EVENT_SHAPE, n_tokens=N_LEVELS)


def train_digit_masked(
    model: MaskedDiffusion, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; afterwards it holds its averaged weights.

    Args:
        model: from `digit_masked`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, the loss in nats per pixel; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    average = EMA(model, recipe.decay)

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        model,
        minibatches(images, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        clip=1.0,
        weight_decay=recipe.weight_decay,
        after=lambda _: average.update(model),
        finish=finish,
        keep={"average": average},
    )
