r"""A flow as a model: a base that is easy to sample, and a stack of transforms.

$$z \sim p_Z, \qquad x = f_K(\dots f_1(z)), \qquad
\log p_X(x) = \log p_Z(z) + \sum_k \log|\det J_{f_k^{-1}}|$$

The class is thin on purpose: every equation is a kernel in the files beside it.

Papamakarios et al. 2021 (arXiv:1912.02762), section 2.
"""

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.stats import std_normal_log_prob
from genlab.core.tensors import Event, PerExample, last, randn
from genlab.flow.transforms import Transform, flow_log_prob, pull_back, push_forward


@runtime_checkable
class Base(Protocol):
    """A distribution that is easy to sample and to evaluate."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one draw."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats, `(b,)`."""
        ...

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw `(n, *event)`."""
        ...


class StandardNormal(nn.Module):
    """The usual base, N(0, I) on `event_shape`; follows `.to(...)` in dtype and device."""

    origin: Tensor

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.register_buffer("origin", torch.zeros(event_shape))

    def log_prob(self, x: Event) -> PerExample:
        """Log-density in nats, `(b,)`."""
        return std_normal_log_prob(x)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Event:
        """Draw `(n, *event)`."""
        return randn((n, *self.event_shape), like=self.origin, generator=generator)


class Flow(nn.Module):
    """A base and a stack of transforms: exact `log_prob` and sampling, whatever they are.

    A flow is itself a transform (`forward`, `inverse`), so flows can be stacked into flows.
    """

    def __init__(self, base: Base, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.base = base
        self.layers = nn.ModuleList(cast(Sequence[nn.Module], transforms))

    @property
    def transforms(self) -> list[Transform]:
        """The layers in the order of sampling, first the one that touches z."""
        return cast(list[Transform], list(self.layers))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.base.event_shape

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x = f(z) and log|det dx/dz|, `(b,)`."""
        return last(push_forward(self.transforms, z, cond))

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z, with f(z) = x, and log|det dz/dx|, `(b,)`."""
        return last(pull_back(self.transforms, x, cond))

    def log_prob(self, x: Event, *, cond: Tensor | None = None) -> PerExample:
        """Exact log-density in nats, `(b,)`."""
        return flow_log_prob(self.base.log_prob, lambda x: self.inverse(x, cond), x)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, in nats; nothing random in it."""
        return -self.log_prob(x, cond=cond).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Event:
        """Draw `(n, *event)`: one draw from the base, pushed forward."""
        return self.forward(self.base.sample(n, generator=generator), cond)[0]

    def sample_with_log_prob(
        self, z: Event, cond: Tensor | None = None
    ) -> tuple[Event, PerExample]:
        """Return x = f(z) and its own log-density, differentiable: z is a draw from the base."""
        x, log_det = self.forward(z, cond)
        return x, self.base.log_prob(z) - log_det
