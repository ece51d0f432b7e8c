r"""Probabilistic PCA as a learner: its bound for any Gaussian q, its M-step, its exact optimum.

The model itself is the oracle `LinearLatent`. For it the bound has a closed form for every
normal $q(z\mid x)$, the two halves of EM are small linear problems, and the best model of all
is known from the eigenvalues $\lambda_j$ of the sample covariance:

$$W_{\mathrm{ML}} = U_k(\Lambda_k - \sigma^2 I)^{1/2}, \qquad
\sigma^2_{\mathrm{ML}} = \frac{1}{d-k}\sum_{j>k}\lambda_j.$$

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Sources: Tipping and Bishop 1999, J. R. Statist. Soc. B 61, section 3; Bishop, Pattern Recognition
and Machine Learning, section 12.2.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import require_rows
from genlab.core.shapes import PerExample
from genlab.oracles import LinearLatent


def ppca_elbo(
    model: LinearLatent,
    x: Float[Tensor, " b d"],
    mu: Float[Tensor, " b k"],
    cov: Float[Tensor, " k k"],
) -> PerExample:
    r"""The bound for $q(z\mid x_i) = \mathcal N(\mu_i, S)$ with a full covariance, no sampling.

    $$\log\mathcal N(x; W\mu_i + \mu, \sigma^2 I) - \frac{\operatorname{tr}(WSW^\top)}{2\sigma^2}
      - \mathrm{KL}\big(\mathcal N(\mu_i, S)\,\|\,\mathcal N(0, I)\big)$$

    Equal to $\log p(x)$ when $(\mu_i, S)$ is `model.posterior(x)`.

    Args:
        model: probabilistic PCA.
        x: examples, `(b, d)`.
        mu: means of q, `(b, k)`.
        cov: covariance S of q, shared by the examples, `(k, k)`, positive definite.

    Returns:
        `(b,)` nats.

    Example:
        >>> model = LinearLatent(torch.ones(2, 1), torch.zeros(2), std=1.0)
        >>> x = torch.zeros(1, 2)
        >>> ppca_elbo(model, x, *model.posterior(x)) - model.log_prob(x)
        tensor([0.])

    Source: Bishop, Pattern Recognition and Machine Learning, eq. 12.53, plus the entropy of q.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    spread = (model.weight @ cov @ model.weight.T).trace() / (2 * model.std**2)
    kl = 0.5 * ((mu**2).sum(1) + cov.trace() - len(cov) - torch.logdet(cov))
    return model.cond_log_prob(x, mu) - spread - kl


def ppca_m_step(
    x: Float[Tensor, " n d"],
    mu: Float[Tensor, " n k"],
    cov: Float[Tensor, " k k"],
    *,
    std: float | None = None,
) -> LinearLatent:
    r"""The model that maximises the mean bound while q is held fixed.

    $$[W\ \mu] = \Big[\sum_i x_i\, \mathbb E\tilde z_i^\top\Big]
      \Big[\sum_i \mathbb E\tilde z_i\tilde z_i^\top\Big]^{-1}, \qquad
      \sigma^2 = \frac{1}{nd}\sum_i\mathbb E\,\lVert x_i - Wz_i - \mu\rVert^2,
      \qquad \tilde z = (z, 1)$$

    A least-squares fit of x to a code that is only known up to its uncertainty S.

    Args:
        x: the data, `(n, d)`.
        mu: means of $q(z\mid x_i)$, `(n, k)`.
        cov: their common covariance S, `(k, k)`.
        std: hold the noise at this value instead of fitting it.

    Returns:
        The new model; the mean bound is never lower than before.

    Example:
        >>> z = torch.tensor([[-1.0], [1.0]])
        >>> ppca_m_step(torch.cat([2 * z, z], 1), z, 1e-6 * torch.eye(1)).weight.flatten()
        tensor([2.0000, 1.0000])

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 12.56 and 12.57, with the mean
    fitted together with W rather than before it.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    require_rows(x=x, mu=mu)
    n, d = x.shape
    code = torch.cat([mu, torch.ones_like(mu[:, :1])], 1)
    second = code.T @ code
    second[:-1, :-1] += n * cov
    fit: Tensor = torch.linalg.solve(second, code.T @ x)
    weight, mean = fit[:-1].T, fit[-1]
    squares = ((x - code @ fit) ** 2).sum() + n * (weight @ cov @ weight.T).trace()
    return LinearLatent(weight, mean, float((squares / (n * d)).sqrt()) if std is None else std)


def ppca_ml(x: Float[Tensor, " n d"], n_latent: int, *, std: float | None = None) -> LinearLatent:
    r"""Maximum-likelihood model in one step, from the eigenvalues of the covariance.

    $$W = U_k(\Lambda_k - \sigma^2 I)_+^{1/2}, \qquad
      \sigma^2 = \frac{1}{d-k}\sum_{j>k}\lambda_j \ \text{ unless given}$$

    With the noise given, a direction with $\lambda_j \le \sigma^2$ gets a zero column: its
    latent is ignored, although the likelihood is at its maximum.

    Args:
        x: the data, `(n, d)`.
        n_latent: k, from 1 to d (to d - 1 when the noise is to be fitted).
        std: hold the noise at this value.

    Returns:
        The best model; W is unique up to a rotation of the latent, here with orthogonal columns.

    Raises:
        ValueError: `n_latent` out of range, or the data have no variance left for the noise.

    Example:
        >>> x = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> model = ppca_ml(x, 1)
        >>> round(model.std**2, 4), model.marginal().cov
        (0.5, tensor([[2.0000, 0.0000],
                [0.0000, 0.5000]]))

    Source: Tipping and Bishop 1999, eqs. 7 and 8; PRML eqs. 12.45 and 12.46 (with R = I).
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    d = x.shape[1]
    if not 1 <= n_latent <= (d if std else d - 1):
        raise ValueError(f"ppca_ml: n_latent is {n_latent}, expected 1..{d if std else d - 1}")
    require_rows(x=x)
    mean = x.mean(0)
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    noise = std**2 if std else float(values[: d - n_latent].mean())
    lengths = (values[d - n_latent :] - noise).clamp_min(0).sqrt()
    return LinearLatent((vectors[:, d - n_latent :] * lengths).flip(1), mean, noise**0.5)
