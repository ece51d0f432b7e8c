r"""How wide a step back should be: between the two choices of the paper, and measurable.

$$v^*_t = \tilde\beta_t + \frac{\beta_t^2}{(1-\beta_t)(1-\bar\alpha_t)}\,m_t, \qquad
m_t = \tfrac1D\,\mathbb E\lVert\epsilon - \epsilon_\theta(x_t, t)\rVert^2$$

The mean of a step is the network's; given that, the variance that makes the bound tightest is the
posterior's plus whatever the network could not know. If it knows the noise exactly (a single point
as data), $m_t = 0$ and $v^*_t = \tilde\beta_t$; for standard normal data $m_t = \bar\alpha_t$ and
$v^*_t = \beta_t$.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), section 3.2 (the two ends); Bao et al. 2022
(arXiv:2206.07309): the covariance for an imperfect mean, here a multiple of the identity.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import Event

from .ddpm import ddpm_loss
from .schedules import Table, alphas_bar_from_betas, posterior_variances
from .vlb import EpsModel


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
