"""The widget of lesson 08 shows JS standing still and W1 moving on."""

import re

import numpy as np
import pytest

from genlab.widgets.earth_mover import earth_mover


def readings(text):
    js, w1 = re.search(r"JS = ([\d.]+) nats, \$W_1\$ = ([\d.]+)", text).groups()
    return float(js), float(w1)


def test_every_corner_of_the_controls_gives_a_picture():
    widget = earth_mover()
    seen = set()
    for shift in (0.0, 2.5, 5.0):
        for width in (0.3, 1.0, 2.0):
            widget.set(shift=shift, width=width)
            seen.add(widget.picture)
    assert len(seen) == 9


def test_apart_js_stands_at_log_two_while_w1_is_the_shift():
    widget = earth_mover()
    for shift in (2.5, 4.0):
        widget.set(shift=shift)
        js, w1 = readings(widget.text)
        assert js == pytest.approx(np.log(2), abs=1e-3)  # a lattice of 0.01
        assert w1 == pytest.approx(shift, abs=5e-3)
        assert "nothing is shared" in widget.text


def test_on_top_of_each_other_both_are_zero():
    widget = earth_mover()
    widget.set(shift=0.0)
    assert readings(widget.text) == (0.0, 0.0)
