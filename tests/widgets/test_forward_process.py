"""The widget of lesson 12 forgets a digit, and only the log SNR decides when."""

import re

import pytest

from genlab.widgets.forward_process import SCHEDULES, forward_process


@pytest.fixture(scope="module")
def widget():
    return forward_process()


def readings(text):
    numbers = re.findall(r"-?\d+\.\d+", text)
    return tuple(float(n) for n in numbers)  # log SNR, this digit, ten digits


def test_every_corner_of_the_controls_gives_a_picture(widget):
    seen = set()
    for schedule in SCHEDULES:
        for step in (1, 50, 100):
            for digit in (0, 9):
                widget.set(schedule=schedule, step=step, digit=digit)
                seen.add(widget.picture)
    assert len(seen) == 18


@pytest.mark.parametrize("schedule", list(SCHEDULES)[:2])
def test_the_first_step_leaves_the_digit_and_the_last_nothing(widget, schedule):
    widget.set(schedule=schedule, step=1, digit=3)
    assert readings(widget.text)[1] > 0.99
    widget.set(step=100)
    ratio, _, ten = readings(widget.text)
    assert ratio < -9
    assert ten == pytest.approx(0.1, abs=0.03)


def test_a_schedule_made_for_more_steps_does_not_reach_the_noise(widget):
    widget.set(schedule="linear, made for 1000 steps", step=100, digit=3)
    ratio, _, ten = readings(widget.text)
    assert ratio > -1
    assert ten > 0.4


def test_what_is_known_falls_with_the_step(widget):
    known = []
    widget.set(schedule="cosine")
    for step in (1, 30, 60, 90):
        widget.set(step=step)
        known.append(readings(widget.text)[2])
    assert known == sorted(known, reverse=True)


@pytest.mark.slow
def test_the_same_log_snr_means_the_same_knowledge_whatever_the_schedule(widget):
    points = []
    for schedule in list(SCHEDULES)[:2]:
        for step in range(2, 101, 4):
            widget.set(schedule=schedule, step=step)
            points.append(readings(widget.text)[::2])
    one, other = points[:25], points[25:]
    compared = 0
    for ratio, known in one:
        near = min(other, key=lambda p: abs(p[0] - ratio))
        if abs(near[0] - ratio) < 0.1:
            compared += 1
            assert known == pytest.approx(near[1], abs=0.04)
    assert compared > 3
