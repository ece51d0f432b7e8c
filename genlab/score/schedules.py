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

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

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
