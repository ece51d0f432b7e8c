r"""The VAE of the 8 x 8 digits: architecture and recipe in one place.

$$\text{encoder: } \mathbb R^{64}\to(\mu, \log\sigma^2)\in\mathbb R^{2\times8},\qquad
\text{decoder: } \mathbb R^8\to 64 \text{ tables of } 17 \text{ probabilities}$$

Two perceptrons and the plain bound; some seconds of training. The league table of lesson 15
reads the same weights.

Lesson: notebooks/06_vae_in_practice.ipynb
Source: Kingma and Welling 2013 (arXiv:1312.6114), algorithm 1.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor, nn

from genlab.data.digits import EVENT_SHAPE, N_LEVELS
from genlab.latent.vae import CategoricalVAE, kl_annealing
from genlab.nn.layers import MLP, MaskedConv2d, raster_mask
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    latent_dim: int = 8  # numbers in a code
    width: int = 256  # units of each hidden layer
    depth: int = 1  # hidden layers of the decoder; the encoder has two
    rank: int = 6  # features of a pixel from which its 17 logits are made
    dropout: float = 0.1  # share of pixels hidden from the encoder while it trains
    causal: bool = False  # may the decoder see earlier pixels?
    beta: float = 1.0  # weight of the divergence; 1 for the bound
    floor: float = 0.0  # free nats of each latent
    n_warm: int = 0  # steps in which the weight rises from 0 to beta
    n_steps: int = 1200
    batch_size: int = 64
    lr: float = 3e-3  # highest rate: 50 steps of rise, then half a cosine to zero
    weight_decay: float = 0.1
    seed: int = 6  # of weights, order of the data and latent draws


def digit_vae(recipe: Recipe = Recipe()) -> CategoricalVAE:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A VAE on grey levels 0..16.

    Example:
        >>> vae = digit_vae()
        >>> vae.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """
    k, n_pixels = recipe.latent_dim, EVENT_SHAPE[0] * EVENT_SHAPE[1] * EVENT_SHAPE[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder = MLP(n_pixels, 2 * k, recipe.width, 2)
        decoder = MLP(k, n_pixels * recipe.rank, recipe.width, recipe.depth)
        head = nn.Linear(recipe.rank, N_LEVELS)
        causal = _causal_features(recipe.rank) if recipe.causal else None
    return CategoricalVAE(
        nn.Sequential(nn.Flatten(), nn.Dropout(recipe.dropout), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (n_pixels, recipe.rank))),
        head,
        latent_dim=k,
        event_shape=EVENT_SHAPE,
        causal=causal,
    )


def _causal_features(rank: int, channels: int = 24) -> nn.Module:
    """Make a small PixelCNN: features of each pixel from those before it in raster order."""
    first = MaskedConv2d(1, channels, raster_mask(5, 5, sees_itself=False))
    second = MaskedConv2d(channels, channels, raster_mask(3, 3, sees_itself=True))
    last = nn.Conv2d(channels, rank, 1)
    return nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)


def train_digit_vae(
    vae: CategoricalVAE, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on grey levels 0..16; one record a step. Afterwards it is in evaluation mode.

    Args:
        vae: from `digit_vae`, changed in place.
        images: the training images.
        recipe: steps, rates, weight of the divergence and seed.

    Returns:
        The run of `fit`, the loss in nats for each image; nothing but the setting of `vae` happens
        until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    weight = kl_annealing(recipe.n_warm, recipe.beta)
    vae.floor = recipe.floor
    vae.train()

    def warm_up(step: int) -> None:
        vae.beta = weight(step)

    return fit(
        vae,
        minibatches(images, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(50, recipe.n_steps)),
        generator=generator,
        weight_decay=recipe.weight_decay,
        before=warm_up,
        finish=vae.eval,
    )
