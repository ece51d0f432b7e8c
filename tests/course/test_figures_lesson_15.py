"""The pictures of lesson 15 show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genlab.map import FAMILIES
from genlab_course.figures import lesson_15
from genlab_course.league import load_league


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_a_frame_shows_the_last_state_of_a_model_that_is_done():
    reels = {str(k): [torch.zeros(4, 1, 8, 8), torch.full((4, 1, 8, 8), 16.0)] for k in range(6)}
    figure = lesson_15.frame(reels, 100)
    pictures = [np.asarray(ax.images[0].get_array()) for ax in figure.axes]
    assert len(pictures) == 6
    assert all(picture[..., :3].min() == 1.0 for picture in pictures)  # white digits
    assert "100 sequential calls" in figure.get_suptitle()


def test_new_pixels_are_drawn_as_they_were_counted():
    new = torch.eye(64)
    figure = lesson_15.new_pixels({"one": (FAMILIES[0], new), "two": (FAMILIES[3], new[:, :1])})
    drawn = [np.asarray(ax.images[0].get_array()) for ax in figure.axes]
    assert np.array_equal(drawn[0], new.numpy())
    assert drawn[1].shape == (64, 1)


def test_a_table_of_verdicts_says_what_is_wrong_and_what_is_left_open():
    answers = (
        ("autoregressive", 0.95, "wrong"), ("none", 0.9, "right"),
        ("exact", 0.4, "no answer"), ("no answer", 0.3, "right"),
    )  # fmt: skip
    said = words(lesson_15.verdicts({"LLaDA": answers}))
    assert "× AR (0.95)" in said
    assert "none (0.90)" in said
    assert said.count("no answer") == 2


@pytest.mark.parametrize("verdict", ["right", "wrong", "no answer"])
def test_the_key_to_a_table_of_verdicts_names_the_colour_that_the_verdict_has(verdict):
    figure = lesson_15.verdicts({"LLaDA": (("none", 0.9, verdict),) * 4})
    legend = figure.axes[0].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["right", "× wrong", "no answer, though the key has one"]
    colours = [patch.get_facecolor() for patch in legend.get_patches()]
    named = dict(zip(("right", "wrong", "no answer"), colours, strict=True))
    assert len(set(colours)) == 3
    assert {patch.get_facecolor() for patch in figure.axes[0].patches} == {named[verdict]}


def test_the_league_has_a_line_for_each_recipe_and_its_calls_beside_the_name():
    rows = sorted(load_league(), key=lambda row: np.mean(row.frechet))
    figure = lesson_15.league(rows, [row.name for row in rows], 3, 0.07)
    (ax,) = figure.axes
    assert len(ax.lines) == len(rows) + 1
    assert set(ax.lines[-1].get_xdata()) == {0.07}  # of real digits
    assert ax.get_yticklabels()[0].get_text() == f"{rows[0].name} ({rows[0].passes})"


def test_the_two_splits_stand_one_above_the_other():
    (ax,) = lesson_15.two_splits(0.76, 0.02, [0.82, 0.82]).axes
    assert len(set(ax.lines[-1].get_ydata())) == 2  # two equal splits show as two marks
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "systems apart",
        "random splits",
    ]
