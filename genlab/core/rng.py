r"""Randomness that is passed in, so that a result belongs to its seed.

Kernels never draw: they receive their noise as an argument. The thin shells around them draw
with a `torch.Generator`, and these two helpers are how:

$$\epsilon \sim \mathcal N(0, I) \quad\text{from a stated seed}.$$

Lesson: notebooks/01_four_paradigm_map.ipynb
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def make_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    r"""A random-number generator that starts from `seed`.

    Args:
        seed: any integer; equal seeds give equal draws on one device.
        device: where the draws are made.

    Returns:
        A seeded `torch.Generator`.

    Example:
        >>> a, b = make_generator(3), make_generator(3)
        >>> torch.equal(randn((4,), generator=a), randn((4,), generator=b))
        True

    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    return torch.Generator(device=device).manual_seed(seed)


def randn(
    shape: Sequence[int],
    like: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Standard normal noise $\epsilon \sim \mathcal N(0, I)$ of a given shape.

    The draw is made where the generator lives and then moved, so the same seed gives the same
    noise whatever device the model is on.

    Args:
        shape: shape of the noise.
        like: takes dtype and device from this tensor; the defaults of torch otherwise.
        generator: source of randomness; torch's global one when absent.

    Returns:
        A tensor of shape `shape`.

    Example:
        >>> randn((2, 3), like=torch.zeros(1, dtype=torch.float64)).dtype
        torch.float64

    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    dtype = torch.get_default_dtype() if like is None else like.dtype
    target = torch.device("cpu") if like is None else like.device
    source = target if generator is None else generator.device
    if like is None and generator is not None:
        target = source
    return torch.randn(tuple(shape), dtype=dtype, device=source, generator=generator).to(target)
