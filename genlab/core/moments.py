r"""Two numbers that describe a drawn figure: how much ink it has, and how far it leans.

$$\mathrm{ink} = \frac1{hw}\sum_{ij} x_{ij}, \qquad
\mathrm{slant} = -\frac{\sum x_{ij}\,(i-\bar i)(j-\bar j)}{\sum x_{ij}\,(i-\bar i)^2}$$

Rows i count downwards, so a figure that leans right has a positive slant: its upper part lies at
larger j. The slant is the number of columns that it moves for each row upwards, as a regression of
j on i would say. Both are measurements: no network is asked.

Lesson: notebooks/systems/glide.ipynb
Source: the moments of Hu 1962, "Visual pattern recognition by moment invariants", eq. 1 to 4.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .guards import require_between
from .shapes import PerExample

Grey = Float[Tensor, " b h w"]


def ink(images: Grey) -> PerExample:
    r"""Share of the paper that is covered, $\frac1{hw}\sum_{ij} x_{ij}$.

    Args:
        images: grey values, 0 = paper and 1 = full ink.

    Returns:
        `(b,)`, in [0, 1] for such images; the same at any size of the same picture.

    Example:
        >>> ink(torch.eye(4)[None])
        tensor([0.2500])

    Lesson: notebooks/systems/glide.ipynb
    """
    return images.mean((-2, -1))


def slant(images: Grey) -> PerExample:
    r"""Columns that a figure leans to the right for each row upwards.

    $$-\frac{\sum x_{ij}\,(i-\bar i)(j-\bar j)}{\sum x_{ij}\,(i-\bar i)^2}$$

    Args:
        images: grey values, not negative.

    Returns:
        `(b,)`: 0 upright, positive leaning right; 0 also for a figure without height or ink.

    Raises:
        ValueError: a grey value is negative or NaN.

    Example:
        >>> slant(torch.eye(5).flip(1)[None])  # a stroke from lower left to upper right
        tensor([1.])

    Lesson: notebooks/systems/glide.ipynb
    """
    require_between(0, math.inf, images=images)
    i, j = (torch.arange(n, dtype=images.dtype, device=images.device) for n in images.shape[-2:])
    mass = images.sum((-2, -1))
    safe = torch.where(mass > 0, mass, torch.ones_like(mass))
    d_i = i - (images.sum(-1) @ i / safe)[:, None]
    d_j = j - (images.sum(-2) @ j / safe)[:, None]
    across = torch.einsum("bij,bi,bj->b", images, d_i, d_j)
    height = torch.einsum("bij,bi->b", images, d_i**2)
    return torch.where(height > 0, -across / height.clamp(min=1e-12), torch.zeros_like(height))
