"""The widget of guidance shows the two laws, at every place of its controls."""

import pytest
import torch

from genlab.core.quadrature import integrate
from genlab.widgets.guidance import GRID, guidance, guided


@pytest.mark.parametrize("gap", [0.5, 2.0, 4.0])
def test_scale_one_samples_the_class(gap):
    now = guided(1.0, gap)
    assert abs(now.samples.mean().item() - gap / 2) < 0.02
    assert now.distance < 0.06  # first order in 80 steps, and 1200 draws of the sharpened law


@pytest.mark.parametrize("w", [0.0, 3.0, 10.0])
def test_sharpened_law_is_normalised(w):
    total = integrate(guided(w, 2.0).density, GRID)
    torch.testing.assert_close(total, torch.ones((), dtype=torch.float64))


def test_strong_guidance_overshoots_the_sharpened_law():
    now = guided(5.0, 2.0)
    mean = integrate(GRID * now.density, GRID)
    assert now.samples.mean() > mean + 0.5
    assert now.distance > 0.5


@pytest.mark.parametrize("place", [{"w": 0.0}, {"w": 10.0}, {"gap": 0.5}, {"gap": 4.0}])
def test_every_move_changes_the_picture(place):
    widget = guidance()
    before = widget.picture
    widget.set(**place)
    assert widget.picture != before
    assert "W1 between them" in widget.text
