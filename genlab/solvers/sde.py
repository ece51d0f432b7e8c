"""Stochastic differential equations whose diffusion coefficient depends on time only.

Time may run backwards. Kloeden and Platen, Numerical Solution of SDEs, eq. 10.2.4.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import Event, Rng, Scalar, randn
from genlab.core.checked import check_public
from genlab.solvers.ode import require_times, walk

Drift: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Diffusion: TypeAlias = Callable[[Tensor], Tensor | float]


def euler_maruyama_step(
    drift: Drift, diffusion: Diffusion, t: Scalar, s: Scalar, x: Event, z: Event
) -> Event:
    r"""One step from time t to time s with the noise `z` passed in.

    $$x_s = x_t + h f(t, x_t) + g(t)\sqrt{|h|}\; z, \qquad h = s - t$$
    """
    h = s - t
    return x + h * drift(t, x) + diffusion(t) * h.abs().sqrt() * z


def euler_maruyama(
    drift: Drift, diffusion: Diffusion, x0: Event, ts: Float[Tensor, " n"], *, generator: Rng = None
) -> Iterator[Event]:
    r"""Euler-Maruyama paths of $dx = f(t, x)\,dt + g(t)\,dW$; their end errs by $O(h)$.

    ValueError: `diffusion` answers the same time in two ways.
    """
    require_times(ts)
    first, second = (torch.as_tensor(diffusion(ts[0])) for _ in range(2))
    if not torch.equal(first, second):
        raise ValueError(
            f"euler_maruyama: diffusion gave {first.flatten()[0].item()} and then "
            f"{second.flatten()[0].item()} for the same time, expected a function without "
            f"randomness: the solver draws the noise, a second draw would multiply it"
        )

    def step(t: Tensor, s: Tensor, x: Tensor) -> Tensor:
        z = randn(x.shape, like=x, generator=generator)
        return euler_maruyama_step(drift, diffusion, t, s, x, z)

    return walk(step, x0, ts)


check_public(__name__)
