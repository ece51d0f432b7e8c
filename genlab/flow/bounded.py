r"""Maps between the whole line and a bounded interval, for data that live in [0, 1].

A normal base has the whole line to spread over; pixels have not. The last layer of such a flow
carries the line onto (0, 1): a sigmoid, or, coordinate by coordinate, the inverse of the data's own
histogram. With that second layer alone a flow *is* the per-pixel histogram model, and every layer
before it can only add what the pixels have to say about each other.

$$x_i = F_i^{-1}\big(\Phi(z_i)\big), \qquad
\log|\partial z_i/\partial x_i| = \log F_i'(x_i) - \log\varphi(z_i)$$

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Dinh, Sohl-Dickstein and Bengio 2016 (arXiv:1605.08803), section 4.1 (logit); Chen and
Gopinath 2000, Gaussianization (the one-dimensional layer).
"""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from genlab.core.shapes import Event, PerExample, sum_event

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def sigmoid_forward(z: Float[Tensor, " *n"]) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""From the line to (0, 1).

    $$x = \frac{1}{1 + e^{-z}}, \qquad \log \frac{\partial x}{\partial z} = \log x + \log(1 - x)$$

    Args:
        z: any shape.

    Returns:
        $x$ in (0, 1) and log|dx/dz|, both like `z`, not summed; the latter computed from `z`, so
        that it stays finite where $1 - x$ rounds to zero.

    Example:
        >>> sigmoid_forward(torch.zeros(1))
        (tensor([0.5000]), tensor([-1.3863]))

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return torch.sigmoid(z), -softplus(z) - softplus(-z)


def sigmoid_inverse(x: Float[Tensor, " *n"]) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""From (0, 1) to the line: the logit.

    $$z = \log\frac{x}{1-x}, \qquad \log \frac{\partial z}{\partial x} = -\log x - \log(1 - x)$$

    Args:
        x: any shape, strictly between 0 and 1.

    Returns:
        $z$ and log|dz/dx|, both like `x`, not summed.

    Raises:
        ValueError: a value is outside (0, 1).

    Example:
        >>> sigmoid_inverse(torch.tensor([0.5]))
        (tensor([0.]), tensor([1.3863]))

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    if not bool(((x > 0) & (x < 1)).all()):
        raise ValueError(
            f"sigmoid_inverse: x runs from {x.min().item()} to {x.max().item()}, "
            "expected values strictly between 0 and 1"
        )
    log_x, log_1mx = torch.log(x), torch.log1p(-x)
    return log_x - log_1mx, -log_x - log_1mx


def histogram_cdf(
    x: Float[Tensor, " b d"], probs: Float[Tensor, " d k"]
) -> tuple[Float[Tensor, " b d"], Float[Tensor, " b d"]]:
    r"""Cumulative distribution of a histogram with k equal bins on [0, 1], one per coordinate.

    $$F(x) = \sum_{j < m} p_j + p_m (k x - m), \qquad F'(x) = k\, p_m, \qquad
    m = \lfloor k x \rfloor$$

    Args:
        x: in [0, 1], `(b, d)`.
        probs: bin probabilities, positive, each row sums to 1.

    Returns:
        $u = F(x)$ in [0, 1] and log|du/dx|, like `x`, not summed.

    Example:
        >>> histogram_cdf(torch.tensor([[0.75]]), torch.tensor([[0.2, 0.8]]))
        (tensor([[0.6000]]), tensor([[0.4700]]))

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    k = probs.shape[1]
    m = (x * k).long().clamp(0, k - 1)
    before = torch.cumsum(probs, 1) - probs
    p, below = (a.expand(len(x), -1, -1).gather(2, m[..., None])[..., 0] for a in (probs, before))
    return below + p * (x * k - m), torch.log(k * p)


def histogram_quantile(
    u: Float[Tensor, " b d"], probs: Float[Tensor, " d k"]
) -> tuple[Float[Tensor, " b d"], Float[Tensor, " b d"]]:
    r"""Undo `histogram_cdf`.

    $$F^{-1}(u) = \frac1k \Big(m + \frac{u - \sum_{j<m} p_j}{p_m}\Big)$$

    Args:
        u: in [0, 1], `(b, d)`.
        probs: bin probabilities, positive, each row sums to 1.

    Returns:
        $x$ in [0, 1] and log|dx/du|, like `u`, not summed.

    Example:
        >>> histogram_quantile(torch.tensor([[0.6]]), torch.tensor([[0.2, 0.8]]))
        (tensor([[0.7500]]), tensor([[-0.4700]]))

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    k = probs.shape[1]
    edges = torch.cumsum(probs, 1)
    m = torch.searchsorted(edges, u.T.contiguous(), right=True).clamp(max=k - 1).T
    before = edges - probs
    p, below = (a.expand(len(u), -1, -1).gather(2, m[..., None])[..., 0] for a in (probs, before))
    return (m + (u - below) / p) / k, -torch.log(k * p)


@final
class Sigmoid(nn.Module):
    """Carries the line onto (0, 1) in every coordinate; nothing to learn."""

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x in (0, 1) and log|det dx/dz|, `(b,)`."""
        x, log_deriv = sigmoid_forward(z)
        return x, sum_event(log_deriv)

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        z, log_deriv = sigmoid_inverse(x)
        return z, sum_event(log_deriv)


@final
class HistogramMarginals(nn.Module):
    """Carries N(0, I) onto the data's per-coordinate histograms, which it counts, not learns.

    Within `tail` of the ends of [0, 1] the quantile is clamped, so a round trip is exact for all
    but that share of the probability.
    """

    probs: Tensor

    def __init__(self, probs: Float[Tensor, " d k"], tail: float = 1e-6) -> None:
        super().__init__()
        if not bool((probs > 0).all()):
            raise ValueError(
                f"HistogramMarginals: a bin has probability {probs.min().item()}, "
                "expected > 0 (smooth the counts)"
            )
        self.register_buffer("probs", probs / probs.sum(1, keepdim=True))
        self.tail = tail

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x in [0, 1] and log|det dx/dz|, `(b,)`."""
        u = torch.special.ndtr(z).clamp(self.tail, 1 - self.tail)
        x, log_deriv = histogram_quantile(u, self.probs)
        return x, sum_event(log_deriv - 0.5 * z**2 - LOG_SQRT_2PI)

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        u, log_deriv = histogram_cdf(x, self.probs)
        z = torch.special.ndtri(u.clamp(self.tail, 1 - self.tail))
        return z, sum_event(log_deriv + 0.5 * z**2 + LOG_SQRT_2PI)
