r"""EDM's sampler: noise measured in the data's own unit, and Heun's method of second order.

$$x = x_0 + \sigma\epsilon, \qquad \frac{dx}{d\sigma} = \frac{x - D(x, \sigma)}{\sigma}$$

The signal is never scaled down, so the noise level $\sigma$ itself is the time, and D is the best
guess of $x_0$. Fresh noise may be added between the steps ("churn"): it corrects errors and changes
no law.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Karras, Aittala, Aila and Laine 2022 (arXiv:2206.00364), eq. 5,
algorithms 1 and 2.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.guards import require_between
from genlab.core.rng import randn
from genlab.core.shapes import Event

Denoiser: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Scalar = Float[Tensor, ""]


def edm_sigmas(
    n_steps: int, *, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Float[Tensor, " s"]:
    r"""Noise levels of the sampler: dense where the noise is small.

    $$\sigma_i = \Big(\sigma_{\max}^{1/\rho} + \tfrac{i}{n-1}
      (\sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho})\Big)^{\rho}, \qquad \sigma_n = 0$$

    Args:
        n_steps: n, at least 2.
        sigma_min: smallest level above 0.
        sigma_max: largest level.
        rho: 1 spaces evenly in sigma; larger crowds the small levels.

    Returns:
        `(n + 1,)`, decreasing, the last one 0.

    Raises:
        ValueError: fewer than two steps, or levels out of order.

    Example:
        >>> edm_sigmas(3, sigma_min=1.0, sigma_max=9.0, rho=2.0)
        tensor([9., 4., 1., 0.])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 5.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"expected 0 < sigma_min < sigma_max, got {sigma_min}, {sigma_max}")
    if not 0 < rho <= 1000:  # beyond, rounding eats the steps; the limit is `noise_ladder`
        raise ValueError(f"rho must lie in (0, 1000], got {rho}")
    ends = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([torch.linspace(*ends, n_steps) ** rho, torch.zeros(1)])


def edm_step(
    denoiser: Denoiser, x: Event, sigma: Scalar, sigma_next: Scalar, *, order: int = 2
) -> Event:
    r"""Heun's step down: average the slopes at both ends; a plain Euler step to 0.

    $$d = \frac{x - D(x,\sigma)}{\sigma},\quad x' = x + (\sigma'-\sigma)\,d,\quad
      d' = \frac{x' - D(x',\sigma')}{\sigma'},\quad
      x + (\sigma'-\sigma)\,\tfrac12(d + d')$$

    Order 1 stops at $x'$: in variance-preserving coordinates that is DDIM.

    Args:
        denoiser: $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.
        x: state $x_0 + \sigma\epsilon$, `(b, *event)`.
        sigma: its level, positive.
        sigma_next: $\sigma'$, lower, at least 0.
        order: 2 (two passes) or 1 (one pass).

    Returns:
        Like `x`.

    Raises:
        ValueError: a level that does not fall, or another order.

    Example:
        >>> edm_step(lambda x, s: 0 * x, torch.ones(1, 1), torch.tensor(2.0), torch.tensor(1.0))
        tensor([[0.5000]])

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 1, lines 4 to 8.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    if not 0 <= sigma_next < sigma:
        raise ValueError(f"a step must lower the noise: from {sigma} to {sigma_next}")
    slope = (x - denoiser(x, sigma.expand(len(x)))) / sigma
    ahead = x + (sigma_next - sigma) * slope
    if order == 1 or sigma_next == 0:
        return ahead
    slope_ahead = (ahead - denoiser(ahead, sigma_next.expand(len(x)))) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_ahead) / 2


def edm_churn(
    x: Event, z: Event, sigma: Scalar, *, gamma: float, s_noise: float = 1.0
) -> tuple[Event, Scalar]:
    r"""Add fresh noise before a step, and say at which level the state then is.

    $$\hat\sigma = (1+\gamma)\,\sigma, \qquad \hat x = x + \sqrt{\hat\sigma^2-\sigma^2}\; z$$

    Args:
        x: state at level `sigma`, `(b, *event)`.
        z: standard normal noise, like `x`.
        sigma: its level.
        gamma: relative rise, at least 0.
        s_noise: scale of the fresh noise; 1 keeps the law exactly.

    Returns:
        The noisier state and its level.

    Raises:
        ValueError: a negative rise.

    Example:
        >>> edm_churn(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor(3.0), gamma=2 / 3)
        (tensor([[4.]]), tensor(5.))

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 2, lines 5 and 6.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    level = (1 + gamma) * sigma
    return x + s_noise * (level**2 - sigma**2).sqrt() * z, level


def edm_sample(
    denoiser: Denoiser,
    x_T: Event,
    sigmas: Float[Tensor, " s"],
    *,
    order: int = 2,
    s_churn: float = 0.0,
    s_range: tuple[float, float] = (0.0, math.inf),
    s_noise: float = 1.0,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: yield the state after each step; n steps of order 2 to zero cost 2n - 1 passes.

    Args:
        denoiser: $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.
        x_T: noise of standard deviation `sigmas[0]` (not 1), `(b, *event)`.
        sigmas: levels, decreasing, such as `edm_sigmas(...)`.
        order: 2 for Heun, 1 for Euler.
        s_churn: fresh noise in all, shared out as $\gamma = \min(S/n, \sqrt2-1)$; 0 for none.
        s_range: levels between which fresh noise is added.
        s_noise: its scale.
        generator: its source, used only with churn.

    Yields:
        States like `x_T`; the last one is the sample.

    Example:
        >>> len(list(edm_sample(lambda x, s: 0 * x, torch.ones(2, 3), edm_sigmas(4))))
        4

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithms 1 and 2.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    require_between(0, math.inf, s_churn=s_churn)
    x, share = x_T, min(s_churn / (len(sigmas) - 1), math.sqrt(2) - 1)
    for sigma, sigma_next in pairwise(sigmas.to(x_T)):
        with torch.no_grad():
            if share > 0 and s_range[0] <= sigma <= s_range[1]:
                z = randn(x.shape, like=x, generator=generator)
                x, sigma = edm_churn(x, z, sigma, gamma=share, s_noise=s_noise)
            x = edm_step(denoiser, x, sigma, sigma_next, order=order)
        yield x
