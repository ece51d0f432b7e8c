"""What a card says about a model: the figures, and the one way in which each is measured.

Likelihoods are measured in double precision, samples are drawn in single, both with a seeded
generator and on data that no training saw, so that a figure comes out the same on another machine:
to its digits, or, where one rounding may turn one pixel of a sample, to one part in a hundred.
Lesson: notebooks/09_evaluation.ipynb
"""

import contextlib
import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.capabilities import likelihood_kind, log_likelihood
from genlab.core.stats import bits_per_dim
from genlab.data.digits import load_digits
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier

SEED = 0  # of every draw that a figure needs
N_SAMPLES = 1000  # generated images of a Frechet distance
Figures = dict[str, Any]


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Let new tensors have `dtype` for a while.

    Args:
        dtype: float32, float64, ...
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def digest(*tensors: Tensor) -> str:
    """Name data by its content.

    Args:
        tensors: of integers.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 over shapes and values.

    Example:
        >>> digest(torch.arange(3)) == digest(torch.arange(3)), len(digest(torch.arange(3)))
        (True, 16)
    """
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(str(tuple(tensor.shape)).encode())
        state.update(tensor.to(torch.int64).cpu().numpy().tobytes())
    return state.hexdigest()[:16]


@torch.no_grad()
def held_out_bits(model: object, x: Tensor, *, n_draws: int = 20) -> Figures:
    """Bits per dimension of held-out data, with the kind of likelihood behind them.

    Args:
        model: with a `log_prob`, or an `elbo`, on discrete data.
        x: data that were not trained on, `(b, *event)`.
        n_draws: draws of a stochastic bound to average over; a `log_prob` needs one.

    Returns:
        `bits_per_dim` and `kind`.

    Raises:
        NoLikelihoodError: the model has no likelihood.
    """
    generator = Generator().manual_seed(SEED)
    n_draws = n_draws if likelihood_kind(model) == "bound" else 1
    values = []
    for _ in range(n_draws):
        kind, log_p = log_likelihood(model, x, generator=generator)
        values.append(bits_per_dim(-log_p, x[0].numel()).mean())
    return {"bits_per_dim": torch.stack(values).mean().item(), "kind": kind}


def drawn(model: Any, n: int, generator: Generator) -> Tensor:
    """Draw samples in single precision, as lessons do: convolutions are then many times faster.

    Args:
        model: of any precision; a copy is drawn from.
        n: how many.
        generator: their noise.

    Returns:
        `(n, *event)`.
    """
    with default_dtype(torch.float32):
        samples: Tensor = copy.deepcopy(model).float().sample(n, generator=generator)
    return samples


@torch.no_grad()
def digit_distance(draw: Callable[[int, Generator], Tensor]) -> Figures:
    """Frechet distance of samples to the held-out digits, in the features of our network.

    Args:
        draw: `(n, generator) -> (n, 1, 8, 8)` or `(n, 64)`, grey levels 0..16.

    Returns:
        `frechet`: 1,000 samples against the 400 images of "val" and "test"; real training images
        have about 0.1.
    """
    images = draw(N_SAMPLES, Generator().manual_seed(SEED)).reshape(-1, 1, 8, 8)
    features = load_classifier().features(images.double())
    return {"frechet": frechet_distance(_held_out_features(), features).item()}


def agree(stated: Figures, found: Figures) -> bool:
    """Compare the figures of a card with those measured again.

    Args:
        stated: on the card.
        found: measured now.

    Returns:
        Whether names and words are the same, and numbers equal to one part in a hundred: samples
        differ when one rounding turns one pixel.

    Example:
        >>> agree({"frechet": 0.40}, {"frechet": 0.401}), agree({"frechet": 0.4}, {})
        (True, False)
    """
    if stated.keys() != found.keys():
        return False
    return all(
        math.isclose(value, found[name], rel_tol=0.01)
        if isinstance(value, float)
        else value == found[name]
        for name, value in stated.items()
    )


@cache
def _held_out_features() -> Tensor:
    held_out = torch.cat([load_digits("val").images, load_digits("test").images])
    return load_classifier().features(held_out)
