r"""Flow matching: regress on the velocity of straight lines, and get that of the whole flow.

$$x_t = (1-t)\,x_0 + t\,\epsilon, \qquad
\min_v\ \mathbb E\,\lVert v(x_t, t) - (\epsilon - x_0)\rVert^2
\;\Rightarrow\; v(x, t) = \mathbb E[\epsilon - x_0 \mid x_t = x]$$

The lines of different pairs cross; a velocity has one value at each place, their mean. So the
trajectories of the flow are not the lines, and one Euler step from noise lands between the modes.
`rectified_flow` straightens them.

**Time runs from data to noise here, as everywhere in this course.** Lipman et al., Liu et al. and
their libraries run it the other way ($x_1$ = data): replace t by 1 - t and v by -v (`other_way`).

Lesson: notebooks/14_score_sdes.ipynb
Sources: Lipman et al. 2023 (arXiv:2210.02747), eq. 9 and 14 and theorem 2; Liu, Gong and Liu 2022
(arXiv:2209.03003), eq. 1 and 5, algorithm 1; Albergo and Vanden-Eijnden 2023 (arXiv:2209.15571).
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import Event, PerExample, mean_event
from genlab.core.guards import require_alike, require_between
from genlab.solvers.ode import euler

from .paths import add_noise
from .sde import Solver

Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def flow_matching_loss(
    velocity: Velocity, x0: Event, t: Float[Tensor, " b"], eps: Event
) -> PerExample:
    r"""Squared error of the velocity along the straight line from x0 to eps.

    $$\ell = \tfrac1D\,\lVert v(x_t, t) - (\epsilon - x_0)\rVert^2, \qquad
    x_t = (1-t)\,x_0 + t\,\epsilon$$

    Minimised, in expectation, by $\mathbb E[\epsilon - x_0\mid x_t]$, the velocity that carries the
    law of $x_t$; its value there is the mean variance of $\epsilon - x_0$ given $x_t$, not zero.

    Args:
        velocity: $(x, t) \mapsto v$ with `t` of shape `(b,)`.
        x0: data, `(b, *event)`.
        t: times in [0, 1], `(b,)`.
        eps: the noise that each example is paired with, like `x0`.

    Returns:
        `(b,)`, mean over the D event dimensions; no nats.

    Raises:
        ValueError: a time outside [0, 1].

    Example:
        >>> x0, eps, t = torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.5])
        >>> flow_matching_loss(lambda x, t: 2 * x, x0, t, eps)
        tensor([0.])

    Source: Lipman et al. 2023 (arXiv:2210.02747), eq. 23 with sigma_min = 0 and time reversed.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_between(0, 1, t=t)
    v = velocity(add_noise(x0, 1 - t, t, eps), t)
    require_alike(velocity=v, x0=x0)
    return mean_event((v - (eps - x0)) ** 2)


def flow_sample(
    velocity: Velocity, x_1: Event, ts: Float[Tensor, " n"], *, method: Solver = euler
) -> Iterator[Event]:
    r"""Sampler: follow the velocity from noise at t = 1 down to data at t = 0.

    $$x_s = x_t + (s - t)\,v(x_t, t), \qquad s < t$$

    On straight trajectories one step is exact.

    Args:
        velocity: $(x, t) \mapsto v$ with `t` of shape `(b,)`.
        x_1: noise, `(b, *event)`.
        ts: times, falling to sample, rising to encode.
        method: a solver of `genlab.solvers`.

    Yields:
        The states at each of the n times, `x_1` first, without gradients.

    Example:
        >>> ts = torch.tensor([1.0, 0.0])
        >>> list(flow_sample(lambda x, t: x - 3, torch.tensor([[0.5]]), ts))[-1]
        tensor([[3.]])

    Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), algorithm 1.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    def slope(t: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            return velocity(x, t.expand(len(x)))

    return method(slope, x_1, ts)


def other_way(velocity: Velocity) -> Velocity:
    r"""The same flow with its clock reversed: noise at 0, data at 1, as in the papers.

    $$u(x, s) = -v(x, 1 - s)$$

    Applied twice it gives the velocity back.

    Args:
        velocity: $v(x, t)$.

    Returns:
        $u(x, s)$.

    Example:
        >>> u = other_way(lambda x, t: x - t[:, None])
        >>> u(torch.tensor([[2.0]]), torch.tensor([0.75]))
        tensor([[-1.7500]])

    Source: Lipman et al. 2023 (arXiv:2210.02747), eq. 1, has the time of the returned field.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    return lambda x, s: -velocity(x, 1 - s)
