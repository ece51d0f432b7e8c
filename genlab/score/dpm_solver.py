r"""DPM-Solver++: solve the noise's half exactly, extrapolate only the guess of the data.

$$\frac{x_s}{\sigma_s} = \frac{x_t}{\sigma_t}
+ \int_{\lambda_t}^{\lambda_s} e^{\lambda}\,\hat x_0(\lambda)\,d\lambda,
\qquad \lambda = \log\frac{\alpha}{\sigma}$$

The equation is exact. Hold $\hat x_0$ still over the step and it is DDIM; continue it in a straight
line through the guess before, and the error falls with the square of the step, for the same
single network pass.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Lu et al. 2022 (arXiv:2211.01095), eq. 8, 9 and algorithm 2.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.guards import require_finite, require_index, require_positive
from genlab.core.shapes import Event

from .paths import x0_from_eps
from .schedules import Table
from .vlb import EpsModel

Scalar = Float[Tensor, ""]


def half_log_snr(a: Float[Tensor, " *n"]) -> Float[Tensor, " *n"]:
    r"""The solver's clock: it runs from noise (very negative) to data (infinity).

    $$\lambda = \log\frac{\alpha}{\sigma} = \tfrac12\log\frac{\bar\alpha}{1-\bar\alpha}$$

    Example:
        >>> half_log_snr(torch.tensor([0.5]))
        tensor([0.])

    Source: Lu et al. 2022 (arXiv:2211.01095), section 2.2.
    """
    return 0.5 * (a.log() - (-a).log1p())


def dpm_solver_step(x_t: Event, x0_hat: Event, a_t: Scalar, a_s: Scalar) -> Event:
    r"""First-order step: the guess is held still. It is DDIM without noise.

    $$x_s = \frac{\sigma_s}{\sigma_t}\,x_t
      + \Big(\alpha_s - \alpha_t\frac{\sigma_s}{\sigma_t}\Big)\,\hat x_0$$

    The bracket is $-\alpha_s(e^{-h}-1)$ with $h = \lambda_s-\lambda_t$, written so that the step to
    $\sigma_s = 0$, where h is infinite, needs no special case.

    Args:
        x_t: state, `(b, *event)`.
        x0_hat: guess of the data, like `x_t`.
        a_t: $\bar\alpha_t = \alpha_t^2$, in (0, 1).
        a_s: $\bar\alpha_s$, in [a_t, 1].

    Returns:
        Like `x_t`.

    Raises:
        ValueError: s above t.

    Example:
        >>> x, guess = torch.tensor([[2.0]]), torch.tensor([[3.0]])
        >>> dpm_solver_step(x, guess, torch.tensor(0.36), torch.tensor(0.64))
        tensor([[2.5500]])

    Source: Lu et al. 2022 (arXiv:2211.01095), eq. 9 with k = 1.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if a_s < a_t:
        raise ValueError(f"a step must lower the noise: a_s is {a_s}, expected at least {a_t}")
    ratio = ((1 - a_s) / (1 - a_t)).sqrt()
    return ratio * x_t + (a_s.sqrt() - a_t.sqrt() * ratio) * x0_hat


def dpm_solver_2m_step(
    x_t: Event, x0_hat: Event, x0_before: Event, a_r: Scalar, a_t: Scalar, a_s: Scalar
) -> Event:
    r"""Second-order step from t to s that remembers the guess made at r, one step earlier.

    $$D = \hat x_0(t) + \frac{h}{2\,h_{\text{before}}}\big(\hat x_0(t) - \hat x_0(r)\big),
      \qquad h = \lambda_s-\lambda_t,\quad h_{\text{before}} = \lambda_t-\lambda_r$$

    D is the straight line through the two guesses, read in the middle of the step; it then takes
    the guess's place in the first-order step.

    Args:
        x_t: state, `(b, *event)`.
        x0_hat: guess at t, like `x_t`.
        x0_before: guess at r, like `x_t`.
        a_r: $\bar\alpha_r$, the noisiest level.
        a_t: $\bar\alpha_t$.
        a_s: $\bar\alpha_s$, below 1: the last step, to 1, is of first order.

    Returns:
        Like `x_t`.

    Raises:
        ValueError: the levels do not satisfy 0 < a_r < a_t < a_s < 1.

    Example:
        >>> x, guess, before = torch.tensor([[2.0]]), torch.tensor([[3.0]]), torch.tensor([[3.0]])
        >>> dpm_solver_2m_step(x, guess, before, *torch.tensor([0.2, 0.36, 0.64]))
        tensor([[2.5500]])

    Source: Lu et al. 2022 (arXiv:2211.01095), algorithm 2, line 8, with $r = h_{before}/h$.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not 0 < a_r < a_t < a_s < 1:
        raise ValueError(f"levels are {a_r}, {a_t}, {a_s}, expected a_r < a_t < a_s < 1")
    lam_r, lam_t, lam_s = half_log_snr(a_r), half_log_snr(a_t), half_log_snr(a_s)
    slope = (x0_hat - x0_before) / (lam_t - lam_r)
    return dpm_solver_step(x_t, x0_hat + (lam_s - lam_t) / 2 * slope, a_t, a_s)


def log_snr_timesteps(alphas_bar: Table, n_steps: int) -> Int[Tensor, " s"]:
    r"""Step indices spread evenly over log SNR, where the solver's error is spread evenly too.

    $$\lambda_{t_i} \approx \lambda_{T-1} + \frac{i}{S-1}(\lambda_0 - \lambda_{T-1})$$

    Where the table is too coarse for that, the next free index is taken.

    Args:
        alphas_bar: $\bar\alpha$, `(T,)`, decreasing.
        n_steps: S, steps of the sampler, 1..T.

    Returns:
        `(S,)`, decreasing from T-1.

    Raises:
        ValueError: `n_steps` outside 1..T, or a table that does not fall inside (0, 1).

    Example:
        >>> log_snr_timesteps(torch.tensor([0.99, 0.9, 0.8, 0.5, 0.2, 0.01]), 3).tolist()
        [5, 3, 0]

    Source: Lu et al. 2022 (arXiv:2206.00927), section 3.3.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    n_train = len(alphas_bar)
    if not 1 <= n_steps <= n_train:
        raise ValueError(f"n_steps must lie in 1..{n_train}, got {n_steps}")
    lam = half_log_snr(alphas_bar.double())
    require_finite(log_snr=lam)  # it is not for alphas_bar outside (0, 1)
    require_positive(fall_of_alphas_bar=-alphas_bar.diff())
    share = torch.linspace(0, 1, n_steps, dtype=torch.float64)
    wanted = lam[-1] + share * (lam[0] - lam[-1])
    nearest = (lam[None] - wanted[:, None]).abs().argmin(1).tolist()
    chosen: list[int] = []
    for left, t in zip(range(n_steps - 1, -1, -1), nearest, strict=True):
        ceiling = chosen[-1] - 1 if chosen else n_train - 1
        chosen.append(max(left, min(t, ceiling)))
    return torch.tensor(chosen)


def dpm_solver_sample(
    eps_model: EpsModel,
    x_T: Event,
    timesteps: Int[Tensor, " s"],
    *,
    alphas_bar: Table,
    order: int = 2,
) -> Iterator[Event]:
    r"""Sampler: yield the state after each step, one network pass each; no noise is drawn.

    The first step has no guess to remember and the last step (to $\bar\alpha = 1$) has no finite h:
    both are of first order, which costs the whole no order.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ with `t` of shape `(b,)`.
        x_T: standard normal noise, `(b, *event)`.
        timesteps: indices, decreasing, such as `log_snr_timesteps(...)`.
        alphas_bar: $\bar\alpha$ of the training schedule.
        order: 2 for 2M, 1 for DDIM.

    Yields:
        States like `x_T`; the last one is the sample.

    Raises:
        ValueError: an order other than 1 or 2, or a timestep that is no index of the schedule.

    Example:
        >>> states = dpm_solver_sample(lambda x, t: x, torch.ones(2, 3), torch.tensor([2, 1, 0]),
        ...                            alphas_bar=torch.tensor([0.9, 0.5, 0.1]))
        >>> len(list(states))
        3

    Source: Lu et al. 2022 (arXiv:2211.01095), algorithm 2.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    require_index(len(alphas_bar), timesteps=timesteps)
    x, clean, before = x_T, alphas_bar.new_ones(()), None
    for t, s in pairwise([*timesteps.tolist(), -1]):
        a_t, a_s = alphas_bar[t], alphas_bar[s] if s >= 0 else clean
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            guess = x0_from_eps(x, eps_hat, a_t.sqrt(), (1 - a_t).sqrt())
            if order == 1 or before is None or s < 0:
                x = dpm_solver_step(x, guess, a_t, a_s)
            else:
                x = dpm_solver_2m_step(x, guess, before[0], before[1], a_t, a_s)
        before = (guess, a_t)
        yield x
