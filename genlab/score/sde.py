r"""Noising paths in continuous time, each with the equation whose solution has its marginals.

$$x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon \quad\Longleftrightarrow\quad
dx = a(t)\,x\,dt + g(t)\,dW, \qquad
a = \frac{d\log\alpha_t}{dt}, \quad g^2 = \frac{d\sigma_t^2}{dt} - 2a\,\sigma_t^2$$

| path | $\alpha_t$ | $\sigma_t$ | $a(t)$ | $g(t)^2$ |
|---|---|---|---|---|
| `VP` | $e^{-B/2}$ | $\sqrt{1-e^{-B}}$ | $-\beta/2$ | $\beta$ |
| `SubVP` | $e^{-B/2}$ | $1-e^{-B}$ | $-\beta/2$ | $\beta(1-e^{-2B})$ |
| `VE` | 1 | $\sigma_0\sqrt{r^{2t}-1}$ | 0 | $2\sigma_0^2\, r^{2t}\log r$ |
| `Straight` | $1-t$ | $t$ | $-1/(1-t)$ | $2t/(1-t)$ |

Here $\beta(t)$ runs linearly between two values, $B(t)=\int_0^t\beta$, and r is the ratio of the
largest to the smallest noise. Time runs from data at 0 to noise.

Lesson: notebooks/14_score_sdes.ipynb
Sources: Song et al. 2021 (arXiv:2011.13456), eq. 29 to 33 and appendix C; Liu, Gong and Liu 2022
(arXiv:2209.03003), eq. 1, with its time reversed.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import Event, PerExample, expand, last, normal_log_prob, randn, sum_event
from genlab.core.tensors import require_between
from genlab.score.diffusion import Level
from genlab.solvers.mcmc import langevin_step
from genlab.solvers.ode import (
    Field,
    exact_divergence,
    heun,
    hutchinson_divergence,
    rademacher,
    require_times,
    rk4,
)
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step

Time: TypeAlias = Float[Tensor, " *b"]


@runtime_checkable
class SDE(Protocol):
    r"""A linear equation $dx = a(t)\,x\,dt + g(t)\,dW$ that starts at the data at t = 0."""

    def alpha(self, t: Time) -> Time:
        r"""Signal scale $\alpha_t$, 1 at t = 0."""
        ...

    def sigma(self, t: Time) -> Time:
        r"""Noise scale $\sigma_t$, 0 at t = 0."""
        ...

    def rate(self, t: Time) -> Time:
        r"""Drift rate $a(t) = d\log\alpha_t/dt$: the drift is a(t) x."""
        ...

    def strength(self, t: Time) -> Time:
        r"""Noise strength g(t), not negative."""
        ...


@final
@dataclass(frozen=True)
class VP:
    r"""Variance preserving: DDPM in continuous time. Unit-variance data keep unit variance.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)}\,dW$$

    Example:
        >>> VP(1.0, 1.0).alpha(torch.tensor(0.5))    # exp(-t / 2) when beta is 1
        tensor(0.7788)

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 32 and 33.
    """

    beta_min: float = 0.1  # beta(0)
    beta_max: float = 20.0  # beta(1)

    def beta(self, t: Time) -> Time:
        """Noise rate at time t, linear in t."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def noise_so_far(self, t: Time) -> Time:
        r"""$B(t) = \int_0^t \beta$, so that $\bar\alpha_t = e^{-B}$."""
        return t * self.beta_min + t**2 * (self.beta_max - self.beta_min) / 2

    def alpha(self, t: Time) -> Time:
        """Signal scale."""
        return torch.exp(-0.5 * self.noise_so_far(t))

    def sigma(self, t: Time) -> Time:
        """Noise scale; `expm1` keeps its digits where t is small."""
        return (-torch.expm1(-self.noise_so_far(t))).sqrt()

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return -0.5 * self.beta(t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        return self.beta(t).sqrt()


@final
@dataclass(frozen=True)
class SubVP:
    r"""The drift of `VP` with less noise: its noise scale is the square of that of `VP`.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)\,(1-e^{-2B(t)})}\,dW$$

    Example:
        >>> t = torch.tensor(0.5)
        >>> bool(SubVP().sigma(t) < VP().sigma(t))
        True

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 29 and 12.
    """

    beta_min: float = 0.1  # beta(0)
    beta_max: float = 20.0  # beta(1)

    def alpha(self, t: Time) -> Time:
        """Signal scale."""
        return VP(self.beta_min, self.beta_max).alpha(t)

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return -torch.expm1(-VP(self.beta_min, self.beta_max).noise_so_far(t))

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return VP(self.beta_min, self.beta_max).rate(t)

    def strength(self, t: Time) -> Time:
        """Noise strength; 0 at t = 0."""
        vp = VP(self.beta_min, self.beta_max)
        return (vp.beta(t) * -torch.expm1(-2 * vp.noise_so_far(t))).sqrt()


@final
@dataclass(frozen=True)
class VE:
    r"""Variance exploding: NCSN in continuous time. No drift, noise that grows geometrically.

    $$dx = \sigma_0\, r^t \sqrt{2\log r}\;dW, \qquad \sigma_t^2 = \sigma_0^2\,(r^{2t} - 1)$$

    The 1 is often left out; then the data at t = 0 carry noise $\sigma_0$ already.

    Example:
        >>> VE(0.01, 10.0).sigma(torch.tensor([0.0, 0.5, 1.0]))
        tensor([ 0.0000,  0.3161, 10.0000])

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 30 and 29.
    """

    sigma_min: float = 0.01  # the unit of the geometric growth, sigma_0
    sigma_max: float = 50.0  # r sigma_0, the noise scale at t = 1 (up to the 1 in the formula)

    @property
    def log_ratio(self) -> float:
        """Logarithm of r."""
        return math.log(self.sigma_max / self.sigma_min)

    def alpha(self, t: Time) -> Time:
        """Signal scale: always 1."""
        return torch.ones_like(t)

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return self.sigma_min * torch.expm1(2 * self.log_ratio * t).sqrt()

    def rate(self, t: Time) -> Time:
        """Drift rate: 0."""
        return torch.zeros_like(t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        scale: float = self.sigma_min * math.sqrt(2 * self.log_ratio)
        return scale * torch.exp(self.log_ratio * t)


@final
@dataclass(frozen=True)
class Straight:
    r"""Rectified flow's path as an equation: straight lines from data to noise.

    $$x_t = (1-t)\,x_0 + t\,\epsilon, \qquad
    dx = -\frac{x}{1-t}\,dt + \sqrt{\frac{2t}{1-t}}\,dW, \qquad t < 1$$

    Both coefficients grow without bound as t approaches 1; the velocity of the path does not.

    Example:
        >>> t = torch.tensor(0.5)
        >>> Straight().rate(t), Straight().strength(t)
        (tensor(-2.), tensor(1.4142))

    Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), eq. 1; the equation follows from the table.
    """

    def alpha(self, t: Time) -> Time:
        """Signal scale: 0 at t = 1, exactly."""
        return 1 - t

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return t

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return -1 / (1 - t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        return (2 * t / (1 - t)).sqrt()


ScoreModel: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Solver: TypeAlias = Callable[[Field, Tensor, Tensor], Iterator[Tensor]]


def reverse_drift(
    sde: SDE, score: ScoreModel, x: Event, t: Float[Tensor, " b"], *, noise: float = 1.0
) -> Event:
    r"""Drift of the reverse-time equation, for any amount of fresh noise.

    $$a(t)\,x - \tfrac{1+\lambda^2}2\, g(t)^2\,\nabla\log p_t(x)$$

    Solved from T down to 0 together with the noise $\lambda g(t)\,d\bar W$, it carries $p_T$ to
    $p_t$ for every t, whatever $\lambda$ is.

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$.
        x: state, `(b, *event)`.
        t: time of each example, `(b,)`.
        noise: $\lambda$; 1 is Anderson's reversal, 0 the probability-flow ODE.

    Returns:
        Like `x`; an increment is this times a *negative* dt.

    Raises:
        ValueError: `noise` is negative.

    Example:
        >>> from genlab.score.sde import VP
        >>> x, t = torch.tensor([[1.2]]), torch.tensor([0.5])
        >>> reverse_drift(VP(1.0, 1.0), lambda x, t: -x, x, t)   # N(0, 1) data: score -x
        tensor([[0.6000]])

    Source: Anderson 1982, eq. 5.4; Huang, Lim and Courville 2021 (arXiv:2106.02808), section 4.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not noise >= 0:
        raise ValueError(f"reverse_drift: noise is {noise}, expected at least 0")
    a, g = expand(sde.rate(t), x), expand(sde.strength(t), x)
    return a * x - (1 + noise**2) / 2 * g**2 * score(x, t)


def probability_flow(sde: SDE, score: ScoreModel, x: Event, t: Float[Tensor, " b"]) -> Event:
    r"""Velocity of the ODE whose solutions have the marginals of the SDE.

    $$\dot x = a(t)\,x - \tfrac12\, g(t)^2\,\nabla\log p_t(x)$$

    Standard normal data under a variance-preserving equation do not move at all.

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$.
        x: state, `(b, *event)`.
        t: time of each example, `(b,)`.

    Returns:
        Like `x`; for t growing. Follow it with decreasing t to sample.

    Example:
        >>> from genlab.score.sde import VP
        >>> x, t = torch.tensor([[1.2]]), torch.tensor([0.5])
        >>> probability_flow(VP(1.0, 1.0), lambda x, t: -0.8 / VP(1.0, 1.0).sigma(t)[:, None], x, t)
        tensor([[0.0377]])

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 13.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    a, g = expand(sde.rate(t), x), expand(sde.strength(t), x)
    return a * x - 0.5 * g**2 * score(x, t)


def score_from_eps_model(eps_model: ScoreModel, sigma: Callable[[Tensor], Level]) -> ScoreModel:
    r"""Read a noise predictor as a score model.

    $$s(x, t) = -\epsilon_\theta(x, t)/\sigma_t$$

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        sigma: noise scale as a function of time, such as `VP().sigma`.

    Returns:
        $(x, t) \mapsto$ score.

    Example:
        >>> score = score_from_eps_model(lambda x, t: 0.5 * x, lambda t: t)
        >>> score(torch.tensor([[1.0]]), torch.tensor([0.25]))
        tensor([[-2.]])

    Source: Song et al. 2021 (arXiv:2011.13456), appendix E; Ho et al. 2020, section 3.2.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    def score(x: Tensor, t: Tensor) -> Tensor:
        return -eps_model(x, t) / expand(sigma(t), x)

    return score


def reverse_sde_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    noise: float = 1.0,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: Euler-Maruyama on the reverse-time equation; the law has an error $O(h)$.

    $$x_s = x_t + (s-t)\Big[a\,x_t - \tfrac{1+\lambda^2}2 g^2 s_\theta(x_t, t)\Big]
    + \lambda\, g\sqrt{t-s}\;z, \qquad s < t$$

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x_T: draws from the law at `ts[0]`, `(b, *event)`.
        ts: times, falling.
        noise: $\lambda$; 0 gives Euler's method on the probability-flow ODE.
        generator: source of the fresh noise.

    Yields:
        The states at each of the n times, `x_T` first, without gradients.

    Raises:
        ValueError: `ts` is no path of times, or `noise` is negative.

    Source: Song et al. 2021 (arXiv:2011.13456), section 3.3; for $\lambda$ see `reverse_drift`.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    def drift(t: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            return reverse_drift(sde, score, x, t.expand(len(x)), noise=noise)

    return euler_maruyama(drift, lambda t: noise * sde.strength(t), x_T, ts, generator=generator)


def probability_flow_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    method: Solver = heun,
) -> Iterator[Event]:
    r"""Sampler: solve the probability-flow ODE; the same start always gives the same sample.

    $$\dot x = a\,x - \tfrac12 g^2 s_\theta(x, t)$$

    With rising `ts` it encodes: data in, their noise out.

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x_T: states at `ts[0]`, `(b, *event)`.
        ts: times, falling to sample, rising to encode.
        method: a solver of `genlab.solvers`.

    Yields:
        The states at each of the n times, `x_T` first, without gradients.

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 13 and section 4.3.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    def velocity(t: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            return probability_flow(sde, score, x, t.expand(len(x)))

    return method(velocity, x_T, ts)


@runtime_checkable
class Prior(Protocol):
    """A law at time T that can be drawn from and evaluated."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density, `(b,)`, nats."""
        ...

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw `n` examples."""
        ...


@final
@dataclass(frozen=True)
class NormalPrior:
    r"""A normal law with independent coordinates, $\mathcal N(m, \mathrm{diag}(s^2))$.

    Args:
        mean: `event`.
        std: `event`, positive.

    Example:
        >>> NormalPrior.standard((2,)).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])

    Lesson: notebooks/14_score_sdes.ipynb
    """

    mean: Float[Tensor, " *event"]
    std: Float[Tensor, " *event"]

    @classmethod
    def standard(cls, event_shape: tuple[int, ...]) -> "NormalPrior":
        """The usual choice: mean 0, deviation 1."""
        return cls(torch.zeros(event_shape), torch.ones(event_shape))

    @classmethod
    def of_noised(cls, data: Event, alpha: Tensor, sigma: Tensor) -> "NormalPrior":
        r"""The normal with the mean and variances of $\alpha x_0 + \sigma\epsilon$.

        It needs nothing but the data, and it removes the prior gap to first order in $\alpha$.
        """
        return cls(alpha * data.mean(0), (alpha**2 * data.var(0) + sigma**2).sqrt())

    def log_prob(self, x: Event) -> PerExample:
        """Log-density, `(b,)`, nats."""
        return normal_log_prob(x, self.mean.to(x), self.std.to(x))

    def sample(self, n: int, *, generator: Generator | None = None) -> Event:
        """Draw `n` examples."""
        return self.mean + self.std * randn(
            (n, *self.mean.shape), like=self.mean, generator=generator
        )


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
                exact_divergence(field, x)
                if probes is None
                else hutchinson_divergence(field, x, probes)
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
        >>> from genlab.score.sde import VP
        >>> from genlab.score.sde import NormalPrior
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
            probes = rademacher((self.n_probes, *x.shape), like=x, generator=generator)
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


StepRule: TypeAlias = Callable[[Tensor, Tensor, Tensor], float]


def snr_step_size(score: Event, z: Event, *, snr: float) -> float:
    r"""Langevin step whose push is a given share of its noise, measured on the batch.

    $$\eta = 2\,\Big(r\,\frac{\overline{\lVert z\rVert}}{\overline{\lVert s\rVert}}\Big)^2$$

    Then the push $\eta\,s$ has r times the mean length of the noise $\sqrt{2\eta}\,z$: the same at
    every level, though scores grow like $1/\sigma$.

    Args:
        score: $\nabla\log p$ at the states, `(b, *event)`.
        z: the noise of this step, like `score`.
        snr: r, positive.

    Returns:
        One number for the batch: norms are averaged over it, as in the published code. (A step for
        each example would depend on the example's own noise, which biases it.)

    Raises:
        ValueError: `snr` is not positive.

    Example:
        >>> snr_step_size(torch.full((2, 1), 4.0), torch.ones(2, 1), snr=0.5)  # 2 (0.5 / 4)^2
        0.03125

    Source: Song et al. 2021 (arXiv:2011.13456), algorithm 4, line 5 ($\epsilon$ there).
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not snr > 0:
        raise ValueError(f"snr_step_size: snr is {snr}, expected > 0")
    norms = [float(sum_event(v**2).sqrt().mean()) for v in (z, score)]
    return float(2 * (snr * norms[0] / norms[1]) ** 2)


def level_step_size(sigma: Float[Tensor, ""], *, share: float) -> float:
    r"""Langevin step proportional to the variance of the noise: the rule of NCSN.

    $$\eta = c\,\sigma^2$$

    Args:
        sigma: noise scale of the level.
        share: c, positive. NCSN's $\epsilon$ at its lowest level L is $2c\,\sigma_L^2$.

    Returns:
        One number.

    Raises:
        ValueError: `share` is not positive.

    Example:
        >>> level_step_size(torch.tensor(2.0), share=0.5)
        2.0

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1, line 3.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not share > 0:
        raise ValueError(f"level_step_size: share is {share}, expected > 0")
    return float(share * sigma**2)


def correct(
    score: ScoreModel,
    x: Event,
    t: Float[Tensor, ""],
    *,
    n_steps: int,
    step_size: StepRule,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Corrector: Langevin steps towards $p_t$, the time standing still.

    $$x \leftarrow x + \eta\,\nabla\log p_t(x) + \sqrt{2\eta}\;z$$

    Args:
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x: states, `(b, *event)`.
        t: the time, `()`.
        n_steps: Langevin steps, one evaluation of the score each.
        step_size: $(t, s, z) \mapsto \eta$, see `snr_step_size` and `level_step_size`.
        generator: source of the noise.

    Yields:
        The states after each step, without gradients.

    Source: Song et al. 2021 (arXiv:2011.13456), algorithms 4 and 5, lines 6 to 8.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_between(0, math.inf, n_steps=n_steps)
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        with torch.no_grad():
            slope = score(x, t.expand(len(x)))
            x = langevin_step(x, slope, z, step_size=step_size(t, slope, z))
        yield x


def predictor_corrector_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    n_corrector: int = 1,
    step_size: StepRule | None = None,
    predict: bool = True,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: at each time a reverse-time step (the predictor), then Langevin (the corrector).

    $$x_s = x_t + (s-t)\big[a\,x_t - g^2 s_\theta(x_t, t)\big] + g\sqrt{t-s}\,z, \quad
    \text{then } k \text{ times } x_s \leftarrow x_s + \eta\,s_\theta(x_s, s) + \sqrt{2\eta}\,z$$

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x_T: draws from the law at `ts[0]`, `(b, *event)`.
        ts: times, falling.
        n_corrector: k, Langevin steps at each time but the first.
        step_size: $(t, s, z) \mapsto \eta$; `snr_step_size` with r = 0.16 when None.
        predict: False leaves the predictor out: annealed Langevin on the levels of `ts[1:]`.
        generator: source of the noise.

    Yields:
        The states at each of the n times, `x_T` first; 1 + k evaluations of the score a step.

    Raises:
        ValueError: `ts` is no path of times, or `n_corrector` is negative.

    Example:
        >>> from genlab.score.sde import VP
        >>> ts = torch.linspace(1, 0.1, 5)
        >>> len(list(predictor_corrector_sample(VP(), lambda x, t: -x, torch.ones(3, 2), ts)))
        5

    Source: Song et al. 2021 (arXiv:2011.13456), algorithm 1 and appendix G.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_times(ts)
    if n_corrector < 0:
        raise ValueError(f"n_corrector is {n_corrector}, expected at least 0")
    rule = step_size or (lambda t, s, z: snr_step_size(s, z, snr=0.16))

    def drift(t: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            return reverse_drift(sde, score, x, t.expand(len(x)))

    def mend(x: Tensor, s: Tensor) -> Tensor:
        steps = correct(score, x, s, n_steps=n_corrector, step_size=rule, generator=generator)
        return last(steps) if n_corrector else x

    def states() -> Iterator[Tensor]:
        x = x_T
        yield x
        for t, s in pairwise(ts):
            if predict:
                z = randn(x.shape, like=x, generator=generator)
                x = euler_maruyama_step(drift, sde.strength, t, s, x, z)
            x = mend(x, s)
            yield x

    return states()
