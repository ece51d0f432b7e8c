r"""Flow matching: regress on the velocity of straight lines, and get that of the whole flow.

**Time runs from data to noise, as everywhere in genlab**: Lipman et al. 2023 (arXiv:2210.02747)
and Liu et al. 2022 (arXiv:2209.03003) put data at 1, so replace t by 1 - t and v by -v.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core import Event, PerExample, last, mean_event, randn, std_normal_log_prob, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, Scalar, drawn, require_alike, require_between, require_rows
from genlab.nn.layers import MLP
from genlab.score.diffusion import add_noise
from genlab.score.sde import Solver, Velocity, as_field, ode_log_prob
from genlab.solvers.ode import euler


def flow_matching_loss(
    velocity: Velocity, x0: Event, t: Float[Tensor, " b"], eps: Event
) -> PerExample:
    r"""Squared error of the velocity along the straight line from x0 to eps, a mean over the event.

    $$\ell = \tfrac1D\,\lVert v(x_t, t) - (\epsilon - x_0)\rVert^2, \qquad
    x_t = (1-t)\,x_0 + t\,\epsilon$$

    Least, and not zero, for $\mathbb E[\epsilon - x_0\mid x_t]$ (Lipman et al. 2023, eq. 23 with
    sigma_min = 0 and time reversed). ValueError for t outside [0, 1].
    """
    require_between(0, 1, t=t)
    v = velocity(add_noise(x0, 1 - t, t, eps), t)
    require_alike(velocity=v, x0=x0)
    return mean_event((v - (eps - x0)) ** 2)


def flow_sample(
    velocity: Velocity, x_1: Event, ts: Float[Tensor, " n"], *, method: Solver = euler
) -> Iterator[Event]:
    r"""Sampler: yield the state at each time, noise at t = 1 first (Liu et al. 2022, algorithm 1).

    $$x_s = x_t + (s - t)\,v(x_t, t), \qquad s < t$$
    """
    return method(as_field(velocity), x_1, ts)


def straightness(states: Float[Tensor, " n b *event"], ts: Float[Tensor, " n"]) -> PerExample:
    r"""Squared distance of trajectories from lines at constant speed (Liu et al. 2022, eq. 6).

    $$S = \int_0^1 \Big\lVert (x_1 - x_0) - \dot x_t\Big\rVert^2 dt$$
    """
    require_rows(2, states=states, ts=ts)
    chord = (states[-1] - states[0]) / (ts[-1] - ts[0])
    gaps = [
        sum_event(((b - a) / h - chord) ** 2) * h.abs()
        for a, b, h in zip(states[:-1], states[1:], ts.diff(), strict=True)
    ]
    return torch.stack(gaps).sum(0)


def reflow_pairs(
    velocity: Velocity, eps: Event, ts: Float[Tensor, " n"], *, method: Solver = euler
) -> tuple[Event, Event]:
    r"""Pair each noise with the sample that the flow makes of it: data of a second, straighter fit.

    $$(\hat x_0, \epsilon), \qquad \hat x_0 = \epsilon + \int_1^0 v(x_t, t)\,dt$$
    """
    return last(flow_sample(velocity, eps, ts, method=method)), eps


class TimedMLP(nn.Module):
    """An MLP on vectors, with the time concatenated."""

    def __init__(self, d: int, *, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.net = MLP(d + 1, d, width, depth)

    def forward(self, x: Float[Tensor, " b d"], t: Float[Tensor, " b"]) -> Float[Tensor, " b d"]:
        return self.net(torch.cat([x, t[:, None]], 1))


class FlowMatching(nn.Module):
    r"""A velocity learned by flow matching: samples by Euler steps, and knows its log-density.

    `n_steps` are Euler's to sample, RK4's for the density.
    """

    def __init__(
        self, velocity_net: nn.Module, *, event_shape: tuple[int, ...], n_steps: int = 50
    ) -> None:
        super().__init__()
        self.velocity_net, self.event_shape, self.n_steps = velocity_net, event_shape, n_steps

    def velocity(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        return self.velocity_net(x, t)

    def loss(self, x: Event, *, noise: Event | None = None, generator: Rng = None) -> Scalar:
        """Flow-matching loss at random times, mean over the batch; fresh noise if none is given."""
        t = drawn(torch.rand, len(x), dtype=x.dtype, device=x.device, generator=generator)
        eps = randn(x.shape, like=x, generator=generator) if noise is None else noise
        return flow_matching_loss(self.velocity, x, t, eps).mean()

    def log_prob(self, x: Event) -> PerExample:
        """Log-density of the ODE in nats, exact up to the solver."""
        ts = torch.linspace(0, 1, self.n_steps + 1, dtype=x.dtype, device=x.device)
        return ode_log_prob(self.velocity, x, ts, prior_log_prob=std_normal_log_prob)

    def sample(self, n: int, *, generator: Rng = None) -> Event:
        like = next(self.parameters())
        x_1 = randn((n, *self.event_shape), like=like, generator=generator)
        ts = torch.linspace(1, 0, self.n_steps + 1, dtype=x_1.dtype, device=x_1.device)
        return last(flow_sample(self.velocity, x_1, ts))


check_public(__name__)
