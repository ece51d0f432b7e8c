r"""Tweedie's formula: from the slope of the noised density to the clean example, in closed form.

$$x_t = \alpha x_0 + \sigma\epsilon \quad\Rightarrow\quad
\mathbb E[x_0\mid x_t] = \frac{x_t + \sigma^2\,\nabla\log p_t(x_t)}{\alpha}, \qquad
\mathrm{Cov}[x_0\mid x_t] = \frac{\sigma^2}{\alpha^2}\big(I + \sigma^2\nabla^2\log p_t(x_t)\big)$$

Nothing is assumed about the data: the formula holds for a photograph as for a normal. To know the
score at a noise level *is* to know the best denoiser there.

Lesson: notebooks/11_score_matching.ipynb
Sources: Robbins 1956; Efron 2011, J. Amer. Statist. Assoc. 106, eq. 2.8.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import Event, expand

from .matching import Score
from .paths import Level


def x0_from_score(x_t: Event, score: Event, alpha: Level, sigma: Level) -> Event:
    r"""Best guess of the clean example.

    $$\hat x_0 = (x_t + \sigma^2 s)/\alpha$$

    With the exact score it is $\mathbb E[x_0\mid x_t]$, which minimises the mean square error.

    Args:
        x_t: noisy examples, `(b, *event)`.
        score: $\nabla\log p_t(x_t)$, like `x_t`.
        alpha: signal scale, `(b,)` or a single number, not 0.
        sigma: noise scale, likewise.

    Returns:
        Like `x_t`.

    Example:
        >>> x, one = torch.tensor([[2.0]]), torch.tensor(1.0)
        >>> x0_from_score(x, -x / 2, one, one)    # N(0, 1) data: half of what you see is noise
        tensor([[1.]])

    Source: Efron 2011, eq. 2.8.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return (x_t + expand(sigma, x_t) ** 2 * score) / expand(alpha, x_t)


def score_from_x0(x_t: Event, x0_hat: Event, alpha: Level, sigma: Level) -> Event:
    r"""Score implied by a denoiser.

    $$s = (\alpha\,\hat x_0 - x_t)/\sigma^2$$

    Args:
        x_t: noisy examples, `(b, *event)`.
        x0_hat: $\mathbb E[x_0\mid x_t]$, like `x_t`.
        alpha: signal scale, `(b,)` or a single number.
        sigma: noise scale, likewise, not 0.

    Returns:
        Like `x_t`.

    Example:
        >>> one = torch.tensor(1.0)
        >>> score_from_x0(torch.tensor([[2.0]]), torch.tensor([[1.0]]), one, one)
        tensor([[-1.]])

    Source: Efron 2011, eq. 2.8, solved for the score.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return (expand(alpha, x_t) * x0_hat - x_t) / expand(sigma, x_t) ** 2


def posterior_covariance(
    score: Score, x_t: Event, *, alpha: float, sigma: float
) -> Float[Tensor, " b d d"]:
    r"""How much is still unknown about the clean example: Tweedie's formula of second order.

    $$\mathrm{Cov}[x_0\mid x_t] = \frac{\sigma^2}{\alpha^2}\big(I + \sigma^2 J_s(x_t)\big)$$

    Symmetric and not negative for an exact score; a network promises neither.

    Args:
        score: $\nabla\log p_t$, row by row.
        x_t: noisy examples, `(b, *event)`, D numbers each.
        alpha: signal scale, positive.
        sigma: noise scale, positive.

    Returns:
        `(b, D, D)`, over flattened events; costs D backward passes.

    Raises:
        ValueError: a scale is not positive.

    Example:
        >>> posterior_covariance(lambda x: -x / 2, torch.zeros(1, 1), alpha=1.0, sigma=1.0)
        tensor([[[0.5000]]])

    Source: Efron 2011, eq. 2.8, differentiated once more.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not (alpha > 0 and sigma > 0):
        raise ValueError(f"alpha and sigma must be positive, got {alpha:g} and {sigma:g}")
    with torch.enable_grad():
        x = x_t.detach().requires_grad_(True)
        columns = score(x).flatten(1)
        rows = [torch.autograd.grad(c.sum(), x, retain_graph=True)[0] for c in columns.unbind(1)]
    jacobian = torch.stack([row.flatten(1) for row in rows], 1)
    eye = torch.eye(jacobian.shape[1], dtype=x_t.dtype, device=x_t.device)
    return sigma**2 / alpha**2 * (eye + sigma**2 * jacobian)
