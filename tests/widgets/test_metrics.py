"""The metric room: every slider moves the metrics that it should, and soon enough."""

import re

import pytest

from genlab_course.widgets.metrics import metric_room


@pytest.fixture
def room():
    return metric_room()


def shown(widget):
    text = widget.text
    names = ("precision", "recall", "density", "coverage", "training image")
    values = {name: float(re.search(rf"{name} (\d\.\d+)", text)[1]) for name in names}
    values["frechet"] = float(re.search(r"distance (\d+\.\d+)", text)[1])
    return values


@pytest.mark.parametrize(
    ("moved", "true"),
    [
        ({"blur": 0.7}, lambda old, new: new["recall"] < old["recall"] - 0.2),
        ({"blur": 0.7}, lambda old, new: new["frechet"] > 2 * old["frechet"]),
        ({"classes": 5}, lambda old, new: new["precision"] > old["precision"] - 0.1),
        ({"classes": 5}, lambda old, new: new["recall"] < old["recall"] - 0.2),
        ({"distinct": 20}, lambda old, new: new["precision"] > old["precision"] - 0.1),
        ({"distinct": 20}, lambda old, new: new["coverage"] < 0.7 * old["coverage"]),
    ],
)
def test_each_fault_costs_what_the_lesson_says(room, moved, true):
    before = shown(room)
    room.set(**moved)
    assert true(before, shown(room))


def test_copies_move_nothing_but_the_probe(room):
    before = shown(room)
    room.set(copied=1.0)
    after = shown(room)
    assert after["training image"] == 1.0
    for name in ("precision", "recall", "coverage"):
        assert abs(after[name] - before[name]) < 0.1
