"""A flow as a model: a base that is easy to sample, and a stack of transforms."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.stats import std_normal_log_prob
from genlab.core.tensors import Event, PerExample, Rng, last, randn
from genlab.flow.transforms import Moved, Transform, flow_log_prob, pull_back, push_forward


class StandardNormal(nn.Module):
    """The usual base, N(0, I) on `event_shape`; follows `.to(...)` in dtype and device."""

    origin: Tensor

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.register_buffer("origin", torch.zeros(event_shape))

    def log_prob(self, x: Event) -> PerExample:
        return std_normal_log_prob(x)

    def sample(self, n: int, *, generator: Rng = None) -> Event:
        return randn((n, *self.event_shape), like=self.origin, generator=generator)


class Flow(nn.Module):
    """A base with `log_prob` and `sample`, and a stack of transforms: exact log-density."""

    def __init__(self, base: Any, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.base, self.event_shape = base, base.event_shape
        self.transforms = list(transforms)  # in the order of sampling: the first touches z
        self.layers = nn.ModuleList(transforms)  # type: ignore[arg-type]  # the same, registered

    def forward(self, z: Event, cond: Float[Tensor, " b c"] | None = None) -> Moved:
        """Return x = f(z) and log|det dx/dz|."""
        return last(push_forward(self.transforms, z, cond))

    def inverse(self, x: Event, cond: Float[Tensor, " b c"] | None = None) -> Moved:
        """Return z, with f(z) = x, and log|det dz/dx|."""
        return last(pull_back(self.transforms, x, cond))

    def log_prob(self, x: Event, *, cond: Float[Tensor, " b c"] | None = None) -> PerExample:
        return flow_log_prob(self.base.log_prob, lambda x: self.inverse(x, cond), x)

    def loss(
        self, x: Event, *, cond: Float[Tensor, " b c"] | None = None, generator: Rng = None
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, nats; nothing random in it."""
        return -self.log_prob(x, cond=cond).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Float[Tensor, " b c"] | None = None, generator: Rng = None
    ) -> Event:
        return self.forward(self.base.sample(n, generator=generator), cond)[0]

    def sample_with_log_prob(self, z: Event, cond: Float[Tensor, " b c"] | None = None) -> Moved:
        """Return x = f(z) and its own log-density, differentiable: z is a draw from the base."""
        x, log_det = self.forward(z, cond)
        return x, self.base.log_prob(z) - log_det


check_public(__name__)
