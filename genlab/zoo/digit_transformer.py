r"""The image transformer of the 8 x 8 digits: architecture and recipe in one place.

$$p(x) = \prod_{i=1}^{64} \mathrm{softmax}\big(f_\theta(x_1, \dots, x_{i-1})\big)_{x_i}$$

Pixels are tokens, read in raster order; that pixel 12 lies below pixel 4 is learned. Some seconds
of training. The league table of lesson 15 reads the same weights.

Lesson: notebooks/02_autoregressive.ipynb
Source: Chen et al. 2020 ("Generative pretraining from pixels", ICML), section 3.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.autoregressive.images import ImageTransformer
from genlab.data.digits import EVENT_SHAPE, N_LEVELS
from genlab.nn.transformer import TransformerConfig
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    d_model: int = 32  # width of the residual stream
    n_layer: int = 2
    n_head: int = 4
    d_hidden: int = 64  # width inside the gated MLP
    n_steps: int = 440
    batch_size: int = 16
    lr: float = 1e-2  # highest rate: 20 steps of rise, then half a cosine to zero
    weight_decay: float = 0.01
    seed: int = 2  # of weights and order of the data


def digit_transformer(recipe: Recipe = Recipe()) -> ImageTransformer:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A transformer on grey levels 0..16 in raster order.

    Example:
        >>> model = digit_transformer(Recipe(d_model=8, n_layer=1))
        >>> model.log_prob(torch.zeros(2, 1, 8, 8, dtype=torch.int64)).shape
        torch.Size([2])
    """
    config = TransformerConfig(
        d_model=recipe.d_model,
        n_layer=recipe.n_layer,
        n_head=recipe.n_head,
        n_kv_head=recipe.n_head,
        d_hidden=recipe.d_hidden,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return ImageTransformer(N_LEVELS, EVENT_SHAPE, config)


def train_digit_transformer(
    model: ImageTransformer, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; afterwards it is in evaluation mode.

    Args:
        model: from `digit_transformer`, changed in place.
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
