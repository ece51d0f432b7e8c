r"""A learned flow on straight paths, and how to make its trajectories straight: reflow.

$$(\hat x_0, \epsilon) \text{ with } \hat x_0 = \text{flow of } \epsilon
\quad\to\quad \text{train again on these pairs}$$

The lines between *these* pairs hardly cross, so the second velocity has little to average over: its
trajectories are nearly the lines themselves, and one Euler step is nearly exact. The law stays
that of the first flow, mistakes included.

Lesson: notebooks/14_score_sdes.ipynb
Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), algorithm 1 and section 2.2.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core import Event, PerExample, last, randn, sum_event
from genlab.core.guards import require_rows
from genlab.nn.mlp import MLP
from genlab.solvers.divergence import rademacher
from genlab.solvers.ode import euler

from .flow_matching import Velocity, flow_matching_loss, flow_sample
from .ode_likelihood import ode_log_prob
from .priors import NormalPrior
from .sde import Solver


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
