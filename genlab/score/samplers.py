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

from genlab.core.tensors import Event, randn, require_finite, require_index, require_positive
from genlab.score.diffusion import EpsModel, Table, x0_from_eps


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
