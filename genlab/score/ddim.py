r"""Denoising diffusion implicit models: the same network, fewer and noiseless steps.

$$x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s}\,\hat\epsilon, \qquad s < t$$

Guess the clean example, then add the *predicted* noise back at the lower level. With $\eta = 1$ and
neighbouring steps it is DDPM's ancestral sampler again.

Lesson: notebooks/13_diffusion_ii.ipynb
Sources: Song, Meng and Ermon 2020 (arXiv:2010.02502), eq. 12 and 16.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.rng import randn
from genlab.core.shapes import Event

from .paths import x0_from_eps
from .vlb import EpsModel


def ddim_step(
    x_t: Event,
    eps_hat: Event,
    z: Event,
    a_t: Float[Tensor, ""],
    a_s: Float[Tensor, ""],
    *,
    eta: float = 0.0,
) -> Event:
    r"""One step from level t to any lower level s.

    $$x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s-\sigma^2}\,\hat\epsilon + \sigma z,
      \qquad \sigma = \eta\sqrt{\tfrac{1-\bar\alpha_s}{1-\bar\alpha_t}}
      \sqrt{1-\tfrac{\bar\alpha_t}{\bar\alpha_s}}$$

    With s = t and $\eta = 0$ it returns `x_t`; with the true noise it stays on the path of `x_0`.

    Args:
        x_t: state, `(b, *event)`.
        eps_hat: predicted noise, like `x_t`.
        z: fresh standard normal noise, like `x_t`; not used when `eta` is 0.
        a_t: $\bar\alpha_t$, in (0, 1).
        a_s: $\bar\alpha_s$, in [a_t, 1].
        eta: 0 for the noiseless sampler, 1 for DDPM's amount of noise.

    Returns:
        Like `x_t`.

    Raises:
        ValueError: `eta` outside [0, 1], or s above t.

    Example:
        >>> x, eps, z = torch.tensor([[2.0]]), torch.tensor([[1.8]]), torch.zeros(1, 1)
        >>> ddim_step(x, eps, z, torch.tensor(0.01), torch.tensor(0.30))
        tensor([[2.6509]])

    Source: Song, Meng and Ermon 2020 (arXiv:2010.02502), eq. 12 and 16.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in [0, 1], got {eta}")
    if a_s < a_t:
        raise ValueError(f"a step must lower the noise: a_s is {a_s}, expected at least {a_t}")
    sigma = eta * ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()
    x0_hat = x0_from_eps(x_t, eps_hat, a_t.sqrt(), (1 - a_t).sqrt())
    return a_s.sqrt() * x0_hat + (1 - a_s - sigma**2).clamp(min=0).sqrt() * eps_hat + sigma * z


def ddim_timesteps(n_train: int, n_steps: int) -> Int[Tensor, " s"]:
    r"""Step indices for a sampler with fewer steps than the training had.

    $$t_i = \mathrm{round}\Big((T-1)\,\frac{S-i}{S}\Big), \qquad i = 0, \dots, S-1$$

    Args:
        n_train: T, steps of the training schedule.
        n_steps: S, steps of the sampler, 1..T.

    Returns:
        `(S,)`, decreasing from T-1.

    Raises:
        ValueError: `n_steps` outside 1..T.

    Example:
        >>> ddim_timesteps(1000, 4).tolist()
        [999, 749, 500, 250]

    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not 1 <= n_steps <= n_train:
        raise ValueError(f"n_steps must lie in 1..{n_train}, got {n_steps}")
    if n_steps == n_train:
        return torch.arange(n_train - 1, -1, -1)
    share = torch.arange(n_steps, 0, -1, dtype=torch.float64) / n_steps
    return ((n_train - 1) * share).round().long()


def ddim_sample(
    eps_model: EpsModel,
    x_T: Event,
    timesteps: Int[Tensor, " s"],
    *,
    alphas_bar: Float[Tensor, " T"],
    eta: float = 0.0,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: yield the state after each step; the last one, at $\bar\alpha = 1$, is the sample.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ with `t` of shape `(b,)`.
        x_T: standard normal noise, `(b, *event)`.
        timesteps: indices, decreasing, such as `ddim_timesteps(...)`.
        alphas_bar: $\bar\alpha$ of the training schedule.
        eta: 0 for the noiseless sampler.
        generator: source of the fresh noise, drawn only when `eta` is positive.

    Yields:
        States like `x_T`, one network pass each.

    Example:
        >>> model = lambda x, t: x
        >>> states = ddim_sample(model, torch.ones(2, 3), torch.tensor([1, 0]),
        ...                      alphas_bar=torch.tensor([0.9, 0.5]))
        >>> len(list(states))
        2

    Source: Song, Meng and Ermon 2020 (arXiv:2010.02502), section 4.2.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    x, clean = x_T, alphas_bar.new_ones(())
    for t, s in pairwise([*timesteps.tolist(), -1]):
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if eta > 0 else torch.zeros_like(x)
            a_s = alphas_bar[s] if s >= 0 else clean
            x = ddim_step(x, eps_hat, z, alphas_bar[t], a_s, eta=eta)
        yield x
