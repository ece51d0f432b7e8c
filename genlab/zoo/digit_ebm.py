r"""The energy model of the 8 x 8 digits: architecture, recipe and stabilisers in one place.

$$E(x) = f_\theta(x) + \frac{\lVert x\rVert^2}{2 s^2}, \qquad x = g/8 - 1 + \sigma\epsilon$$

One perceptron learns the law of digits with noise of standard deviation $\sigma$ on them, at
temperature 1, with persistent chains that begin in noise. Five numbers keep it stable: the noise
(a law without sharp edges), the quadratic (a finite Z), slow updates that fade to nothing, many
chain steps for each of them, and a few chains begun afresh.

Lesson: notebooks/10_energy_based_models.ipynb (used again in 15)
Sources: Tieleman 2008, ICML, section 3; Du and Mordatch 2019 (arXiv:1903.08689), section 3; Nijkamp
et al. 2020 (arXiv:1903.12370), section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event
from genlab.data.digits import EVENT_SHAPE
from genlab.nn.layers import MLP
from genlab.score.energy import EBM, PersistentChains, score_from_energy
from genlab.train import Run, fit, minibatches
from genlab.zoo.digit_diffusion import scale


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    width: int = 256  # units of each of the two hidden layers
    data_noise: float = 0.3  # sigma, standard deviation of the noise on the data
    base_std: float = 0.7  # s of the quadratic, and of a fresh chain
    step_size: float = 0.02  # eta of the chains, well below sigma^2 / 2: see the lesson
    chain_steps: int = 20  # Langevin steps for each update
    n_chains: int = 1024  # states in the pool
    p_restart: float = 0.05  # share of chains begun afresh at each use
    n_steps: int = 450  # updates
    batch_size: int = 128  # examples, and as many chains, for an update
    lr: float = 7e-3  # constant for two fifths of the updates, then falling to nothing
    seed: int = 10  # of weights, chains and order of the data


def digit_ebm(recipe: Recipe = Recipe()) -> EBM:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        An EBM on images in about [-1, 1], with its chains in noise.

    Example:
        >>> digit_ebm().energy(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2])
    """
    generator = Generator().manual_seed(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        energy_net = nn.Sequential(nn.Flatten(), MLP(64, 1, recipe.width, 2))
    return EBM(
        energy_net,
        event_shape=EVENT_SHAPE,
        step_size=recipe.step_size,
        n_steps=recipe.chain_steps,
        chains=PersistentChains(
            recipe.n_chains,
            EVENT_SHAPE,
            start_std=recipe.base_std,
            p_restart=recipe.p_restart,
            generator=generator,
        ),
        base_std=recipe.base_std,
        data_noise=recipe.data_noise,
    )


def train_digit_ebm(ebm: EBM, images: Int[Tensor, " n 1 8 8"], recipe: Recipe = Recipe()) -> Run:
    """Train it on grey levels 0..16; one record an update.

    Args:
        ebm: from `digit_ebm`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; nothing happens until its records are consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    batches = minibatches(scale(images), recipe.batch_size, generator=generator)
    lr = fading(recipe.lr, recipe.n_steps)
    return fit(ebm, batches, n_steps=recipe.n_steps, lr=lr, generator=generator)


def fading(lr: float, n_steps: int) -> Callable[[int], float]:
    r"""A rate that is constant for two fifths of the steps and then falls to nothing.

    $$\eta_k = \eta\,\min\Big(1, \frac{n-k}{0.6\,n}\Big)$$

    Chains can only follow a model that slows down.

    Args:
        lr: the constant rate.
        n_steps: n.

    Returns:
        A function of the step index 0, 1, ...
    """
    return lambda k: lr * min(1.0, (n_steps - k) / (0.6 * n_steps))


def denoise(ebm: EBM, x: Event, *, sigma: float) -> Event:
    r"""The average clean image behind a noisy one, from the model's slope.

    $$\mathbb E[x_0 \mid x] = x + \sigma^2\,\nabla\log p(x) = x - \sigma^2\,\nabla E(x)$$

    Exact when the energy is that of data with noise $\sigma$ (Tweedie's formula, lesson 11).

    Args:
        ebm: model of the noisy data.
        x: noisy images, `(b, *event)`.
        sigma: the noise that the model was trained with.

    Returns:
        Like `x`.

    Source: Efron 2011, "Tweedie's formula and selection bias", eq. 1.4.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    return x + sigma**2 * score_from_energy(ebm.energy, x)


def fresh_samples(
    ebm: EBM, n: int, *, n_steps: int, generator: Generator | None = None
) -> Float[Tensor, " n 1 8 8"]:
    """Run chains from noise that training never saw: the honest test of what the energy holds.

    The pool's chains were there while the energy was shaped around them; these were not.

    Args:
        ebm: the model.
        n: chains.
        n_steps: Langevin steps.
        generator: source of the starts and of the noise.

    Returns:
        States after the last step.
    """
    like = next(ebm.parameters())
    start = torch.randn((n, *ebm.event_shape), dtype=like.dtype, generator=generator)
    return ebm.walk((ebm.base_std or 1.0) * start, n_steps, generator)
