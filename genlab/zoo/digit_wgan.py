r"""The WGAN-GP of the 8 x 8 digits: architecture and recipe in one place.

$$G: \mathbb R^{16} \to [-1, 1]^{8\times8}, \qquad f: \mathbb R^{8\times8} \to \mathbb R, \qquad
\lVert\nabla f\rVert \approx 1$$

Two perceptrons, three steps of the critic for each of the generator, the gradient penalty between
pairs; some seconds of training. The league table of lesson 15 reads the same weights.

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Source: Gulrajani et al. 2017 (arXiv:1704.00028), algorithm 1.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor, nn

from genlab.adversarial.gan import WGAN
from genlab.data.digits import EVENT_SHAPE
from genlab.nn.layers import MLP
from genlab.train import Run, fit_adversarial, minibatches
from genlab.zoo.digit_gan import to_unit


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    latent_dim: int = 16  # numbers in a latent draw
    width: int = 192  # units of each of the two hidden layers, of both players
    penalty: float = 10.0  # weight of the gradient penalty
    n_steps: int = 450  # steps of the generator
    n_critic: int = 3  # steps of the critic for each of them
    batch_size: int = 64  # real images, and as many generated ones, a step
    lr_critic: float = 1e-3
    lr_generator: float = 5e-4
    seed: int = 8  # of weights, order of the data and latent draws


def digit_wgan(recipe: Recipe = Recipe()) -> WGAN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes, penalty and seed.

    Returns:
        A WGAN on images in [-1, 1].

    Example:
        >>> wgan = digit_wgan()
        >>> wgan.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])
    """
    n_pixels = EVENT_SHAPE[0] * EVENT_SHAPE[1] * EVENT_SHAPE[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        painter = MLP(recipe.latent_dim, n_pixels, recipe.width, 2)
        critic = MLP(n_pixels, 1, recipe.width, 2)
    return WGAN(
        nn.Sequential(painter, nn.Tanh(), nn.Unflatten(1, EVENT_SHAPE)),
        nn.Sequential(nn.Flatten(), critic),
        latent_dim=recipe.latent_dim,
        event_shape=EVENT_SHAPE,
        penalty=recipe.penalty,
    )


def train_digit_wgan(wgan: WGAN, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()) -> Run:
    """Train it on grey levels 0..16; one record for each step of the generator.

    Args:
        wgan: from `digit_wgan`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit_adversarial`; minus the critic's loss estimates the distance. Nothing
        happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    return fit_adversarial(
        wgan,
        minibatches(to_unit(images), recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        n_critic=recipe.n_critic,
        lr=(recipe.lr_critic, recipe.lr_generator),
        generator=generator,
    )
