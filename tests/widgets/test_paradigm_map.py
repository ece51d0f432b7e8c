"""The map as an instrument: every control moves it, and what it says is true."""

import pytest

from genlab.course.placing import LIKELIHOODS, OBJECTIVES, SAMPLERS, SYSTEMS
from genlab.widgets import paradigm_map
from genlab.widgets.paradigm_map import OPEN, OWN


def test_every_system_of_the_list_can_be_shown():
    widget = paradigm_map()
    for name, system in SYSTEMS.items():
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
        assert "A sample costs" in widget.text
    widget.set(**{control: OPEN})
    assert widget.picture == start


def test_contradicting_clues_are_called_a_hybrid_or_a_wrong_claim():
    widget = paradigm_map()
    widget.set(objective="fool a critic (minimax)", likelihood="exact")
    assert "hybrid" in widget.text


def test_length_and_steps_move_the_count_at_both_ends():
    widget = paradigm_map()
    widget.set(sampler="one piece after another", pieces=1)
    assert "1 pass." in widget.text
    widget.set(pieces=4096)
    assert "4,096 passes" in widget.text
    widget.set(sampler="a loop from noise to data", steps=1)
    assert "1 pass." in widget.text
    widget.set(steps=4096)
    assert "4,096 passes" in widget.text


def test_latent_diffusion_costs_a_hundred_and_one_passes():
    widget = paradigm_map()
    widget.set(system="encoder + latent denoiser + decoder")
    assert "101 passes" in widget.text
    widget.set(system=OWN)
    assert "still possible" in widget.text


@pytest.mark.parametrize("clue", ["objective", "sampler", "likelihood"])
def test_a_clue_given_while_a_system_is_shown_asks_about_a_system_of_your_own(clue):
    widget = paradigm_map()
    widget.set(system=next(iter(SYSTEMS)))
    widget.set(**{clue: widget.controls[clue].options[1]})
    assert widget.controls["system"].value == OWN
    assert "A sample costs" in widget.text
