r"""Watch networks at work: how often each is used, what it reads, and which begins when.

$$\text{share} = \frac{\text{positions that changed}}{\text{positions of the output}}$$

Hooks count the uses of every layer and copy what looks like the output; nothing else of a network
is looked at, and the hooks are removed again.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

Draw = Callable[[int, Generator], object]


@dataclass(frozen=True)
class Stage:
    """One network at work: what it makes, and the object that may know a likelihood of it."""

    name: str
    network: nn.Module  # watched
    event_shape: tuple[int, ...]  # of one example of what this network makes
    model: object  # asked for its likelihood


@dataclass(frozen=True)
class Subject:
    """Something that samples, with the dials that it offers."""

    name: str
    stages: tuple[Stage, ...]
    draw: Draw  # (how many, noise) -> samples
    longer: Callable[[], "Subject"] | None = None  # the same with an output twice as long
    more_steps: Callable[[], "Subject"] | None = None  # the same with twice the steps


class Seen(NamedTuple):
    """What was counted of one stage in one draw."""

    passes: int  # uses of its busiest layer
    share: float  # of the output's positions, new in a pass after the first; nan for one pass
    begins: int  # when it was first used, on a clock that all stages share
    ends: int  # when it was last used


def watch(subject: Subject, n: int, seed: int) -> list[Seen]:
    """Draw once, and say what each stage did.

    Args:
        subject: what to watch; it is left as it was.
        n: samples drawn at a time.
        seed: of their noise.

    Raises:
        ValueError: a stage's network has no layer with parameters, or was never used.
    """
    with contextmanager(_recorded)(subject.stages) as logs, torch.no_grad():
        subject.draw(n, Generator().manual_seed(seed))
    for stage, log in zip(subject.stages, logs, strict=True):
        if not log.uses:
            raise ValueError(f"{subject.name}: the stage {stage.name!r} was never used")
    return [log.result() for log in logs]


def _recorded(stages: tuple[Stage, ...]) -> Iterator[list["_Log"]]:
    clock = itertools.count()
    logs = [_Log(stage, clock) for stage in stages]
    try:
        yield logs
    finally:
        for log in logs:
            log.remove()


class _Log:
    """Counts the uses of a network's layers and keeps what each pass reads."""

    def __init__(self, stage: Stage, clock: Iterator[int]) -> None:
        self.event_shape, self.clock = stage.event_shape, clock
        self.times: list[int] = []
        self.uses: Counter[int] = Counter()
        self.reads: dict[int, list[Tensor]] = {}  # in the order in which layers are first used
        layers = [m for m in stage.network.modules() if next(m.parameters(), None) is not None]
        if not layers:
            raise ValueError(f"the stage {stage.name!r} has no layer with parameters to watch")
        self.handles = [layer.register_forward_pre_hook(self._note) for layer in layers]

    def _note(self, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        self.uses[id(layer)] += 1
        self.times.append(next(self.clock))
        positions = read_positions(inputs[0], self.event_shape) if inputs else None
        if positions is not None:
            kept = positions.detach().clone()  # a sampler may write into what it has shown
            self.reads.setdefault(id(layer), []).append(kept)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def result(self) -> Seen:
        """Uses of the busiest layer, the share of positions that are new in a pass, and when."""
        passes = max(self.uses.values())
        return Seen(passes, self._share(passes), self.times[0], self.times[-1])

    def _share(self, passes: int) -> float:
        total = math.prod(self.event_shape)
        for reads in self.reads.values():  # the first layer whose input changes sees the output
            new = [n for n in (new_positions(*pair) for pair in pairwise(reads)) if n > 0]
            if new:
                return min(1.0, sum(new) / len(new) / total)
        return math.nan if passes <= 1 else 1.0


def read_positions(x: object, event_shape: tuple[int, ...]) -> Tensor | None:
    """Read a layer's input as positions of the output, if it can be that.

    Args:
        x: input of a layer.
        event_shape: `(n,)` for tokens or numbers, `(c, h, w)` for images, `(c, f, h, w)` for films.

    Returns:
        `(b, positions)` or None: tokens are taken as they are, images of the same height and width
        pixel by pixel, and numbers when there are as many as the output has.

    Example:
        >>> read_positions(torch.zeros(2, 5, 8, 8), (1, 8, 8)).shape
        torch.Size([2, 320])
        >>> read_positions(torch.zeros(2, 128), (1, 8, 8)) is None
        True
    """
    if not isinstance(x, Tensor) or x.ndim < 2:
        return None
    if not x.is_floating_point():
        return x.flatten(1)
    if len(event_shape) == 1:
        return x if x.ndim == 2 and x.shape[1] >= event_shape[0] else None
    if x.ndim >= 4 and x.shape[-2:] == event_shape[-2:]:
        return x.flatten(1)
    return x if x.ndim == 2 and x.shape[1] == math.prod(event_shape) else None


def new_positions(before: Tensor, now: Tensor) -> float:
    """Count the positions that a pass reads and the one before it did not.

    Args:
        before: input of the pass before, `(b, p)`.
        now: input of this pass, `(b, q)`: longer when it was appended to, short when what came
            before is kept in a cache.

    Returns:
        A mean over the batch.

    Example:
        >>> new_positions(torch.tensor([[1, 2]]), torch.tensor([[1, 2, 7]]))
        1.0
        >>> new_positions(torch.tensor([[1]]), torch.tensor([[1]]))  # one token, the rest cached
        1.0
        >>> new_positions(torch.zeros(1, 4), torch.ones(1, 4))
        4.0
    """
    p, q = before.shape[1], now.shape[1]
    if before.shape[0] != now.shape[0] or q < p or q == 1:
        return float(q)
    changed = (before != now[:, :p]).double().sum(1).mean()
    return float(changed) + q - p
