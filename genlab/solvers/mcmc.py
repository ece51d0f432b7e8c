r"""Langevin dynamics: sampling from a density of which only the slope is known.

$$x \leftarrow x + \eta\, \nabla\log p(x) + \sqrt{2\eta}\; z, \qquad z \sim \mathcal N(0, I)$$

The unadjusted chain is biased by its step: on $\mathcal N(0, 1)$ it settles at the variance
$1 / (1 - \eta/2)$. A Metropolis test removes the bias, at the price of needing $\log p$ up to
a constant: an energy is enough, a score alone is not.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Roberts and Tweedie 1996, Bernoulli 2, eqs. 1 to 4; Welling and Teh 2011, eq. 3.
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genlab.core import expand, randn, sum_event
from genlab.core.guards import require_between, require_finite

Slope: TypeAlias = Callable[[Tensor], Tensor]
LogDensity: TypeAlias = Callable[[Tensor], Tensor]


def langevin_step(
    x: Float[Tensor, " b *event"],
    score: Float[Tensor, " b *event"],
    z: Float[Tensor, " b *event"],
    *,
    step_size: float,
    temperature: float = 1.0,
) -> Float[Tensor, " b *event"]:
    r"""One unadjusted step: up the slope, then noise.

    $$x' = x + \eta\,\nabla\log p(x) + \sqrt{2\eta T}\; z$$

    Leaves $p^{1/T}$ unchanged in the limit $\eta \to 0$; for $p = \mathcal N(0,1)$ and $T = 1$
    the stationary variance is $1/(1 - \eta/2)$.

    Args:
        x: states, `(b, *event)`.
        score: $\nabla\log p(x)$, like `x`.
        z: standard normal noise, like `x`.
        step_size: $\eta$, positive.
        temperature: T; 0 climbs without noise.

    Returns:
        New states, like `x`.

    Raises:
        ValueError: `step_size` is not positive or `temperature` is negative.

    Example:
        >>> x = torch.ones(1, 1)
        >>> langevin_step(x, -x, z=x, step_size=0.5)
        tensor([[1.5000]])

    Source: Roberts and Tweedie 1996, eq. 3 with step $h = 2\eta$.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if not step_size > 0 or not temperature >= 0:
        raise ValueError(
            f"langevin_step: step_size is {step_size} and temperature {temperature}, "
            f"expected > 0 and >= 0"
        )
    noise_scale: float = (2 * step_size * temperature) ** 0.5
    return x + step_size * score + noise_scale * z


def langevin(
    score: Slope,
    x0: Float[Tensor, " b *event"],
    *,
    step_size: float,
    n_steps: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    r"""Unadjusted Langevin chains, one for each row of `x0`.

    $$x_{k+1} = x_k + \eta\,\nabla\log p(x_k) + \sqrt{2\eta T}\; z_k$$

    Args:
        score: $\nabla\log p$, maps `(b, *event)` to the same shape.
        x0: where the chains start, `(b, *event)`.
        step_size: $\eta$, positive.
        n_steps: number of steps, not negative.
        temperature: T, the chains aim at $p^{1/T}$.
        generator: source of the noise.

    Yields:
        The states after each of the `n_steps` steps.

    Example:
        >>> from genlab.core import last
        >>> last(langevin(lambda x: -x, torch.zeros(4, 2), step_size=0.1, n_steps=3)).shape
        torch.Size([4, 2])

    Source: Welling and Teh 2011, eq. 3 with $\epsilon = 2\eta$.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_between(0, math.inf, n_steps=n_steps)
    x = x0
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        x = langevin_step(x, score(x), z, step_size=step_size, temperature=temperature)
        yield x


def mala_step(
    log_prob: LogDensity,
    score: Slope,
    x: Float[Tensor, " b *event"],
    z: Float[Tensor, " b *event"],
    u: Float[Tensor, " b"],
    *,
    step_size: float,
) -> tuple[Float[Tensor, " b *event"], Bool[Tensor, " b"]]:
    r"""One Langevin step that is kept or refused, so that p is exactly stationary.

    $$a = \min\Big(1,\ \frac{p(x')\, q(x \mid x')}{p(x)\, q(x' \mid x)}\Big), \qquad
    q(x' \mid x) = \mathcal N(x';\, x + \eta\nabla\log p(x),\, 2\eta I)$$

    Args:
        log_prob: $\log p$ up to a constant, `(b, *event)` to `(b,)`.
        score: $\nabla\log p$, maps `(b, *event)` to the same shape.
        x: states, `(b, *event)`.
        z: standard normal noise, like `x`.
        u: uniform numbers in [0, 1), `(b,)`.
        step_size: $\eta$, positive.

    Returns:
        New states, like `x`, and which proposals were accepted, `(b,)`.

    Raises:
        ValueError: `step_size` is not positive, or $\log p$ or its slope at `x` is not a number.

    Source: Roberts and Tweedie 1996, eq. 4.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    slope, level = score(x), log_prob(x)
    require_finite(score=slope)  # every comparison with NaN is false: all moves would be refused
    require_between(-math.inf, math.inf, log_prob=level)
    proposal = langevin_step(x, slope, z, step_size=step_size)
    back = (x - proposal - step_size * score(proposal)) / (2 * step_size) ** 0.5
    log_ratio = log_prob(proposal) - level - 0.5 * sum_event(back**2 - z**2)
    accepted = u.log() < log_ratio
    return torch.where(expand(accepted, x), proposal, x), accepted


def mala(
    log_prob: LogDensity,
    score: Slope,
    x0: Float[Tensor, " b *event"],
    *,
    step_size: float,
    n_steps: int,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    r"""Metropolis-adjusted Langevin chains, one for each row of `x0`: no bias of the step.

    $$x_{k+1} = x' \text{ with probability } a, \text{ else } x_k$$

    Args:
        log_prob: $\log p$ up to a constant, `(b, *event)` to `(b,)`.
        score: $\nabla\log p$, maps `(b, *event)` to the same shape.
        x0: where the chains start, `(b, *event)`.
        step_size: $\eta$, positive.
        n_steps: number of steps.
        generator: source of the noise.

    Yields:
        The states after each of the `n_steps` steps; a row that did not move was refused.

    Source: Roberts and Tweedie 1996, section 1.4.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_between(0, math.inf, n_steps=n_steps)
    x = x0
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        u = torch.rand(len(x), dtype=x.dtype, device=x.device, generator=generator)
        x, _ = mala_step(log_prob, score, x, z, u, step_size=step_size)
        yield x
