"""The perfect network: noise, score or velocity of data whose distribution is known."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Event
from genlab.oracles.continuous import Empirical, Gaussian, GaussianMixture
from genlab.score.diffusion import EpsModel, eps_from_x0
from genlab.score.sde import SDE, ScoreModel, Velocity

Oracle: TypeAlias = Gaussian | GaussianMixture | Empirical


def exact_eps_model(data: Oracle, alphas_bar: Float[Tensor, " T"]) -> EpsModel:
    r"""Minimiser of the noise-prediction loss, at the integer steps of a schedule.

    $$\epsilon^*(x_t, t) = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$$
    """

    def eps_model(x_t: Event, t: Int[Tensor, " b"]) -> Event:
        a = alphas_bar[t]
        alpha = a.sqrt()
        sigma = (1 - a).sqrt()
        return eps_from_x0(x_t, data.denoiser(x_t, alpha, sigma), alpha, sigma)

    return eps_model


def exact_score(data: Oracle, sde: SDE) -> ScoreModel:
    r"""$(x, t) \mapsto \nabla\log p_t(x)$ for the path of an `SDE`; all rows share one time."""

    def score(x: Tensor, t: Tensor) -> Tensor:
        return data.noised(float(sde.alpha(t)), float(sde.sigma(t))).score(x)

    return _at_one_time(score)


def exact_velocity(data: Oracle) -> Velocity:
    r"""Minimiser of the flow-matching loss, finite at both ends; all rows share one time.

    $$v(x, t) = \mathbb E[\epsilon\mid x_t] - \mathbb E[x_0\mid x_t]
    = -t\,\nabla\log p_t(x) - \mathbb E[x_0 \mid x_t = x]$$
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        time = float(t)
        eps_hat = -time * data.noised(1 - time, time).score(x)
        return eps_hat - data.denoiser(x, 1 - time, time)

    return _at_one_time(velocity)


def _at_one_time(field: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def network(x: Tensor, t: Tensor) -> Tensor:
        if bool((t != t[0]).any()):
            raise ValueError(f"times run from {t.min()} to {t.max()}, expected one for all rows")
        return field(x, t[0])

    return network


def exact_flow_1d(
    data: GaussianMixture, u: Float[Tensor, " n"], alpha: float, sigma: float
) -> Float[Tensor, " n 1"]:
    r"""Where the noiseless flow of a mixture on the line is at one noise level: a quantile each.

    $$x_t(u) = F_t^{-1}(u), \qquad F_t(x) = \sum_k \pi_k\,
      \Phi\Big(\frac{x - \alpha m_k}{\sqrt{\alpha^2 s_k^2+\sigma^2}}\Big), \qquad 0 < u < 1$$
    """
    if data.event_shape != (1,):
        raise ValueError(f"data have event shape {data.event_shape}, expected (1,)")
    if not bool(((u > 0) & (u < 1)).all()):
        raise ValueError(f"u must lie in (0, 1), got {float(u.min())} to {float(u.max())}")
    noised = data.noised(alpha, sigma)
    means, stds = noised.means[:, 0], noised.stds
    low = torch.full_like(u, float((means - 40 * stds).min()))
    high = torch.full_like(u, float((means + 40 * stds).max()))
    for _ in range(60):
        middle = (low + high) / 2
        log_p = torch.special.log_ndtr((middle[:, None] - means) / stds) + noised.weights.log()
        below = log_p.logsumexp(-1) < u.log()  # `ndtr` is 0 below -8.3 deviations
        low = torch.where(below, middle, low)
        high = torch.where(below, high, middle)
    return middle[:, None]


check_public(__name__)
