"""Capabilities as types: a model has one when it has the method, and inherits from nothing.

"Has no likelihood" is the absence of `log_prob`, never a method that raises.
"""

from typing import Literal, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from genlab.core.tensors import PerExample, Rng

Kind: TypeAlias = Literal["exact", "bound", "unnormalised", "none"]


@runtime_checkable
class Sampleable(Protocol):
    """Draws finished samples, without gradients, in the model's dtype and on its device."""

    @property
    def event_shape(self) -> tuple[int, ...]: ...  # of one example

    def sample(self, n: int, *, generator: Rng = None) -> Tensor: ...


@runtime_checkable
class Trainable(Protocol):
    """Has one loss to minimise, a mean over the batch. Its unit is not promised."""

    def loss(self, x: Tensor, *, generator: Rng = None) -> Float[Tensor, ""]: ...


@runtime_checkable
class Adversarial(Protocol):
    """Two losses that pull against each other: a game, hence not `Trainable`."""

    def discriminator_loss(self, x: Tensor, *, generator: Rng = None) -> Float[Tensor, ""]: ...

    def generator_loss(self, x: Tensor, *, generator: Rng = None) -> Float[Tensor, ""]: ...


@runtime_checkable
class HasLogProb(Protocol):
    """Knows the exact log-density (or log-probability) of what it samples, in nats."""

    def log_prob(self, x: Tensor) -> PerExample: ...


@runtime_checkable
class HasElbo(Protocol):
    """Knows a lower bound on the log-likelihood, in nats: E[elbo(x)] <= log p(x)."""

    def elbo(self, x: Tensor, *, generator: Rng = None) -> PerExample: ...


@runtime_checkable
class HasEnergy(Protocol):
    """Knows -log p(x) up to a constant that nobody has computed: only differences mean anything."""

    def energy(self, x: Tensor) -> PerExample: ...


class NoLikelihoodError(TypeError):
    """Asked for the likelihood of a model that does not define one, and says what to do."""


def likelihood_kind(model: object) -> Kind:
    r"""Which likelihood a model has: the question to ask before comparing two numbers.

    $$\log p(x), \qquad \mathrm{ELBO}(x) \le \log p(x), \qquad -E(x) = \log p(x) + \log Z,
    \qquad \text{nothing}$$
    """
    if isinstance(model, HasLogProb):
        return "exact"
    if isinstance(model, HasElbo):
        return "bound"
    return "unnormalised" if isinstance(model, HasEnergy) else "none"


def log_likelihood(model: object, x: Tensor, *, generator: Rng = None) -> tuple[Kind, PerExample]:
    """Log-likelihood of each example in nats, or a bound on it, together with its kind.

    NoLikelihoodError: the model has only an energy, or no density at all.
    """
    kind = likelihood_kind(model)
    if isinstance(model, HasLogProb):
        return kind, model.log_prob(x)
    if isinstance(model, HasElbo):
        return kind, model.elbo(x, generator=generator)
    raise NoLikelihoodError(f"{type(model).__name__} {_REASONS[kind]}")


_REASONS: dict[Kind, str] = {
    "none": "has no likelihood: it defines p(x) only through the samples it draws, and no formula "
    "says how likely a given x is. Compare its samples with the data instead (genlab.metrics).",
    "unnormalised": "has an energy, which is -log p(x) only up to an unknown constant log Z. "
    "Differences of energies between two x mean something, one value does not: estimate log Z "
    "first, or compare samples (genlab.metrics).",
}
