"""The map as an instrument: every control moves it, and what it says is true."""

import dataclasses
import itertools

import pytest
import torch

from genlab.data.toys import GaussianRing
from genlab.map import LIKELIHOODS, OBJECTIVES, SAMPLERS
from genlab_course import lesson_01
from genlab_course.league import load_league
from genlab_course.widgets import five_samplers, paradigm_map
from genlab_course.widgets.landscape import COLUMNS, EXAMPLES, OPEN, OWN, league_picture, unbeaten


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


def test_contradicting_clues_are_called_a_hybrid_or_a_wrong_claim():
    widget = paradigm_map()
    widget.set(objective="minimax game", likelihood="exact")
    assert "hybrid" in widget.text


@pytest.mark.parametrize(("sampler", "dial"), [("sequential", "tokens"), ("multi-step", "steps")])
def test_length_and_steps_move_the_count_at_both_ends(sampler, dial):
    widget = paradigm_map()
    for n, said in ((1, "1 evaluation."), (4096, "4,096 evaluations")):
        widget.set(sampler=sampler, **{dial: n})
        assert said in widget.text


def test_latent_diffusion_costs_a_hundred_and_one_evaluations():
    widget = paradigm_map()
    widget.set(system="encoder + latent denoiser + decoder")
    assert "101 evaluations" in widget.text
    widget.set(system=OWN)
    assert "still possible" in widget.text


@pytest.mark.parametrize("clue", ["objective", "sampler", "likelihood"])
def test_a_clue_given_while_a_system_is_shown_asks_about_a_system_of_your_own(clue):
    widget = paradigm_map()
    widget.set(system=next(iter(EXAMPLES)))
    widget.set(**{clue: widget.controls[clue].options[1][1]})
    assert widget.controls["system"].value == OWN
    assert "A sample costs" in widget.text


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


def test_the_slider_leads_from_noise_to_samples_and_back(generator):
    torch.set_default_dtype(torch.float32)
    data = GaussianRing().sample(600, generator=generator)
    models = {name: lesson_01.learn(name, data)[0] for name in lesson_01.RECIPES}
    widget = five_samplers(models, n_points=20)
    noise = widget.picture
    widget.set(share=0.5)
    middle = widget.picture
    widget.set(share=1.0)
    assert len({noise, middle, widget.picture}) == 3
    widget.set(share=0.0)
    assert widget.picture == noise
