r"""Score SDEs: noising paths in continuous time, their reversal, their ODE and its likelihood.

$$x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon \quad\Longleftrightarrow\quad
dx = a(t)\,x\,dt + g(t)\,dW, \qquad
a = \frac{d\log\alpha_t}{dt}, \quad g^2 = \frac{d\sigma_t^2}{dt} - 2a\,\sigma_t^2$$

Equations without a source are numbered as in Song et al. 2021 (arXiv:2011.13456).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import (
    Event,
    Level,
    PerExample,
    Scalar,
    expand,
    last,
    normal_log_prob,
    randn,
    sum_event,
)
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_between, require_finite, require_positive
from genlab.oracles.continuous import Gaussian, GaussianMixture
from genlab.solvers.mcmc import langevin_step
from genlab.solvers.ode import Field, Solver, Velocity, heun, rademacher, require_times, ride, rk4
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step

ScoreModel: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x, t), t (b,), to grad log p_t(x)
StepRule: TypeAlias = Callable[[Tensor, Tensor, Tensor], float]  # (t, score, z) to a step size


@runtime_checkable
class SDE(Protocol):
    r"""A linear equation $dx = a(t)\,x\,dt + g(t)\,dW$ that starts at the data at t = 0."""

    def alpha(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        r"""Signal scale $\alpha_t$, 1 at t = 0."""

    def sigma(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        r"""Noise scale $\sigma_t$, 0 at t = 0."""

    def rate(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        r"""Drift rate $a(t) = d\log\alpha_t/dt$: the drift is a(t) x."""

    def diffusion(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        """Diffusion coefficient g(t), not negative."""


@dataclass(frozen=True)
class VP:
    r"""Variance preserving (eq. 32): DDPM in continuous time. Unit-variance data keep theirs.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)}\,dW, \qquad
    \alpha_t = e^{-B/2}, \quad \sigma_t = \sqrt{1 - e^{-B}}, \quad B(t) = \int_0^t\beta$$
    """

    beta_min: float = 0.1  # beta(0)
    beta_max: float = 20.0  # beta(1)

    def __post_init__(self) -> None:
        require_between(0, math.inf, beta_min=self.beta_min)
        require_positive(beta_max=self.beta_max)
        require_finite(beta_min=self.beta_min, beta_max=self.beta_max)

    def beta(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def noise_so_far(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        r"""$B(t)$; DDPM's $\bar\alpha_t$ is $e^{-B}$."""
        return t * self.beta_min + t**2 * (self.beta_max - self.beta_min) / 2

    def alpha(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return torch.exp(-0.5 * self.noise_so_far(t))

    def sigma(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        """Noise scale; `expm1` keeps its digits where t is small."""
        return (-torch.expm1(-self.noise_so_far(t))).sqrt()

    def rate(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return -0.5 * self.beta(t)

    def diffusion(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return self.beta(t).sqrt()


class SubVP(VP):
    r"""The drift of `VP` with less noise: $\sigma_t = 1 - e^{-B}$, the square of that of `VP`.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)\,(1-e^{-2B(t)})}\,dW$$ (eq. 29)
    """

    def sigma(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return -torch.expm1(-self.noise_so_far(t))

    def diffusion(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return (self.beta(t) * -torch.expm1(-2 * self.noise_so_far(t))).sqrt()


@dataclass(frozen=True)
class VE:
    r"""Variance exploding: NCSN in continuous time, with no noise at t = 0 (eq. 29 and 30).

    $$dx = \sigma_0\, r^t \sqrt{2\log r}\;dW, \qquad \sigma_t^2 = \sigma_0^2\,(r^{2t} - 1)$$
    """

    sigma_min: float = 0.01  # the unit of the geometric growth, sigma_0
    sigma_max: float = 50.0  # r sigma_0, the noise scale at t = 1 (up to the 1 in the formula)

    def __post_init__(self) -> None:
        require_positive(sigma_min=self.sigma_min)
        require_finite(sigma_max=self.sigma_max)
        if not self.sigma_max > self.sigma_min:
            found = f"sigma_min = {self.sigma_min:g} and sigma_max = {self.sigma_max:g}"
            raise ValueError(f"VE: expected sigma_min < sigma_max, got {found}")

    @property
    def log_ratio(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)

    def alpha(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return torch.ones_like(t)

    def sigma(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return self.sigma_min * torch.expm1(2 * self.log_ratio * t).sqrt()

    def rate(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return torch.zeros_like(t)

    def diffusion(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return self.sigma_min * math.sqrt(2 * self.log_ratio) * torch.exp(self.log_ratio * t)


@dataclass(frozen=True)
class Straight:
    r"""Rectified flow's path $x_t = (1-t)\,x_0 + t\,\epsilon$ as an equation, for t < 1.

    $$dx = -\frac{x}{1-t}\,dt + \sqrt{\frac{2t}{1-t}}\,dW$$
    """

    def alpha(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return 1 - t

    def sigma(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return t

    def rate(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return -1 / (1 - t)

    def diffusion(self, t: Float[Tensor, " *b"]) -> Float[Tensor, " *b"]:
        return (2 * t / (1 - t)).sqrt()


# From noise to data: the reverse SDE, and the ODE with the same marginals


def score_from_eps_model(eps_model: ScoreModel, sigma: Callable[[Tensor], Level]) -> ScoreModel:
    r"""Read a noise predictor as a score model, $s(x, t) = -\epsilon_\theta(x, t)/\sigma_t$."""
    return lambda x, t: -eps_model(x, t) / expand(sigma(t), x)


def reverse_drift(
    sde: SDE, score: ScoreModel, x: Event, t: Float[Tensor, " b"], *, noise: float = 1.0
) -> Event:
    r"""Drift of the reverse-time equation, for any amount $\lambda$ of fresh noise.

    $$a(t)\,x - \tfrac{1+\lambda^2}2\, g(t)^2\,\nabla\log p_t(x)$$

    $\lambda = 1$ is Anderson's reversal (1982, eq. 5.4), 0 the probability-flow ODE (Huang, Lim and
    Courville 2021, arXiv:2106.02808, section 4).
    """
    require_between(0, math.inf, noise=noise)
    a = expand(sde.rate(t), x)
    g = expand(sde.diffusion(t), x)
    return a * x - (1 + noise**2) / 2 * g**2 * score(x, t)


def probability_flow(sde: SDE, score: ScoreModel, x: Event, t: Float[Tensor, " b"]) -> Event:
    r"""Velocity of the ODE whose solutions have the marginals of the SDE (eq. 13).

    $$\dot x = a(t)\,x - \tfrac12\, g(t)^2\,\nabla\log p_t(x)$$
    """
    a = expand(sde.rate(t), x)
    g = expand(sde.diffusion(t), x)
    return a * x - 0.5 * g**2 * score(x, t)


def as_field(function: Velocity) -> Field:
    """A solver's field (t, x), without gradients, from a function of x and the time of each row."""

    @torch.no_grad()
    def field(t: Tensor, x: Tensor) -> Tensor:
        return function(x, t.to(x.device).expand(len(x)))

    return field


def reverse_sde_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    noise: float = 1.0,
    generator: Rng = None,
) -> Iterator[Event]:
    r"""Sampler: yield the states of Euler-Maruyama at each of the falling times, `x_T` first.

    $$x_s = x_t + (s-t)\Big[a\,x_t - \tfrac{1+\lambda^2}2 g^2 s_\theta(x_t, t)\Big]
    + \lambda\, g\sqrt{t-s}\;z, \qquad s < t$$
    """
    drift = as_field(partial(reverse_drift, sde, score, noise=noise))
    return euler_maruyama(drift, lambda t: noise * sde.diffusion(t), x_T, ts, generator=generator)


def probability_flow_sample(
    sde: SDE, score: ScoreModel, x_T: Event, ts: Float[Tensor, " n"], *, method: Solver = heun
) -> Iterator[Event]:
    """Sampler: yield the ODE's states at each time, `x_T` first; with rising times it encodes."""
    return method(as_field(partial(probability_flow, sde, score)), x_T, ts)


def snr_step_size(score: Event, z: Event, *, snr: float) -> float:
    r"""Langevin step whose drift has r times the mean length of its noise (algorithm 4).

    $$\eta = 2\,\Big(r\,\frac{\overline{\lVert z\rVert}}{\overline{\lVert s\rVert}}\Big)^2$$
    """
    require_positive(snr=snr)
    noise, slope = (float(sum_event(v**2).sqrt().mean()) for v in (z, score))
    if slope == 0:
        raise ValueError("snr_step_size: the score is 0 in every row, expected one off a mode")
    return 2 * (snr * noise / slope) ** 2


def predictor_corrector_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    n_corrector: int = 1,
    step_size: StepRule = lambda t, s, z: snr_step_size(s, z, snr=0.16),
    predict: bool = True,
    generator: Rng = None,
) -> Iterator[Event]:
    r"""Sampler: a reverse-time step to each next time, then k Langevin steps there (appendix G).

    $$x_s = x_t + (s-t)\big[a\,x_t - g^2 s_\theta(x_t, t)\big] + g\sqrt{t-s}\,z, \quad
    \text{then } k \text{ times } x_s \leftarrow x_s + \eta\,s_\theta(x_s, s) + \sqrt{2\eta}\,z$$

    Yields the states, `x_T` first; without the predictor it is annealed Langevin.
    """
    require_times(ts)
    require_between(0, math.inf, n_corrector=n_corrector)
    drift = as_field(partial(reverse_drift, sde, score))
    push = as_field(score)
    x = x_T
    yield x
    for t, s in pairwise(ts):
        if predict:
            z = randn(x.shape, like=x, generator=generator)
            x = euler_maruyama_step(drift, sde.diffusion, t, s, x, z)
        for _ in range(n_corrector):
            z = randn(x.shape, like=x, generator=generator)
            slope = push(s, x)
            x = langevin_step(x, slope, z, step_size=step_size(s, slope, z))
        yield x


# The likelihood of an ODE


def ode_log_prob(
    velocity: Velocity,
    x0: Event,
    ts: Float[Tensor, " n"],
    *,
    prior_log_prob: Callable[[Tensor], Tensor],
    probes: Float[Tensor, " k b *event"] | None = None,
    method: Solver = rk4,
) -> PerExample:
    r"""Log-density in nats of the distribution that an ODE transports to (eq. 39).

    $$\log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla\cdot v(x_t, t)\,dt$$

    With `probes` it is unbiased for the logarithm, never for the density. `ts` rises to T.
    """
    if not bool((ts.diff() > 0).all()):
        raise ValueError(f"ode_log_prob: ts is {ts.tolist()}, expected rising times, data first")
    with torch.no_grad():  # the divergence switches gradients on where it needs them
        x_T, log_det = ride(velocity, x0, ts, probes=probes, method=method)
    return prior_log_prob(x_T) + log_det


@dataclass(frozen=True)
class NormalPrior:
    """Normal distribution of independent coordinates, `mean` and `std` of any event shape."""

    mean: Float[Tensor, " *event"]
    std: Float[Tensor, " *event"]  # positive

    @classmethod
    def standard(cls, event_shape: tuple[int, ...]) -> "NormalPrior":
        return cls(torch.zeros(event_shape), torch.ones(event_shape))

    @classmethod
    def of_noised(cls, data: Event, alpha: Scalar, sigma: Scalar) -> "NormalPrior":
        r"""Mean and variances of $\alpha x_0 + \sigma\epsilon$: no gap to first order in alpha."""
        return cls(alpha * data.mean(0), (alpha**2 * data.var(0) + sigma**2).sqrt())

    def log_prob(self, x: Event) -> PerExample:
        return normal_log_prob(x, self.mean.to(x), self.std.to(x))

    def sample(self, n: int, *, generator: Rng = None) -> Event:
        eps = randn((n, *self.mean.shape), like=self.mean, generator=generator)
        return self.mean + self.std * eps


@dataclass(frozen=True)
class ProbabilityFlow:
    """A score model as an ODE, with its log-density, exact up to solver and trace (section 4.3)."""

    score: ScoreModel
    sde: SDE
    prior: NormalPrior | Gaussian | GaussianMixture  # at ts[-1], where sampling starts
    ts: Float[Tensor, " n"]  # rising, from the data's time (a little above 0 for a network) to T
    event_shape: tuple[int, ...]
    n_probes: int = 0  # for the trace; 0 computes it exactly

    def velocity(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        return probability_flow(self.sde, self.score, x, t)

    def log_prob(self, x: Event) -> PerExample:
        """Log-density in nats, by RK4: 4 evaluations a step, each with its trace."""
        probes, prior = None, self.prior.log_prob
        if self.n_probes:  # the same at each call
            seeded = Generator().manual_seed(0)
            probes = rademacher((self.n_probes, *x.shape), like=x, generator=seeded)
        return ode_log_prob(self.velocity, x, self.ts, prior_log_prob=prior, probes=probes)

    def sample(self, n: int, *, generator: Rng = None) -> Event:
        """Draw `n` examples by RK4, from the prior down to the data."""
        x_T = self.prior.sample(n, generator=generator)
        ts = self.ts.flip(0)
        return last(probability_flow_sample(self.sde, self.score, x_T, ts, method=rk4))


check_public(__name__)
