r"""Bounds on log p(x) by a guess $q(z\mid x)$, and estimators of their gradients.

VAE = Kingma and Welling 2013 (arXiv:1312.6114); IWAE = Burda, Grosse and Salakhutdinov 2015
(arXiv:1509.00519); PRML = Bishop 2006, Pattern Recognition and Machine Learning.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from genlab.core import PerExample, Rng, randn
from genlab.core.checked import check_public
from genlab.core.stats import kl_categorical, kl_diag_normal, normal_log_prob, std_normal_log_prob
from genlab.core.tensors import require_finite, require_probabilities, require_rows
from genlab.oracles.continuous import Gaussian, kl_gaussian

DecoderLogProb: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x, z) to log p(x | z)


def reparameterize(
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    eps: Float[Tensor, " b *latent"],
) -> Float[Tensor, " b *latent"]:
    r"""A draw from $\mathcal N(\mu, \sigma^2)$ that gradients pass through (VAE, section 2.4).

    $$z = \mu + e^{\frac12\log\sigma^2} \odot \epsilon$$
    """
    return mu + (0.5 * log_var).exp() * eps


def elbo(
    x: Shaped[Tensor, " b *event"],
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    eps: Float[Tensor, " b *latent"],
    *,
    decoder_log_prob: DecoderLogProb,
) -> PerExample:
    r"""One-draw estimate of the ELBO with the divergence in closed form, nats (VAE, eq. 7 and 10).

    $$\log p(x\mid \mu + \sigma\epsilon)
      - \mathrm{KL}\big(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0, I)\big)$$

    Its mean is $\log p(x)$ exactly when the Gaussian is the posterior; a single draw may lie above.
    """
    recon = decoder_log_prob(x, reparameterize(mu, log_var, eps))
    return recon - kl_diag_normal(mu, log_var)


def log_weight(
    x: Shaped[Tensor, " b *event"],
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    eps: Float[Tensor, " b *latent"],
    *,
    decoder_log_prob: DecoderLogProb,
    through_z_only: bool = False,
) -> PerExample:
    r"""Log of the importance weight of one draw, nats (IWAE, eq. 7): $\mathbb E_q\, w = p(x)$.

    $$\log w = \log p(x\mid z) + \log p(z) - \log q(z\mid x), \qquad z = \mu + \sigma\epsilon$$
    """
    z = reparameterize(mu, log_var, eps)
    if through_z_only:
        mu = mu.detach()
        log_var = log_var.detach()
    log_q = normal_log_prob(z, mu, (0.5 * log_var).exp())
    return decoder_log_prob(x, z) + std_normal_log_prob(z) - log_q


def log_mean_weight(log_w: Float[Tensor, " k b"]) -> PerExample:
    r"""Importance-weighted bound from the log-weights of K draws, nats (IWAE, eq. 8).

    $$\mathcal L_K = \log \frac1K \sum_{k=1}^K w_k$$
    """
    require_rows(log_w=log_w)
    return log_w.logsumexp(0) - math.log(len(log_w))


def importance_bound(
    x: Shaped[Tensor, " b *event"],
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    eps: Float[Tensor, " k b *latent"],
    *,
    decoder_log_prob: DecoderLogProb,
) -> PerExample:
    r"""Importance-weighted bound from K draws $z_k = \mu + \sigma\epsilon_k$, nats (IWAE, eq. 8).

    $$\mathcal L_K = \log \frac1K \sum_{k=1}^K w_k, \qquad
      \mathrm{ELBO} = \mathbb E\mathcal L_1 \le \mathbb E\mathcal L_K \le \log p(x)$$
    """
    require_rows(eps=eps)
    log_w = [log_weight(x, mu, log_var, e, decoder_log_prob=decoder_log_prob) for e in eps]
    return log_mean_weight(torch.stack(log_w))


def doubly_reparameterized(log_w: Float[Tensor, " k b"]) -> PerExample:
    r"""A quantity whose *gradient* estimates that of the bound, with a noise that falls with K.

    $$\nabla_\phi \mathbb E\,\mathcal L_K = \mathbb E\sum_{k=1}^K \tilde w_k^2\,
      \frac{\partial \log w_k}{\partial z_k}\,\frac{\partial z_k}{\partial \phi},
      \qquad \tilde w_k = \frac{w_k}{\sum_j w_j}$$

    For q only, with `through_z_only=True` in `log_weight`. Tucker et al. 2018 (arXiv:1810.04152).
    """
    require_rows(log_w=log_w)
    return (log_w.detach().softmax(0) ** 2 * log_w).sum(0)


def signal_to_noise(gradients: Float[Tensor, " n *p"]) -> Float[Tensor, " *p"]:
    r"""Mean of n estimates of a gradient over their deviation (Rainforth et al. 2018, theorem 1).

    $$\mathrm{SNR} = \frac{|\mathbb E\,\Delta|}{\sqrt{\operatorname{Var}\Delta}}$$
    """
    require_rows(2, gradients=gradients)
    return gradients.mean(0).abs() / gradients.std(0)


def score_function(
    log_q: Float[Tensor, " k *b"], value: Float[Tensor, " k *b"], baseline: Tensor | float = 0.0
) -> Float[Tensor, " k *b"]:
    r"""A quantity whose *gradient* is the score-function estimator, one for each draw.

    $$\big(f(z) - b\big)\,\log q_\phi(z), \qquad f, b \text{ and } z \text{ held fixed}$$

    Unbiased for every $b$ that does not depend on the same draw. Mohamed et al. 2020
    (arXiv:1906.10652), eqs. 13 and 14.
    """
    if isinstance(baseline, Tensor):
        baseline = baseline.detach()
    return (value.detach() - baseline) * log_q


class Proposal(NamedTuple):
    """A Gaussian for each example, and the bound it had before the step."""

    mu: Float[Tensor, " b *latent"]
    log_var: Float[Tensor, " b *latent"]
    elbo: PerExample  # nats


def refine(
    x: Shaped[Tensor, " b *event"],
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    *,
    decoder_log_prob: DecoderLogProb,
    n_steps: int,
    lr: float = 0.05,
    n_draws: int = 2,
    generator: Rng = None,
) -> Iterator[Proposal]:
    r"""Climb the bound of each example by Adam on its own q (Cremer et al. 2018, section 5.1).

    $$(\mu, \log\sigma^2) \leftarrow \arg\max_{\mu,\log\sigma^2}\,\mathrm{ELBO}(x; \mu, \sigma)$$
    """
    mu, log_var = (a.detach().clone().requires_grad_(True) for a in (mu, log_var))
    many = x.repeat(n_draws, *[1] * (x.ndim - 1))
    adam = torch.optim.Adam([mu, log_var], lr=lr)
    for step in range(n_steps):
        adam.param_groups[0]["lr"] = lr * (1 - step / n_steps)
        eps = randn((len(many), *mu.shape[1:]), like=mu, generator=generator)
        wide = mu.repeat(n_draws, 1), log_var.repeat(n_draws, 1)
        bound = elbo(many, *wide, eps, decoder_log_prob=decoder_log_prob)
        mu.grad, log_var.grad = torch.autograd.grad(-bound.sum() / n_draws, (mu, log_var))
        adam.step()
        value = bound.detach().view(n_draws, -1).mean(0)
        yield Proposal(mu.detach().clone(), log_var.detach().clone(), value)


# A latent with few values: every expectation is a short sum


def log_marginal(log_joint: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Exact log-likelihood, $\log \sum_z p(x, z)$, nats (PRML, eq. 9.12)."""
    return log_joint.logsumexp(-1)


def discrete_posterior(log_joint: Float[Tensor, " *b k"]) -> Float[Tensor, " *b k"]:
    r"""Posterior of the latent by Bayes' rule, the E-step of EM (PRML, eq. 9.13).

    $$p(z\mid x) = \frac{p(x, z)}{\sum_{z'} p(x, z')}$$
    """
    return log_joint.softmax(-1)


def discrete_elbo(q: Float[Tensor, " b k"], log_joint: Float[Tensor, " b k"]) -> PerExample:
    r"""The bound of any guess q, with the expectation as a sum over z, nats (PRML, eq. 9.71).

    $$\mathrm{ELBO} = \sum_z q(z\mid x)\,\big[\log p(x, z) - \log q(z\mid x)\big],
      \qquad 0\log 0 = 0$$

    Short of $\log p(x)$ by exactly $\mathrm{KL}(q(z\mid x)\,\|\,p(z\mid x))$.
    """
    require_probabilities(q=q)
    return (q * log_joint - torch.xlogy(q, q)).sum(-1)


def aggregated_posterior(q: Float[Tensor, " b k"]) -> Float[Tensor, " k"]:
    r"""How the codes of a data set are spread: $q(z) = \tfrac1n\sum_i q(z\mid x_i)$."""
    require_probabilities(q=q)
    return q.mean(0)


def mutual_information(q: Float[Tensor, " b k"]) -> Float[Tensor, ""]:
    r"""How much the code says about which example it came from, nats (Hoffman and Johnson 2016).

    $$I_q(x; z) = \frac1n \sum_{i=1}^n \mathrm{KL}\big(q(z\mid x_i)\,\|\,q(z)\big)
      \in [0, \log\min(n, k)]$$
    """
    return kl_categorical(q, aggregated_posterior(q).expand_as(q)).mean()


def mean_field_gap(precision: Float[Tensor, " d d"], scale: float = 1.0) -> Float[Tensor, ""]:
    r"""KL, in nats, of a normal with independent entries from N(0, precision^-1); least at scale 1.

    $$\mathrm{KL}\big(\mathcal N(0, s^2\,\mathrm{diag}(1/\Lambda_{ii})) \,\|\,
    \mathcal N(0, \Lambda^{-1})\big)$$
    """
    require_finite(precision=precision, scale=scale)
    zero = torch.zeros_like(precision[0])
    guess = Gaussian(zero, scale**2 * (1 / precision.diagonal()).diag())
    return kl_gaussian(guess, Gaussian(zero, torch.linalg.inv(precision)))


check_public(__name__)
