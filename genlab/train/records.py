"""What a training step reports, and what a model must offer to be trained.

Lesson: every lesson from 01 on.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from torch import Generator, Tensor, nn

Batch: TypeAlias = "Tensor | tuple[Tensor, Tensor]"
Rate: TypeAlias = "float | Callable[[int], float]"


class Record(NamedTuple):
    """What happened in one step."""

    step: int  # 1, 2, ...
    losses: dict[str, float]  # by name; no unit is promised
    grad_norm: float  # Euclidean norm of all gradients, before clipping

    @property
    def loss(self) -> float:
        """The loss, where there is only one."""
        (value,) = self.losses.values()
        return value


@runtime_checkable
class TrainableModule(Protocol):
    """A module with a loss to minimise."""

    def loss(self, x: Any, *, generator: Generator | None = None) -> Tensor:
        """Scalar loss, mean over the batch."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What to train."""


@runtime_checkable
class AdversarialModule(Protocol):
    """Two players, each with a loss and parameters of its own."""

    def critic_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The critic's loss."""

    def generator_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The generator's loss."""

    def critic_parameters(self) -> Iterable[nn.Parameter]:
        """What the critic's step changes."""

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """What the generator's step changes."""


@runtime_checkable
class Stateful(Protocol):
    """Can say in numbers where it stands, and go back there: a module, an optimiser, a run."""

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Go back there."""
