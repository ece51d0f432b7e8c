"""The map as an instrument: every control moves it, and what it says is true."""

import dataclasses
import itertools

import pytest

from genlab.map import LIKELIHOODS, OBJECTIVES, SAMPLERS
from genlab.train.fit import Record
from genlab_course.league import load_league
from genlab_course.widgets import landscape, paradigm_map
from genlab_course.widgets.landscape import COLUMNS, EXAMPLES, OPEN, league_picture, unbeaten


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


ROW = load_league()[0]


def rows(*points):
    """Rows named a, b, ... with these passes and distances."""
    return [
        dataclasses.replace(ROW, name=name, passes=passes, frechet=frechet)
        for name, (passes, frechet) in zip("abcdef", points, strict=False)
    ]


def test_a_row_is_beaten_by_one_that_is_as_good_in_both_and_better_in_one():
    found = unbeaten(
        rows((1, 3.0), (2, 2.0), (2, 2.5), (9, 2.0), (1, 3.0)), "network passes", "Fréchet distance"
    )
    assert [row.name for row in found] == ["a", "b", "e"]


@pytest.mark.parametrize("pair", list(itertools.product(COLUMNS, repeat=2)))
def test_every_pair_of_columns_can_be_drawn(pair):
    widget = league_picture()
    widget.set(across=pair[0], up=pair[1])
    assert widget.picture.startswith(b"\x89PNG")
    assert "Nobody beats in both" in widget.text
    figure = widget._figure
    (ax,) = figure.axes
    edge = figure.bbox.get_points()
    for text in (*ax.texts, ax.xaxis.label, ax.yaxis.label):
        box = text.get_window_extent().get_points()
        assert (edge[0] <= box[0]).all(), text.get_text()
        assert (box[1] <= edge[1]).all(), text.get_text()


@pytest.mark.parametrize(("asked", "steps"), [({}, [0, 2, 4]), ({"every": 3}, [0, 3])])
def test_a_live_curve_is_drawn_as_often_as_asked_and_once_at_the_end(asked, steps, monkeypatch):
    drawn = []
    monkeypatch.setattr(landscape.Curve, "draw", lambda self, seen: drawn.append(seen[-1].step))
    records = [Record(step, {"loss": 1.0}, 0.0) for step in range(6)]
    assert landscape.watch(iter(records), 40, **asked) == records
    assert drawn == [*steps, 5]
