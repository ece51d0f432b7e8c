"""The map as an instrument: every control moves it, and what it says is true."""

import pytest

from genlab.map import LIKELIHOODS, OBJECTIVES, SAMPLERS
from genlab.train.fit import Record
from genlab_course.widgets import landscape, paradigm_map
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
        assert widget.picture != start
        assert ("A sample costs" in widget.text) == (option != "two-stage")
    widget.set(**{control: OPEN})
    assert widget.picture == start


@pytest.mark.parametrize(("asked", "steps"), [({}, [0, 2, 4]), ({"every": 3}, [0, 3])])
def test_a_live_curve_is_drawn_as_often_as_asked_and_once_at_the_end(asked, steps, monkeypatch):
    drawn = []
    monkeypatch.setattr(landscape.Curve, "draw", lambda self, seen: drawn.append(seen[-1].step))
    records = [Record(step, {"loss": 1.0}, 0.0) for step in range(6)]
    assert landscape.watch(iter(records), 40, **asked) == records
    assert drawn == [*steps, 5]
