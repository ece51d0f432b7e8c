r"""The law at time T: where sampling starts, and what an ODE likelihood is measured against.

$$p_T(x) \approx \mathcal N\big(\alpha_T\,m,\ (\alpha_T^2 s^2 + \sigma_T^2) I\big), \qquad
m, s^2 \text{ the data's moments}$$

$\mathcal N(0, I)$ is the usual choice and forgets that $\alpha_T$ is small, not 0. The moments of
the data are known to everybody, and with them the error falls from the order of $\alpha_T$ to that
of $\alpha_T^2$.

Lesson: notebooks/14_score_sdes.ipynb
Source: Song et al. 2021 (arXiv:2011.13456), section 3.1, for the standard choice.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import Event, PerExample, normal_log_prob, randn


@runtime_checkable
class Prior(Protocol):
    """A law at time T that can be drawn from and evaluated."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density, `(b,)`, nats."""
        ...

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw `n` examples."""
        ...


@final
@dataclass(frozen=True)
class NormalPrior:
    r"""A normal law with independent coordinates, $\mathcal N(m, \mathrm{diag}(s^2))$.

    Args:
        mean: `event`.
        std: `event`, positive.

    Example:
        >>> NormalPrior.standard((2,)).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])

    Lesson: notebooks/14_score_sdes.ipynb
    """

    mean: Float[Tensor, " *event"]
    std: Float[Tensor, " *event"]

    @classmethod
    def standard(cls, event_shape: tuple[int, ...]) -> "NormalPrior":
        """The usual choice: mean 0, deviation 1."""
        return cls(torch.zeros(event_shape), torch.ones(event_shape))

    @classmethod
    def of_noised(cls, data: Event, alpha: Tensor, sigma: Tensor) -> "NormalPrior":
        r"""The normal with the mean and variances of $\alpha x_0 + \sigma\epsilon$.

        It needs nothing but the data, and it removes the prior gap to first order in $\alpha$.
        """
        return cls(alpha * data.mean(0), (alpha**2 * data.var(0) + sigma**2).sqrt())

    def log_prob(self, x: Event) -> PerExample:
        """Log-density, `(b,)`, nats."""
        return normal_log_prob(x, self.mean.to(x), self.std.to(x))

    def sample(self, n: int, *, generator: Generator | None = None) -> Event:
        """Draw `n` examples."""
        return self.mean + self.std * randn(
            (n, *self.mean.shape), like=self.mean, generator=generator
        )
