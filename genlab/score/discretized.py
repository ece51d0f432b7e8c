r"""A normal law that must answer with grey levels: the probability of a whole bin.

$$P(g) = \int_{b(g)} \mathcal N(x;\ \mu, \sigma^2)\,dx, \qquad
b(g) = \Big[x_g - \tfrac w2,\ x_g + \tfrac w2\Big]$$

The bins of the darkest and of the brightest level reach to infinity, so that the probabilities of
all levels add up to one. A chain that ends with this step gives a probability to a *discrete*
image, and its bound is a bound on that probability: no dequantisation, no second gap.

Lesson: notebooks/12_diffusion_i.ipynb
Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 13.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import Event, PerExample, sum_event


class Bins(NamedTuple):
    """Where the grey levels lie on the line."""

    width: float  # distance of two neighbouring levels
    low: float  # place of the lowest level
    high: float  # place of the highest


def bin_log_prob(x: Event, mean: Event, std: Float[Tensor, ""], bins: Bins) -> PerExample:
    r"""Log-probability of the levels at `x` under independent normals cut into bins.

    $$\sum_i \log\Big[\Phi\Big(\frac{x_i + w/2 - \mu_i}{\sigma}\Big)
      - \Phi\Big(\frac{x_i - w/2 - \mu_i}{\sigma}\Big)\Big]$$

    Args:
        x: places of grey levels, `(b, *event)`; those at the two ends have open bins.
        mean: $\mu$, like `x`.
        std: $\sigma$, positive.
        bins: width and ends of the scale.

    Returns:
        `(b,)`, nats, at most 0.

    Raises:
        ValueError: `std` or the width is not positive.

    Example:
        >>> x = torch.tensor([[0.0]])
        >>> bin_log_prob(x, x, torch.tensor(0.5), Bins(1.0, -4.0, 4.0)).exp()
        tensor([0.6827])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 13.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if not std > 0 or not bins.width > 0:
        raise ValueError(f"std and width must be positive, got {std} and {bins.width}")
    upper = torch.where(
        x > bins.high - bins.width / 2, torch.inf, (x + bins.width / 2 - mean) / std
    )
    lower = torch.where(
        x < bins.low + bins.width / 2, -torch.inf, (x - bins.width / 2 - mean) / std
    )
    # Far out on the right both Phi are 1 up to rounding: use the mirrored pair on the left.
    flip = lower > 0
    top, bottom = torch.where(flip, -lower, upper), torch.where(flip, -upper, lower)
    log_top, log_bottom = torch.special.log_ndtr(top), torch.special.log_ndtr(bottom)
    return sum_event(log_top + torch.log(-torch.expm1(log_bottom - log_top)))
