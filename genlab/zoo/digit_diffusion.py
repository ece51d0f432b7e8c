r"""The diffusion model of the 8 x 8 digits: architecture and recipe in one place.

$$\epsilon_\theta(x_t, t, c), \qquad c \in \{0, \dots, 9,\ \text{no class}\}$$

One small U-Net is told the step and the digit to draw. In a tenth of the rows of each batch the
digit is withheld, so the same network also knows the law of all digits together; guidance
(lesson 13) needs both. The weights that sample are an average over the last steps of training.

Lesson: notebooks/12_diffusion_i.ipynb (used again in 13, 14 and 15)
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), appendix B; Ho and Salimans 2022
(arXiv:2207.12598), algorithm 1.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.tensors import require_finite
from genlab.data.digits import EVENT_SHAPE, N_CLASSES, N_LEVELS
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.diffusion import DDPM, Bins, Table, linear_rate_betas
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA

NO_CLASS = N_CLASSES  # the label that means "not told"
GREY = Bins(width=2 / (N_LEVELS - 1), low=-1.0, high=1.0)  # where `scale` puts the levels


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    T: int = 100  # noising steps; the network is told integers 0..T-1 (or reals between)
    first: float = 0.1  # rate of the noise at the start of a linear schedule
    last: float = 20.0  # and at its end: the usual 1e-4 to 0.02, cut into T steps
    width: int = 16  # channels of the U-Net at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of its two levels, in units of width
    p_drop: float = 0.1  # share of rows whose class is withheld
    n_steps: int = 600
    batch_size: int = 64
    lr: float = 5e-3  # highest rate: 50 steps of rise, then half a cosine to zero
    decay: float = 0.99  # of the averaged weights
    seed: int = 12  # of weights, order of the data, steps, noise and dropped labels


def scale(images: Int[Tensor, " n 1 8 8"]) -> Float[Tensor, " n 1 8 8"]:
    r"""Grey levels 0..16 to [-1, 1], in torch's default dtype: $x = g/8 - 1$.

    Args:
        images: grey levels.

    Returns:
        Like `images`; neighbouring levels are 1/8 apart.

    Example:
        >>> scale(torch.tensor([0, 8, 16, 4]).reshape(4, 1, 1, 1).expand(4, 1, 8, 8))[:, 0, 0, 0]
        tensor([-1.0000,  0.0000,  1.0000, -0.5000])
    """
    return images.to(torch.get_default_dtype()) / ((N_LEVELS - 1) / 2) - 1


def to_levels(x: Float[Tensor, " n 1 8 8"]) -> Int[Tensor, " n 1 8 8"]:
    r"""Undo `scale`: the nearest grey level, with everything outside [-1, 1] cut off.

    $$g = \mathrm{round}\big(8\,(x + 1)\big) \in \{0, \dots, 16\}$$

    Args:
        x: images, about in [-1, 1].

    Returns:
        Like `x`, whole numbers.

    Example:
        >>> to_levels(torch.tensor([-1.3, 0.01, 1.0, -0.52]).reshape(4, 1, 1, 1)
        ...           .expand(4, 1, 8, 8))[:, 0, 0, 0]
        tensor([ 0,  8, 16,  4])
    """
    require_finite(x=x)
    return ((x + 1) * ((N_LEVELS - 1) / 2)).round().clamp(0, N_LEVELS - 1).long()


def schedule(recipe: Recipe = Recipe()) -> Table:
    """The recipe's noise variances, `(T,)`.

    Args:
        recipe: T and the two ends.

    Returns:
        `linear_rate_betas`: with another T the same noise comes in more or fewer steps.
    """
    return linear_rate_betas(recipe.T, first=recipe.first, last=recipe.last)


def digit_diffusion(recipe: Recipe = Recipe()) -> DDPM:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes, schedule and seed.

    Returns:
        A class-conditional DDPM on images in [-1, 1]; `cond` holds digits 0..9, or 10 for "no
        class", and without `cond` no image is told its class. Its bound is one on the probability
        of the 17 grey levels, comparable with that of a discrete model.

    Example:
        >>> ddpm = digit_diffusion(Recipe(T=3))
        >>> digits = torch.tensor([3, NO_CLASS])
        >>> ddpm.sample(2, cond=digits, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """
    config = UNetConfig(width=recipe.width, mults=recipe.mults, n_classes=N_CLASSES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = UNet(config)
    return DDPM(net, schedule(recipe), event_shape=EVENT_SHAPE, conditional=True, bins=GREY)


def train_digit_diffusion(
    model: DDPM,
    images: Int[Tensor, " n 1 8 8"],
    labels: Int[Tensor, " n"],
    recipe: Recipe = Recipe(),
) -> Run:
    """Train it on grey levels 0..16; one record a step.

    While records come, the model holds the weights that are being trained; after the last one it
    holds their average, in evaluation mode.

    Args:
        model: from `digit_diffusion`, changed in place.
        images: the training images.
        labels: their digits.
        recipe: steps, rates, share of withheld classes and seed.

    Returns:
        The run of `fit`, the loss a mean square; nothing is trained until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    average = EMA(model, recipe.decay)

    def withhold(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, label = batch
        withheld = torch.rand(label.shape, generator=generator) < recipe.p_drop
        return x, label.masked_fill(withheld, NO_CLASS)

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        model,
        minibatches(
            scale(images), recipe.batch_size, cond=labels, generator=generator, change=withhold
        ),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(50, recipe.n_steps)),
        generator=generator,
        after=lambda _: average.update(model),
        finish=finish,
        keep={"average": average},
    )
