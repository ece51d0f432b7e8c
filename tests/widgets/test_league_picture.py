"""The league picture, driven without a browser."""

import dataclasses
import itertools

import pytest

from genlab.atlas.league import load_league
from genlab.widgets.league_picture import COLUMNS, league_picture, unbeaten

ROW = load_league()[0]


def rows(*points):
    """Rows named a, b, ... with these passes and distances."""
    return [
        dataclasses.replace(ROW, name=name, passes=passes, frechet=frechet)
        for name, (passes, frechet) in zip("abcdef", points, strict=False)
    ]


def test_a_row_is_beaten_by_one_that_is_as_good_in_both_and_better_in_one():
    found = unbeaten(
        rows((1, 3.0), (2, 2.0), (2, 2.5), (9, 2.0)), "network passes", "Fréchet distance"
    )
    assert [row.name for row in found] == ["a", "b"]


def test_equal_rows_do_not_beat_each_other():
    found = unbeaten(rows((1, 1.0), (1, 1.0)), "network passes", "Fréchet distance")
    assert [row.name for row in found] == ["a", "b"]


def test_more_is_better_where_it_is():
    fast = [dataclasses.replace(ROW, name=n, samples_per_second=s) for n, s in (("a", 1), ("b", 5))]
    assert [r.name for r in unbeaten(fast, "samples a second", "network passes")] == ["b"]


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


def test_a_model_without_bits_is_named_as_such():
    widget = league_picture()
    widget.set(up="bits per dimension")
    assert "No number for: " in widget.text
    assert "gan" in widget.text.partition("No number for")[2]
