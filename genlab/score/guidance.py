r"""Guidance: push every step towards the condition, harder than the data would.

The sampler does not arrive at $p(x)^{1-w}\,p(x\mid c)^w$: compare `guided_gaussian` with
`tilted_gaussian` (Bradley and Nakkiran 2024, arXiv:2408.09000).
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from genlab.core import Event, Level, PerExample, expand
from genlab.core.checked import check_public
from genlab.core.stats import integrate
from genlab.core.tensors import require_between, require_positive, require_rows
from genlab.oracles.continuous import Gaussian

Guess: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x, level of each row) to data or noise


def cfg_eps(eps_u: Event, eps_c: Event, *, guidance_scale: float) -> Event:
    r"""Classifier-free guidance: extrapolate from the unconditional to the conditional noise.

    $$\hat\epsilon = \epsilon_u + w\,(\epsilon_c - \epsilon_u)$$

    Ho and Salimans 2022 (arXiv:2207.12598), eq. 6, where w is 1 + w.
    """
    return eps_u + guidance_scale * (eps_c - eps_u)


def classifier_guided_eps(
    eps: Event, slope: Event, sigma: Level, *, guidance_scale: float
) -> Event:
    r"""Classifier guidance by a `slope` (Dhariwal and Nichol 2021, arXiv:2105.05233, eq. 14).

    $$\hat\epsilon = \epsilon_u - w\,\sigma_t\,\nabla_{x_t}\log p(c\mid x_t)$$
    """
    return eps - guidance_scale * expand(sigma, eps) * slope


def drop_condition(
    cond: Shaped[Tensor, " b *more"],
    u: Float[Tensor, " b"],
    *,
    p_drop: float,
    null: int | Float[Tensor, " d"],
) -> Shaped[Tensor, " b *more"]:
    r"""Hide the condition in some training rows (Ho and Salimans 2022, algorithm 1, line 3).

    $$c_i \leftarrow \varnothing \quad\text{where}\quad u_i < p_{\text{drop}}$$

    `null` is a label, a word, or a learned state.
    """
    require_between(0, 1, p_drop=p_drop, u=u)
    return torch.where(expand(u < p_drop, cond), null, cond)


def guided_denoiser(
    free: Guess,
    given: Guess,
    *,
    guidance_scale: float,
    interval: tuple[float, float] | None = None,
    both: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
) -> Guess:
    r"""Classifier-free guidance of a guess of the data or of the noise (`cfg_eps`).

    $$D_w(x,\sigma,c) = D(x,\sigma,\varnothing)
      + w\,\big(D(x,\sigma,c) - D(x,\sigma,\varnothing)\big)$$

    Outside the `interval` of noise levels only `given` (Kynkaanniemi et al. 2024, arXiv:2404.07724,
    eq. 5). `both` may join the two calls in one batch.
    """
    if interval is not None and interval[0] > interval[1]:
        raise ValueError(f"interval must rise, got {interval}")

    def guess(x: Event, level: Shaped[Tensor, " b"]) -> Event:
        if guidance_scale == 0:
            return free(x, level)
        inside = interval is None or interval[0] <= float(level[0]) <= interval[1]
        if guidance_scale == 1 or not inside:
            return given(x, level)
        pair = both(x, level) if both else (free(x, level), given(x, level))
        return cfg_eps(*pair, guidance_scale=guidance_scale)

    return guess


def guided_eps_model(
    eps_model: Callable[[Tensor, Tensor, Tensor], Tensor],  # (x_t, t, c) to the noise
    cond: Int[Tensor, " b"],
    *,
    null: int,
    guidance_scale: float,
    interval: tuple[float, float] | None = None,
) -> Guess:
    """Noise predictor of two arguments from a conditional network: `guided_denoiser` at steps t."""

    def free(x_t: Event, t: Tensor) -> Event:
        return eps_model(x_t, t, torch.full_like(cond, null))

    def given(x_t: Event, t: Tensor) -> Event:
        return eps_model(x_t, t, cond)

    return guided_denoiser(free, given, guidance_scale=guidance_scale, interval=interval)


def text_guided_denoiser(
    denoise: Callable[[Tensor, Tensor, Tensor], Tensor],  # (x, level, text) to a guess
    free: Float[Tensor, " b s d"],
    text: Float[Tensor, " b s d"],
    *,
    guidance_scale: float,
    interval: tuple[float, float] | None = None,
) -> Guess:
    r"""`guided_denoiser` of $D(x, \sigma, \text{text})$, both evaluations in one batch."""
    pair = torch.cat([free, text])

    def both(x: Event, level: PerExample) -> tuple[Event, Event]:
        u, c = denoise(torch.cat([x, x]), torch.cat([level, level]), pair).chunk(2)
        return u, c

    return guided_denoiser(
        lambda x, level: denoise(x, level, free),
        lambda x, level: denoise(x, level, text),
        guidance_scale=guidance_scale, interval=interval, both=both,
    )  # fmt: skip


def dynamic_threshold(guess: Event, *, p: float = 0.995) -> Event:
    r"""Scale a guess by a high quantile of its size (Saharia et al. 2022, arXiv:2205.11487, 2.3).

    $$\hat x \leftarrow \frac{\mathrm{clip}(\hat x, -s, s)}{s}, \qquad
      s = \max\big(1, \mathrm{quantile}_p |\hat x|\big)$$
    """
    require_between(0, 1, p=p)
    require_positive(p=p)
    require_rows(guess=guess)
    s = expand(torch.quantile(guess.flatten(1).abs(), p, dim=1).clamp(min=1), guess)
    return torch.maximum(torch.minimum(guess, s), -s) / s


def tilted_gaussian(mean: float, variance: float, *, guidance_scale: float) -> Gaussian:
    r"""That density in closed form for the class N(m, v) of standard normal data.

    $$\mathcal N\Big(\frac{w m}{w + (1-w) v},\ \frac{v}{w + (1-w) v}\Big), \qquad 0 < v \le 1$$
    """
    _require_class(variance, guidance_scale)
    precision = guidance_scale / variance + 1 - guidance_scale
    centre = guidance_scale * mean / variance / precision
    return Gaussian(torch.tensor([centre]), torch.tensor([[1 / precision]]))


def guided_gaussian(mean: float, variance: float, *, guidance_scale: float) -> Gaussian:
    r"""What guided sampling *does* arrive at there, without noise, with infinitely fine steps.

    $$\mathcal N\Big(w m\int_0^1 \big(v + (1-v)u^2\big)^{(w-1)/2} du,\ v^w\Big)$$
    """
    _require_class(variance, guidance_scale)
    w, v = guidance_scale, variance
    u = torch.linspace(0, 1, 2001, dtype=torch.float64)
    drift = float(integrate((v + (1 - v) * u**2) ** ((w - 1) / 2), u))
    return Gaussian(torch.tensor([w * mean * drift]), torch.tensor([[v**w]]))


def _require_class(variance: float, guidance_scale: float) -> None:
    require_positive(variance=variance)
    require_between(0, 1, variance=variance)
    require_between(0, math.inf, guidance_scale=guidance_scale)


check_public(__name__)
