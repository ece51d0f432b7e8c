r"""A bound on the log-likelihood of a latent-variable model, one value for each example.

The marginal $p(x) = \int p(x\mid z)\,p(z)\,dz$ has no closed form, but any distribution
$q(z\mid x)$ that we can draw from gives a lower bound on its logarithm:

$$\log p(x) \;\ge\; \mathbb E_{q(z|x)}\log p(x\mid z) - \mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)
\qquad (\text{gap} = \mathrm{KL}(q(z\mid x)\,\|\,p(z\mid x))).$$

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114), eq. 3 and 10; Burda, Grosse and Salakhutdinov
2015 (arXiv:1509.00519), eq. 8.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from genlab.core.shapes import PerExample
from genlab.core.stats import kl_diag_normal, normal_log_prob, std_normal_log_prob

from .importance import log_mean_weight
from .reparameterize import Latent, reparameterize

Data: TypeAlias = Shaped[Tensor, " b *event"]  # real pixels, or whole grey levels
DecoderLogProb: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def elbo(
    x: Data, mu: Latent, log_var: Latent, eps: Latent, *, decoder_log_prob: DecoderLogProb
) -> PerExample:
    r"""One-draw estimate of the ELBO with the divergence in closed form.

    $$\log p(x\mid \mu + \sigma\epsilon)
      - \mathrm{KL}\big(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0, I)\big)$$

    Its mean over $\epsilon$ is at most $\log p(x)$, and equal to it exactly when the Gaussian is
    the posterior $p(z\mid x)$. A single draw may lie above.

    Args:
        x: data, `(b, *event)`.
        mu: means of $q(z\mid x)$, `(b, *latent)`.
        log_var: its $\log\sigma^2$, like `mu`.
        eps: standard normal noise, like `mu`.
        decoder_log_prob: $(x, z) \mapsto \log p(x\mid z)$, summed over the event, nats, `(b,)`.

    Returns:
        `(b,)` nats.

    Example:
        >>> x, mu, eps = torch.tensor([[1.2]]), torch.tensor([[0.5]]), torch.tensor([[-0.3]])
        >>> decoder = lambda x, z: normal_log_prob(x, z, 1.0)
        >>> elbo(x, mu, torch.zeros(1, 1), eps, decoder_log_prob=decoder)
        tensor([-1.5439])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), eq. 7 and 10 with L = 1.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    recon = decoder_log_prob(x, reparameterize(mu, log_var, eps))
    return recon - kl_diag_normal(mu, log_var)


def log_weight(
    x: Data,
    mu: Latent,
    log_var: Latent,
    eps: Latent,
    *,
    decoder_log_prob: DecoderLogProb,
    through_z_only: bool = False,
) -> PerExample:
    r"""Log of the importance weight of one draw.

    $$\log w = \log p(x\mid z) + \log p(z) - \log q(z\mid x), \qquad z = \mu + \sigma\epsilon$$

    $\mathbb E_q\, w = p(x)$ exactly, and $\mathbb E_q \log w$ is the ELBO.

    Args:
        x: data, `(b, *event)`.
        mu: means of $q(z\mid x)$, `(b, *latent)`.
        log_var: its $\log\sigma^2$, like `mu`.
        eps: standard normal noise, like `mu`.
        decoder_log_prob: $(x, z) \mapsto \log p(x\mid z)$ in nats, `(b,)`.
        through_z_only: hold `mu` and `log_var` fixed inside $\log q$, so that their gradient
            passes through $z$ alone; the value is the same (see `doubly_reparameterized`).

    Returns:
        `(b,)` nats.

    Example:
        >>> zero = torch.zeros(1, 1)
        >>> decoder = lambda x, z: normal_log_prob(x, z, 1.0)
        >>> log_weight(zero, zero, zero, zero, decoder_log_prob=decoder)
        tensor([-0.9189])

    Source: Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), eq. 7.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    z = reparameterize(mu, log_var, eps)
    if through_z_only:
        mu, log_var = mu.detach(), log_var.detach()
    log_q = normal_log_prob(z, mu, (0.5 * log_var).exp())
    return decoder_log_prob(x, z) + std_normal_log_prob(z) - log_q


def importance_bound(
    x: Data,
    mu: Latent,
    log_var: Latent,
    eps: Float[Tensor, " k b *latent"],
    *,
    decoder_log_prob: DecoderLogProb,
) -> PerExample:
    r"""Importance-weighted bound: the log of the *mean* weight of K draws.

    $$\mathcal L_K = \log \frac1K \sum_{k=1}^K w_k, \qquad
      \mathrm{ELBO} = \mathbb E\mathcal L_1 \le \mathbb E\mathcal L_K \le \log p(x)$$

    It rises to $\log p(x)$ as K grows, so it measures how much of a gap is the bound's.

    Args:
        x: data, `(b, *event)`.
        mu: means of $q(z\mid x)$, `(b, *latent)`.
        log_var: its $\log\sigma^2$, like `mu`.
        eps: K draws of standard normal noise, `(k, b, *latent)`.
        decoder_log_prob: $(x, z) \mapsto \log p(x\mid z)$ in nats, `(b,)`.

    Returns:
        `(b,)` nats.

    Raises:
        ValueError: no draws.

    Example:
        >>> zero = torch.zeros(1, 1)
        >>> decoder = lambda x, z: normal_log_prob(x, z, 1.0)
        >>> importance_bound(zero, zero, zero, torch.zeros(3, 1, 1), decoder_log_prob=decoder)
        tensor([-0.9189])

    Source: Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), eq. 8.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if len(eps) < 1:
        raise ValueError("importance_bound: eps holds no draws, expected at least one")
    log_w = [log_weight(x, mu, log_var, e, decoder_log_prob=decoder_log_prob) for e in eps]
    return log_mean_weight(torch.stack(log_w))
