"""Fast samplers for a noise predictor: DDIM, its inversion, and DPM-Solver++.

DDIM = Song, Meng and Ermon 2020 (arXiv:2010.02502), DPM++ = Lu et al. 2022 (arXiv:2211.01095).
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core import Event, Rng, Scalar, randn
from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_finite, require_index, require_positive
from genlab.score.diffusion import EpsModel, log_snr, x0_from_eps


def ddim_step(
    x_t: Event, eps_hat: Event, z: Event, a_t: Scalar, a_s: Scalar, *, eta: float = 0.0
) -> Event:
    r"""One step from level t to any lower level s (DDIM, eq. 12 and 16).

    $$x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s-\sigma^2}\,\hat\epsilon + \sigma z,
      \qquad \sigma = \eta\sqrt{\tfrac{1-\bar\alpha_s}{1-\bar\alpha_t}}
      \sqrt{1-\tfrac{\bar\alpha_t}{\bar\alpha_s}}$$

    $\eta = 1$ is DDPM's ancestral step. ValueError for eta outside [0, 1] or s above t.
    """
    require_between(0, 1, eta=eta)
    if a_s < a_t:
        raise ValueError(f"a step must lower the noise: a_s is {a_s}, expected at least {a_t}")
    sigma = eta * ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()
    x0_hat = x0_from_eps(x_t, eps_hat, a_t.sqrt(), (1 - a_t).sqrt())
    return a_s.sqrt() * x0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps_hat + sigma * z


def ddim_timesteps(n_train: int, n_steps: int) -> Int[Tensor, " s"]:
    """Step indices spread evenly over the training schedule, from its noisiest level down.

    >>> ddim_timesteps(1000, 4).tolist()
    [999, 749, 500, 250]
    """
    require_between(1, n_train, n_steps=n_steps)
    if n_steps == n_train:
        return torch.arange(n_train - 1, -1, -1)
    fraction = torch.arange(n_steps, 0, -1, dtype=torch.float64) / n_steps
    return ((n_train - 1) * fraction).round().long()


def ddim_sample(
    eps_model: EpsModel,
    x_T: Event,
    timesteps: Int[Tensor, " s"],
    *,
    alphas_bar: Float[Tensor, " T"],
    eta: float = 0.0,
    generator: Rng = None,
) -> Iterator[Event]:
    r"""Sampler: yield the state after each step; the last, at $\bar\alpha = 1$, is the sample."""
    require_index(len(alphas_bar), timesteps=timesteps)
    alphas_bar = alphas_bar.cpu()  # the schedule stays on the host: no step waits for the device
    x, clean = x_T, alphas_bar.new_ones(())
    for t, s in pairwise([*timesteps.tolist(), -1]):
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if eta > 0 else torch.zeros_like(x)
            a_s = alphas_bar[s] if s >= 0 else clean
            x = ddim_step(x, eps_hat, z, alphas_bar[t], a_s, eta=eta)
        yield x


def ddim_invert_step(x_s: Event, eps_hat: Event, a_s: Scalar, a_t: Scalar) -> Event:
    r"""One noiseless step up, from level s to a noisier level t (DDIM, eq. 13, run upwards).

    $$x_t = \sqrt{\bar\alpha_t}\,
      \frac{x_s - \sqrt{1-\bar\alpha_s}\,\hat\epsilon}{\sqrt{\bar\alpha_s}}
      + \sqrt{1-\bar\alpha_t}\,\hat\epsilon$$
    """
    if a_t > a_s:
        raise ValueError(f"a step up must raise the noise: a_t is {a_t}, expected at most {a_s}")
    x0_hat = x0_from_eps(x_s, eps_hat, a_s.sqrt(), (1 - a_s).sqrt())
    return a_t.sqrt() * x0_hat + (1 - a_t).sqrt() * eps_hat


def ddim_invert(
    eps_model: EpsModel,
    x0: Event,
    timesteps: Int[Tensor, " s"],
    *,
    alphas_bar: Float[Tensor, " T"],
    n_refine: int = 0,
) -> Iterator[Event]:
    r"""Walk from data up to the noise that `ddim_sample` on the same steps leads back from.

    $$x_t^{(0)} = x_s, \qquad x_t^{(k+1)} = \text{step up from } x_s \text{ with }
      \epsilon_\theta(x_t^{(k)}, t)$$

    `n_refine` more passes a step (Pan et al. 2023, arXiv:2309.04907, section 3).
    """
    require_between(0, math.inf, n_refine=n_refine)
    require_index(len(alphas_bar), timesteps=timesteps)
    alphas_bar = alphas_bar.cpu()  # as in `ddim_sample`
    x, a_s = x0, alphas_bar.new_ones(())
    for index in reversed(timesteps.tolist()):
        t, x_t = torch.full((len(x),), index, device=x.device), x
        with torch.no_grad():
            for _ in range(n_refine + 1):
                x_t = ddim_invert_step(x, eps_model(x_t, t), a_s, alphas_bar[index])
        x, a_s = x_t, alphas_bar[index]
        yield x


def half_log_snr(a: Float[Tensor, " *n"]) -> Float[Tensor, " *n"]:
    r"""DPM-Solver's time $\lambda = \log(\alpha/\sigma)$, from noise (low) to data (infinity)."""
    return 0.5 * log_snr(a)


def dpm_solver_step(x_t: Event, x0_hat: Event, a_t: Scalar, a_s: Scalar) -> Event:
    r"""First-order step: the estimate is held still (DPM++, eq. 9 with k = 1). It is DDIM.

    $$x_s = \frac{\sigma_s}{\sigma_t}\,x_t
      + \Big(\alpha_s - \alpha_t\frac{\sigma_s}{\sigma_t}\Big)\,\hat x_0$$
    """
    if a_s < a_t:
        raise ValueError(f"a step must lower the noise: a_s is {a_s}, expected at least {a_t}")
    ratio = ((1 - a_s) / (1 - a_t)).sqrt()
    return ratio * x_t + (a_s.sqrt() - a_t.sqrt() * ratio) * x0_hat


def dpm_solver_2m_step(
    x_t: Event, x0_hat: Event, x0_before: Event, a_r: Scalar, a_t: Scalar, a_s: Scalar
) -> Event:
    r"""Second-order step from t to s that uses the estimate of one step earlier, at r (DPM++).

    $$D = \hat x_0(t) + \frac{h}{2\,h_{\text{before}}}\big(\hat x_0(t) - \hat x_0(r)\big),
      \qquad h = \lambda_s-\lambda_t,\quad h_{\text{before}} = \lambda_t-\lambda_r$$

    The first-order step with D (algorithm 2, line 8). ValueError unless 0 < a_r < a_t < a_s < 1.
    """
    if not 0 < a_r < a_t < a_s < 1:
        raise ValueError(f"levels are {a_r}, {a_t}, {a_s}, expected a_r < a_t < a_s < 1")
    lam_r = half_log_snr(a_r)
    lam_t = half_log_snr(a_t)
    lam_s = half_log_snr(a_s)
    slope = (x0_hat - x0_before) / (lam_t - lam_r)
    return dpm_solver_step(x_t, x0_hat + (lam_s - lam_t) / 2 * slope, a_t, a_s)


def log_snr_timesteps(alphas_bar: Float[Tensor, " T"], n_steps: int) -> Int[Tensor, " s"]:
    """Step indices evenly over log SNR, or the next free one (Lu et al. 2022, arXiv:2206.00927)."""
    n_train = len(alphas_bar)
    require_between(1, n_train, n_steps=n_steps)
    lam = half_log_snr(alphas_bar.double())
    require_finite(log_snr=lam)  # it is not for alphas_bar outside (0, 1)
    require_positive(fall_of_alphas_bar=-alphas_bar.diff())
    fraction = torch.linspace(0, 1, n_steps, dtype=torch.float64, device=lam.device)
    wanted = lam[-1] + fraction * (lam[0] - lam[-1])
    nearest = (lam[None] - wanted[:, None]).abs().argmin(1).tolist()
    chosen: list[int] = []
    for left, t in zip(range(n_steps - 1, -1, -1), nearest, strict=True):
        ceiling = chosen[-1] - 1 if chosen else n_train - 1
        chosen.append(max(left, min(t, ceiling)))
    return alphas_bar.new_tensor(chosen, dtype=torch.int64)


def dpm_solver_sample(
    eps_model: EpsModel,
    x_T: Event,
    timesteps: Int[Tensor, " s"],
    *,
    alphas_bar: Float[Tensor, " T"],
    order: int = 2,
) -> Iterator[Event]:
    """Sampler: yield the state after each step, one network pass each; no noise is drawn.

    Order 2 is 2M, its first and last step of order 1 (DPM++, algorithm 2); order 1 is DDIM.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    require_index(len(alphas_bar), timesteps=timesteps)
    alphas_bar = alphas_bar.cpu()  # as in `ddim_sample`
    x, clean, before = x_T, alphas_bar.new_ones(()), None
    for t, s in pairwise([*timesteps.tolist(), -1]):
        a_t = alphas_bar[t]
        a_s = alphas_bar[s] if s >= 0 else clean
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            x0_hat = x0_from_eps(x, eps_hat, a_t.sqrt(), (1 - a_t).sqrt())
            if order == 1 or before is None or s < 0:
                x = dpm_solver_step(x, x0_hat, a_t, a_s)
            else:
                x = dpm_solver_2m_step(x, x0_hat, before[0], before[1], a_t, a_s)
        before = (x0_hat, a_t)
        yield x


check_public(__name__)
