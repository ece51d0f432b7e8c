r"""Distributions on the plane that are hard to learn and exactly known: curves and points, blurred.

$$x = c(u) + s\,\epsilon, \qquad p(x) = \mathbb E_u\,\mathcal N\big(x;\, c(u),\, s^2 I\big).$$
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Rng, as_real, randn, require_positive, require_probabilities

_NODES_PER_STD = 2.5  # quadrature nodes for each standard deviation of curve length
_BLOCK = 8192  # points whose densities are computed at once, to bound the memory


def blurred_log_prob(
    x: Float[Tensor, " n 2"],
    centres: Float[Tensor, " m 2"],
    weights: Float[Tensor, " m"],
    *,
    std: float,
) -> Float[Tensor, " n"]:
    r"""Log-density of weighted points blurred by isotropic Gaussian noise, nats.

    $$\log p(x) = \log \sum_m w_m \exp\!\Big(-\tfrac{\lVert x-c_m\rVert^2}{2s^2}\Big)
      - \log(2\pi s^2)$$
    """
    require_positive(std=std)
    require_probabilities(weights=weights)
    x = as_real(x)
    centres = centres.to(x)
    log_w = weights.to(x).log()

    def block(y: Tensor) -> Tensor:
        squared = (y[:, None, 0] - centres[:, 0]) ** 2 + (y[:, None, 1] - centres[:, 1]) ** 2
        return (log_w - squared / (2 * std**2)).logsumexp(1)

    return torch.cat([block(y) for y in torch.split(x, _BLOCK)]) - math.log(2 * math.pi * std**2)


def plane(extent: float, n_side: int) -> tuple[Float[Tensor, " n 2"], float]:
    r"""Midpoints of a square lattice over $[-a, a]^2$ and the area of one cell, for integrals.

    $$\int f(x)\,dx \approx h^2 \sum_{ij} f(x_{ij}), \qquad h = 2a / n$$
    """
    require_positive(extent=extent, n_side=n_side)
    h = 2 * extent / n_side
    ticks = -extent + h * (torch.arange(n_side, dtype=torch.float64) + 0.5)
    second, first = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([first.flatten(), second.flatten()], 1)
    return points.to(torch.get_default_dtype()), h * h


def _nodes(low: float, high: float, length: float, std: float) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights, summing to one, of a uniform distribution."""
    n = max(16, math.ceil(_NODES_PER_STD * length / std))
    x, w = np.polynomial.legendre.leggauss(n)
    return torch.from_numpy(low + (high - low) * (x + 1) / 2), torch.from_numpy(w / 2)


def _here(generator: Rng) -> dict[str, Any]:
    return {"generator": generator, "device": generator.device if generator else None}


def _polar(radius: Tensor | float, angle: Tensor) -> Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)


@dataclass(frozen=True)
class GaussianRing:
    """Equal Gaussians evenly spaced on a circle: the classic test for lost modes."""

    n_modes: int = 8  # Gaussians on the circle
    radius: float = 1.5  # of the circle; with the default std each coordinate has variance 1.15
    std: float = 0.15  # of each Gaussian, in both coordinates

    @property
    def means(self) -> Float[Tensor, " k 2"]:
        return _polar(self.radius, 2 * math.pi * torch.arange(self.n_modes) / self.n_modes)

    @property
    def weights(self) -> Float[Tensor, " k"]:
        return torch.full((self.n_modes,), 1 / self.n_modes)

    @property
    def stds(self) -> Float[Tensor, " k"]:
        """The standard deviations, all equal: with `weights` and `means`, an oracle's arguments."""
        return torch.full((self.n_modes,), self.std)

    def sample(self, n: int, *, generator: Rng = None) -> Float[Tensor, " n 2"]:
        label = torch.randint(self.n_modes, (n,), **_here(generator))
        centres = self.means.to(label.device)[label]
        return centres + self.std * randn(centres.shape, centres, generator)

    def log_prob(self, x: Float[Tensor, " n 2"]) -> Float[Tensor, " n"]:
        return blurred_log_prob(x, self.means, self.weights, std=self.std)


@dataclass(frozen=True)
class Moons:
    r"""Two interleaved half circles, symmetric about the origin, blurred by Gaussian noise.

    $$c_\pm(u) = \pm\, r\,\big(\cos u - \tfrac12,\ \sin u - \tfrac14\big), \qquad u\sim U(0,\pi)$$
    """

    radius: float = 1.4  # of each half circle; both coordinates together have variance 2
    std: float = 0.1  # of the blur

    def _curve(self, u: Tensor) -> Tensor:
        return _polar(self.radius, u) - self.radius * u.new_tensor([0.5, 0.25])

    def sample(self, n: int, *, generator: Rng = None) -> Float[Tensor, " n 2"]:
        sign = 2 * torch.randint(2, (n,), **_here(generator)) - 1
        centres = sign[:, None] * self._curve(math.pi * torch.rand(n, **_here(generator)))
        return centres + self.std * randn(centres.shape, centres, generator)

    def log_prob(self, x: Float[Tensor, " n 2"]) -> Float[Tensor, " n"]:
        u, w = _nodes(0, math.pi, math.pi * self.radius, self.std)
        c = self._curve(u)
        return blurred_log_prob(x, torch.cat([c, -c]), torch.cat([w, w]) / 2, std=self.std)


check_public(__name__)
