"""Chains are biased, watersheds move, and every descent ends at the data."""

import math
import re

import pytest
import torch

from genlab.oracles import GaussianMixture
from genlab_course.widgets.score import PATHS, descend, islands, score_field


def place(text):
    found = re.search(r"watershed at (-?[\d.]+)", text)
    return float(found.group(1)) if found else math.nan


def equal_islands():
    return GaussianMixture(
        torch.tensor([0.5, 0.5]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


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


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_every_descent_ends_at_the_data(path, noise):
    # W1 of two sets of 1000 points on a law with deviation 1.3: at most about 0.13 by chance
    assert descend(path, noise).distance < 0.16
