r"""From data to noise along a mixture, and between the ways to say what a network predicts.

$$x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon, \qquad \epsilon\sim\mathcal N(0, I)$$

Time runs from data ($x_0$) to noise in the whole course. Knowing $x_t$, any one of $\epsilon$,
$x_0$, $v = \alpha\epsilon - \sigma x_0$ and the score determines the others; each conversion is one
line. Those through $v$ assume a variance-preserving path, $\alpha^2 + \sigma^2 = 1$.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 4; Salimans and Ho 2022
(arXiv:2202.00512), appendix D; Vincent 2011 (score of the noise kernel).
"""

from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import Event, expand

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
