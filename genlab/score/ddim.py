r"""Denoising diffusion implicit models: the same network, fewer and noiseless steps.

$$x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s}\,\hat\epsilon, \qquad s < t$$

Guess the clean example, then add the *predicted* noise back at the lower level. With $\eta = 1$ and
neighbouring steps it is DDPM's ancestral sampler again. Without noise the steps can be walked
backwards: an image becomes the noise that it would be sampled from.

Lesson: notebooks/13_diffusion_ii.ipynb
Sources: Song, Meng and Ermon 2020 (arXiv:2010.02502), eq. 12, 13 and 16.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.guards import require_index
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

    Raises:
        ValueError: a timestep is no index of the schedule.

    Example:
        >>> model = lambda x, t: x
        >>> states = ddim_sample(model, torch.ones(2, 3), torch.tensor([1, 0]),
        ...                      alphas_bar=torch.tensor([0.9, 0.5]))
        >>> len(list(states))
        2

    Source: Song, Meng and Ermon 2020 (arXiv:2010.02502), section 4.2.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    require_index(len(alphas_bar), timesteps=timesteps)
    x, clean = x_T, alphas_bar.new_ones(())
    for t, s in pairwise([*timesteps.tolist(), -1]):
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if eta > 0 else torch.zeros_like(x)
            a_s = alphas_bar[s] if s >= 0 else clean
            x = ddim_step(x, eps_hat, z, alphas_bar[t], a_s, eta=eta)
        yield x


def ddim_invert_step(
    x_s: Event, eps_hat: Event, a_s: Float[Tensor, ""], a_t: Float[Tensor, ""]
) -> Event:
    r"""One noiseless step up, from level s to a noisier level t: `ddim_step` solved for `x_t`.

    $$x_t = \sqrt{\bar\alpha_t}\,
      \frac{x_s - \sqrt{1-\bar\alpha_s}\,\hat\epsilon}{\sqrt{\bar\alpha_s}}
      + \sqrt{1-\bar\alpha_t}\,\hat\epsilon$$

    With the noise that the step down used it is the exact inverse; that noise was predicted at
    `x_t`, which a walk upwards does not know yet.

    Args:
        x_s: state, `(b, *event)`.
        eps_hat: noise, like `x_s`.
        a_s: $\bar\alpha_s$, in (0, 1]; 1 for clean data.
        a_t: $\bar\alpha_t$, in (0, a_s].

    Returns:
        Like `x_s`.

    Raises:
        ValueError: t below s.

    Example:
        >>> x, eps = torch.tensor([[2.6509]]), torch.tensor([[1.8]])
        >>> ddim_invert_step(x, eps, torch.tensor(0.30), torch.tensor(0.01))
        tensor([[2.0000]])

    Source: Song, Meng and Ermon 2020 (arXiv:2010.02502), eq. 13, run upwards.
    Lesson: notebooks/13_diffusion_ii.ipynb
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
    r"""Walk from data up to noise: the noise that `ddim_sample` on these steps leads back from.

    $$x_t^{(0)} = x_s, \qquad x_t^{(k+1)} = \text{step up from } x_s \text{ with }
      \epsilon_\theta(x_t^{(k)}, t)$$

    One iteration is the usual inversion, exact for many small steps. More of them solve for the
    state whose step *down* is `x_s`: the round trip then closes for any number of steps, where the
    iteration converges (a step that changes the prediction little).

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ with `t` of shape `(b,)`.
        x0: data, `(b, *event)`.
        timesteps: the sampler's indices, decreasing, such as `ddim_timesteps(...)`.
        alphas_bar: $\bar\alpha$ of the training schedule.
        n_refine: further iterations a step, each one more network pass.

    Yields:
        States like `x0`, rising in noise; the last one is at `timesteps[0]`.

    Raises:
        ValueError: `n_refine` is negative, or a timestep is no index of the schedule.

    Example:
        >>> bar, steps = torch.tensor([0.9, 0.5]), torch.tensor([1, 0])
        >>> len(list(ddim_invert(lambda x, t: x, torch.ones(2, 3), steps, alphas_bar=bar)))
        2

    Source: Song, Meng and Ermon 2020 (arXiv:2010.02502), section 4.3 (one iteration); Pan et al.
        2023 (arXiv:2309.04907), section 3 (more).
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if n_refine < 0:
        raise ValueError(f"n_refine must not be negative, got {n_refine}")
    require_index(len(alphas_bar), timesteps=timesteps)
    x, a_s = x0, alphas_bar.new_ones(())
    for index in reversed(timesteps.tolist()):
        t, x_t = torch.full((len(x),), index, device=x.device), x
        with torch.no_grad():
            for _ in range(n_refine + 1):
                x_t = ddim_invert_step(x, eps_model(x_t, t), a_s, alphas_bar[index])
        x, a_s = x_t, alphas_bar[index]
        yield x
