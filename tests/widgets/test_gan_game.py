"""The widgets of the game show what the formulas say, at every place of their controls."""

import math

import pytest
import torch

from genlab.adversarial import best_value, non_saturating_divergence
from genlab.widgets.gan_game import cells, duel, game_orbit, gan_game, orbit


def gaussian(mean, std):
    p = torch.exp(-0.5 * ((cells() - mean) / std) ** 2)
    return p / p.sum()


@pytest.mark.parametrize(("mean", "std"), [(2.0, 1.0), (-1.0, 0.6), (3.0, 1.6)])
def test_slopes_are_those_of_the_divergences_by_finite_differences(mean, std):
    now, h = duel(mean, std), 1e-4

    def slope(measure):
        ahead, behind = (measure(gaussian(0, 1), gaussian(mean + s * h, std)) for s in (1, -1))
        return float(ahead - behind) / (2 * h)

    assert abs(now.saturating - slope(best_value)) < 1e-6  # differences of order h^2
    assert abs(now.non_saturating - slope(non_saturating_divergence)) < 1e-6


def test_equal_laws_leave_the_critic_undecided():
    now = duel(0.0, 1.0)
    torch.testing.assert_close(now.d, torch.full_like(now.d, 0.5))
    assert abs(now.js) < 1e-12


def test_far_away_one_slope_has_vanished_and_the_other_has_not():
    now = duel(6.0, 1.0)
    assert abs(now.saturating) < 0.05
    assert now.non_saturating > 5
    assert abs(now.js - math.log(2)) < 0.01


def test_orbit_leaves_settles_or_turns_by_its_method():
    end = {m: orbit(m, 0.4, 0.0, 300)[-1].norm() for m in ("simultaneous", "extragradient")}
    assert end["simultaneous"] > 10
    assert end["extragradient"] < 0.1
    assert orbit("optimistic", 0.4, 0.0, 300)[-1].norm() < 0.1
    assert 0.5 < orbit("alternating", 0.4, 0.0, 300)[-1].norm() < 2
    assert orbit("simultaneous", 0.4, 0.5, 300)[-1].norm() < 0.1


@pytest.mark.parametrize(
    ("make", "places"),
    [
        (gan_game, [{"mean": -6.0, "std": 0.4}, {"mean": 6.0, "std": 2.0}, {"mean": 0.0}]),
        (game_orbit, [{"lr": 0.8, "gamma": 1.0}, {"method": "optimistic"}, {"gamma": 0.0}]),
    ],
)
def test_every_move_changes_the_picture(make, places):
    widget = make()
    for place in places:
        before = widget.picture
        widget.set(**place)
        assert widget.picture != before
        assert widget.text
