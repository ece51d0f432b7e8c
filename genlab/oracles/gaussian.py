r"""The normal distribution: every question a lesson asks about it has a closed answer.

$$\log \mathcal N(x; \mu, \Sigma) = -\tfrac12 (x-\mu)^\top \Sigma^{-1} (x-\mu)
- \tfrac12 \log\det \Sigma - \tfrac d2 \log 2\pi$$

An oracle is a distribution whose density, score, samples, noised version and denoiser are all
known exactly. Put one where a trained network would stand, and whatever is then wrong is the
fault of the method around it.

Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
Sources: Bishop, Pattern Recognition and Machine Learning, section 2.3; Dowson and Landau 1982
(distance between normals); Efron 2011, eq. 2.8 (Tweedie's formula).
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import expand, randn


@final
@dataclass(frozen=True)
class Gaussian:
    r"""Normal distribution $\mathcal N(\mu, \Sigma)$ with a full covariance matrix.

    Args:
        mean: $\mu$, `(d,)`.
        cov: $\Sigma$, `(d, d)`, symmetric and positive definite.

    Raises:
        ValueError: the shapes do not fit, or `cov` is not symmetric positive definite.

    Example:
        >>> p = Gaussian(torch.zeros(2), torch.eye(2))
        >>> p.log_prob(torch.zeros(1, 2))
        tensor([-1.8379])

    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """

    mean: Float[Tensor, " d"]
    cov: Float[Tensor, " d d"]

    def __post_init__(self) -> None:
        d = self.mean.numel()
        if self.mean.shape != (d,) or self.cov.shape != (d, d):
            raise ValueError(
                f"Gaussian: mean has shape {tuple(self.mean.shape)} and cov "
                f"{tuple(self.cov.shape)}, expected (d,) and (d, d)"
            )
        scale = float(self.cov.detach().abs().max())
        if float((self.cov - self.cov.T).detach().abs().max()) > 1e-5 * scale:
            raise ValueError(f"Gaussian: cov is {self.cov.tolist()}, expected a symmetric matrix")
        if not float(torch.linalg.eigvalsh(self.cov.detach()).min()) > 0:
            raise ValueError(
                f"Gaussian: cov has the eigenvalue "
                f"{float(torch.linalg.eigvalsh(self.cov.detach()).min())}, expected all > 0"
            )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example: `(d,)`."""
        return (self.mean.numel(),)

    def log_prob(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b"]:
        r"""Log-density, `(b,)`, in nats: the displayed equation at the top of this file."""
        root: Tensor = torch.linalg.cholesky(self.cov)
        white: Tensor = torch.linalg.solve_triangular(root, (x - self.mean).T, upper=False)
        log_det = 2 * root.diagonal().log().sum()
        return -0.5 * ((white**2).sum(0) + log_det + self.mean.numel() * math.log(2 * math.pi))

    def score(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
        r"""Slope of the log-density: $\nabla_x \log p(x) = -\Sigma^{-1}(x - \mu)$."""
        pull: Tensor = torch.linalg.solve(self.cov, (x - self.mean).T)
        return -pull.T

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, " n d"]:
        r"""Draw $x = \mu + L\epsilon$ with $LL^\top = \Sigma$; there is nothing to condition on."""
        if cond is not None:
            raise ValueError("Gaussian.sample: cond is given, expected None")
        eps = randn((n, self.mean.numel()), like=self.mean, generator=generator)
        root: Tensor = torch.linalg.cholesky(self.cov)
        return self.mean + eps @ root.T

    def entropy(self) -> Float[Tensor, ""]:
        r"""Differential entropy $\tfrac12 \log\det(2\pi e \Sigma)$, nats; it can be negative."""
        d = self.mean.numel()
        return 0.5 * (torch.logdet(self.cov) + d * math.log(2 * math.pi * math.e))

    def noised(self, alpha: float, sigma: float) -> "Gaussian":
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$.

        $$x_t \sim \mathcal N(\alpha\mu,\; \alpha^2\Sigma + \sigma^2 I)$$
        """
        eye = torch.eye(self.mean.numel(), dtype=self.cov.dtype, device=self.cov.device)
        return Gaussian(alpha * self.mean, alpha**2 * self.cov + sigma**2 * eye)

    def denoiser(
        self, x_t: Float[Tensor, " b d"], alpha: Tensor | float, sigma: Tensor | float
    ) -> Float[Tensor, " b d"]:
        r"""Best guess of the clean example from the noisy one.

        $$\mathbb E[x_0 \mid x_t] = \mu + \alpha\,\Sigma\,(\alpha^2\Sigma + \sigma^2 I)^{-1}
        (x_t - \alpha\mu)$$

        Args:
            x_t: noisy examples, `(b, d)`.
            alpha: signal scale, one number or `(b,)`.
            sigma: noise scale, one number or `(b,)`.

        Returns:
            Posterior means, `(b, d)`.
        """
        alpha = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t)
        sigma = expand(torch.as_tensor(sigma, dtype=x_t.dtype), x_t)
        variances: Tensor
        variances, axes = torch.linalg.eigh(self.cov)
        gain = alpha * variances / (alpha**2 * variances + sigma**2)
        guess: Tensor = self.mean + (gain * ((x_t - alpha * self.mean) @ axes)) @ axes.T
        return guess


def kl_gaussian(p: Gaussian, q: Gaussian) -> Float[Tensor, ""]:
    r"""Divergence between two normal distributions.

    $$\mathrm{KL}(p\|q) = \tfrac12\Big[\operatorname{tr}(\Sigma_q^{-1}\Sigma_p)
    + (\mu_q-\mu_p)^\top \Sigma_q^{-1} (\mu_q-\mu_p) - d
    + \log\frac{\det\Sigma_q}{\det\Sigma_p}\Big]$$

    Args:
        p: the distribution that the average is taken under.
        q: the other one, of the same dimension.

    Returns:
        One number, in nats, never negative.

    Raises:
        ValueError: the dimensions differ.

    Example:
        >>> a, b = Gaussian(torch.zeros(1), torch.eye(1)), Gaussian(torch.ones(1), torch.eye(1))
        >>> kl_gaussian(a, b)
        tensor(0.5000)

    Source: Kullback, Information Theory and Statistics, 1959, ch. 9, eq. 1.2.
    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    _require_same_space(p, q, "kl_gaussian")
    shift = q.mean - p.mean
    trace: Tensor = torch.linalg.solve(q.cov, p.cov).trace()
    quadratic: Tensor = shift @ torch.linalg.solve(q.cov, shift)
    return 0.5 * (trace + quadratic - len(shift) + torch.logdet(q.cov) - torch.logdet(p.cov))


def wasserstein2(p: Gaussian, q: Gaussian) -> Float[Tensor, ""]:
    r"""Distance between two normal distributions, in the unit of the data.

    $$W_2^2 = \lVert\mu_p-\mu_q\rVert^2 + \operatorname{tr}\big(\Sigma_p + \Sigma_q
    - 2(\Sigma_p^{1/2}\Sigma_q\Sigma_p^{1/2})^{1/2}\big)$$

    The Frechet distance of two sets of features is $W_2^2$ of the normals fitted to them.

    Args:
        p: one distribution.
        q: another one, of the same dimension.

    Returns:
        $W_2$ itself, not its square; symmetric, zero exactly when the two are equal.

    Raises:
        ValueError: the dimensions differ.

    Example:
        >>> a, b = Gaussian(torch.zeros(1), torch.eye(1)), Gaussian(torch.ones(1), torch.eye(1))
        >>> wasserstein2(a, b)
        tensor(1.)

    Source: Dowson and Landau 1982, J. Multivariate Analysis 12, eq. 6.
    Lesson: notebooks/09_evaluation.ipynb
    """
    _require_same_space(p, q, "wasserstein2")
    root = _psd_root(p.cov)
    overlap = _psd_root(root @ q.cov @ root)
    squared = ((p.mean - q.mean) ** 2).sum() + (p.cov + q.cov - 2 * overlap).trace()
    return squared.clamp_min(0).sqrt()


def _psd_root(matrix: Float[Tensor, " d d"]) -> Float[Tensor, " d d"]:
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def _require_same_space(p: Gaussian, q: Gaussian, name: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(f"{name}: dimensions are {p.event_shape[0]} and {q.event_shape[0]}")
