"""Three simulators of science in miniature: parameters in, data out, and who caused what unknown.

The posterior is a formula, exact draws, or nothing known.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_between, require_finite, require_positive


@dataclass(frozen=True)
class LinearGaussian:
    r"""Parameters seen through a fixed matrix and noise.

    $$\theta \sim \mathcal N(0, I_p), \qquad x = A\theta + s\,\epsilon, \qquad
    \theta \mid x \sim \mathcal N\big(\Sigma A^\top x / s^2,\ \Sigma\big),\quad
    \Sigma = (I + A^\top A / s^2)^{-1}$$
    """

    matrix: tuple[tuple[float, ...], ...] = ((1.0, 0.5), (-0.5, 1.0), (0.3, -0.8))
    noise: float = 0.5

    def __post_init__(self) -> None:
        require_positive(noise=self.noise)

    def prior(self, n: int, *, generator: Rng = None) -> Float[Tensor, " n p"]:
        return torch.randn(n, len(self.matrix[0]), generator=generator)

    def simulate(
        self, theta: Float[Tensor, " n p"], *, generator: Rng = None
    ) -> Float[Tensor, " n d"]:
        noise = torch.randn(len(theta), len(self.matrix), generator=generator)
        return theta @ torch.tensor(self.matrix).T + self.noise * noise

    def posterior(
        self, x: Float[Tensor, " n d"]
    ) -> tuple[Float[Tensor, " n p"], Float[Tensor, " p p"]]:
        """Mean for each row of data, and the covariance that they share."""
        a = torch.tensor(self.matrix)
        precision = torch.eye(a.shape[1]) + a.T @ a / self.noise**2
        cov = torch.linalg.inv(precision)
        return x @ a @ cov / self.noise**2, cov


@dataclass(frozen=True)
class TwoMoons:
    r"""A crescent, moved by what two parameters share (Lueckmann et al. 2021, appendix T).

    $$x = \begin{pmatrix} r\cos a + \tfrac14 - |\theta_1+\theta_2|/\sqrt2 \\
    r\sin a + (\theta_2-\theta_1)/\sqrt2\end{pmatrix},\qquad
    a \sim U(-\tfrac\pi2, \tfrac\pi2),\ r \sim \mathcal N(0.1, 0.01^2),\ \theta\sim U(-1,1)^2$$

    The absolute value makes the posterior two crescents.
    """

    radius: float = 0.1
    spread: float = 0.01

    def __post_init__(self) -> None:
        require_between(0, math.inf, radius=self.radius)
        require_positive(spread=self.spread)
        require_finite(radius=self.radius, spread=self.spread)

    def prior(self, n: int, *, generator: Rng = None) -> Float[Tensor, " n p"]:
        return 2 * torch.rand(n, 2, generator=generator) - 1

    def _crescent(self, n: int, generator: Rng) -> Float[Tensor, " n d"]:
        angle = math.pi * (torch.rand(n, generator=generator) - 0.5)
        r = self.radius + self.spread * torch.randn(n, generator=generator)
        return torch.stack([r * angle.cos() + 0.25, r * angle.sin()], 1)

    def simulate(
        self, theta: Float[Tensor, " n p"], *, generator: Rng = None
    ) -> Float[Tensor, " n d"]:
        first, second = theta.T / math.sqrt(2)
        shift = torch.stack([-(first + second).abs(), second - first], 1)
        return self._crescent(len(theta), generator) + shift

    def log_likelihood(
        self, x: Float[Tensor, " n d"], theta: Float[Tensor, " n p"]
    ) -> Float[Tensor, " n"]:
        r"""$\log p(x\mid\theta)$ in nats: the crescent's density where the shift leaves $x$."""
        first, second = theta.T / math.sqrt(2)
        across = x[:, 0] - 0.25 + (first + second).abs()
        up = x[:, 1] - (second - first)
        r = torch.hypot(across, up)
        z = (r - self.radius) / self.spread
        log_r = -(z**2) / 2 - math.log(self.spread * math.sqrt(2 * math.pi))
        density = log_r - math.log(math.pi) - r.log()
        return torch.where(across > 0, density, torch.full_like(density, -math.inf))

    def posterior_sample(
        self, x: Float[Tensor, " 2"], n: int, *, generator: Rng = None
    ) -> Float[Tensor, " n p"]:
        """Draw exactly from the posterior of one observation.

        A crescent point p explains the data by the shift x - p if one of the two parameters behind
        it, taken by the toss of a coin, lies on the square.
        """
        kept: list[Tensor] = []
        for _ in range(1000):
            shift = x - self._crescent(4 * n, generator)
            sign = 2.0 * (torch.rand(4 * n, generator=generator) < 0.5) - 1
            total = sign * shift[:, 0].abs()
            difference = shift[:, 1]
            theta = torch.stack([total - difference, total + difference], 1) / math.sqrt(2)
            kept.append(theta[(shift[:, 0] <= 0) & (theta.abs() <= 1).all(1)])
            if sum(map(len, kept)) >= n:
                return torch.cat(kept)[:n]
        raise ValueError(f"no parameters in the square explain the observation {x.tolist()}")


@dataclass(frozen=True)
class Epidemic:
    r"""An epidemic in a town: susceptible, infected, recovered (SIR), a chain of binomial draws.

    $$\Delta_t \sim \mathrm{Bin}\big(S_t,\ 1 - e^{-\beta I_t / N}\big), \qquad
    R_t \sim \mathrm{Bin}\big(I_t,\ 1 - e^{-\gamma}\big)$$

    Observed is a fixed fraction of each week's new infections $\Delta$; parameters are $(\log\beta,
    \log\gamma)$, rates per day, with a normal prior around 0.4 and 0.125 (Bailey 1975).
    """

    population: int = 1000
    infected: int = 5  # on the first day
    weeks: int = 8
    reported: float = 0.5  # fraction of the new infections that is seen
    prior_mean: tuple[float, float] = (math.log(0.4), math.log(0.125))
    prior_std: tuple[float, float] = (0.5, 0.2)

    def __post_init__(self) -> None:
        require_between(1, math.inf, population=self.population, weeks=self.weeks)
        require_between(0, self.population, infected=self.infected)
        require_between(0, 1, reported=self.reported)
        require_finite(prior_mean=torch.tensor(self.prior_mean))
        require_positive(prior_std=torch.tensor(self.prior_std))

    def prior(self, n: int, *, generator: Rng = None) -> Float[Tensor, " n p"]:
        noise = torch.randn(n, 2, generator=generator)
        return torch.tensor(self.prior_mean) + torch.tensor(self.prior_std) * noise

    def simulate(
        self, theta: Float[Tensor, " n p"], *, generator: Rng = None
    ) -> Float[Tensor, " n d"]:
        """Draw the reported infections of each week, `(n, weeks)`, whole numbers as floats."""
        beta, gamma = theta.exp().T
        ill = torch.full_like(beta, self.infected)
        well = self.population - ill
        weeks = []
        for _ in range(self.weeks):
            new_this_week = torch.zeros_like(beta)
            for _ in range(7):
                new = _binomial(well, -torch.expm1(-beta * ill / self.population), generator)
                out = _binomial(ill, -torch.expm1(-gamma), generator)
                well = well - new
                ill = ill + new - out
                new_this_week = new_this_week + new
            weeks.append(_binomial(new_this_week, torch.full_like(beta, self.reported), generator))
        return torch.stack(weeks, 1)


def _binomial(count: Tensor, p: Tensor, generator: Rng) -> Tensor:
    return torch.binomial(count, p.clamp(0, 1), generator=generator)


check_public(__name__)
