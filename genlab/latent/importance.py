r"""Many draws instead of one: a bound that closes, and gradients that must be read with care.

Weights $w_k = p(x, z_k) / q(z_k\mid x)$ of K independent draws $z_k \sim q(z\mid x)$ have the
mean $p(x)$. The logarithm of their average is therefore a lower bound in expectation, and it
tightens as K grows:

$$\mathbb E\log w \;\le\; \mathbb E\log\frac1K\sum_{k=1}^K w_k \;\le\; \log p(x),
\qquad \text{gap} \approx \frac{\operatorname{Var} w}{2K\,p(x)^2}.$$

Every function here takes the *logarithms* of the weights, `(k, b)`, whatever model made them.

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Sources: Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), eq. 8 and theorem 1; Rainforth
et al. 2018 (arXiv:1802.04537), theorem 1; Tucker et al. 2018 (arXiv:1810.04152).
"""

import math

from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import PerExample


def log_mean_weight(log_w: Float[Tensor, " k b"]) -> PerExample:
    r"""Importance-weighted bound from the log-weights of K draws.

    $$\mathcal L_K = \log \frac1K \sum_{k=1}^K w_k$$

    In expectation it is the ELBO at K = 1, never falls with K, and tends to $\log p(x)$.
    It is the logarithm of the mean; the mean of the logarithms is the ELBO again.

    Args:
        log_w: $\log w_k$, one row for each draw, `(k, b)`.

    Returns:
        `(b,)` nats.

    Raises:
        ValueError: no draws.

    Example:
        >>> import torch
        >>> log_mean_weight(torch.tensor([[0.1], [0.4]]).log()).exp()
        tensor([0.2500])

    Source: Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), eq. 8.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    _require_draws(log_w, "log_mean_weight")
    return log_w.logsumexp(0) - math.log(len(log_w))


def effective_sample_size(log_w: Float[Tensor, " k b"]) -> PerExample:
    r"""How many of the K draws really count.

    $$\mathrm{ESS} = \frac{\big(\sum_k w_k\big)^2}{\sum_k w_k^2}$$

    K when all weights are equal (q is the posterior), 1 when one draw carries everything.

    Args:
        log_w: $\log w_k$, `(k, b)`.

    Returns:
        `(b,)`, a number of draws between 1 and K.

    Raises:
        ValueError: no draws.

    Example:
        >>> import torch
        >>> effective_sample_size(torch.tensor([[1.0], [1.0], [1e-9]]).log())
        tensor([2.])

    Source: Kong 1992, "A note on importance sampling using standardized weights", in the form
    1 / (sum of squared normalised weights).
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    _require_draws(log_w, "effective_sample_size")
    return 1 / (log_w.softmax(0) ** 2).sum(0)


def doubly_reparameterized(log_w: Float[Tensor, " k b"]) -> PerExample:
    r"""A quantity whose *gradient* estimates that of the bound, with a noise that falls with K.

    $$\nabla_\phi \mathbb E\,\mathcal L_K = \mathbb E\sum_{k=1}^K \tilde w_k^2\,
      \frac{\partial \log w_k}{\partial z_k}\,\frac{\partial z_k}{\partial \phi},
      \qquad \tilde w_k = \frac{w_k}{\sum_j w_j}$$

    Its value means nothing, and its gradient is right for the parameters of q only: compute
    `log_w` with `log_weight(..., through_z_only=True)`, and train the decoder on
    `log_mean_weight`.

    Args:
        log_w: $\log w_k$, differentiable in $\phi$ through $z_k$ alone, `(k, b)`.

    Returns:
        `(b,)`, no unit.

    Raises:
        ValueError: no draws.

    Example:
        >>> import torch
        >>> log_w = torch.zeros(4, 1, requires_grad=True)
        >>> doubly_reparameterized(log_w).sum().backward()
        >>> log_w.grad.flatten()
        tensor([0.0625, 0.0625, 0.0625, 0.0625])

    Source: Tucker et al. 2018 (arXiv:1810.04152), the estimator named IWAE-DReG.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    _require_draws(log_w, "doubly_reparameterized")
    return (log_w.detach().softmax(0) ** 2 * log_w).sum(0)


def signal_to_noise(gradients: Float[Tensor, " n *p"]) -> Float[Tensor, " *p"]:
    r"""How far the mean of a gradient estimator stands above its own scatter.

    $$\mathrm{SNR} = \frac{|\mathbb E\,\Delta|}{\sqrt{\operatorname{Var}\Delta}}$$

    For K weighted draws it grows like $\sqrt K$ for the decoder, and *falls* like $1/\sqrt K$ for
    the plain gradient of the parameters of q.

    Args:
        gradients: n independent estimates of the same gradient, `(n, *p)`.

    Returns:
        `(*p,)`, one ratio for each parameter, no unit.

    Raises:
        ValueError: fewer than two estimates.

    Example:
        >>> import torch
        >>> signal_to_noise(torch.tensor([1.0, 3.0]))
        tensor(1.4142)

    Source: Rainforth et al. 2018 (arXiv:1802.04537), theorem 1.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if len(gradients) < 2:
        raise ValueError(f"signal_to_noise: {len(gradients)} estimates, expected at least two")
    return gradients.mean(0).abs() / gradients.std(0)


def _require_draws(log_w: Tensor, name: str) -> None:
    if len(log_w) < 1:
        raise ValueError(f"{name}: log_w holds no draws, expected at least one")
