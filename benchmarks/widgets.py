"""Milliseconds from a control's move to the new picture, for every widget of the lessons.

    python benchmarks/widgets.py

The bare cost of drawing the same figure again is measured in the same run, and the ratio printed:
what a widget adds to the picture. A browser adds its own time (make browser prints that).
"""

import inspect
import itertools
import statistics
import time

import matplotlib

matplotlib.use("agg")

import genlab_course as course
from genlab_course import widgets
from genlab_course.widgets.explorer import Explorer, png

MOVES = 15


def milliseconds(action):
    """Run an action once and return how long it took."""
    start = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - start)


def other_positions(control):
    """Return positions of a control, round and round, or None if it has but one."""
    if hasattr(control, "options"):
        values = [o[1] if isinstance(o, tuple) else o for o in control.options]
    elif hasattr(control, "step"):
        steps = round((control.max - control.min) / control.step)
        values = [control.min + control.step * (k * steps // 7) for k in range(8)]
        if hasattr(control, "base"):  # a slider of exponents
            values = [control.base**v for v in values]
    else:
        values = [True, False]
    return itertools.cycle(values) if len(set(values)) > 1 else None


def measure(make):
    """Return (median ms of a move, median ms of drawing alone) for one widget."""
    widget = make()
    moves = []
    for control in widget.controls.values():
        positions = other_positions(control)
        for _ in range(MOVES if positions else 0):
            value = next(positions)
            moves.append(milliseconds(lambda c=control, v=value: setattr(c, "value", v)))
    drawing = [milliseconds(lambda: png(widget._figure)) for _ in range(MOVES)]
    return statistics.median(moves), statistics.median(drawing)


def explorers():
    """Yield (name, maker) of every widget that is a figure with controls and needs no argument."""
    for name, make in vars(widgets).items():
        if inspect.isfunction(make) and name not in ("explore", "project", "quiz", "watch"):
            needed = [
                p for p in inspect.signature(make).parameters.values() if p.default is p.empty
            ]
            if not needed:
                yield name, make


def main():
    """Print the table."""
    course.begin(lesson=1)
    print(
        f"{'widget':<22} {'move ms':>8} {'drawing ms':>11} {'ratio':>6}   (medians; aim: < 100 ms)"
    )
    for name, make in explorers():
        if not isinstance(make(), Explorer):
            print(f"{name:<22} has no single figure")
            continue
        move, drawing = measure(make)
        print(f"{name:<22} {move:>8.0f} {drawing:>11.0f} {move / drawing:>6.1f}")


if __name__ == "__main__":
    main()
