r"""Distributions on the plane that are hard enough to learn and known well enough to grade.

Every toy is a curve, or a handful of points, blurred by Gaussian noise of standard deviation $s$:

$$x = c(u) + s\,\epsilon, \qquad p(x) = \mathbb E_u\,\mathcal N\big(x;\, c(u),\, s^2 I\big).$$

Sampling is exact. The density is exact where the expectation is a finite sum (`GaussianRing`,
`GaussianGrid`) or has a closed form (`Rings`), and is a Gauss-Legendre quadrature over the curve,
accurate to rounding, where it is not (`Moons`, `Pinwheel`). All log-densities are in nats.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.tensors import as_real

Points = Float[Tensor, " n 2"]

_NODES_PER_STD = 2.5  # quadrature nodes for each standard deviation of curve length
_BLOCK = 8192  # points whose densities are computed at once, to bound the memory


def blurred_log_prob(
    x: Points, centres: Float[Tensor, " m 2"], weights: Float[Tensor, " m"], *, std: float
) -> Float[Tensor, " n"]:
    r"""Log-density of weighted points blurred by isotropic Gaussian noise, nats.

    $$\log p(x) = \log \sum_m w_m \exp\!\Big(-\tfrac{\lVert x-c_m\rVert^2}{2s^2}\Big)
      - \log(2\pi s^2)$$

    ValueError: `std` is not positive.
    """
    if not std > 0:
        raise ValueError(f"std must be positive, got {std}")
    x = as_real(x)
    centres, log_w = centres.to(x), weights.to(x).log()

    def block(y: Tensor) -> Tensor:
        squared = (y[:, None, 0] - centres[:, 0]) ** 2 + (y[:, None, 1] - centres[:, 1]) ** 2
        return (log_w - squared / (2 * std**2)).logsumexp(1)

    return torch.cat([block(y) for y in torch.split(x, _BLOCK)]) - math.log(2 * math.pi * std**2)


def plane(extent: float, n_side: int) -> tuple[Points, float]:
    r"""Midpoints of a square lattice over $[-a, a]^2$ and the area of one cell, for integrals.

    $$\int f(x)\,dx \approx h^2 \sum_{ij} f(x_{ij}), \qquad h = 2a / n$$

    For a smooth density that vanishes at the border the error falls faster than any power of $h$.
    """
    h = 2 * extent / n_side
    ticks = -extent + h * (torch.arange(n_side, dtype=torch.float64) + 0.5)
    second, first = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([first.flatten(), second.flatten()], 1)
    return points.to(torch.get_default_dtype()), h * h


def _nodes(low: float, high: float, length: float, std: float) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights (summing to one) of a uniform law on [low, high]."""
    n = max(16, math.ceil(_NODES_PER_STD * length / std))
    x, w = np.polynomial.legendre.leggauss(n)
    return torch.from_numpy(low + (high - low) * (x + 1) / 2), torch.from_numpy(w / 2)


def _blur(centres: Tensor, std: float, generator: Generator | None) -> Tensor:
    noise = torch.randn(
        centres.shape, generator=generator, dtype=centres.dtype, device=centres.device
    )
    return centres + std * noise


def _uniform(n: int, generator: Generator | None) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device if generator else None)


def _choice(k: int, n: int, generator: Generator | None) -> Tensor:
    device = generator.device if generator else None
    return torch.randint(k, (n,), generator=generator, device=device)


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
        """The centres, the first on the positive horizontal axis."""
        return _polar(self.radius, 2 * math.pi * torch.arange(self.n_modes) / self.n_modes)

    @property
    def weights(self) -> Float[Tensor, " k"]:
        """The mixture weights, all equal."""
        return torch.full((self.n_modes,), 1 / self.n_modes)

    @property
    def stds(self) -> Float[Tensor, " k"]:
        """The standard deviations, all equal: with `weights` and `means`, an oracle's arguments."""
        return torch.full((self.n_modes,), self.std)

    def sample(self, n: int, *, generator: Generator | None = None) -> Points:
        """Draw `n` points."""
        label = _choice(self.n_modes, n, generator)
        return _blur(self.means.to(label.device)[label], self.std, generator)

    def log_prob(self, x: Points) -> Float[Tensor, " n"]:
        """Exact log-density in nats."""
        return blurred_log_prob(x, self.means, self.weights, std=self.std)


@dataclass(frozen=True)
class GaussianGrid:
    """Equal Gaussians on a square lattice centred at the origin."""

    n_side: int = 5  # Gaussians along each axis
    spacing: float = 0.7  # between neighbours
    std: float = 0.08  # of each Gaussian, in both coordinates

    @property
    def means(self) -> Float[Tensor, " k 2"]:
        """The centres, row by row."""
        ticks = self.spacing * (torch.arange(self.n_side) - (self.n_side - 1) / 2)
        return torch.cartesian_prod(ticks, ticks)

    @property
    def weights(self) -> Float[Tensor, " k"]:
        """The mixture weights, all equal."""
        return torch.full((self.n_side**2,), 1 / self.n_side**2)

    @property
    def stds(self) -> Float[Tensor, " k"]:
        """The standard deviations, all equal: with `weights` and `means`, an oracle's arguments."""
        return torch.full((self.n_side**2,), self.std)

    def sample(self, n: int, *, generator: Generator | None = None) -> Points:
        """Draw `n` points."""
        label = _choice(self.n_side**2, n, generator)
        return _blur(self.means.to(label.device)[label], self.std, generator)

    def log_prob(self, x: Points) -> Float[Tensor, " n"]:
        """Exact log-density in nats."""
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

    def sample(self, n: int, *, generator: Generator | None = None) -> Points:
        """Draw `n` points."""
        sign = 2 * _choice(2, n, generator) - 1
        centres = sign[:, None] * self._curve(math.pi * _uniform(n, generator))
        return _blur(centres, self.std, generator)

    def log_prob(self, x: Points) -> Float[Tensor, " n"]:
        """Log-density in nats, by quadrature along the two arcs."""
        u, w = _nodes(0, math.pi, math.pi * self.radius, self.std)
        c = self._curve(u)
        return blurred_log_prob(x, torch.cat([c, -c]), torch.cat([w, w]) / 2, std=self.std)


@dataclass(frozen=True)
class Rings:
    r"""Concentric circles blurred by Gaussian noise; the angle integrates to a Bessel function.

    $$p(x) = \frac1K\sum_k \frac{1}{2\pi s^2}
      \exp\!\Big(-\frac{\lVert x\rVert^2+r_k^2}{2s^2}\Big)\,
      I_0\!\Big(\frac{\lVert x\rVert r_k}{s^2}\Big)$$

    The scaled function $e^{-z}I_0(z)$ keeps it finite however large $z$ is.
    """

    radii: tuple[float, ...] = (0.6, 1.2, 1.8)  # of the circles, each with the same mass
    std: float = 0.08  # of the blur

    def sample(self, n: int, *, generator: Generator | None = None) -> Points:
        """Draw `n` points."""
        angle = 2 * math.pi * _uniform(n, generator)
        radius = angle.new_tensor(self.radii)[_choice(len(self.radii), n, generator)]
        return _blur(_polar(radius, angle), self.std, generator)

    def log_prob(self, x: Points) -> Float[Tensor, " n"]:
        """Exact log-density in nats."""
        radius = torch.linalg.vector_norm(as_real(x), dim=1)[:, None]
        centre = radius.new_tensor(self.radii)
        around = torch.special.i0e(radius * centre / self.std**2).log()
        per_ring: Tensor = around - (radius - centre) ** 2 / (2 * self.std**2)
        return per_ring.logsumexp(1) - math.log(len(self.radii) * 2 * math.pi * self.std**2)


@dataclass(frozen=True)
class Pinwheel:
    r"""Curved arms that turn as they leave the centre, blurred by Gaussian noise.

    $$c_k(u) = u\,\big(\cos(\tfrac{2\pi k}{K} + \tau u),\ \sin(\tfrac{2\pi k}{K} + \tau u)\big),
      \qquad u\sim U(u_0, u_1)$$
    """

    n_arms: int = 5  # K
    twist: float = 0.8  # tau, radians of turn for each unit of radius
    inner: float = 0.4  # u_0, where an arm begins
    outer: float = 2.2  # u_1, where it ends
    std: float = 0.1  # of the blur

    def _curve(self, u: Tensor, arm: Tensor) -> Tensor:
        return _polar(u, 2 * math.pi * arm / self.n_arms + self.twist * u)

    def sample(self, n: int, *, generator: Generator | None = None) -> Points:
        """Draw `n` points."""
        arm = _choice(self.n_arms, n, generator)
        u = self.inner + (self.outer - self.inner) * _uniform(n, generator)
        return _blur(self._curve(u, arm), self.std, generator)

    def log_prob(self, x: Points) -> Float[Tensor, " n"]:
        """Log-density in nats, by quadrature along the arms."""
        span = self.outer - self.inner
        length = span * math.hypot(1, self.twist * self.outer)  # no arm is longer
        u, w = _nodes(self.inner, self.outer, length, self.std)
        arms = torch.arange(self.n_arms, dtype=u.dtype)[:, None]
        centres = self._curve(u.expand(self.n_arms, -1), arms).flatten(0, 1)
        return blurred_log_prob(x, centres, w.repeat(self.n_arms) / self.n_arms, std=self.std)
