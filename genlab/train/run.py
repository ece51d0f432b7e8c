"""A training run as an iterator: a record a step, and at any step it can say where it stands.

Where it stands is everything that the next step reads: weights, optimiser, the order of the data
and the place in it, and every source of noise. A run that is built again and told where the old
one stood takes the same steps, bit for bit. Lesson: `genlab train`
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import torch
from torch import Generator

from genlab.train.records import Record, Stateful

Hook = Callable[[int], object]


@final
class Run(Iterator[Record]):
    """Steps that are taken one by one, as they are asked for.

    Args:
        advance: takes step 0, 1, ... and returns its record.
        n_steps: how many there are.
        parts: what the steps change, by name.
        generators: the noise that they draw, beside torch's global one.
        before: called with the step's index before each step (a weight that warms up, ...).
        after: called with the number of steps taken after each step (an average, ...).
        finish: called once, when the last step has been taken and one more is asked for.
    """

    def __init__(
        self,
        advance: Callable[[int], Record],
        n_steps: int,
        parts: Mapping[str, object],
        *,
        generators: Sequence[Generator] = (),
        before: Hook | None = None,
        after: Hook | None = None,
        finish: Callable[[], object] | None = None,
    ) -> None:
        self._advance, self.n_steps, self._parts = advance, n_steps, dict(parts)
        self._generators = list(generators)
        self._before, self._after, self._finish = before, after, finish
        self.step = 0  # steps taken

    def __next__(self) -> Record:
        if self.step >= self.n_steps:
            self._end()
        if self._before is not None:
            self._before(self.step)
        try:
            record = self._advance(self.step)
        except StopIteration:  # fewer batches than steps
            self._end()
        self.step += 1
        if self._after is not None:
            self._after(self.step)
        return record

    def _end(self) -> None:
        if self._finish is not None:
            self._finish()
            self._finish = None
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        """Say where the run stands.

        Returns:
            Tensors and plain values, all of them copies.

        Raises:
            ValueError: a part cannot say where it stands, such as a plain generator of batches.
        """
        stuck = [name for name, part in self._parts.items() if not isinstance(part, Stateful)]
        if stuck:
            raise ValueError(
                f"{', '.join(stuck)} cannot be taken up again: batches must come from "
                "minibatches(...), and everything kept needs state_dict and load_state_dict"
            )
        parts = {name: part.state_dict() for name, part in self._parts.items()}  # type: ignore[attr-defined]
        return {
            "step": self.step,
            "parts": copy.deepcopy(parts),
            "generators": [g.get_state() for g in self._generators],
            "noise": torch.get_rng_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called on a run that was built in the same way.

        Args:
            state_dict: what it returned.

        Raises:
            ValueError: the run has other parts.
        """
        if (found := set(state_dict["parts"])) != set(self._parts):
            raise ValueError(f"the stored run has the parts {sorted(found)}, not this run's")
        for name, part in self._parts.items():
            part.load_state_dict(state_dict["parts"][name])  # type: ignore[attr-defined]
        for generator, state in zip(self._generators, state_dict["generators"], strict=True):
            generator.set_state(state)
        torch.set_rng_state(state_dict["noise"])
        self.step = state_dict["step"]
