"""What a card says about a model: the figures, and the one way in which each is measured.

Likelihoods are measured in double precision, samples drawn in single, seeded, on held-out data.
"""

import contextlib
import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.capabilities import likelihood_kind, log_likelihood
from genlab.core.stats import bits_per_dim
from genlab.data.digits import N_CLASSES, from_unit, load_digits
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier

SEED = 0  # of every draw that a figure needs
N_SAMPLES = 1000  # generated images of a Fréchet distance
Figures = dict[str, Any]
Draw = Callable[[int, Generator], Tensor]


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Let new tensors have `dtype` for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def digest(*tensors: Tensor) -> str:
    """Name whole numbers by their content: 16 hexadecimal digits of a SHA-256."""
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(str(tuple(tensor.shape)).encode())
        state.update(tensor.to(torch.int64).cpu().numpy().tobytes())
    return state.hexdigest()[:16]


@torch.no_grad()
def held_out_bits(model: object, x: Tensor, *, n_draws: int = 20) -> Figures:
    """Bits per dimension of held-out data, of a bound a mean over `n_draws`, and their kind."""
    generator = Generator().manual_seed(SEED)
    n_draws = n_draws if likelihood_kind(model) == "bound" else 1
    values = []
    for _ in range(n_draws):
        kind, log_p = log_likelihood(model, x, generator=generator)
        values.append(bits_per_dim(-log_p, x[0].numel()).mean())
    return {"bits_per_dim": torch.stack(values).mean().item(), "kind": kind}


def single(model: Any) -> Any:
    """A copy in single precision, as lessons use: its convolutions are many times faster."""
    return copy.deepcopy(model).float()


@contextlib.contextmanager
def in_single(model: Any) -> Iterator[Any]:
    """For a while new tensors have single precision, and so has this copy of the model."""
    with default_dtype(torch.float32):
        yield single(model)


def samples_of(model: Any, n: int, generator: Generator) -> Tensor:
    """Samples of a model of any precision, drawn in single precision."""
    with in_single(model) as copied:
        return copied.sample(n, generator=generator)


@torch.no_grad()
def digit_distance(draw: Draw) -> Figures:
    """Fréchet distance of 1,000 samples to the 400 held-out digits, in our features."""
    images = draw(N_SAMPLES, Generator().manual_seed(SEED)).reshape(-1, 1, 8, 8)
    features = load_classifier().features(images.double())
    return {"frechet": frechet_distance(_held_out_features(), features).item()}


def distances(draw_in: Callable[[int], Draw], passes: tuple[int, ...], who: str = "") -> Figures:
    """The distance for each number of passes, under a name that says how many."""
    found = {n: digit_distance(draw_in(n))["frechet"] for n in passes}
    return {f"{who}frechet_{n}_pass{'es' if n > 1 else ''}": v for n, v in found.items()}


def measure_pixels(model: Any) -> Figures:
    """Bits per dimension of the held-out digits, and the distance of samples."""
    x = load_digits("test").images.reshape(-1, *model.event_shape)
    return held_out_bits(model, x) | digit_distance(partial(samples_of, model))


def draw_classes(model: Any) -> Draw:
    """Grey levels of a conditional model, every class equally often."""

    def draw(n: int, generator: Generator) -> Tensor:
        with in_single(model) as copied:
            cond = torch.arange(n) % N_CLASSES
            return from_unit(copied.sample(n, cond=cond, generator=generator))

    return draw


def named(template: str, figures: Figures) -> Figures:
    """The same figures under longer names: with the template "kept_{}" `digit` is `kept_digit`."""
    return {template.format(name): value for name, value in figures.items()}


def differing(stated: Figures, found: Figures) -> Figures:
    """What was found where it is not what a card states: numbers to one part in a hundred.

    >>> differing({"kind": "exact", "bits": 1.0}, {"kind": "bound", "bits": 1.001})
    {'kind': 'bound'}
    """

    def close(a: Any, b: Any) -> bool:
        reals = isinstance(a, float) and isinstance(b, float)
        return math.isclose(a, b, rel_tol=0.01) if reals else a == b

    both = {name: (stated.get(name), found.get(name, "gone")) for name in stated | found}
    return {name: b for name, (a, b) in both.items() if not close(a, b)}


@cache
def _held_out_features() -> Tensor:
    held_out = torch.cat([load_digits("val").images, load_digits("test").images])
    return load_classifier().features(held_out)
