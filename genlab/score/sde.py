r"""Noise in continuous time, and the two ways back: one random, one not, with the same marginals.

$$\begin{aligned}
\text{forward:}\quad & dx = a(t)\,x\,dt + g(t)\,dW \\
\text{reverse SDE:}\quad & dx = \big[a\,x - g^2\,\nabla\log p_t(x)\big]dt + g\,d\bar W \\
\text{probability-flow ODE:}\quad & \dot x = a\,x - \tfrac12 g^2\,\nabla\log p_t(x)
\end{aligned}$$

The two lower lines are the ends of a family: $\lambda g$ in front of the noise and
$\tfrac{1+\lambda^2}2 g^2$ in front of the score give the same marginals for every $\lambda$.
Only the score is unknown, and a noise predictor is a score: $-\epsilon_\theta/\sigma_t$.

Lesson: notebooks/14_score_sdes.ipynb
Sources: Anderson 1982, Stochastic Processes and their Applications 12, eq. 5.3 and 5.4; Song et al.
2021 (arXiv:2011.13456), eq. 6 and 13; Huang, Lim and Courville 2021 (arXiv:2106.02808), section 4
(the family).
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import Event, expand
from genlab.solvers.ode import Field, heun
from genlab.solvers.sde import euler_maruyama

from .paths import Level
from .sde_paths import SDE

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
        >>> from genlab.score.sde_paths import VP
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
        >>> from genlab.score.sde_paths import VP
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
