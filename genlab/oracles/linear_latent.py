r"""Probabilistic PCA: a latent-variable model whose bound, posterior and marginal are all known.

$$z \sim \mathcal N(0, I), \quad x \mid z \sim \mathcal N(Wz + \mu, \sigma^2 I)
\quad\Rightarrow\quad x \sim \mathcal N(\mu, WW^\top + \sigma^2 I)$$

It is the linear VAE. Because the exact posterior is known, the gap between any ELBO and
$\log p(x)$ is known too, and a VAE's code can be held against it.

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Source: Tipping and Bishop 1999, J. R. Statist. Soc. B 61, eqs. 3 to 8.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import kl_diag_normal, normal_log_prob, randn
from genlab.oracles.gaussian import Gaussian


@final
@dataclass(frozen=True)
class LinearLatent:
    r"""Linear latent-variable model with normal noise.

    Args:
        weight: $W$, `(d, k)`.
        mean: $\mu$, `(d,)`.
        std: $\sigma$, positive.

    Raises:
        ValueError: the shapes do not fit, or `std` is not positive.

    Example:
        >>> model = LinearLatent(torch.ones(2, 1), torch.zeros(2), std=1.0)
        >>> model.marginal().cov
        tensor([[2., 1.],
                [1., 2.]])

    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """

    weight: Float[Tensor, " d k"]
    mean: Float[Tensor, " d"]
    std: float

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.mean.shape != self.weight.shape[:1]:
            raise ValueError(
                f"LinearLatent: weight has shape {tuple(self.weight.shape)} and mean "
                f"{tuple(self.mean.shape)}, expected (d, k) and (d,)"
            )
        if not self.std > 0:
            raise ValueError(f"LinearLatent: std is {self.std}, expected > 0")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example: `(d,)`."""
        return (self.mean.numel(),)

    def decode(self, z: Float[Tensor, " b k"]) -> Float[Tensor, " b d"]:
        r"""Mean of the conditional: $Wz + \mu$."""
        return z @ self.weight.T + self.mean

    def cond_log_prob(
        self, x: Float[Tensor, " b d"], z: Float[Tensor, " b k"]
    ) -> Float[Tensor, " b"]:
        r"""$\log p(x \mid z)$, `(b,)`, in nats."""
        return normal_log_prob(x, self.decode(z), self.std)

    def marginal(self) -> Gaussian:
        r"""Distribution of `x` with the latent integrated out."""
        eye = torch.eye(len(self.mean), dtype=self.mean.dtype, device=self.mean.device)
        return Gaussian(self.mean, self.weight @ self.weight.T + self.std**2 * eye)

    def log_prob(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b"]:
        r"""Exact $\log p(x)$, `(b,)`, in nats."""
        return self.marginal().log_prob(x)

    def posterior(
        self, x: Float[Tensor, " b d"]
    ) -> tuple[Float[Tensor, " b k"], Float[Tensor, " k k"]]:
        r"""Mean and covariance of $p(z \mid x)$.

        $$\Sigma = (I + \sigma^{-2} W^\top W)^{-1}, \qquad
        m = \sigma^{-2}\, \Sigma\, W^\top (x - \mu)$$

        Args:
            x: examples, `(b, d)`.

        Returns:
            Means `(b, k)`, and the covariance `(k, k)`, which does not depend on `x`.
        """
        k = self.weight.shape[1]
        eye = torch.eye(k, dtype=self.weight.dtype, device=self.weight.device)
        cov = torch.linalg.inv(eye + self.weight.T @ self.weight / self.std**2)
        return (x - self.mean) @ self.weight @ cov / self.std**2, cov

    def elbo_of(
        self, x: Float[Tensor, " b d"], mu: Float[Tensor, " b k"], log_var: Float[Tensor, " b k"]
    ) -> Float[Tensor, " b"]:
        r"""The bound for $q(z) = \mathcal N(\mu_q, \operatorname{diag} \sigma_q^2)$, no sampling.

        $$\log \mathcal N(x; W\mu_q + \mu, \sigma^2 I) - \frac{1}{2\sigma^2}
        \sum_j \sigma_{q,j}^2 \lVert W_{\cdot j}\rVert^2 - \mathrm{KL}(q \,\|\, \mathcal N(0, I))$$

        Args:
            x: examples, `(b, d)`.
            mu: mean of q for each example, `(b, k)`.
            log_var: logarithm of its variances, `(b, k)`.

        Returns:
            `(b,)`, in nats; short of $\log p(x)$ by exactly KL(q || posterior).
        """
        spread = (log_var.exp() * (self.weight**2).sum(0)).sum(1) / (2 * self.std**2)
        return self.cond_log_prob(x, mu) - spread - kl_diag_normal(mu, log_var)

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, " n d"]:
        r"""Draw `z` (or take `cond`, `(n, k)`, as the latent), then `x` given `z`."""
        z = cond
        if z is None:
            z = randn((n, self.weight.shape[1]), like=self.weight, generator=generator)
        return self.decode(z) + self.std * randn((n, len(self.mean)), self.mean, generator)
