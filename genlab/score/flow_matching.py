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
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core import Event, PerExample, last, mean_event, randn, sum_event
from genlab.core.tensors import require_alike, require_between, require_rows
from genlab.nn.layers import MLP
from genlab.score.diffusion import add_noise
from genlab.score.sde import NormalPrior, Solver, ode_log_prob
from genlab.solvers.ode import euler, rademacher

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


def straightness(states: Float[Tensor, " n b *event"], ts: Float[Tensor, " n"]) -> PerExample:
    r"""How far the trajectories are from straight lines run at constant speed.

    $$S = \int_0^1 \Big\lVert (x_1 - x_0) - \dot x_t\Big\rVert^2 dt$$

    Zero exactly when the trajectory is a straight line at constant speed: then every Euler step is
    exact. One exact step proves less, since it asks for the first velocity only.

    Args:
        states: a trajectory, `(n, b, *event)`, such as a stack of `flow_sample`.
        ts: its times, `(n,)`, between 0 and 1.

    Returns:
        `(b,)`, in squared units of the data; the chord between the first and the last state counts.

    Example:
        >>> line = torch.tensor([[[0.0]], [[1.0]], [[2.0]]])
        >>> straightness(line, torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.])

    Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), eq. 6 and the definition after it.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_rows(2, states=states, ts=ts)
    steps = ts.diff()
    chord = (states[-1] - states[0]) / (ts[-1] - ts[0])
    gaps = [
        sum_event(((b - a) / h - chord) ** 2) * h.abs()
        for a, b, h in zip(states[:-1], states[1:], steps, strict=True)
    ]
    return torch.stack(gaps).sum(0)


def reflow_pairs(
    velocity: Velocity, eps: Event, ts: Float[Tensor, " n"], *, method: Solver = euler
) -> tuple[Event, Event]:
    r"""Pair each noise with the sample that the flow makes of it.

    $$(\hat x_0, \epsilon), \qquad \hat x_0 = \epsilon + \int_1^0 v(x_t, t)\,dt$$

    Args:
        velocity: a trained velocity.
        eps: noise, `(b, *event)`.
        ts: falling times from 1 to 0.
        method: a solver of `genlab.solvers`.

    Returns:
        Samples and their noise, for a second training.

    Example:
        >>> x0, eps = reflow_pairs(lambda x, t: x, torch.ones(1, 1), torch.linspace(1, 0, 2))
        >>> x0, eps
        (tensor([[0.]]), tensor([[1.]]))

    Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), algorithm 1 ("reflow").
    Lesson: notebooks/14_score_sdes.ipynb
    """
    return last(flow_sample(velocity, eps, ts, method=method)), eps


@final
class TimedMLP(nn.Module):
    """An MLP on vectors that is told the time: its inputs are the coordinates and t."""

    def __init__(self, d: int, *, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.net = MLP(d + 1, d, width, depth)

    def forward(self, x: Float[Tensor, " b d"], t: Float[Tensor, " b"]) -> Float[Tensor, " b d"]:
        """One vector for each example."""
        out: Tensor = self.net(torch.cat([x, t[:, None]], 1))
        return out


@final
class FlowMatching(nn.Module):
    r"""A velocity learned by flow matching: samples by Euler steps, and knows its log-density.

    The path ends at $\mathcal N(0, I)$ *exactly*, so this prior leaves no gap.

    Args:
        velocity_net: $(x, t) \mapsto v$.
        event_shape: shape of one example.
        n_steps: Euler steps of the sampler; steps of RK4 for the density.
        n_probes: Rademacher probes for the trace; 0 computes it exactly.
    """

    def __init__(
        self,
        velocity_net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        n_steps: int = 50,
        n_probes: int = 0,
    ) -> None:
        super().__init__()
        self.velocity_net, self.event_shape = velocity_net, event_shape
        self.n_steps, self.n_probes = n_steps, n_probes

    def velocity(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        """Velocity of the flow; positive time leads to noise."""
        out: Tensor = self.velocity_net(x, t)
        return out

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Flow-matching loss at random times, mean over the batch; `cond` is the paired noise."""
        t = torch.rand(len(x), dtype=x.dtype, generator=generator)
        eps = randn(x.shape, like=x, generator=generator) if cond is None else cond
        return flow_matching_loss(self.velocity, x, t.to(x.device), eps).mean()

    def log_prob(self, x: Event) -> PerExample:
        """Log-density of the ODE in nats, exact up to the solver and the trace."""
        ts = torch.linspace(0, 1, self.n_steps + 1, dtype=x.dtype, device=x.device)
        prior = NormalPrior.standard(self.event_shape).log_prob
        probes = None
        if self.n_probes:
            seeded = torch.Generator().manual_seed(0)
            probes = rademacher((self.n_probes, *x.shape), like=x, generator=seeded)
        return ode_log_prob(self.velocity, x, ts, prior_log_prob=prior, probes=probes)

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples by `n_steps` Euler steps."""
        if cond is not None:
            raise ValueError("this FlowMatching is unconditional: cond must be None")
        like = next(self.parameters())
        x_1 = randn((n, *self.event_shape), like=like, generator=generator)
        return last(flow_sample(self.velocity, x_1, torch.linspace(1, 0, self.n_steps + 1)))
