r"""The likelihood that a velocity gives: follow a point to the noise, and count the stretching.

$$\dot x = v(x, t), \qquad
\log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla\cdot v(x_t, t)\,dt$$

Exact for the distribution that the *ODE* samples from, up to the solver's error (which finer steps
remove), the noise of a stochastic trace (which more probes remove), and the **prior gap**: $p_T$
must be the law that sampling starts from. Put $\mathcal N(0, I)$ there although the data still
shine through at T, and an error remains that no step size removes.

The ancestral chain and the reverse SDE on the same network are other distributions: their
likelihood is bounded by `ddpm_vlb`, not given by this file.

Lesson: notebooks/14_score_sdes.ipynb
Sources: Song et al. 2021 (arXiv:2011.13456), section 4.3 and appendix D.2; Chen et al. 2018
(arXiv:1806.07366), eq. 8; Grathwohl et al. 2019 (arXiv:1810.01367), eq. 4 and 8.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import Event, PerExample, last
from genlab.solvers import divergence
from genlab.solvers.ode import rk4

from .priors import Prior
from .sde import ScoreModel, Solver, probability_flow, probability_flow_sample
from .sde_paths import SDE

Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def ride(
    velocity: Velocity,
    x0: Event,
    ts: Float[Tensor, " n"],
    *,
    probes: Float[Tensor, " k b *event"] | None = None,
    method: Solver = rk4,
) -> tuple[Event, PerExample]:
    r"""Carry points along a velocity together with the logarithm of their volume.

    $$\frac{d}{dt}\begin{pmatrix} x_t \\ \ell_t\end{pmatrix} =
    \begin{pmatrix} v(x_t, t) \\ \nabla\cdot v(x_t, t)\end{pmatrix}, \qquad \ell = 0
    \text{ at the start}$$

    Args:
        velocity: $v(x, t)$ with `t` of shape `(b,)`.
        x0: where the points start, at `ts[0]`, `(b, *event)`.
        ts: times, rising or falling.
        probes: signs or normal noise for a stochastic trace, the same all along the way; None
            computes the trace exactly, by D backward passes an evaluation.
        method: a solver of `genlab.solvers`.

    Returns:
        Where the points arrive, and $\log|\det \partial x_T/\partial x_0|$, `(b,)`, nats.

    Example:
        >>> ts = torch.linspace(0, 1, 9)
        >>> ride(lambda x, t: -0.5 * x, torch.ones(1, 4), ts)[1]
        tensor([-2.])

    Source: Grathwohl et al. 2019 (arXiv:1810.01367), eq. 4.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    shape = x0.shape

    def slope(t: Tensor, state: Tensor) -> Tensor:
        x = state[:, :-1].reshape(shape)

        def field(y: Tensor) -> Tensor:
            return velocity(y, t.expand(len(y)))

        with torch.no_grad():  # the divergence switches gradients on where it needs them
            v, div = (
                divergence.exact(field, x)
                if probes is None
                else divergence.hutchinson(field, x, probes)
            )
        return torch.cat([v.flatten(1), div[:, None]], 1)

    state = last(method(slope, torch.cat([x0.flatten(1), x0.new_zeros(len(x0), 1)], 1), ts))
    return state[:, :-1].reshape(shape), state[:, -1]


def ode_log_prob(
    velocity: Velocity,
    x0: Event,
    ts: Float[Tensor, " n"],
    *,
    prior_log_prob: Callable[[Tensor], Tensor],
    probes: Float[Tensor, " k b *event"] | None = None,
    method: Solver = rk4,
) -> PerExample:
    r"""Log-density of the distribution that an ODE transports to.

    $$\log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla\cdot v(x_t, t)\,dt$$

    Args:
        velocity: $v(x, t)$ with `t` of shape `(b,)`.
        x0: data, `(b, *event)`.
        ts: times, rising from the data's to T.
        prior_log_prob: $\log p_T$, `(b, *event)` to `(b,)` nats: of the law that sampling starts
            from. With the true law of the noised data, what is left is the solver's error.
        probes: as in `ride`; with them the result is unbiased for the log, never for the density.
        method: a solver of `genlab.solvers`.

    Returns:
        `(b,)`, nats, without gradients.

    Raises:
        ValueError: the times do not rise.

    Example:
        >>> from genlab.core import std_normal_log_prob
        >>> ts = torch.linspace(0, 1, 9)        # everything shrinks by e: p_0 = N(0, e^2)
        >>> ode_log_prob(lambda x, t: -x, torch.zeros(1, 1), ts, prior_log_prob=std_normal_log_prob)
        tensor([-1.9189])

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 39.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not bool((ts.diff() > 0).all()):
        raise ValueError(f"ode_log_prob: ts is {ts.tolist()}, expected rising times, data first")
    x_T, log_det = ride(velocity, x0, ts, probes=probes, method=method)
    return prior_log_prob(x_T) + log_det


@final
@dataclass(frozen=True)
class ProbabilityFlow:
    r"""A score model read as an ODE: it samples without noise, and it knows its log-density.

    $$\dot x = a\,x - \tfrac12 g^2 s_\theta(x, t), \qquad x_T \sim \text{prior}$$

    Its kind is *exact*: exact up to the errors of the solver and of the trace. It is not the
    distribution of the chain or of the reverse SDE that use the same network.

    Args:
        score: $(x, t) \mapsto$ score, `t` of shape `(b,)`.
        sde: the forward equation.
        prior: the law at `ts[-1]` that sampling starts from.
        ts: rising times, from the data's (0, or a little above for a network) to T.
        event_shape: shape of one example.
        n_probes: Rademacher probes for the trace; 0 computes it exactly.
        seed: of the probes: the same examples get the same number.

    Example:
        >>> from genlab.score.sde_paths import VP
        >>> from genlab.score.priors import NormalPrior
        >>> prior = NormalPrior.standard((2,))
        >>> model = ProbabilityFlow(lambda x, t: -x, VP(), prior, torch.linspace(0, 1, 5), (2,))
        >>> model.log_prob(torch.zeros(1, 2))       # standard normal data do not move
        tensor([-1.8379])

    Source: Song et al. 2021 (arXiv:2011.13456), section 4.3.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    score: ScoreModel
    sde: SDE
    prior: Prior
    ts: Float[Tensor, " n"]
    event_shape: tuple[int, ...]
    n_probes: int = 0
    seed: int = 0

    def velocity(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        """Velocity of the ODE."""
        return probability_flow(self.sde, self.score, x, t)

    def log_prob(self, x: Event) -> PerExample:
        """Log-density in nats, by RK4: 4 evaluations a step, each with its trace."""
        probes = None
        if self.n_probes:
            generator = torch.Generator().manual_seed(self.seed)
            probes = divergence.rademacher((self.n_probes, *x.shape), like=x, generator=generator)
        return ode_log_prob(
            self.velocity, x, self.ts, prior_log_prob=self.prior.log_prob, probes=probes
        )

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples by RK4, from the prior down to the data."""
        if cond is not None:
            raise ValueError("this ProbabilityFlow is unconditional: cond must be None")
        x_T = self.prior.sample(n, generator=generator)
        ts = self.ts.flip(0)
        return last(probability_flow_sample(self.sde, self.score, x_T, ts, method=rk4))
