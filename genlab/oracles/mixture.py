r"""A mixture of round normals: several modes, and still every answer in closed form.

$$p(x) = \sum_k \pi_k\, \mathcal N(x; m_k, s_k^2 I), \qquad
x_t = \alpha x_0 + \sigma\epsilon \;\Rightarrow\;
p_t(x_t) = \sum_k \pi_k\, \mathcal N(x_t; \alpha m_k, (\alpha^2 s_k^2 + \sigma^2) I)$$

Adding noise to a mixture gives a mixture, so its score and its denoiser are known at every
noise level: the ideal network of the score lessons.

Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
Sources: Bishop, Pattern Recognition and Machine Learning, eqs. 2.188 and 2.192; Efron 2011,
eq. 2.8 (Tweedie's formula).
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core import expand, randn
from genlab.oracles.gaussian import Gaussian


@final
@dataclass(frozen=True)
class GaussianMixture:
    r"""Mixture of normals with isotropic components.

    Args:
        weights: $\pi$, `(k,)`, positive, sums to 1.
        means: $m$, `(k, d)`.
        stds: $s$, `(k,)`, positive.

    Raises:
        ValueError: the shapes do not fit, or a weight or a width is out of range.

    Example:
        >>> weights, means = torch.tensor([0.5, 0.5]), torch.tensor([[-3.0], [3.0]])
        >>> p = GaussianMixture(weights, means, stds=torch.ones(2))
        >>> p.log_prob(torch.tensor([[3.0]]))
        tensor([-1.6121])

    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """

    weights: Float[Tensor, " k"]
    means: Float[Tensor, " k d"]
    stds: Float[Tensor, " k"]

    def __post_init__(self) -> None:
        k = self.weights.numel()
        if self.weights.shape != (k,) or self.stds.shape != (k,) or self.means.shape[:-1] != (k,):
            raise ValueError(
                f"GaussianMixture: weights, means, stds have shapes {tuple(self.weights.shape)}, "
                f"{tuple(self.means.shape)}, {tuple(self.stds.shape)}, expected (k,), (k, d), (k,)"
            )
        if bool((self.weights <= 0).any()) or abs(float(self.weights.detach().sum()) - 1) > 1e-4:
            raise ValueError(
                f"GaussianMixture: weights are {self.weights.tolist()}, expected positive numbers "
                f"that sum to 1"
            )
        if not bool((self.stds > 0).all()):
            raise ValueError(f"GaussianMixture: stds are {self.stds.tolist()}, expected all > 0")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example: `(d,)`."""
        return (self.means.shape[1],)

    def log_prob(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b"]:
        r"""Log-density, `(b,)`, in nats: logsumexp over the components."""
        return self._joint_log_prob(x, self.means, self.stds.expand(len(x), -1)).logsumexp(-1)

    def responsibilities(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b k"]:
        r"""Which component made `x`: $p(k \mid x)$, rows sum to 1."""
        return self._joint_log_prob(x, self.means, self.stds.expand(len(x), -1)).softmax(-1)

    def score(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
        r"""Slope of the log-density: $\sum_k p(k \mid x)\,(m_k - x) / s_k^2$."""
        pulls = (self.means - x[:, None, :]) / self.stds[:, None] ** 2
        return (self.responsibilities(x)[..., None] * pulls).sum(1)

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, " n d"]:
        r"""Choose a component by its weight (or take `cond`, `(n,)`, as the choice), then draw."""
        k = self._choose(n, generator) if cond is None else cond
        eps = randn((n, self.means.shape[1]), like=self.means, generator=generator)
        return self.means[k] + self.stds[k, None] * eps

    def noised(self, alpha: float, sigma: float) -> "GaussianMixture":
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$: again a mixture."""
        stds = (alpha**2 * self.stds**2 + sigma**2).sqrt()
        return GaussianMixture(self.weights, alpha * self.means, stds)

    def denoiser(
        self, x_t: Float[Tensor, " b d"], alpha: Tensor | float, sigma: Tensor | float
    ) -> Float[Tensor, " b d"]:
        r"""Best guess of the clean example from the noisy one.

        $$\mathbb E[x_0\mid x_t] = \sum_k p_t(k\mid x_t)\Big[m_k +
        \frac{\alpha s_k^2}{\alpha^2 s_k^2 + \sigma^2}(x_t - \alpha m_k)\Big]$$

        Args:
            x_t: noisy examples, `(b, d)`.
            alpha: signal scale, one number or `(b,)`.
            sigma: noise scale, one number or `(b,)`.

        Returns:
            Posterior means, `(b, d)`.
        """
        a = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t).expand(len(x_t), 1)
        s = expand(torch.as_tensor(sigma, dtype=x_t.dtype), x_t).expand(len(x_t), 1)
        means, variances = a[..., None] * self.means, a**2 * self.stds**2 + s**2
        which = self._joint_log_prob(x_t, means, variances.sqrt()).softmax(-1)
        gain = (a * self.stds**2 / variances)[..., None]
        return (which[..., None] * (self.means + gain * (x_t[:, None] - means))).sum(1)

    def moment_match(self) -> Gaussian:
        r"""The one normal with the same mean and covariance.

        $$\mu = \sum_k \pi_k m_k, \qquad
        \Sigma = \sum_k \pi_k \big(s_k^2 I + (m_k-\mu)(m_k-\mu)^\top\big)$$

        Among all normals q it is the one that minimises KL(p || q).
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
        squared = ((x[:, None, :] - means) ** 2).sum(-1) / stds**2
        return self.weights.log() - 0.5 * squared - d * (stds.log() + 0.5 * math.log(2 * math.pi))

    def _choose(self, n: int, generator: torch.Generator | None) -> Int[Tensor, " n"]:
        return torch.multinomial(self.weights, n, replacement=True, generator=generator)
