r"""The partition function as a weighted sum, and what the weights say about it.

$$Z = \int e^{-E(x)}\,dx \approx \sum_{i=1}^n w_i\, e^{-E(x_i)}$$

Enumeration, a grid, uniform draws and importance sampling differ in the points and weights only.
Whether such a sum can be trusted is answered by how evenly its terms share the work.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Song and Kingma 2021 (arXiv:2101.03288), eq. 2; Neal 2001, Statistics and Computing 11,
eq. 10; Kong 1992, "A note on importance sampling using standardized weights".
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def log_partition(
    energy: Float[Tensor, " *k n"], log_weights: Float[Tensor, " *k n"] | float
) -> Float[Tensor, " *k"]:
    r"""Logarithm of the partition function from a weighted sum over n points.

    $$\log Z \approx \log\sum_{i=1}^n w_i\, e^{-E(x_i)}$$

    Enumeration has $w = 1$, a grid the volume of its cell, uniform draws from a region of volume V
    have $V/n$, draws from a density q have $1 / (n\,q(x_i))$. The last two are unbiased for Z,
    hence too low for $\log Z$ on average.

    Args:
        energy: $E(x_i)$, `(*k, n)`.
        log_weights: $\log w_i$, like `energy`, or one number for all points.

    Returns:
        `(*k,)`, in nats.

    Raises:
        ValueError: no points.

    Example:
        >>> import math
        >>> x = torch.linspace(-8, 8, 161)
        >>> log_partition(x**2 / 2, math.log(0.1)).exp()
        tensor(2.5066)

    Source: Song and Kingma 2021 (arXiv:2101.03288), eq. 2.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if energy.shape[-1] == 0:
        raise ValueError("log_partition: no points, expected at least one")
    return torch.logsumexp(log_weights - energy, dim=-1)


def log_mean_exp(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""Logarithm of the average weight: the estimate of $\log Z$.

    $$\log\hat Z = \log\frac1n\sum_{i=1}^n w_i$$

    Args:
        log_w: `(*k, n)`, in nats.

    Returns:
        `(*k,)`; minus its value when the walk went back.

    Example:
        >>> log_mean_exp(torch.tensor([1.0, 3.0]).log()).exp()
        tensor(2.)

    Source: Neal 2001, eq. 10.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    return torch.logsumexp(log_w, dim=-1) - math.log(log_w.shape[-1])


def effective_sample_size(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""How many of n weighted draws really count.

    $$\mathrm{ESS} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}$$

    Args:
        log_w: $\log w_i$, `(*k, n)`.

    Returns:
        `(*k,)`, between 1 and n.

    Example:
        >>> effective_sample_size(torch.zeros(8))
        tensor(8.)

    Source: Kong 1992, "A note on importance sampling using standardized weights".
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    return 1 / (torch.softmax(log_w, dim=-1) ** 2).sum(-1)
