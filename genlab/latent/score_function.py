r"""The gradient of an average over draws, when the draw itself cannot be differentiated.

$$\nabla_\phi\,\mathbb E_{q_\phi}f(z) = \mathbb E_{q_\phi}[f(z)\,\nabla_\phi\log q_\phi(z)]$$

Because $\mathbb E\,\nabla\log q = 0$, any constant $b$ may be taken off $f$: the mean stays, the
variance changes. The estimator asks nothing of $f$, not even continuity, and pays in variance.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Williams 1992, "Simple statistical gradient-following algorithms" (REINFORCE); Mohamed,
Rosca, Figurnov and Mnih 2020 (arXiv:1906.10652), sections 4 and 7.
"""

from jaxtyping import Float
from torch import Tensor

Draws = Float[Tensor, " k *b"]


def score_function(log_q: Draws, value: Draws, baseline: Tensor | float = 0.0) -> Draws:
    r"""A quantity whose *gradient* is the score-function estimator, one for each draw.

    $$\big(f(z) - b\big)\,\log q_\phi(z), \qquad f, b \text{ and } z \text{ held fixed}$$

    Its gradient has the mean $\nabla_\phi\,\mathbb E f$ for every $b$ that does not depend on the
    same draw. Its value means nothing. Descend along it when $f$ is a loss.

    Args:
        log_q: $\log q_\phi(z)$ of each draw, differentiable in $\phi$ with z held fixed, `(k, *b)`.
        value: $f(z)$, like `log_q`; no gradient is taken through it.
        baseline: $b$, a number or broadcastable to `value`.

    Returns:
        Like `log_q`, no unit.

    Example:
        >>> import torch
        >>> log_q = torch.zeros(2, requires_grad=True)
        >>> score_function(log_q, torch.tensor([3.0, 1.0]), baseline=2.0).sum().backward()
        >>> log_q.grad
        tensor([ 1., -1.])

    Source: Mohamed et al. 2020 (arXiv:1906.10652), eqs. 13 and 14.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if isinstance(baseline, Tensor):
        baseline = baseline.detach()
    return (value.detach() - baseline) * log_q


def leave_one_out(value: Draws) -> Draws:
    r"""A baseline for each draw that does not depend on it: the mean of the others.

    $$b_k = \frac{1}{K - 1}\sum_{j\ne k} f(z_j)$$

    Independent of $z_k$, so the estimator stays unbiased; the mean of *all* draws does not.

    Args:
        value: $f(z_k)$ of K independent draws, `(k, *b)`.

    Returns:
        Like `value`.

    Raises:
        ValueError: fewer than two draws.

    Example:
        >>> import torch
        >>> leave_one_out(torch.tensor([1.0, 2.0, 6.0]))
        tensor([4.0000, 3.5000, 1.5000])

    Source: Kool, van Hoof and Welling 2019, "Buy 4 REINFORCE samples, get a baseline for free",
    eq. 8.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if len(value) < 2:
        raise ValueError(f"leave_one_out: {len(value)} draws, expected at least two")
    return (value.sum(0) - value) / (len(value) - 1)
