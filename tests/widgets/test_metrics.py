"""The metric room: every slider moves the metrics that it should, and soon enough."""

import re

import pytest

from genlab_course.widgets.metrics import N, metric_room


@pytest.fixture
def room():
    return metric_room()


def shown(widget):
    text = widget.text
    names = ("precision", "recall", "density", "coverage", "training image")
    values = {name: float(re.search(rf"{name} (\d\.\d+)", text)[1]) for name in names}
    values["frechet"] = float(re.search(r"distance (\d+\.\d+)", text)[1])
    return values


def test_blur_costs_recall_first(room):
    before = shown(room)
    room.set(blur=0.7)
    after = shown(room)
    assert after["recall"] < before["recall"] - 0.2
    assert after["frechet"] > 2 * before["frechet"]


def test_dropping_classes_leaves_precision_alone(room):
    before = shown(room)
    room.set(classes=5)
    after = shown(room)
    assert after["precision"] > before["precision"] - 0.1
    assert after["recall"] < before["recall"] - 0.2


def test_repeating_few_images_leaves_precision_alone_and_destroys_coverage(room):
    before = shown(room)
    room.set(distinct=20)
    after = shown(room)
    assert after["precision"] > before["precision"] - 0.1
    assert after["coverage"] < 0.7 * before["coverage"]


def test_copies_move_nothing_but_the_probe(room):
    before = shown(room)
    room.set(copied=1.0)
    after = shown(room)
    assert after["training image"] == 1.0
    for name in ("precision", "recall", "coverage"):
        assert abs(after[name] - before[name]) < 0.1


def test_the_number_of_samples_stays(room):
    assert N == 300
    room.set(distinct=5, classes=1)
    assert shown(room)["coverage"] < 0.5
