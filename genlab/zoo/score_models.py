"""The trained score models of lessons 10 to 12, by name.

Each is the recipe of its lesson, with the figures that its card states. The energy and the noise
ladder have no likelihood to print; the diffusion chain has a bound.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import copy
import math
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.stats import bits_per_dim
from genlab.data.digits import N_CLASSES, load_digits
from genlab.metrics.features import load_classifier
from genlab.score.diffusion import DDPM
from genlab.score.energy import EBM
from genlab.zoo.cards import SEED, Figures, default_dtype, digit_distance, drawn
from genlab.zoo.digit_diffusion import Recipe as DiffusionRecipe
from genlab.zoo.digit_diffusion import digit_diffusion, scale, to_levels, train_digit_diffusion
from genlab.zoo.digit_ebm import Recipe as EBMRecipe
from genlab.zoo.digit_ebm import denoise, digit_ebm, train_digit_ebm
from genlab.zoo.digit_ncsn import Recipe as NCSNRecipe
from genlab.zoo.digit_ncsn import digit_ncsn, train_digit_ncsn
from genlab.zoo.lessons import DIGITS, digits_digest
from genlab.zoo.train import Training


def draw_clean(ebm: EBM, n: int, generator: Generator) -> Tensor:
    """Draw from the energy's stored chains and remove the noise that it was trained with.

    Args:
        ebm: trained.
        n: how many, at most the pool's size.
        generator: chooses the chains.

    Returns:
        `(n, 1, 8, 8)` grey levels, whole numbers.
    """
    x = drawn(ebm, n, generator).to(ebm.chains.states.dtype if ebm.chains else None)
    with torch.enable_grad():  # the slope of the energy is a gradient
        return to_levels(denoise(ebm, x, sigma=ebm.data_noise))


def draw_told(model: DDPM, n: int, generator: Generator) -> Tensor:
    """Draw a digit's class, each equally often, then an image of that class.

    Args:
        model: class-conditional.
        n: how many.
        generator: of the noise.

    Returns:
        `(n, 1, 8, 8)` grey levels, whole numbers.
    """
    cond = torch.arange(n) % N_CLASSES
    with default_dtype(torch.float32):
        return to_levels(copy.deepcopy(model).float().sample(n, cond=cond, generator=generator))


def told_bits(model: Any, images: Tensor, *, n_draws: int = 2) -> float:
    r"""Bits per dimension of images under "a class, then an image of it", as a bound.

    $$\log p(x) = \log\sum_c \tfrac1{10}\,p(x\mid c) \;\ge\;
    \log p(x \mid \hat c(x)) - \log 10 \;\ge\; \mathrm{ELBO}(x\mid\hat c(x)) - \log 10$$

    for any guess $\hat c(x)$ of the class; ours is that of the metrics' classifier.

    Args:
        model: class-conditional.
        images: grey levels.
        n_draws: of the chain's noise, for each image.

    Returns:
        The mean over images, in bits per dimension.
    """
    guess = load_classifier()(images).argmax(1)
    generator = Generator().manual_seed(SEED)
    x = scale(images)
    bounds = [model.elbo(x, cond=guess, generator=generator) for _ in range(n_draws)]
    nats = torch.stack(bounds).mean() - math.log(N_CLASSES)
    return float(bits_per_dim(-nats, images[0].numel()))


def _measure_levels(model: Any) -> Figures:
    """Samples in [-1, 1], rounded to grey levels."""
    return digit_distance(lambda n, generator: to_levels(drawn(model, n, generator)))


def _measure_energy(ebm: EBM) -> Figures:
    found = digit_distance(lambda n, generator: draw_clean(ebm, n, generator))
    return {"kind": "unnormalised", **found}


def _measure_chain(model: DDPM) -> Figures:
    bits = told_bits(model, load_digits("test").images)
    return {"bits_per_dim": bits, "kind": "bound", **digit_distance(partial(draw_told, model))}


TRAININGS: tuple[Training, ...] = (
    Training(
        name="digit_ebm",
        what="energy of the digits: persistent chains, noise on the data",
        lesson=10,
        seconds=20,
        settings=EBMRecipe(),
        build=digit_ebm,
        start=lambda model, recipe: train_digit_ebm(model, load_digits("train").images, recipe),
        measure=_measure_energy,
        data=DIGITS,
        digest=digits_digest,
    ),
    Training(
        name="digit_ncsn",
        what="score of the digits at 14 noise levels, drawn by annealed Langevin",
        lesson=11,
        seconds=20,
        settings=NCSNRecipe(),
        build=digit_ncsn,
        start=lambda model, recipe: train_digit_ncsn(model, load_digits("train").images, recipe),
        measure=_measure_levels,
        data=DIGITS,
        digest=digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_diffusion",
        what="diffusion of the digits: 100 steps, told the digit or not",
        lesson=12,
        seconds=20,
        settings=DiffusionRecipe(),
        build=digit_diffusion,
        start=lambda model, recipe: train_digit_diffusion(model, *load_digits("train"), recipe),
        measure=_measure_chain,
        data=DIGITS,
        digest=digits_digest,
    ),
)
