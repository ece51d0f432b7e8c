r"""Is the latent used? Three diagnoses and three repairs of posterior collapse.

The price of the codes splits into what they tell and what they waste:

$$\frac1n\sum_i\mathrm{KL}\big(q(z\mid x_i)\,\|\,p(z)\big)
  = I_q(x; z) + \mathrm{KL}\big(q(z)\,\|\,p(z)\big), \qquad q(z) = \frac1n\sum_i q(z\mid x_i).$$

Only the first part is information. A divergence may be large while z says nothing about x.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Hoffman and Johnson 2016, "ELBO surgery"; Burda, Grosse and Salakhutdinov 2015
(arXiv:1509.00519), section 5.2; Bowman et al. 2015 (arXiv:1511.06349), section 3.1; Kingma et
al. 2016 (arXiv:1606.04934), appendix C.8.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genlab.core.guards import require_between, require_finite

Codes = Float[Tensor, " n k"]


def active_units(mu: Codes, threshold: float = 0.01) -> Bool[Tensor, " k"]:
    r"""Which latents move when x does.

    $$\operatorname{Var}_x\big(\mathbb E_{q(z|x)}\,z_j\big) > \delta$$

    Args:
        mu: means of $q(z\mid x)$ for n examples, `(n, k)`.
        threshold: $\delta$, in units of the prior's variance.

    Returns:
        `(k,)`, true = active.

    Raises:
        ValueError: fewer than two examples.

    Example:
        >>> active_units(torch.tensor([[-1.0, 3.0], [1.0, 3.0]]))
        tensor([ True, False])

    Source: Burda et al. 2015 (arXiv:1509.00519), section 5.2.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if len(mu) < 2:
        raise ValueError(f"active_units: {len(mu)} examples, expected at least two")
    require_finite(mu=mu)
    require_between(0, math.inf, threshold=threshold)
    return mu.var(0) > threshold


def kl_per_unit(mu: Codes, log_var: Codes) -> Codes:
    r"""Price of each latent by itself, not summed.

    $$\tfrac12\big(\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2\big)$$

    Args:
        mu: means of $q(z\mid x)$, `(n, k)`.
        log_var: its $\log\sigma^2$, like `mu`.

    Returns:
        `(n, k)` nats; its row sums are `kl_diag_normal(mu, log_var)`.

    Example:
        >>> kl_per_unit(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor([[0.5000, 0.0000]])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), appendix B.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    return 0.5 * (mu**2 + torch.expm1(log_var) - log_var)


def code_information(mu: Codes, log_var: Codes, eps: Codes) -> Float[Tensor, " n"]:
    r"""What the code of each example says about which example it is; the mean estimates I.

    $$I_q(x; z) = \frac1n\sum_i \mathbb E_{q(z|x_i)}\Big[\log q(z\mid x_i)
      - \log\frac1n\sum_j q(z\mid x_j)\Big]$$

    Zero when every q is the same. The mean is unbiased for these n examples, and at most
    $\log n$: on a larger data set the information may be larger.

    Args:
        mu: means of $q(z\mid x_i)$, `(n, k)`.
        log_var: its $\log\sigma^2$, like `mu`.
        eps: standard normal noise, like `mu`: one draw for each example.

    Returns:
        `(n,)` nats, one term for each example.

    Example:
        >>> mu, zero = torch.tensor([[-50.0], [50.0]]), torch.zeros(2, 1)
        >>> code_information(mu, zero, zero)
        tensor([0.6931, 0.6931])

    Source: Hoffman and Johnson 2016, "ELBO surgery", the index-code mutual information.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    z = mu + (0.5 * log_var).exp() * eps
    distance = (z[:, None] - mu) ** 2 * (-log_var).exp()  # of draw i from the centre of q j
    log_q = -0.5 * (distance + log_var).sum(-1)  # the constant cancels
    return log_q.diagonal() - (log_q.logsumexp(1) - math.log(len(mu)))


def free_bits(kl: Codes, floor: float) -> Float[Tensor, ""]:
    r"""A divergence of which the first $\lambda$ nats of each latent are free.

    $$\sum_j \max\Big(\lambda,\ \frac1n\sum_i \mathrm{KL}_{ij}\Big)$$

    At $\lambda = 0$ it is the mean divergence. Below the floor there is no gradient, so nothing
    pushes a latent to zero; nothing pushes it to *information* either.

    Args:
        kl: divergence of each example and latent, `(n, k)`, nats, from `kl_per_unit`.
        floor: $\lambda$, nats for each latent, not negative.

    Returns:
        One number, nats: summed over latents, the mean over the batch taken inside.

    Raises:
        ValueError: a negative floor.

    Example:
        >>> free_bits(torch.tensor([[0.1, 2.0], [0.1, 4.0]]), floor=0.5)
        tensor(3.5000)

    Source: Kingma et al. 2016 (arXiv:1606.04934), appendix C.8, eq. 27.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if not floor >= 0:
        raise ValueError(f"free_bits: floor is {floor}, expected at least 0 nats")
    return kl.mean(0).clamp_min(floor).sum()


def kl_annealing(n_warm: int, beta: float = 1.0) -> Callable[[int], float]:
    r"""Weight of the divergence that rises from 0 to $\beta$ and stays.

    $$\beta_k = \beta\,\min(1,\ k / n)$$

    Args:
        n_warm: n, steps of linear rise; 0 for none.
        beta: the final weight; 1 for the bound.

    Returns:
        A function of the step index 0, 1, ...

    Raises:
        ValueError: a negative number of steps.

    Example:
        >>> [kl_annealing(4)(k) for k in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]

    Source: Bowman et al. 2015 (arXiv:1511.06349), section 3.1.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if n_warm < 0:
        raise ValueError(f"kl_annealing: n_warm is {n_warm}, expected at least 0")
    return lambda step: beta * (min(1.0, max(0.0, step / n_warm)) if n_warm else 1.0)
