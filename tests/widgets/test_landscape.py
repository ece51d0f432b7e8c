"""The map as an instrument: every control moves it, and what it says is true."""

from functools import partial
from types import SimpleNamespace

import pytest

from genlab.map import (
    ANY_FAMILY,
    FLOW,
    LIKELIHOODS,
    OBJECTIVES,
    SAMPLERS,
    SCORE,
    evaluations,
    place,
)  # fmt: skip
from genlab.train.fit import Record
from genlab_course.widgets import landscape, paradigm_map, training
from genlab_course.widgets.landscape import EXAMPLES, OPEN


def test_every_system_of_the_list_can_be_shown():
    widget = paradigm_map()
    for name, system in EXAMPLES.items():
        widget.set(system=name)
        assert system.description in widget.text
        assert all(family in widget.text for family in system.families)


@pytest.mark.parametrize(
    ("control", "options"),
    [("objective", OBJECTIVES), ("sampler", SAMPLERS), ("likelihood", LIKELIHOODS)],
)
def test_every_clue_changes_the_picture(control, options):
    widget = paradigm_map()
    start = widget.picture
    for option in options:
        widget.set(**{control: option})
        assert (widget.picture != start) == (option not in ANY_FAMILY)
        assert ("A sample costs" in widget.text) == (option not in {"two-stage", *ANY_FAMILY})
    widget.set(**{control: OPEN})
    assert widget.picture == start


@pytest.mark.parametrize(
    ("clues", "says"),
    [
        ({"sampler": "one-pass"}, "A sample costs 1 evaluation. "),
        ({"sampler": "sequential"}, "A sample costs 64 evaluations. "),
        ({"sampler": "multi-step"}, "A sample costs 16 evaluations. "),
        ({"likelihood": "none"}, "A sample costs 1 evaluation or 16 evaluations. "),
        ({"objective": "reward"}, "how does it sample?"),
    ],
)
def test_a_sample_costs_what_its_way_of_sampling_costs(clues, says):
    widget = paradigm_map()
    widget.set(**clues)
    assert says in widget.text


def test_families_that_meet_in_one_place_stand_apart_and_those_that_fit_keep_their_height():
    for clues in ((None, None), ("one-pass", None), ("one-pass", "bound"), ("sequential", None)):
        lit = place(None, *clues)
        for sizes in ({"tokens": 64, "steps": 16}, {"tokens": 1, "steps": 1}):
            spots = landscape._spots(lit, clues, partial(evaluations, **sizes))
            assert len({(x, y) for x, y, _ in spots.values()}) == len(spots)
    usual = partial(evaluations, tokens=64, steps=16)
    assert landscape._spots((FLOW,), (None, "bound"), usual)[FLOW] == (1, 2.0, False)
    one_step = landscape._spots((SCORE,), ("one-pass", None), usual)[SCORE]
    assert one_step == (1, 1.0, False)


@pytest.mark.parametrize(
    ("asked", "pace", "steps"),
    [
        ({}, 1.1, [0, 2, 4]),
        ({}, 0.5, [2, 4]),  # of a quick training fewer pictures, which would take half its time
        ({}, 0.01, []),
        ({"every": 3}, 0.01, [0, 3]),
    ],
)
def test_a_live_curve_is_drawn_as_often_as_asked_and_once_at_the_end(
    asked, pace, steps, monkeypatch
):
    drawn, clock = [], [0.0]
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(
        training.Curve, "draw", lambda self, seen, last=False: drawn.append((seen[-1].step, last))
    )
    records = [Record(step, {"loss": 1.0}, 0.0) for step in range(6)]

    def trained():
        for record in records:
            clock[0] += pace
            yield record

    assert training.watch(trained(), 40, **asked) == records
    assert drawn == [*((step, False) for step in steps), (5, True)]
