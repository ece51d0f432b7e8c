"""At every corner of the controls, what a widget of lessons 05 to 09 marks is inside its axes."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.patches import Ellipse, Rectangle

from genlab_course.widgets import gan_game, metric_room, posterior_ellipse
from genlab_course.widgets.explorer import Explorer


def corners(widget: Explorer):
    """Move through every combination of the controls' ends."""
    ends = [(c.min, c.max) for c in widget.controls.values()]
    for values in itertools.product(*ends):
        widget.set(**dict(zip(widget.controls, values, strict=True)))
        yield dict(zip(widget.controls, values, strict=True))


def outside(axes, x, y):
    (x0, x1), (y0, y1) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    slack_x, slack_y = 1e-6 * (x1 - x0), 1e-6 * (y1 - y0)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return bool(
        ((x < x0 - slack_x) | (x > x1 + slack_x)).any()
        or ((y < y0 - slack_y) | (y > y1 + slack_y)).any()
    )


MAKERS = [posterior_ellipse, gan_game]
EVERY_METRIC_AT_32_CORNERS = pytest.param(metric_room, marks=[pytest.mark.slow, pytest.mark.verify])
MAKERS.append(EVERY_METRIC_AT_32_CORNERS)


@pytest.mark.parametrize("make", MAKERS)
def test_marks_bars_and_ellipses_stay_inside(make):
    widget = make()
    for where in corners(widget):
        assert not re.search(r"\b(nan|inf)\b", widget.text), where
        for axes in widget._figure.axes:
            for line in axes.lines:
                if line.get_marker() not in ("None", "", None):
                    assert not outside(axes, *line.get_data()), (where, line.get_label())
            for patch in axes.patches:
                if isinstance(patch, Rectangle):
                    ends = [patch.get_x(), patch.get_x() + patch.get_width()]
                    assert not outside(axes, ends, [patch.get_y()] * 2), where
                if isinstance(patch, Ellipse):
                    reach = patch.get_extents().get_points()
                    box = axes.transData.inverted().transform(reach)
                    assert not outside(axes, *box.T), where
