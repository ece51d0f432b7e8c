"""Shuffled minibatches that know where they are, so that a run can be taken up again.

Lesson: every lesson from 01 on.
"""

from collections.abc import Callable, Iterator
from typing import Any, final

import torch
from torch import Generator, Tensor

Change = Callable[[Any], Any]


@final
class Minibatches(Iterator[Any]):
    """An endless stream of shuffled minibatches: see `minibatches`."""

    def __init__(
        self,
        x: Tensor,
        batch_size: int,
        cond: Tensor | None,
        generator: Generator | None,
        change: Change | None,
    ) -> None:
        self._x, self._batch_size, self._cond = x, batch_size, cond
        self._generator, self._change = generator, change
        self._order, self._start = torch.empty(0, dtype=torch.int64), 0

    def __next__(self) -> Any:
        if self._start + self._batch_size > len(self._order):
            self._order, self._start = torch.randperm(len(self._x), generator=self._generator), 0
        rows = self._order[self._start : self._start + self._batch_size]
        self._start += self._batch_size
        batch: Any = self._x[rows]
        if self._cond is not None:
            batch = (batch, self._cond[rows])
        return batch if self._change is None else self._change(batch)

    def state_dict(self) -> dict[str, Any]:
        """This epoch's order, the place in it, and the generator's state."""
        noise = None if self._generator is None else self._generator.get_state()
        return {"order": self._order.clone(), "start": self._start, "generator": noise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called.

        Args:
            state_dict: of a stream over the same data.

        Raises:
            ValueError: the data had another size.
        """
        order = state_dict["order"]
        if len(order) not in (0, len(self._x)):
            raise ValueError(f"the stored order is of {len(order)} examples, not of {len(self._x)}")
        self._order, self._start = order.clone(), state_dict["start"]
        if self._generator is not None:
            self._generator.set_state(state_dict["generator"])


def minibatches(
    x: Tensor,
    batch_size: int,
    *,
    cond: Tensor | None = None,
    generator: Generator | None = None,
    change: Change | None = None,
) -> Minibatches:
    """Yield shuffled minibatches for ever, epoch after epoch; a last short batch is left out.

    Args:
        x: the data, `(n, *event)`.
        batch_size: examples in a batch, 1..n.
        cond: conditions `(n, ...)`; then pairs `(x, cond)` are yielded.
        generator: decides the order; kept on the CPU.
        change: what to do to each batch (scale it, add noise, withhold labels, ...); draws from
            `generator` if it draws, so that its noise too can be taken up again.

    Returns:
        An iterator of `(batch_size, *event)`, or of pairs, with `state_dict`.

    Raises:
        ValueError: a batch size that the data cannot fill, or conditions of another length.

    Example:
        >>> batches = minibatches(torch.arange(6), 2, generator=torch.Generator().manual_seed(0))
        >>> sorted(torch.cat([next(batches) for _ in range(3)]).tolist())
        [0, 1, 2, 3, 4, 5]
    """
    if not 1 <= batch_size <= len(x):
        raise ValueError(f"batch_size must be in 1..{len(x)} (the data's size), got {batch_size}")
    if cond is not None and len(cond) != len(x):
        raise ValueError(f"{len(x)} examples but {len(cond)} conditions")
    return Minibatches(x, batch_size, cond, generator, change)
