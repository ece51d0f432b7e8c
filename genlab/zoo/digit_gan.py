r"""The GAN of the 8 x 8 digits: architecture and recipe in one place.

$$G: \mathbb R^{16} \to [-1, 1]^{8\times8}, \qquad l: \mathbb R^{8\times8} \to \mathbb R$$

Two perceptrons, the non-saturating loss and an $R_1$ penalty; some seconds of training. The
league table of lesson 15 reads the same weights.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1; Mescheder, Geiger and Nowozin 2018
(arXiv:1801.04406), eq. 9.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.adversarial.gan import GAN
from genlab.data.digits import EVENT_SHAPE, N_LEVELS
from genlab.nn.layers import MLP
from genlab.train import Run, fit_adversarial, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    latent_dim: int = 16  # numbers in a latent draw
    width: int = 256  # units of each of the two hidden layers, of both players
    gamma: float = 1.0  # weight of the R1 penalty
    n_steps: int = 1500  # steps of each player
    batch_size: int = 128  # real images, and as many generated ones, a step
    lr: float = 1e-3  # of both players
    seed: int = 7  # of weights, order of the data and latent draws


def digit_gan(recipe: Recipe = Recipe()) -> GAN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A GAN on images in [-1, 1].

    Example:
        >>> gan = digit_gan()
        >>> gan.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """
    n_pixels = EVENT_SHAPE[0] * EVENT_SHAPE[1] * EVENT_SHAPE[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        painter = MLP(recipe.latent_dim, n_pixels, recipe.width, 2, _leaky)
        critic = MLP(n_pixels, 1, recipe.width, 2, _leaky)
    return GAN(
        nn.Sequential(painter, nn.Tanh(), nn.Unflatten(1, EVENT_SHAPE)),
        nn.Sequential(nn.Flatten(), critic),
        latent_dim=recipe.latent_dim,
        event_shape=EVENT_SHAPE,
        gamma=recipe.gamma,
    )


def train_digit_gan(gan: GAN, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()) -> Run:
    """Train it on grey levels 0..16; one record a step, with both losses.

    Args:
        gan: from `digit_gan`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit_adversarial`; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    batches = minibatches(to_unit(images), recipe.batch_size, generator=generator)
    return fit_adversarial(gan, batches, n_steps=recipe.n_steps, lr=recipe.lr, generator=generator)


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
        Like `x`, in [0, 16]: what a feature network expects.
    """
    return (x + 1) * ((N_LEVELS - 1) / 2)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)
