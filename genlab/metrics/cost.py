"""How many network passes does a sample cost? The uses of the busiest layer are counted."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from jaxtyping import Shaped
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from genlab.core.checked import check_public


def network_passes(model: nn.Module, run: Callable[[], object]) -> int:
    """Count the passes through `model` that `run()` makes."""
    layers = [m for m in model.modules() if list(m.parameters()) and m is not model]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no layer with parameters to count")
    uses: Counter[int] = Counter()

    def count(module: nn.Module, *_: object) -> None:
        uses[id(module)] += 1

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return max(uses.values(), default=0)


def multiply_adds(run: Callable[[], object]) -> int:
    """Multiply-adds of the convolutions and matrix products that `run()` performs, no others."""
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total // 2


class Passes:
    """Counts the uses of a network's layers from now on, and keeps what each pass reads.

    `event_shape` is that of one example of the output; networks that share a `clock` can be asked
    which of them began first. The `handles` are the hooks: remove them at the end.
    """

    def __init__(
        self, network: nn.Module, event_shape: tuple[int, ...], clock: Iterator[int]
    ) -> None:
        self.event_shape, self.clock = event_shape, clock
        self.times: list[int] = []
        self.uses: Counter[int] = Counter()
        self.rows: Counter[int] = Counter()
        self.reads: dict[int, list[Tensor]] = {}  # in the order in which layers are first used
        layers = [m for m in network.modules() if next(m.parameters(), None) is not None]
        if not layers:
            raise ValueError(f"{type(network).__name__} has no layer with parameters to watch")
        self.handles = [layer.register_forward_pre_hook(self._note) for layer in layers]

    def _note(self, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        self.uses[id(layer)] += 1
        self.rows[id(layer)] += len(inputs[0]) if inputs and isinstance(inputs[0], Tensor) else 0
        self.times.append(next(self.clock))
        positions = read_positions(inputs[0], self.event_shape) if inputs else None
        if positions is not None:
            kept = positions.detach().clone()  # a sampler may write into what it has shown
            self.reads.setdefault(id(layer), []).append(kept)

    @property
    def passes(self) -> int:
        """Uses of the busiest layer."""
        return max(self.uses.values())

    def evaluations(self, n: int) -> int:
        """Rows for one of `n` samples, all passes together; a row may hold several frames."""
        busiest = (self.rows[layer] for layer, uses in self.uses.items() if uses == self.passes)
        return min((rows for rows in busiest if rows >= n * self.passes), default=0) // n

    def share(self) -> float:
        """The proportion of the output's positions that are new in a pass after the first."""
        total = math.prod(self.event_shape)
        for reads in self.reads.values():  # the first layer whose input changes sees the output
            new = [n for n in (new_positions(*pair) for pair in pairwise(reads)) if n > 0]
            if new:
                return min(1.0, sum(new) / len(new) / total)
        return math.nan if self.passes <= 1 else 1.0


def read_positions(x: object, event_shape: tuple[int, ...]) -> Shaped[Tensor, " b p"] | None:
    """Read a layer's input as positions of the output, or None if it cannot be that.

    Tokens are taken as they are, images of the same height and width pixel by pixel, and numbers
    when there are as many as the output has; `event_shape` is (n,), (c, h, w) or (c, f, h, w).
    """
    if not isinstance(x, Tensor) or x.ndim < 2:
        return None
    if len(event_shape) == 1 and x.is_floating_point():
        return x if x.ndim == 2 and x.shape[1] >= event_shape[0] else None
    if not x.is_floating_point() or (x.ndim >= 4 and x.shape[-2:] == event_shape[-2:]):
        return x.flatten(1)
    return x if x.ndim == 2 and x.shape[1] == math.prod(event_shape) else None


def new_positions(before: Shaped[Tensor, " n p"], now: Shaped[Tensor, " m q"]) -> float:
    """Positions that a pass reads and the one before it did not, a mean over the batch.

    The input may have grown, `(b, p)` to `(b, q)`; short, what came before is in a cache.

    >>> new_positions(Tensor([[1, 2]]), Tensor([[1, 2, 7]]))
    1.0
    """
    p = before.shape[1]
    q = now.shape[1]
    if len(before) != len(now) or q < p or q == 1:
        return float(q)
    return float((before != now[:, :p]).double().sum(1).mean()) + q - p


check_public(__name__)
