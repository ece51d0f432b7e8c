"""The widget of lesson 11: the valley between two modes moves with the noise, and then is gone."""

import math
import re

import pytest
import torch

from genlab.oracles import GaussianMixture
from genlab.widgets.score_field import islands, score_field, watershed


def place(text):
    found = re.search(r"watershed at (-?[\d.]+)", text)
    return float(found.group(1)) if found else math.nan


def equal_islands():
    return GaussianMixture(
        torch.tensor([0.5, 0.5]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


def test_every_corner_of_the_controls_gives_a_picture():
    law = islands()
    widget = score_field(law, {"half": lambda x, s: 0.5 * law.noised(1.0, float(s[0])).score(x)})
    seen = set()
    for sigma in (10**-1.3, 0.5, 10**0.78):
        for name in ("exact", "half"):
            widget.set(sigma=sigma, arrows=name)
            seen.add(widget.picture)
    assert len(seen) == 6


def test_it_works_without_anything_learned():
    assert "watershed" in score_field().text


def test_little_noise_puts_the_watershed_in_the_middle_and_more_noise_pushes_it_aside():
    widget = score_field()
    places = []
    for sigma in (0.05, 0.5, 1.0):
        widget.set(sigma=sigma)
        places.append(place(widget.text))
    assert 0 < places[0] < 0.15  # v log 4 / 2a with v = 0.25: the weights hardly count
    assert places[0] < places[1] < places[2]  # the heavy mode takes ground from the light one


@pytest.mark.parametrize(("sigma", "valleys"), [(1.8, True), (2.0, False)])
def test_two_equal_modes_are_one_hill_from_the_level_that_algebra_gives(sigma, valleys):
    """s'(0) = (a^2 - v) / v^2 changes sign at v = a^2, that is sigma = sqrt(4 - 1/4) = 1.94."""
    widget = score_field(equal_islands())
    widget.set(sigma=sigma)
    assert math.isnan(place(widget.text)) != valleys
    assert ("one hill" in widget.text) != valleys


def test_a_halved_score_is_a_quarter_wrong():
    law = islands()
    widget = score_field(law, {"half": lambda x, s: 0.5 * law.noised(1.0, float(s[0])).score(x)})
    widget.set(sigma=1.0)
    assert "half: relative error 25.0 %" in widget.text


def test_watershed_ignores_hills():
    axis = torch.linspace(-1, 1, 21)
    assert math.isnan(watershed(axis, -axis))
    assert watershed(axis, axis) == pytest.approx(0.0, abs=1e-12)
