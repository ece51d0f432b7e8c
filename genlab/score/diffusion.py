r"""Noise schedules: how much noise is added at each of T steps, and what follows from it.

$$\beta_t \;\to\; \alpha_t = 1-\beta_t \;\to\; \bar\alpha_t = \prod_{s\le t}\alpha_s \;\to\;
\log\mathrm{SNR}_t = \log\frac{\bar\alpha_t}{1-\bar\alpha_t}$$

Index 0 of each table is the *first* noising step, so `alphas_bar[0]` is just below 1. The signal
scale is $\sqrt{\bar\alpha_t}$ and the noise scale $\sqrt{1-\bar\alpha_t}$. (diffusers calls
$\bar\alpha$ `alphas_cumprod`.)

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), sections 2 and 4; Nichol and Dhariwal 2021
(arXiv:2102.09672), eq. 17.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from genlab.core.stats import kl_diag_normal
from genlab.core.tensors import (
    Event,
    PerExample,
    expand,
    last,
    mean_event,
    randn,
    require_alike,
    require_index,
    sum_event,
)

Table = Float[Tensor, " T"]


def linear_betas(n_steps: int, *, first: float = 1e-4, last: float = 0.02) -> Table:
    r"""Noise variances that grow evenly from `first` to `last`.

    $$\beta_t = \beta_0 + \frac{t}{T-1}(\beta_{T-1} - \beta_0)$$

    The defaults are meant for T = 1000. With fewer steps each must add more: keep $T\beta$.

    Args:
        n_steps: T, at least 2.
        first: $\beta_0$, in (0, 1).
        last: $\beta_{T-1}$, in [first, 1).

    Returns:
        `(T,)`.

    Raises:
        ValueError: fewer than two steps, or variances out of order or outside (0, 1).

    Example:
        >>> linear_betas(3, first=0.1, last=0.3)
        tensor([0.1000, 0.2000, 0.3000])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), section 4.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    if not 0 < first <= last < 1:
        raise ValueError(f"expected 0 < first <= last < 1, got first={first}, last={last}")
    return torch.linspace(first, last, n_steps)


def linear_rate_betas(n_steps: int, *, first: float = 0.1, last: float = 20.0) -> Table:
    r"""The linear schedule cut into any number of steps: the same noise, in more or fewer pieces.

    $$\bar\alpha(u) = \exp\Big(-\int_0^u b\Big), \quad b(u) = b_0 + u\,(b_1 - b_0),
      \qquad \beta_t = 1 - \frac{\bar\alpha((t+1)/T)}{\bar\alpha(t/T)}$$

    For large T these are `linear_betas` with the ends $b_0/T$ and $b_1/T$; unlike those they stay
    below 1 for every T, and halving T leaves every second $\bar\alpha$ exactly where it was.

    Args:
        n_steps: T, at least 1.
        first: $b_0$, the rate at which noise is added at first, positive.
        last: $b_1$, the rate at the end, at least `first`.

    Returns:
        `(T,)` in (0, 1).

    Raises:
        ValueError: no step, or rates that are not positive or fall.

    Example:
        >>> [f"{alphas_bar_from_betas(linear_rate_betas(n))[-1]:.3e}" for n in (2, 1000)]
        ['4.319e-05', '4.319e-05']

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 32 and 33: the VP process, at T times.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    if not 0 < first <= last:
        raise ValueError(f"expected 0 < first <= last, got first={first}, last={last}")
    u = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    area = first * u + 0.5 * (last - first) * u**2
    return -torch.expm1(-area.diff()).to(torch.get_default_dtype())


def cosine_betas(n_steps: int, *, offset: float = 0.008, largest: float = 0.999) -> Table:
    r"""Noise variances whose $\bar\alpha$ falls like the square of a cosine.

    $$\bar\alpha(u) = \cos^2\!\Big(\frac{u+o}{1+o}\,\frac\pi2\Big), \qquad
      \beta_t = \min\Big(1 - \frac{\bar\alpha((t+1)/T)}{\bar\alpha(t/T)},\; \beta_{\max}\Big)$$

    Args:
        n_steps: T, at least 2.
        offset: $o$, keeps the first steps from being too small.
        largest: $\beta_{\max}$, below 1.

    Returns:
        `(T,)`.

    Raises:
        ValueError: fewer than two steps.

    Example:
        >>> cosine_betas(4).round(decimals=3)
        tensor([0.1530, 0.4170, 0.7080, 0.9990])

    Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), eq. 17.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    if not offset >= 0 or not 0 < largest < 1:
        raise ValueError(f"expected offset >= 0 and largest in (0, 1), got {offset} and {largest}")
    u = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    level = ((u + offset) / (1 + offset) * math.pi / 2).cos() ** 2
    betas = (1 - level[1:] / level[:-1]).clamp(max=largest)
    return betas.to(torch.get_default_dtype())


def alphas_bar_from_betas(betas: Table) -> Table:
    r"""Share of the signal's variance that is left after each step.

    $$\bar\alpha_t = \prod_{s \le t} (1-\beta_s)$$

    Args:
        betas: `(T,)` in (0, 1).

    Returns:
        `(T,)`, decreasing in (0, 1).

    Raises:
        ValueError: a variance outside (0, 1).

    Example:
        >>> alphas_bar_from_betas(torch.tensor([0.1, 0.1]))
        tensor([0.9000, 0.8100])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), section 2.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if not bool(((betas > 0) & (betas < 1)).all()):
        raise ValueError(f"betas must lie in (0, 1), got {betas.min()} to {betas.max()}")
    return (1 - betas).cumprod(0)


def log_snr(alphas_bar: Table) -> Table:
    r"""Logarithm of the ratio of signal variance to noise variance.

    $$\log\mathrm{SNR}_t = \log\frac{\bar\alpha_t}{1-\bar\alpha_t}$$

    Args:
        alphas_bar: `(T,)` in (0, 1).

    Returns:
        `(T,)`, decreasing; 0 where signal and noise are equal.

    Example:
        >>> log_snr(torch.tensor([0.5]))
        tensor([0.])

    Source: Kingma et al. 2021 (arXiv:2107.00630), eq. 3.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    return alphas_bar.log() - (-alphas_bar).log1p()


def posterior_variances(betas: Table) -> Table:
    r"""Variance of one step back when the clean example is known; the smaller of the two choices.

    $$\tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t, \qquad \tilde\beta_0 = 0$$

    Args:
        betas: `(T,)` in (0, 1); itself the larger choice.

    Returns:
        `(T,)`, in [0, betas].

    Example:
        >>> posterior_variances(torch.tensor([0.5, 0.5]))
        tensor([0.0000, 0.3333])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 7.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    alphas_bar = alphas_bar_from_betas(betas)
    before = pad(alphas_bar[:-1], (1, 0), value=1.0)
    return (1 - before) / (1 - alphas_bar) * betas


Level = Float[Tensor, " *b"]


def add_noise(x0: Event, alpha: Level, sigma: Level, eps: Event) -> Event:
    r"""Jump from data to a noise level in one step.

    $$x_t = \alpha\, x_0 + \sigma\, \epsilon$$

    Args:
        x0: data, `(b, *event)`.
        alpha: signal scale, `(b,)` or a single number.
        sigma: noise scale, like `alpha`.
        eps: standard normal noise, like `x0`.

    Returns:
        Like `x0`.

    Example:
        >>> import torch
        >>> add_noise(torch.tensor([[2.0]]), torch.tensor(0.6), torch.tensor(0.8), torch.ones(1, 1))
        tensor([[2.]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 4.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    return expand(alpha, x0) * x0 + expand(sigma, x0) * eps


def x0_from_eps(x_t: Event, eps: Event, alpha: Level, sigma: Level) -> Event:
    r"""Data implied by a noise prediction.

    $$\hat x_0 = (x_t - \sigma\,\epsilon)/\alpha$$
    """
    return (x_t - expand(sigma, x_t) * eps) / expand(alpha, x_t)


def eps_from_x0(x_t: Event, x0: Event, alpha: Level, sigma: Level) -> Event:
    r"""Noise implied by a prediction of the data.

    $$\hat\epsilon = (x_t - \alpha\,x_0)/\sigma$$
    """
    return (x_t - expand(alpha, x_t) * x0) / expand(sigma, x_t)


def v_from_eps(x_t: Event, eps: Event, alpha: Level, sigma: Level) -> Event:
    r"""Rotated target $v$ from the noise; needs $\alpha^2+\sigma^2=1$.

    $$v = \alpha\,\epsilon - \sigma\,x_0 = (\epsilon - \sigma\,x_t)/\alpha$$
    """
    return (eps - expand(sigma, x_t) * x_t) / expand(alpha, x_t)


def eps_from_v(x_t: Event, v: Event, alpha: Level, sigma: Level) -> Event:
    r"""Noise from the rotated target; needs $\alpha^2+\sigma^2=1$.

    $$\epsilon = \sigma\,x_t + \alpha\,v$$
    """
    return expand(sigma, x_t) * x_t + expand(alpha, x_t) * v


def x0_from_v(x_t: Event, v: Event, alpha: Level, sigma: Level) -> Event:
    r"""Data from the rotated target; needs $\alpha^2+\sigma^2=1$.

    $$x_0 = \alpha\,x_t - \sigma\,v$$
    """
    return expand(alpha, x_t) * x_t - expand(sigma, x_t) * v


def score_from_eps(eps: Event, sigma: Level) -> Event:
    r"""Slope of the log-density of the noised data, from a noise prediction.

    $$\nabla_{x_t}\log p_t(x_t) = -\,\mathbb E[\epsilon \mid x_t]/\sigma$$

    Args:
        eps: the best noise prediction given $x_t$, `(b, *event)`.
        sigma: noise scale, `(b,)` or a single number.

    Returns:
        Like `eps`.

    Example:
        >>> import torch
        >>> score_from_eps(torch.tensor([[0.8]]), torch.tensor(0.5))
        tensor([[-1.6000]])

    Source: Vincent 2011, averaged over the data that could have led to $x_t$.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return -eps / expand(sigma, eps)


def eps_from_score(score: Event, sigma: Level) -> Event:
    r"""Noise prediction implied by a score.

    $$\hat\epsilon = -\sigma\,\nabla\log p_t(x_t)$$
    """
    return -expand(sigma, score) * score


def noising_step(x_s: Event, z: Event, beta: Level) -> Event:
    r"""One step towards noise: a little of the signal is exchanged for fresh noise.

    $$x_t = \sqrt{1-\beta_t}\,x_{t-1} + \sqrt{\beta_t}\,z$$

    Data of variance 1 keep variance 1.

    Args:
        x_s: the state before, $x_{t-1}$, `(b, *event)`.
        z: fresh standard normal noise, like `x_s`.
        beta: $\beta_t$ in (0, 1), `(b,)` or a single number.

    Returns:
        Like `x_s`.

    Example:
        >>> import torch
        >>> noising_step(torch.tensor([[2.0]]), torch.ones(1, 1), torch.tensor(0.36))
        tensor([[2.2000]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 2.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    return expand((1 - beta).sqrt(), x_s) * x_s + expand(beta.sqrt(), x_s) * z


def noising_chain(
    x0: Event, betas: Table, *, generator: Generator | None = None
) -> Iterator[Event]:
    r"""Yield $x_1, \dots, x_T$, each made from the one before.

    Args:
        x0: data, `(b, *event)`.
        betas: `(T,)`.
        generator: source of the fresh noise.

    Yields:
        States like `x0`; index t of `betas` made the state number t + 1.

    Example:
        >>> import torch
        >>> len(list(noising_chain(torch.zeros(3, 2), torch.tensor([0.1, 0.2]))))
        2

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 2.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    x = x0
    for beta in betas:
        x = noising_step(x, randn(x.shape, like=x, generator=generator), beta)
        yield x


def posterior_mean(
    x0: Event, x_t: Event, *, beta: Level, alpha_bar: Level, alpha_bar_before: Level
) -> Event:
    r"""Mean of one step back when the clean example is known.

    $$\tilde\mu_t(x_t, x_0) = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\,x_0
      + \frac{\sqrt{1-\beta_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t$$

    Its variance is `posterior_variances`. At the first step, where $\bar\alpha_{t-1} = 1$, it is
    $x_0$ itself.

    Args:
        x0: the clean example, `(b, *event)`.
        x_t: the noisy one, like `x0`.
        beta: $\beta_t$, `(b,)` or a single number.
        alpha_bar: $\bar\alpha_t$, like `beta`.
        alpha_bar_before: $\bar\alpha_{t-1}$, like `beta`; 1 for the first step.

    Returns:
        Like `x0`.

    Example:
        >>> import torch
        >>> a, b, c = torch.tensor([0.5, 0.4, 0.8])
        >>> posterior_mean(torch.ones(1, 1), torch.zeros(1, 1), beta=a, alpha_bar=b,
        ...                alpha_bar_before=c)
        tensor([[0.7454]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 7.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    from_x0 = alpha_bar_before.sqrt() * beta / (1 - alpha_bar)
    from_x_t = (1 - beta).sqrt() * (1 - alpha_bar_before) / (1 - alpha_bar)
    return expand(from_x0, x0) * x0 + expand(from_x_t, x_t) * x_t


class Bins(NamedTuple):
    """Where the grey levels lie on the line."""

    width: float  # distance of two neighbouring levels
    low: float  # place of the lowest level
    high: float  # place of the highest


def bin_log_prob(x: Event, mean: Event, std: Float[Tensor, ""], bins: Bins) -> PerExample:
    r"""Log-probability of the levels at `x` under independent normals cut into bins.

    $$\sum_i \log\Big[\Phi\Big(\frac{x_i + w/2 - \mu_i}{\sigma}\Big)
      - \Phi\Big(\frac{x_i - w/2 - \mu_i}{\sigma}\Big)\Big]$$

    Args:
        x: places of grey levels, `(b, *event)`; those at the two ends have open bins.
        mean: $\mu$, like `x`.
        std: $\sigma$, positive.
        bins: width and ends of the scale.

    Returns:
        `(b,)`, nats, at most 0.

    Raises:
        ValueError: `std` or the width is not positive.

    Example:
        >>> x = torch.tensor([[0.0]])
        >>> bin_log_prob(x, x, torch.tensor(0.5), Bins(1.0, -4.0, 4.0)).exp()
        tensor([0.6827])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 13.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if not std > 0 or not bins.width > 0:
        raise ValueError(f"std and width must be positive, got {std} and {bins.width}")
    upper = torch.where(
        x > bins.high - bins.width / 2, torch.inf, (x + bins.width / 2 - mean) / std
    )
    lower = torch.where(
        x < bins.low + bins.width / 2, -torch.inf, (x - bins.width / 2 - mean) / std
    )
    # Far out on the right both Phi are 1 up to rounding: use the mirrored pair on the left.
    flip = lower > 0
    top, bottom = torch.where(flip, -lower, upper), torch.where(flip, -upper, lower)
    log_top, log_bottom = torch.special.log_ndtr(top), torch.special.log_ndtr(bottom)
    return sum_event(log_top + torch.log(-torch.expm1(log_bottom - log_top)))


EpsModel = Callable[[Tensor, Tensor], Tensor]


def ddpm_vlb_term(
    eps_model: EpsModel,
    x0: Event,
    t: Int[Tensor, " b"],
    eps: Event,
    *,
    betas: Table,
    variances: Table,
) -> PerExample:
    r"""The term of one step, in nats.

    $$\frac{\beta_t^2}{2 v_t \alpha_t (1-\bar\alpha_t)}\lVert\epsilon-\epsilon_\theta\rVert^2 + c_t,
      \quad c_t = \tfrac D2\Big(\tfrac{\tilde\beta_t}{v_t} - 1
      - \log\tfrac{\tilde\beta_t}{v_t}\Big), \quad c_0 = \tfrac D2\log 2\pi v_0$$

    The noise-prediction loss is the same square without its weight and without the constant.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        t: step index, `(b,)`, 0..T-1; index 0 is the last step of sampling.
        eps: standard normal noise, like `x0`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive: the model's step variances.

    Returns:
        `(b,)`, nats; a divergence for t > 0, a negative log-density for t = 0.

    Example:
        >>> x, t = torch.zeros(1, 2), torch.tensor([1])
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb_term(lambda x, t: x, x, t, x, betas=betas, variances=betas)
        tensor([0.0721])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 12, with its constant written out.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_index(len(betas), t=t)
    alphas_bar, v = alphas_bar_from_betas(betas), variances
    a = alphas_bar[t]
    eps_hat = eps_model(add_noise(x0, a.sqrt(), (1 - a).sqrt(), eps), t)
    weight = betas**2 / (2 * v * (1 - betas) * (1 - alphas_bar))
    ratio = posterior_variances(betas) / v
    constant = 0.5 * (ratio - 1 - ratio.log())
    constant = torch.cat([0.5 * (2 * math.pi * v[:1]).log(), constant[1:]])
    require_alike(eps=eps, eps_hat=eps_hat)
    n_dims = math.prod(x0.shape[1:])
    return weight[t] * sum_event((eps - eps_hat) ** 2) + n_dims * constant[t]


def ddpm_vlb_terms(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " n b *event"],
    *,
    betas: Table,
    variances: Table,
    bins: Bins | None = None,
) -> Float[Tensor, " terms b"]:
    r"""Every term of the bound, in the order of the steps, the prior's last.

    $$L_0,\ L_1,\ \dots,\ L_{T-1},\ \mathrm{KL}(q(x_T\mid x_0)\,\|\,\mathcal N(0, I))$$

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        eps: standard normal noise, one draw for each step, `(T, b, *event)`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive.
        bins: for grey levels: $L_0 = -\log P(x_0\mid x_1)$ is then that of the level's bin. Without
            it, $L_0$ belongs to a density, and can be negative.

    Returns:
        `(T + 1, b)`, nats; everything but the first row is a divergence.

    Raises:
        ValueError: the draws are not as many as the steps, or a variance is not positive.

    Example:
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb_terms(lambda x, t: x, torch.zeros(1, 2), torch.zeros(2, 1, 2),
        ...                betas=betas, variances=betas).squeeze(1)
        tensor([1.1447, 0.0721, 0.0377])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 5.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if len(eps) != len(betas):
        raise ValueError(f"expected one draw of eps for each of {len(betas)} steps, got {len(eps)}")
    if not bool((variances > 0).all()):
        raise ValueError(f"variances must be positive, smallest is {variances.min()}")
    rows = []
    for k, e in enumerate(eps):
        t = torch.full((len(x0),), k, device=x0.device)
        if k == 0 and bins is not None:
            rows.append(_last_step(eps_model, x0, e, betas[0], variances[0], bins))
        else:
            rows.append(ddpm_vlb_term(eps_model, x0, t, e, betas=betas, variances=variances))
    left = alphas_bar_from_betas(betas)[-1]
    rows.append(kl_diag_normal(left.sqrt() * x0, (1 - left).log().expand_as(x0)))
    return torch.stack(rows)


def ddpm_vlb(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " n b *event"],
    *,
    betas: Table,
    variances: Table,
    bins: Bins | None = None,
) -> PerExample:
    r"""Bound on $\log p(x_0)$ of the ancestral chain: every step's term and the prior's.

    $$-\mathrm{KL}(q(x_T\mid x_0)\,\|\,\mathcal N(0, I)) - \sum_{t=0}^{T-1} L_t$$

    Its mean over `eps` never exceeds $\log p(x_0)$; T network passes. With `bins` it bounds the
    probability of the grey levels, $\log P(x_0)$.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        eps: standard normal noise, one draw for each step, `(T, b, *event)`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive.
        bins: the grey levels' bins, or None for a density.

    Returns:
        `(b,)`, nats.

    Raises:
        ValueError: the draws are not as many as the steps, or a variance is not positive.

    Example:
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb(lambda x, t: x, torch.zeros(1, 2), torch.zeros(2, 1, 2),
        ...          betas=betas, variances=betas)
        tensor([-1.2545])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 5.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    terms = ddpm_vlb_terms(eps_model, x0, eps, betas=betas, variances=variances, bins=bins)
    return -terms.sum(0)


def _last_step(
    eps_model: EpsModel, x0: Event, eps: Event, beta: Tensor, variance: Tensor, bins: Bins
) -> PerExample:
    """Make x_1, take the model's last step from it, and integrate that over the level's bin."""
    x_1 = add_noise(x0, (1 - beta).sqrt(), beta.sqrt(), eps)
    eps_hat = eps_model(x_1, torch.zeros(len(x0), dtype=torch.long, device=x0.device))
    mean = (x_1 - beta.sqrt() * eps_hat) / (1 - beta).sqrt()
    return -bin_log_prob(x0, mean, variance.sqrt(), bins)


def ddpm_loss(
    eps_model: EpsModel, x0: Event, t: Int[Tensor, " b"], eps: Event, *, alphas_bar: Table
) -> PerExample:
    r"""Noise-prediction loss, one value per example.

    $$\ell = \tfrac1D \lVert \epsilon -
      \epsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon,\; t)\rVert^2$$

    Minimised, in expectation, by $\epsilon_\theta = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$,
    where it is positive: for standard normal data its floor is $\bar\alpha_t$.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`, scaled to about unit variance.
        t: step index, `(b,)`, integers in 0..T-1.
        eps: standard normal noise, like `x0`.
        alphas_bar: $\bar\alpha$, `(T,)`, decreasing in (0, 1).

    Returns:
        `(b,)`, mean over the D event dimensions, **not** nats: see `ddpm_vlb` for those.

    Raises:
        ValueError: t outside 0..T-1.

    Example:
        >>> x0, eps, t = torch.zeros(4, 2), torch.ones(4, 2), torch.arange(4)
        >>> ddpm_loss(lambda x, t: 0 * x, x0, t, eps, alphas_bar=torch.full((4,), 0.5))
        tensor([1., 1., 1., 1.])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, divided by D.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_index(len(alphas_bar), t=t)
    a = alphas_bar[t]
    x_t = add_noise(x0, a.sqrt(), (1 - a).sqrt(), eps)
    eps_hat = eps_model(x_t, t)
    require_alike(eps=eps, eps_hat=eps_hat)
    return mean_event((eps - eps_hat) ** 2)


def ddpm_step(
    x_t: Event,
    eps_hat: Event,
    z: Event,
    *,
    beta: Float[Tensor, ""],
    alpha_bar: Float[Tensor, ""],
    variance: Float[Tensor, ""],
) -> Event:
    r"""One ancestral step, from level t to t - 1.

    $$x_{t-1} = \frac1{\sqrt{1-\beta_t}}\Big(x_t
      - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big) + \sqrt{v_t}\, z$$

    With the exact noise prediction its mean is exactly $\mathbb E[x_{t-1}\mid x_t]$; that the step
    is Gaussian around it is the approximation, good when $\beta_t$ is small.

    Args:
        x_t: state, `(b, *event)`.
        eps_hat: predicted noise, like `x_t`.
        z: fresh standard normal noise, like `x_t`; zeros at the last step.
        beta: $\beta_t$.
        alpha_bar: $\bar\alpha_t$.
        variance: $v_t$: either $\beta_t$ or $\tilde\beta_t$ of `posterior_variances`.

    Returns:
        Like `x_t`.

    Example:
        >>> x, beta = torch.tensor([[1.0]]), torch.tensor(0.19)
        >>> ddpm_step(x, 0 * x, 0 * x, beta=beta, alpha_bar=torch.tensor(0.5), variance=beta)
        tensor([[1.1111]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), algorithm 2, line 4.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    mean = (x_t - beta / (1 - alpha_bar).sqrt() * eps_hat) / (1 - beta).sqrt()
    return mean + variance.sqrt() * z


def ddpm_sample(
    eps_model: EpsModel,
    x_T: Event,
    *,
    betas: Table,
    variances: Table,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Ancestral sampler: yield the state after each of T steps; no noise at the last one.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ with `t` of shape `(b,)`.
        x_T: standard normal noise, `(b, *event)`.
        betas: `(T,)`.
        variances: `(T,)`: `betas`, or `posterior_variances(betas)`.
        generator: source of the fresh noise.

    Yields:
        States like `x_T`, one network pass each.

    Example:
        >>> betas = torch.tensor([0.1, 0.2])
        >>> steps = ddpm_sample(lambda x, t: x, torch.ones(3, 2), betas=betas, variances=betas)
        >>> len(list(steps))
        2

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), algorithm 2.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_alike(betas=betas, variances=variances)
    x, alphas_bar = x_T, alphas_bar_from_betas(betas)
    for t in range(len(betas) - 1, -1, -1):
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if t > 0 else torch.zeros_like(x)
            x = ddpm_step(
                x, eps_hat, z, beta=betas[t], alpha_bar=alphas_bar[t], variance=variances[t]
            )
        yield x


@final
class DDPM(nn.Module):
    r"""A noise predictor with its schedule: samples by the ancestral chain, bounds its likelihood.

    The step variances are $\beta_t$ unless said otherwise, the right choice for smooth data
    ($\tilde\beta_t$ is right for a single point). The bound includes the noise of the last step,
    which the sampler, as usual, leaves out.

    Args:
        eps_net: $(x_t, t) \mapsto \hat\epsilon$, or $(x_t, t, c) \mapsto \hat\epsilon$.
        betas: `(T,)`.
        event_shape: shape of one example.
        conditional: whether the network reads a condition; then `cond` may be given everywhere,
            one for each example, and without it the network is called with two arguments.
        variances: of the steps back, `(T,)`, positive; `betas` when None.
        bins: when the data are grey levels on a line; the bound is then one on their probability.
    """

    betas: Tensor
    alphas_bar: Tensor
    variances: Tensor

    def __init__(
        self,
        eps_net: nn.Module,
        betas: Table,
        *,
        event_shape: tuple[int, ...],
        conditional: bool = False,
        variances: Table | None = None,
        bins: Bins | None = None,
    ) -> None:
        super().__init__()
        self.eps_net, self.event_shape = eps_net, event_shape
        self.conditional, self.bins = conditional, bins
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_bar", alphas_bar_from_betas(betas))
        self.register_buffer("variances", betas.clone() if variances is None else variances)

    def eps_model(self, cond: Tensor | None = None) -> EpsModel:
        """Noise predictor of two arguments, with the condition of each example built in."""
        if cond is None:
            return self.eps_net
        if not self.conditional:
            raise ValueError("this DDPM is unconditional: cond must be None")
        return lambda x_t, t: self.eps_net(x_t, t, cond)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Noise-prediction loss at random steps, mean over the batch; not nats."""
        device = generator.device if generator else x.device
        t = torch.randint(len(self.betas), (len(x),), generator=generator, device=device)
        eps = randn(x.shape, like=x, generator=generator)
        model = self.eps_model(cond)
        return ddpm_loss(model, x, t.to(x.device), eps, alphas_bar=self.alphas_bar).mean()

    def elbo(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> PerExample:
        """Bound on log p(x), or log p(x | cond), of the ancestral chain in nats; T passes."""
        eps = randn((len(self.betas), *x.shape), like=x, generator=generator)
        return ddpm_vlb(
            self.eps_model(cond), x, eps, betas=self.betas, variances=self.variances, bins=self.bins
        )

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples by the ancestral chain: T network passes."""
        if cond is not None and len(cond) != n:
            raise ValueError(f"expected one condition for each of {n} examples, got {len(cond)}")
        x_T = randn((n, *self.event_shape), like=self.betas, generator=generator)
        return last(
            ddpm_sample(self.eps_model(cond), x_T, betas=self.betas, variances=self.variances,
                        generator=generator)
        )  # fmt: skip


def noise_errors(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " n b *event"],
    *,
    alphas_bar: Table,
) -> Table:
    r"""How wrong a network is at each step: what `optimal_variances` wants to know.

    $$m_t = \tfrac1D\,\mathbb E\lVert\epsilon - \epsilon_\theta(x_t, t)\rVert^2$$

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: examples, `(b, *event)`, of the training data: widths are a part of the model.
        eps: standard normal noise, one draw for each step, `(T, b, *event)`.
        alphas_bar: `(T,)`.

    Returns:
        `(T,)`, means over examples and dimensions; T network passes.

    Raises:
        ValueError: the draws are not as many as the steps.

    Example:
        >>> a = torch.tensor([0.9, 0.5])
        >>> noise_errors(lambda x, t: 0 * x, torch.zeros(1, 2), torch.ones(2, 1, 2), alphas_bar=a)
        tensor([1., 1.])

    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if len(eps) != len(alphas_bar):
        raise ValueError(f"expected one draw for each of {len(alphas_bar)} steps, got {len(eps)}")
    rows = []
    for k, e in enumerate(eps):
        t = torch.full((len(x0),), k, device=x0.device)
        rows.append(ddpm_loss(eps_model, x0, t, e, alphas_bar=alphas_bar).mean())
    return torch.stack(rows)


def optimal_variances(mean_square: Float[Tensor, " T"], betas: Table) -> Table:
    r"""Step variances that minimise every term of the bound for a given network.

    $$v^*_t = \tilde\beta_t + \frac{\beta_t^2}{(1-\beta_t)(1-\bar\alpha_t)}\,m_t$$

    Args:
        mean_square: $m_t$, error of the noise prediction at each step, mean over dimensions and
            examples, `(T,)`, not negative; positive at t = 0, where $\tilde\beta_0 = 0$.
        betas: `(T,)` in (0, 1).

    Returns:
        `(T,)`; at t = 0 the best for a *density* at the last step.

    Raises:
        ValueError: a negative error, or tables of different lengths.

    Example:
        >>> betas = torch.tensor([0.1, 0.2])
        >>> optimal_variances(torch.tensor([0.9, 0.72]), betas)  # standard normal data
        tensor([0.1000, 0.2000])

    Source: Bao et al. 2022 (arXiv:2206.07309), the covariance for an imperfect mean, isotropic.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if mean_square.shape != betas.shape:
        raise ValueError(f"expected {len(betas)} mean squares, got {len(mean_square)}")
    if not bool((mean_square >= 0).all()):
        raise ValueError(f"mean squares must not be negative, smallest is {mean_square.min()}")
    alphas_bar = alphas_bar_from_betas(betas)
    unknown = betas**2 / ((1 - betas) * (1 - alphas_bar)) * mean_square
    return posterior_variances(betas) + unknown
