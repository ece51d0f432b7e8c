"""The feature network's recipe: `genlab train digit_classifier`.

The training runs in double precision, so that another machine, or another number of threads,
arrives at the same weights up to rounding to single precision; it takes a few seconds. Only
the training part of the digits is used; validation and test are measured once, at the end.

Lesson: notebooks/09_evaluation.ipynb
"""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor

from genlab.core.tensors import last, make_generator
from genlab.data.digits import Split, load_digits
from genlab.metrics.features import DigitClassifier
from genlab.train import Run, cosine, fit, minibatches


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained network is."""

    n_steps: int = 1000
    batch_size: int = 128
    lr: float = 3e-3  # highest rate: half a cosine down to zero
    weight_decay: float = 0.01
    seed: int = 0  # of weights, order of the data and noise


def new_digit_classifier(seed: int) -> DigitClassifier:
    """Initialise the network from a seed, in double precision, without touching global noise.

    Args:
        seed: of the initial weights.

    Returns:
        An untrained network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DigitClassifier(torch.float64)


def start_digit_classifier(
    net: DigitClassifier,
    images: Int[Tensor, " n 1 8 8"],
    labels: Int[Tensor, " n"],
    recipe: Recipe = Recipe(),
) -> Run:
    """Train the feature network; after the last step its features are scaled.

    Args:
        net: from `new_digit_classifier`, changed in place.
        images: the training images.
        labels: their digits.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; nothing happens until it is consumed.
    """
    generator = make_generator(recipe.seed)

    def finish() -> None:
        net.set_scale(images)
        net.eval().requires_grad_(False)

    return fit(
        net,
        minibatches(images, recipe.batch_size, cond=labels, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps),
        generator=generator,
        weight_decay=recipe.weight_decay,
        finish=finish,
    )


def train_digit_classifier(seed: int = 0, *, n_steps: int = Recipe.n_steps) -> DigitClassifier:
    """Train the feature network on the training part of the digits.

    Args:
        seed: decides initial weights, order of the images and noise.
        n_steps: gradient steps; the learning rate falls to zero over them.

    Returns:
        The trained network, double precision, evaluation mode, no gradients.

    Raises:
        ValueError: `n_steps` is not positive.

    Lesson: notebooks/09_evaluation.ipynb
    """
    net = new_digit_classifier(seed)
    recipe = replace(Recipe(), seed=seed, n_steps=n_steps)
    last(start_digit_classifier(net, *load_digits("train"), recipe))
    return net


def accuracy(net: DigitClassifier, split: Split) -> float:
    """Share of the images of one part whose digit is recognised.

    Args:
        net: the classifier.
        split: "train", "val" or "test".

    Returns:
        A share in [0, 1].
    """
    images, labels = load_digits(split)
    return float((net(images).argmax(1) == labels).double().mean())
