"""Normals, their mixtures, point masses and the linear latent model, with exact answers."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core import Event, PerExample, Rng, Scalar, drawn, expand, mean_event, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.stats import kl_diag_normal, normal_log_prob
from genlab.core.tensors import (
    draw_indices,
    require_alike,
    require_finite,
    require_positive,
    require_rows,
)

Scale = Scalar | PerExample | float  # one, or one for each example


@dataclass(frozen=True)
class Gaussian:
    r"""Normal distribution $\mathcal N(\mu, \Sigma)$ with a full covariance matrix."""

    mean: Float[Tensor, " d"]
    cov: Float[Tensor, " d d"]

    def __post_init__(self) -> None:
        require_finite(mean=self.mean)
        scale = float(self.cov.detach().abs().max())
        if float((self.cov - self.cov.T).detach().abs().max()) > 1e-5 * scale:
            raise ValueError(f"Gaussian: cov is {self.cov.tolist()}, expected a symmetric matrix")
        least = float(torch.linalg.eigvalsh(self.cov.detach()).min())
        if not least > 0:
            raise ValueError(f"Gaussian: cov has the eigenvalue {least}, expected all > 0")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.mean.numel(),)

    def log_prob(self, x: Float[Tensor, " b d"]) -> PerExample:
        r"""Log-density in nats.

        $$\log \mathcal N(x; \mu, \Sigma) = -\tfrac12 (x-\mu)^\top \Sigma^{-1} (x-\mu)
        - \tfrac12 \log\det \Sigma - \tfrac d2 \log 2\pi$$
        """
        root: Tensor = torch.linalg.cholesky(self.cov)
        white: Tensor = torch.linalg.solve_triangular(root, (x - self.mean).T, upper=False)
        log_det = 2 * root.diagonal().log().sum()
        return -0.5 * ((white**2).sum(0) + log_det + self.mean.numel() * math.log(2 * math.pi))

    def score(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
        r"""Slope of the log-density: $\nabla_x \log p(x) = -\Sigma^{-1}(x - \mu)$."""
        pull: Tensor = torch.linalg.solve(self.cov, (x - self.mean).T)
        return -pull.T

    def sample(self, n: int, *, generator: Rng = None) -> Float[Tensor, " b d"]:
        r"""Draw $x = \mu + L\epsilon$ with $LL^\top = \Sigma$."""
        eps = randn((n, self.mean.numel()), like=self.mean, generator=generator)
        root: Tensor = torch.linalg.cholesky(self.cov)
        return self.mean + eps @ root.T

    def entropy(self) -> Float[Tensor, ""]:
        r"""Differential entropy $\tfrac12 \log\det(2\pi e \Sigma)$, nats; it can be negative."""
        d = self.mean.numel()
        return 0.5 * (torch.logdet(self.cov) + d * math.log(2 * math.pi * math.e))

    def noised(self, alpha: float, sigma: float) -> "Gaussian":
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$: again a normal."""
        eye = torch.eye(self.mean.numel(), dtype=self.cov.dtype, device=self.cov.device)
        return Gaussian(alpha * self.mean, alpha**2 * self.cov + sigma**2 * eye)

    def denoiser(
        self, x_t: Float[Tensor, " b d"], alpha: Scale, sigma: Scale
    ) -> Float[Tensor, " b d"]:
        r"""Best guess of the clean example from the noisy one (Tweedie's formula).

        $$\mathbb E[x_0 \mid x_t] = \mu + \alpha\,\Sigma\,(\alpha^2\Sigma + \sigma^2 I)^{-1}
        (x_t - \alpha\mu)$$
        """
        alpha = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t)
        sigma = expand(torch.as_tensor(sigma, dtype=x_t.dtype), x_t)
        variances: Tensor
        variances, axes = torch.linalg.eigh(self.cov)
        gain = alpha * variances / (alpha**2 * variances + sigma**2)
        return self.mean + (gain * ((x_t - alpha * self.mean) @ axes)) @ axes.T


def kl_gaussian(p: Gaussian, q: Gaussian) -> Float[Tensor, ""]:
    r"""Divergence between two normal distributions: one number in nats, never negative.

    $$\mathrm{KL}(p\|q) = \tfrac12\Big[\operatorname{tr}(\Sigma_q^{-1}\Sigma_p)
    + (\mu_q-\mu_p)^\top \Sigma_q^{-1} (\mu_q-\mu_p) - d
    + \log\frac{\det\Sigma_q}{\det\Sigma_p}\Big]$$
    """
    require_alike(p=p.mean, q=q.mean)
    shift = q.mean - p.mean
    trace: Tensor = torch.linalg.solve(q.cov, p.cov).trace()
    quadratic: Tensor = shift @ torch.linalg.solve(q.cov, shift)
    return 0.5 * (trace + quadratic - len(shift) + torch.logdet(q.cov) - torch.logdet(p.cov))


@dataclass(frozen=True)
class GaussianMixture:
    """Mixture of normals with isotropic components."""

    weights: Float[Tensor, " k"]
    means: Float[Tensor, " k d"]
    stds: Float[Tensor, " k"]

    def __post_init__(self) -> None:
        require_finite(weights=self.weights, means=self.means)
        if bool((self.weights <= 0).any()) or abs(float(self.weights.detach().sum()) - 1) > 1e-4:
            weights = self.weights.tolist()
            raise ValueError(f"GaussianMixture: weights are {weights}, expected > 0 and a sum of 1")
        if not bool((self.stds > 0).all()):
            raise ValueError(f"GaussianMixture: stds are {self.stds.tolist()}, expected all > 0")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.means.shape[1],)

    def log_prob(self, x: Float[Tensor, " b d"]) -> PerExample:
        r"""Log-density in nats: logsumexp over the components."""
        return self._joint_log_prob(x, self.means, self.stds.expand(len(x), -1)).logsumexp(1)

    def responsibilities(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b k"]:
        r"""Which component made `x`: $p(k \mid x)$, rows sum to 1."""
        return self._joint_log_prob(x, self.means, self.stds.expand(len(x), -1)).softmax(1)

    def score(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
        r"""Slope of the log-density: $\sum_k p(k \mid x)\,(m_k - x) / s_k^2$."""
        pulls = (self.means - x[:, None, :]) / self.stds[:, None] ** 2
        return (self.responsibilities(x)[..., None] * pulls).sum(1)

    def sample(
        self, n: int, *, cond: Int[Tensor, " {n}"] | None = None, generator: Rng = None
    ) -> Float[Tensor, " b d"]:
        r"""Choose a component by its weight (or take `cond` as the choice), then draw."""
        k = cond
        if k is None:
            k = draw_indices(self.weights, n, generator=generator)
        eps = randn((n, self.means.shape[1]), like=self.means, generator=generator)
        return self.means[k] + self.stds[k, None] * eps

    def noised(self, alpha: float, sigma: float) -> "GaussianMixture":
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$: again a mixture."""
        stds = (alpha**2 * self.stds**2 + sigma**2).sqrt()
        return GaussianMixture(self.weights, alpha * self.means, stds)

    def denoiser(
        self, x_t: Float[Tensor, " b d"], alpha: Scale, sigma: Scale
    ) -> Float[Tensor, " b d"]:
        r"""Best guess of the clean example from the noisy one.

        $$\mathbb E[x_0\mid x_t] = \sum_k p_t(k\mid x_t)\Big[m_k +
        \frac{\alpha s_k^2}{\alpha^2 s_k^2 + \sigma^2}(x_t - \alpha m_k)\Big]$$
        """
        a = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t).expand(len(x_t), 1)
        s = expand(torch.as_tensor(sigma, dtype=x_t.dtype), x_t).expand(len(x_t), 1)
        means = a[..., None] * self.means
        variances = a**2 * self.stds**2 + s**2
        which = self._joint_log_prob(x_t, means, variances.sqrt()).softmax(1)
        gain = (a * self.stds**2 / variances)[..., None]
        return (which[..., None] * (self.means + gain * (x_t[:, None] - means))).sum(1)

    def moment_match(self) -> Gaussian:
        r"""The one normal with the same mean and covariance: the q with the least KL(p || q).

        $$\mu = \sum_k \pi_k m_k, \qquad
        \Sigma = \sum_k \pi_k \big(s_k^2 I + (m_k-\mu)(m_k-\mu)^\top\big)$$
        """
        mean = self.weights @ self.means
        spread = self.means - mean
        between = (self.weights[:, None] * spread).T @ spread
        within = (self.weights @ self.stds**2) * torch.eye(len(mean)).to(mean)
        return Gaussian(mean, between + within)

    def _joint_log_prob(
        self, x: Float[Tensor, " b d"], means: Tensor, stds: Float[Tensor, " b k"]
    ) -> Float[Tensor, " b k"]:
        d = self.means.shape[1]
        squared = ((x[:, None, :] - means) ** 2).sum(2) / stds**2
        return self.weights.log() - 0.5 * squared - d * (stds.log() + 0.5 * math.log(2 * math.pi))


@dataclass(frozen=True)
class Empirical:
    """Equal point masses on a finite set of examples."""

    points: Float[Tensor, " n *event"]

    def __post_init__(self) -> None:
        require_rows(points=self.points)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return tuple(self.points.shape[1:])

    def sample(
        self, n: int, *, cond: Int[Tensor, " {n}"] | None = None, generator: Rng = None
    ) -> Event:
        """Draw points with replacement (or take `cond` as their indices)."""
        if cond is None:
            here: dict[str, Any] = {"device": self.points.device, "generator": generator}
            cond = drawn(torch.randint, len(self.points), (n,), **here)
        return self.points[cond]

    def noised(self, alpha: float, sigma: float) -> GaussianMixture:
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$: a kernel density estimate."""
        flat = self.points.flatten(1)
        ones = torch.ones(len(flat), dtype=flat.dtype, device=flat.device)
        return GaussianMixture(ones / len(flat), alpha * flat, sigma * ones)

    def denoiser(self, x_t: Event, alpha: Scale, sigma: Scale) -> Event:
        r"""Average of the points, each weighted by how well it explains the noisy example.

        $$\mathbb E[x_0 \mid x_t] = \sum_i w_i x_i, \qquad
        w = \operatorname{softmax}\big(-\lVert x_t - \alpha x_i \rVert^2 / 2\sigma^2\big)$$
        """
        alpha = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t)
        sigma = torch.as_tensor(sigma, dtype=x_t.dtype).reshape(-1, 1)
        gaps = [sum_event((x_t - alpha * point) ** 2) for point in self.points]
        weights = (-torch.stack(gaps, 1) / (2 * sigma**2)).softmax(1)
        return (weights @ self.points.flatten(1)).reshape(x_t.shape)

    def nearest(self, x: Event) -> PerExample:
        """Root mean square distance to the closest point, `(b,)`: zero for a copy."""
        gaps = torch.stack([mean_event((x - point) ** 2) for point in self.points], 1)
        return gaps.min(1).values.sqrt()


@dataclass(frozen=True)
class LinearLatent:
    r"""Probabilistic PCA: $x = Wz + \mu + \sigma\epsilon$ with $z \sim \mathcal N(0, I)$."""

    weight: Float[Tensor, " d k"]
    mean: Float[Tensor, " d"]
    std: float

    def __post_init__(self) -> None:
        require_positive(std=self.std)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.mean.numel(),)

    def decode(self, z: Float[Tensor, " b k"]) -> Float[Tensor, " b d"]:
        r"""Mean of the conditional: $Wz + \mu$."""
        return z @ self.weight.T + self.mean

    def cond_log_prob(self, x: Float[Tensor, " b d"], z: Float[Tensor, " b k"]) -> PerExample:
        return normal_log_prob(x, self.decode(z), self.std)

    def marginal(self) -> Gaussian:
        eye = torch.eye(len(self.mean), dtype=self.mean.dtype, device=self.mean.device)
        return Gaussian(self.mean, self.weight @ self.weight.T + self.std**2 * eye)

    def log_prob(self, x: Float[Tensor, " b d"]) -> PerExample:
        return self.marginal().log_prob(x)

    def posterior(
        self, x: Float[Tensor, " b d"]
    ) -> tuple[Float[Tensor, " b k"], Float[Tensor, " k k"]]:
        r"""Mean and covariance of $p(z \mid x)$.

        $$\Sigma = (I + \sigma^{-2} W^\top W)^{-1}, \qquad
        m = \sigma^{-2}\, \Sigma\, W^\top (x - \mu)$$
        """
        k = self.weight.shape[1]
        eye = torch.eye(k, dtype=self.weight.dtype, device=self.weight.device)
        cov = torch.linalg.inv(eye + self.weight.T @ self.weight / self.std**2)
        return (x - self.mean) @ self.weight @ cov / self.std**2, cov

    def elbo_of(
        self, x: Float[Tensor, " b d"], mu: Float[Tensor, " b k"], log_var: Float[Tensor, " b k"]
    ) -> PerExample:
        r"""The bound for a normal q with deviations $\sigma_q$, in closed form, nats.

        $$\log \mathcal N(x; W\mu_q + \mu, \sigma^2 I) - \frac{1}{2\sigma^2}
        \sum_j \sigma_{q,j}^2 \lVert W_{\cdot j}\rVert^2 - \mathrm{KL}(q \,\|\, \mathcal N(0, I))$$
        """
        spread = (log_var.exp() * (self.weight**2).sum(0)).sum(1) / (2 * self.std**2)
        return self.cond_log_prob(x, mu) - spread - kl_diag_normal(mu, log_var)

    def sample(
        self, n: int, *, cond: Float[Tensor, " {n} k"] | None = None, generator: Rng = None
    ) -> Float[Tensor, " b d"]:
        r"""Draw `z` (or take `cond` as the latent), then `x` given `z`."""
        z = cond
        if z is None:
            z = randn((n, self.weight.shape[1]), like=self.weight, generator=generator)
        return self.decode(z) + self.std * randn((n, len(self.mean)), self.mean, generator)


check_public(__name__)
