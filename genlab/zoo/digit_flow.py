r"""The spline flow of the 8 x 8 digits: architecture and recipe in one place.

$$z \sim \mathcal N(0, I) \;\to\; 4 \times (\text{spline coupling, linear map}) \;\to\;
y \in [0, 1]^{64}, \qquad \log P(x) \ge \mathbb E_u \log p\big(\tfrac{x + u}{17}\big) - 64\log 17$$

Untrained it is the histogram of each pixel; some seconds of training add what the pixels know of
each other. The league table of lesson 15 reads the same weights.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Durkan et al. 2019 (arXiv:1906.04032), section 3; Theis, van den Oord and Bethge 2015
(arXiv:1511.01844), section 3.1.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.data.digits import N_LEVELS
from genlab.flow.dequantization import DequantisedFlow, pixel_flow
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    n_layers: int = 4  # couplings, each followed by a linear map
    width: int = 64  # of the networks in the couplings
    n_bins: int = 5  # of their splines
    n_steps: int = 400
    batch_size: int = 128
    lr: float = 5e-3  # highest rate: 50 steps of rise, then half a cosine to zero
    clip: float = 50.0  # largest norm of a gradient
    weight_decay: float = 0.3
    seed: int = 4  # of weights, order of the data and dequantising noise


def digit_flow(pixels: Int[Tensor, " n 64"], recipe: Recipe = Recipe()) -> DequantisedFlow:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        pixels: the training images as rows; only the histogram of each pixel is used.
        recipe: sizes and seed.

    Returns:
        A flow with uniform dequantisation on rows of grey levels 0..16.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return pixel_flow(
            pixels,
            N_LEVELS,
            n_layers=recipe.n_layers,
            width=recipe.width,
            n_bins=recipe.n_bins,
        )


def train_digit_flow(
    model: DequantisedFlow, pixels: Int[Tensor, " n 64"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; afterwards it is in evaluation mode.

    Args:
        model: from `digit_flow`, changed in place.
        pixels: the training images as rows.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, the loss minus the bound in nats; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    return fit(
        model,
        minibatches(pixels, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(50, recipe.n_steps)),
        generator=generator,
        clip=recipe.clip,
        weight_decay=recipe.weight_decay,
        finish=model.eval,
    )
