"""The live curve of a training."""

import io
import time
from collections.abc import Iterable
from typing import Any, TypeVar

import matplotlib.pyplot as plt
from IPython.display import Image, display
from PIL import Image as Picture

from genlab_course.widgets.explorer import DPI, packed, png

R = TypeVar("R", bound=Any)  # has a `step` and `losses` by name
PAUSE = 1.0  # seconds between two pictures at least: each takes a tenth of one


class Curve:
    """A live plot of every loss against the step, smoothed; each drawing replaces the last."""

    def __init__(self, label: str, total: int) -> None:
        self._figure, self._ax = plt.subplots(figsize=(6.0, 2.4), layout="constrained")
        self._ax.set(xlabel="step", ylabel=label)
        self._lines: dict[str, Any] = {}
        self._total, self._begun = total, time.perf_counter()
        plt.close(self._figure)
        self._handle: Any = display(self._picture(), display_id=True)  # none outside a notebook

    def draw(self, records: list[Any], *, last: bool = False) -> None:
        """Show the records so far, at least one; the last picture is made small, to be kept."""
        steps = [r.step for r in records]
        for name in records[-1].losses:
            if name not in self._lines:
                (self._lines[name],) = self._ax.plot([], [], label=name)
            self._lines[name].set_data(steps, _smooth([r.losses[name] for r in records]))
        if len(self._lines) > 1:
            self._ax.legend()
        self._ax.relim()
        self._ax.autoscale_view()
        done, total = len(records), self._total
        left = (time.perf_counter() - self._begun) / done * (total - done)
        said = f"{done} of {total}" + (f", {left:.0f} s left" if done < total else "")
        self._ax.set_title(said, loc="right", fontsize=9)
        if self._handle:
            self._handle.update(self._picture(small=last))

    def _picture(self, *, small: bool = False) -> Image:
        width = round(self._figure.get_figwidth() * DPI)
        picture = png(self._figure, 2 * DPI)
        if small:
            picture = packed(Picture.open(io.BytesIO(picture)))
        return Image(picture, alt="training curve", width=width)


def _smooth(values: list[float], weight: float = 0.9) -> list[float]:
    out, mean = [], 0.0
    for k, value in enumerate(values, 1):
        mean = weight * mean + (1 - weight) * value
        out.append(mean / (1 - weight**k))
    return out


def watch(
    records: Iterable[R], total: int, *, label: str = "loss", every: int | None = None
) -> list[R]:
    """Run a training generator of `total` records to its end with a live curve of its losses.

    It is drawn twenty times at most and once a second at most, or after each `every` records.
    Interrupt the kernel and the model keeps what it has learned.
    """
    curve = Curve(label, total)
    seen, drawn = list[R](), time.perf_counter()
    for record in records:
        seen.append(record)
        if record.step % (every or max(1, total // 20)) == 0 and (
            every or time.perf_counter() - drawn >= PAUSE
        ):
            curve.draw(seen)
            drawn = time.perf_counter()
    if seen:
        curve.draw(seen, last=True)
    return seen
