r"""The noise-conditional score network of the 8 x 8 digits: architecture and recipe in one place.

$$\sigma_1 = 10 > \dots > \sigma_{14} = 0.2, \qquad x \in [-1, 1]^{8\times8}$$

The largest distance between two training digits is 9.6, so at the top all of them are one hill;
at the bottom the noise is one and a half grey levels. In between, neighbours overlap by about a
half.

Lesson: notebooks/11_score_matching.ipynb
Sources: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; Song and Ermon 2020
(arXiv:2006.09011), techniques 1 and 2.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.data.digits import EVENT_SHAPE, N_LEVELS
from genlab.score.matching import NCSN, LevelMLP, noise_ladder
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    sigma_max: float = 10.0  # the largest distance between two examples
    sigma_min: float = 0.2  # the last noise, which Tweedie's formula then removes
    n_levels: int = 14  # rungs of the ladder
    data_std: float = 0.85  # root mean square of a pixel in [-1, 1]
    width: int = 256  # units of a residual block
    depth: int = 3  # residual blocks
    n_steps: int = 1500  # gradient steps
    batch_size: int = 128  # images a step
    lr: float = 4e-3  # highest learning rate; it falls along a cosine
    rate: float = 0.1  # Langevin step over the square of the level
    langevin_steps: int = 10  # at each level
    seed: int = 11  # of weights, order of the data, levels and noise


def digit_ncsn(recipe: Recipe = Recipe()) -> NCSN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A score network on images in [-1, 1].

    Example:
        >>> model = digit_ncsn(Recipe(width=8, langevin_steps=1))
        >>> model.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """
    n_pixels = EVENT_SHAPE[0] * EVENT_SHAPE[1] * EVENT_SHAPE[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = LevelMLP(n_pixels, width=recipe.width, depth=recipe.depth)
    sigmas = noise_ladder(recipe.sigma_max, recipe.sigma_min, recipe.n_levels)
    return NCSN(
        net,
        sigmas,
        event_shape=EVENT_SHAPE,
        data_std=recipe.data_std,
        rate=recipe.rate,
        n_steps=recipe.langevin_steps,
    )


def train_digit_ncsn(
    model: NCSN, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; one record a step.

    Args:
        model: from `digit_ncsn`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; nothing happens until its records are consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    batches = minibatches(to_unit(images), recipe.batch_size, generator=generator)
    lr = cosine(recipe.lr, recipe.n_steps, warmup=min(50, recipe.n_steps))
    return fit(model, batches, n_steps=recipe.n_steps, lr=lr, generator=generator)


def to_unit(images: Int[Tensor, " n 1 8 8"]) -> Float[Tensor, " n 1 8 8"]:
    r"""Scale grey levels 0..16 to [-1, 1], in torch's default dtype: $x = g/8 - 1$.

    Args:
        images: grey levels.

    Returns:
        Like `images`.
    """
    return images.to(torch.get_default_dtype()) / ((N_LEVELS - 1) / 2) - 1


def to_grey(x: Float[Tensor, " n 1 8 8"]) -> Float[Tensor, " n 1 8 8"]:
    r"""Undo `to_unit` without rounding: $g = 8\,(x + 1)$.

    Args:
        x: images in [-1, 1].

    Returns:
        Like `x`, about in [0, 16]: what a feature network expects.
    """
    return (x + 1) * ((N_LEVELS - 1) / 2)
