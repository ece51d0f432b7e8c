r"""The fingerprint: what a model is, told from what it does while it samples.

A release note can claim anything; a sampler can be watched. Four things are counted for each
network that is at work, and none of them looks at its name or its training:

- *passes*: how often the network is used for one sample;
- *share*: which part of its input is new since the pass before,
  $$\text{share} = \frac{\text{positions that changed}}{\text{positions of the output}},$$
  one position out of n for a model that writes piece by piece, all of them for one that
  repaints the whole at each step;
- *growth*: by what factor the passes grow when the output is twice as long, and when twice as many
  steps are asked for;
- the *kind* of likelihood that the object has.

From these numbers alone `place` says where on the map the network stands. Where two families cannot
be told apart by watching (an ODE trained by likelihood or by noise prediction), it says both.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from genlab.atlas.paradigms import ADVERSARIAL, AUTOREGRESSIVE, FLOW, LATENT, SCORE
from genlab.core.protocols import Kind, likelihood_kind

Draw = Callable[[int, Generator], object]
Production = Literal["one pass", "piece by piece", "whole, again and again"]


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


@dataclass(frozen=True)
class Fingerprint:
    """What was counted of one stage."""

    stage: str
    passes: int  # for one batch of samples, hence for one sample
    share: float  # of the output's positions, new in a pass after the first; nan for one pass
    growth_with_length: float | None  # None: the subject cannot make a longer output
    growth_with_steps: float | None  # None: it has no dial for steps
    kind: Kind

    @property
    def production(self) -> Production:
        """How the output comes into being."""
        if self.passes <= 1:
            return "one pass"
        return "piece by piece" if self.share < 0.5 else "whole, again and again"


def fingerprint(subject: Subject, *, n: int = 2, seed: int = 0) -> tuple[Fingerprint, ...]:
    """Watch a subject sample, at its usual length and steps and at twice of each that it offers.

    Args:
        subject: what to watch; it is left as it was.
        n: samples drawn at a time.
        seed: of their noise.

    Returns:
        One fingerprint for each stage.

    Raises:
        ValueError: a stage's network has no layer with parameters, or was never used.

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    usual = _watch(subject, n, seed)
    longer = _watch(subject.longer(), n, seed) if subject.longer else None
    more = _watch(subject.more_steps(), n, seed) if subject.more_steps else None
    found = []
    for k, (stage, (passes, share)) in enumerate(zip(subject.stages, usual, strict=True)):
        if passes == 0:
            raise ValueError(f"{subject.name}: the stage {stage.name!r} was never used")
        growth = [None if other is None else other[k][0] / passes for other in (longer, more)]
        kind = likelihood_kind(stage.model)
        found.append(Fingerprint(stage.name, passes, share, growth[0], growth[1], kind))
    return tuple(found)


def place(seen: Fingerprint) -> tuple[str, ...]:
    r"""Say which families of the map agree with a fingerprint.

    | production | likelihood | family |
    |---|---|---|
    | one pass | exact | flow |
    | one pass | bound | latent-variable |
    | one pass | none | adversarial; but score if the passes follow a dial of steps |
    | piece by piece | any | autoregressive; but score if the passes follow a dial of steps |
    | whole, again and again | exact | score, or a continuous flow: watching cannot tell |
    | whole, again and again | other | score |

    A masked autoregressive flow that is sampled is autoregressive by these numbers, and it is.

    Args:
        seen: from `fingerprint`.

    Returns:
        Names of families; two where they look alike.

    Example:
        >>> place(Fingerprint("net", 64, 1 / 64, 2.0, None, "exact"))
        ('autoregressive',)
        >>> place(Fingerprint("net", 1, math.nan, 1.0, None, "none"))
        ('adversarial',)
        >>> place(Fingerprint("distilled", 1, math.nan, None, 2.0, "none"))
        ('score / diffusion',)
    """
    follows_steps = seen.growth_with_steps is not None and seen.growth_with_steps > 1.5
    if seen.production == "whole, again and again":
        return (FLOW.name, SCORE.name) if seen.kind == "exact" else (SCORE.name,)
    if follows_steps or seen.kind == "unnormalised":
        return (SCORE.name,)
    if seen.production == "piece by piece":
        return (AUTOREGRESSIVE.name,)
    return ({"exact": FLOW, "bound": LATENT, "none": ADVERSARIAL}[seen.kind].name,)


def families(seen: tuple[Fingerprint, ...]) -> tuple[tuple[str, ...], ...]:
    """Place every stage of a subject.

    Args:
        seen: from `fingerprint`.

    Returns:
        The families that agree with each stage, without repetition, in the order of the stages.
    """
    return tuple(dict.fromkeys(place(stage) for stage in seen))


def _watch(subject: Subject, n: int, seed: int) -> list[tuple[int, float]]:
    """Draw once, and count passes and share of each stage."""
    with contextmanager(_recorded)(subject.stages) as logs, torch.no_grad():
        subject.draw(n, Generator().manual_seed(seed))
    return [log.result() for log in logs]


def _recorded(stages: tuple[Stage, ...]) -> Iterator[list["_Log"]]:
    logs = [_Log(stage) for stage in stages]
    try:
        yield logs
    finally:
        for log in logs:
            log.remove()


class _Log:
    """Counts the uses of a network's layers and keeps what each pass reads."""

    def __init__(self, stage: Stage) -> None:
        self.event_shape = stage.event_shape
        self.uses: Counter[int] = Counter()
        self.reads: dict[int, list[Tensor]] = {}  # in the order in which layers are first used
        layers = [m for m in stage.network.modules() if next(m.parameters(), None) is not None]
        if not layers:
            raise ValueError(f"the stage {stage.name!r} has no layer with parameters to watch")
        self.handles = [layer.register_forward_pre_hook(self._note) for layer in layers]

    def _note(self, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        self.uses[id(layer)] += 1
        positions = read_positions(inputs[0], self.event_shape) if inputs else None
        if positions is not None:
            kept = positions.detach().clone()  # a sampler may write into what it has shown
            self.reads.setdefault(id(layer), []).append(kept)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def result(self) -> tuple[int, float]:
        """Uses of the busiest layer, and the share of positions that are new in a pass."""
        passes = max(self.uses.values(), default=0)
        total = math.prod(self.event_shape)
        for reads in self.reads.values():  # the first layer whose input changes sees the output
            new = [n for n in (new_positions(*pair) for pair in pairwise(reads)) if n > 0]
            if new:
                return passes, min(1.0, sum(new) / len(new) / total)
        return passes, math.nan if passes <= 1 else 1.0


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
