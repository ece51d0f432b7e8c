r"""Noising paths in continuous time, each with the equation whose solution has its marginals.

$$x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon \quad\Longleftrightarrow\quad
dx = a(t)\,x\,dt + g(t)\,dW, \qquad
a = \frac{d\log\alpha_t}{dt}, \quad g^2 = \frac{d\sigma_t^2}{dt} - 2a\,\sigma_t^2$$

| path | $\alpha_t$ | $\sigma_t$ | $a(t)$ | $g(t)^2$ |
|---|---|---|---|---|
| `VP` | $e^{-B/2}$ | $\sqrt{1-e^{-B}}$ | $-\beta/2$ | $\beta$ |
| `SubVP` | $e^{-B/2}$ | $1-e^{-B}$ | $-\beta/2$ | $\beta(1-e^{-2B})$ |
| `VE` | 1 | $\sigma_0\sqrt{r^{2t}-1}$ | 0 | $2\sigma_0^2\, r^{2t}\log r$ |
| `Straight` | $1-t$ | $t$ | $-1/(1-t)$ | $2t/(1-t)$ |

Here $\beta(t)$ runs linearly between two values, $B(t)=\int_0^t\beta$, and r is the ratio of the
largest to the smallest noise. Time runs from data at 0 to noise.

Lesson: notebooks/14_score_sdes.ipynb
Sources: Song et al. 2021 (arXiv:2011.13456), eq. 29 to 33 and appendix C; Liu, Gong and Liu 2022
(arXiv:2209.03003), eq. 1, with its time reversed.
"""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Time: TypeAlias = Float[Tensor, " *b"]


@runtime_checkable
class SDE(Protocol):
    r"""A linear equation $dx = a(t)\,x\,dt + g(t)\,dW$ that starts at the data at t = 0."""

    def alpha(self, t: Time) -> Time:
        r"""Signal scale $\alpha_t$, 1 at t = 0."""
        ...

    def sigma(self, t: Time) -> Time:
        r"""Noise scale $\sigma_t$, 0 at t = 0."""
        ...

    def rate(self, t: Time) -> Time:
        r"""Drift rate $a(t) = d\log\alpha_t/dt$: the drift is a(t) x."""
        ...

    def strength(self, t: Time) -> Time:
        r"""Noise strength g(t), not negative."""
        ...


@final
@dataclass(frozen=True)
class VP:
    r"""Variance preserving: DDPM in continuous time. Unit-variance data keep unit variance.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)}\,dW$$

    Example:
        >>> VP(1.0, 1.0).alpha(torch.tensor(0.5))    # exp(-t / 2) when beta is 1
        tensor(0.7788)

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 32 and 33.
    """

    beta_min: float = 0.1  # beta(0)
    beta_max: float = 20.0  # beta(1)

    def beta(self, t: Time) -> Time:
        """Noise rate at time t, linear in t."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def noise_so_far(self, t: Time) -> Time:
        r"""$B(t) = \int_0^t \beta$, so that $\bar\alpha_t = e^{-B}$."""
        return t * self.beta_min + t**2 * (self.beta_max - self.beta_min) / 2

    def alpha(self, t: Time) -> Time:
        """Signal scale."""
        return torch.exp(-0.5 * self.noise_so_far(t))

    def sigma(self, t: Time) -> Time:
        """Noise scale; `expm1` keeps its digits where t is small."""
        return (-torch.expm1(-self.noise_so_far(t))).sqrt()

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return -0.5 * self.beta(t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        return self.beta(t).sqrt()


@final
@dataclass(frozen=True)
class SubVP:
    r"""The drift of `VP` with less noise: its noise scale is the square of that of `VP`.

    $$dx = -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)\,(1-e^{-2B(t)})}\,dW$$

    Example:
        >>> t = torch.tensor(0.5)
        >>> bool(SubVP().sigma(t) < VP().sigma(t))
        True

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 29 and 12.
    """

    beta_min: float = 0.1  # beta(0)
    beta_max: float = 20.0  # beta(1)

    def alpha(self, t: Time) -> Time:
        """Signal scale."""
        return VP(self.beta_min, self.beta_max).alpha(t)

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return -torch.expm1(-VP(self.beta_min, self.beta_max).noise_so_far(t))

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return VP(self.beta_min, self.beta_max).rate(t)

    def strength(self, t: Time) -> Time:
        """Noise strength; 0 at t = 0."""
        vp = VP(self.beta_min, self.beta_max)
        return (vp.beta(t) * -torch.expm1(-2 * vp.noise_so_far(t))).sqrt()


@final
@dataclass(frozen=True)
class VE:
    r"""Variance exploding: NCSN in continuous time. No drift, noise that grows geometrically.

    $$dx = \sigma_0\, r^t \sqrt{2\log r}\;dW, \qquad \sigma_t^2 = \sigma_0^2\,(r^{2t} - 1)$$

    The 1 is often left out; then the data at t = 0 carry noise $\sigma_0$ already.

    Example:
        >>> VE(0.01, 10.0).sigma(torch.tensor([0.0, 0.5, 1.0]))
        tensor([ 0.0000,  0.3161, 10.0000])

    Source: Song et al. 2021 (arXiv:2011.13456), eq. 30 and 29.
    """

    sigma_min: float = 0.01  # the unit of the geometric growth, sigma_0
    sigma_max: float = 50.0  # r sigma_0, the noise scale at t = 1 (up to the 1 in the formula)

    @property
    def log_ratio(self) -> float:
        """Logarithm of r."""
        return math.log(self.sigma_max / self.sigma_min)

    def alpha(self, t: Time) -> Time:
        """Signal scale: always 1."""
        return torch.ones_like(t)

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return self.sigma_min * torch.expm1(2 * self.log_ratio * t).sqrt()

    def rate(self, t: Time) -> Time:
        """Drift rate: 0."""
        return torch.zeros_like(t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        scale: float = self.sigma_min * math.sqrt(2 * self.log_ratio)
        return scale * torch.exp(self.log_ratio * t)


@final
@dataclass(frozen=True)
class Straight:
    r"""Rectified flow's path as an equation: straight lines from data to noise.

    $$x_t = (1-t)\,x_0 + t\,\epsilon, \qquad
    dx = -\frac{x}{1-t}\,dt + \sqrt{\frac{2t}{1-t}}\,dW, \qquad t < 1$$

    Both coefficients grow without bound as t approaches 1; the velocity of the path does not.

    Example:
        >>> t = torch.tensor(0.5)
        >>> Straight().rate(t), Straight().strength(t)
        (tensor(-2.), tensor(1.4142))

    Source: Liu, Gong and Liu 2022 (arXiv:2209.03003), eq. 1; the equation follows from the table.
    """

    def alpha(self, t: Time) -> Time:
        """Signal scale: 0 at t = 1, exactly."""
        return 1 - t

    def sigma(self, t: Time) -> Time:
        """Noise scale."""
        return t

    def rate(self, t: Time) -> Time:
        """Drift rate."""
        return -1 / (1 - t)

    def strength(self, t: Time) -> Time:
        """Noise strength."""
        return (2 * t / (1 - t)).sqrt()
