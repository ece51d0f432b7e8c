r"""The PixelCNN of the 8 x 8 digits: architecture and recipe in one place.

$$p(x) = \prod_{r, c} \mathrm{softmax}\big(a_{rc}(x_{<rc})\big)_{x_{rc}}, \qquad x_{rc} \in \{0,
\dots, 16\}$$

Two stacks of masked convolutions and a softmax over 17 levels; some seconds of training. The
league table of lesson 15 reads the same weights.

Lesson: notebooks/02_autoregressive.ipynb
Source: van den Oord et al. 2016 (arXiv:1606.05328), section 2.2, with SiLU for the gates.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.autoregressive.images import PixelCNN, TwoStacks
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    width: int = 32  # channels of both stacks
    n_layer: int = 4  # layers of each stack, the first included
    n_steps: int = 440
    batch_size: int = 32
    lr: float = 1e-2  # highest rate: 20 steps of rise, then half a cosine to zero
    weight_decay: float = 0.01
    seed: int = 2  # of weights and order of the data


def digit_pixelcnn(recipe: Recipe = Recipe()) -> PixelCNN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A PixelCNN on grey levels 0..16.

    Example:
        >>> model = digit_pixelcnn(Recipe(width=8))
        >>> model.log_prob(torch.zeros(2, 1, 8, 8, dtype=torch.int64)).shape
        torch.Size([2])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return PixelCNN(TwoStacks(1, recipe.width, n_layer=recipe.n_layer), recipe.width)


def train_digit_pixelcnn(
    model: PixelCNN, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; afterwards it is in evaluation mode.

    Args:
        model: from `digit_pixelcnn`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, the loss in nats per pixel; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    return fit(
        model,
        minibatches(images, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(20, recipe.n_steps)),
        weight_decay=recipe.weight_decay,
        finish=model.eval,
    )
