r"""The perfect network: what training would reach for a law whose denoiser is known.

$$\epsilon^*(x_t, t) = \frac{x_t - \sqrt{\bar\alpha_t}\,\mathbb E[x_0\mid x_t]}
{\sqrt{1-\bar\alpha_t}}$$

Give it to a sampler, and whatever is then wrong is the sampler's fault. On the line even the answer
is known without a solver: a noiseless flow keeps the order of points, so it carries quantiles to
quantiles.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, at its minimum.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.shapes import Event
from genlab.oracles.mixture import GaussianMixture

from .paths import eps_from_x0
from .schedules import Table
from .vlb import EpsModel


@runtime_checkable
class HasDenoiser(Protocol):
    """A law that knows the best guess of a clean example."""

    def denoiser(self, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Mean of $x_0$ given $x_t$ at levels `alpha`, `sigma` of shape `(b,)`."""


def exact_eps_model(law: HasDenoiser, alphas_bar: Table) -> EpsModel:
    r"""The minimiser of the noise-prediction loss on data from `law`.

    $$\epsilon^*(x_t, t) = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$$

    Args:
        law: an oracle such as `GaussianMixture`.
        alphas_bar: $\bar\alpha$, `(T,)`, of the schedule.

    Returns:
        $(x_t, t) \mapsto \hat\epsilon$ with integer `t` of shape `(b,)`.

    Example:
        >>> from genlab.oracles import Gaussian
        >>> normal = Gaussian(torch.zeros(1), torch.eye(1))
        >>> exact_eps_model(normal, torch.tensor([0.36]))(torch.ones(1, 1), torch.tensor([0]))
        tensor([[0.8000]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, at its minimum.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """

    def eps_model(x_t: Event, t: Int[Tensor, " b"]) -> Event:
        a = alphas_bar[t]
        alpha, sigma = a.sqrt(), (1 - a).sqrt()
        return eps_from_x0(x_t, law.denoiser(x_t, alpha, sigma), alpha, sigma)

    return eps_model


def exact_flow_1d(
    law: GaussianMixture, u: Float[Tensor, " n"], alpha: float, sigma: float
) -> Float[Tensor, " n 1"]:
    r"""Where the noiseless flow of a law on the line is at one noise level: a quantile each.

    $$x_t(u) = F_t^{-1}(u), \qquad F_t(x) = \sum_k \pi_k\,
      \Phi\Big(\frac{x - \alpha m_k}{\sqrt{\alpha^2 s_k^2+\sigma^2}}\Big)$$

    Found by bisection on the distribution function; no score and no solver is involved.

    Args:
        law: a mixture on the line.
        u: which points, as probabilities in (0, 1).
        alpha: signal scale; 1 with `sigma` 0 gives the data's quantiles.
        sigma: noise scale.

    Returns:
        Points, `(n, 1)`, rising with `u`.

    Raises:
        ValueError: the law is not on the line, or a probability is outside (0, 1).

    Example:
        >>> weights, means = torch.ones(2) / 2, torch.tensor([[-1.0], [1.0]])
        >>> law = GaussianMixture(weights, means, torch.ones(2) / 2)
        >>> abs(float(exact_flow_1d(law, torch.tensor([0.5]), 1.0, 0.0))) < 1e-5
        True

    Source: a flow on the line that keeps the law's mass keeps its distribution function.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if law.event_shape != (1,):
        raise ValueError(f"exact_flow_1d: the law has shape {law.event_shape}, expected (1,)")
    if not bool(((u > 0) & (u < 1)).all()):
        raise ValueError(f"u must lie in (0, 1), got {float(u.min())} to {float(u.max())}")
    noised = law.noised(alpha, sigma)
    means, stds = noised.means[:, 0], noised.stds
    low = torch.full_like(u, float((means - 40 * stds).min()))
    high = torch.full_like(u, float((means + 40 * stds).max()))
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.ndtr((middle[:, None] - means) / stds) @ noised.weights < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return middle[:, None]
