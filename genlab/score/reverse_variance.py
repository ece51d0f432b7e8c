r"""How wide a step back should be: between the two choices of the paper, and measurable.

$$v^*_t = \tilde\beta_t + \frac{\beta_t^2}{(1-\beta_t)(1-\bar\alpha_t)}\,m_t, \qquad
m_t = \tfrac1D\,\mathbb E\lVert\epsilon - \epsilon_\theta(x_t, t)\rVert^2$$

The mean of a step is the network's; given that, the variance that makes the bound tightest is the
posterior's plus whatever the network could not know. If it knows the noise exactly (a single point
as data), $m_t = 0$ and $v^*_t = \tilde\beta_t$; for standard normal data $m_t = \bar\alpha_t$ and
$v^*_t = \beta_t$.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), section 3.2 (the two ends); Bao et al. 2022
(arXiv:2206.07309), theorem 3 (a given mean).
"""

from jaxtyping import Float
from torch import Tensor

from .schedules import Table, alphas_bar_from_betas, posterior_variances


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
        >>> import torch
        >>> betas = torch.tensor([0.1, 0.2])
        >>> optimal_variances(torch.tensor([0.9, 0.72]), betas)  # standard normal data
        tensor([0.1000, 0.2000])

    Source: Bao et al. 2022 (arXiv:2206.07309), theorem 3, in the noise parameterisation.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if mean_square.shape != betas.shape:
        raise ValueError(f"expected {len(betas)} mean squares, got {len(mean_square)}")
    if bool((mean_square < 0).any()):
        raise ValueError(f"mean squares must not be negative, smallest is {mean_square.min()}")
    alphas_bar = alphas_bar_from_betas(betas)
    unknown = betas**2 / ((1 - betas) * (1 - alphas_bar)) * mean_square
    return posterior_variances(betas) + unknown
