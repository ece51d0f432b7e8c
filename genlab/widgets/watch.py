"""Watch a training run: a curve that grows, and how long it still takes."""

import time
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

import matplotlib.pyplot as plt
from IPython.display import Image, display

from .explorer import png


@runtime_checkable
class HasLosses(Protocol):
    """One record of a training loop."""

    @property
    def step(self) -> int:
        """1, 2, ..."""

    @property
    def losses(self) -> dict[str, float]:
        """By name."""


R = TypeVar("R", bound=HasLosses)


class Curve:
    """A live plot of every loss against the step, smoothed by a running mean.

    Each drawing replaces the one before it, so that a stored notebook keeps the last.
    """

    def __init__(self, label: str, total: int) -> None:
        self._figure, self._ax = plt.subplots(figsize=(6.0, 2.4), layout="constrained")
        self._ax.set(xlabel="step", ylabel=label)
        self._lines: dict[str, Any] = {}
        self._total, self._begun = total, time.perf_counter()
        plt.close(self._figure)
        self._handle: Any = display(self._picture(), display_id=True)  # type: ignore[no-untyped-call]

    def draw(self, records: list[Any]) -> None:
        """Show the records so far.

        Args:
            records: at least one, each with `step` and `losses`.
        """
        steps = [r.step for r in records]
        for name in records[-1].losses:
            if name not in self._lines:
                (self._lines[name],) = self._ax.plot([], [], label=name)
            self._lines[name].set_data(steps, _smooth([r.losses[name] for r in records]))
        if len(self._lines) > 1:
            self._ax.legend()
        self._ax.relim()
        self._ax.autoscale_view()
        self._ax.set_title(self._progress(len(records)), loc="right", fontsize=9)
        if self._handle:  # there is none outside a notebook
            self._handle.update(self._picture())

    def _picture(self) -> Image:
        return Image(png(self._figure), alt="training curve")  # type: ignore[no-untyped-call]

    def _progress(self, done: int) -> str:
        """How far, and how long it still takes; the last drawing names no time."""
        left = (time.perf_counter() - self._begun) / done * (self._total - done)
        return f"{done} of {self._total}" + (f", {left:.0f} s left" if done < self._total else "")


def _smooth(values: list[float], weight: float = 0.9) -> list[float]:
    out, mean = [], 0.0
    for k, value in enumerate(values, 1):
        mean = weight * mean + (1 - weight) * value
        out.append(mean / (1 - weight**k))
    return out


def watch(
    records: Iterable[R], total: int, *, label: str = "loss", every: int | None = None
) -> list[R]:
    """Run a training generator to its end with a live curve that says how far it is.

    Interrupt the kernel and the model keeps what it has learned so far.

    Args:
        records: what `train.fit` or `train.fit_adversarial` returned.
        total: how many records to expect.
        label: unit or name on the vertical axis.
        every: steps between redrawings; about twenty in all when None.

    Returns:
        All records, for a static figure beside the live one.
    """
    curve, seen = Curve(label, total), list[R]()
    every = every or max(1, total // 20)
    for record in records:
        seen.append(record)
        if record.step % every == 0:
            curve.draw(seen)
    if seen:
        curve.draw(seen)
    return seen
