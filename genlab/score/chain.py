r"""The chain whose every law is known: data to noise, one small step after another.

$$q(x_t\mid x_{t-1}) = \mathcal N\big(\sqrt{1-\beta_t}\,x_{t-1},\ \beta_t I\big)$$

Running it is never needed (`paths.add_noise` jumps to any step), but it is what the jump must
agree with, and its *reverse* is what a network imitates: given the clean example, one step back is
a normal law again, with a mean between what $x_0$ and what $x_t$ say.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), table App.1; Ho, Jain and Abbeel 2020
(arXiv:2006.11239), eq. 2, 6 and 7.
"""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.rng import randn
from genlab.core.shapes import Event, expand

from .schedules import Table

Level = Float[Tensor, " *b"]


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
