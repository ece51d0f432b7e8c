"""The pictures of the notebook on parallel tokens."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genlab_course.figures import discrete_and_parallel as drawing


@pytest.fixture
def shown(monkeypatch):
    """The figures that are shown, as (figure, alt)."""
    found = []
    monkeypatch.setattr(drawing, "show", lambda figure, alt: found.append((figure, alt)))
    yield found
    plt.close("all")


def test_a_hidden_pixel_is_blue_and_ink_is_dark():
    x = torch.full((1, 1, 8, 8), 17)
    x[0, 0, 0] = 16
    x[0, 0, 1] = 0
    picture = drawing.sheet(x, 1)
    assert picture[1, 1] == pytest.approx(0)  # behind a gutter of one pixel
    assert picture[2, 1] == pytest.approx(1)
    assert picture[3, 1] == pytest.approx(drawing.HIDDEN.numpy())


def test_a_frame_shows_each_number_of_evaluations_no_further_than_it_goes():
    states = {n: [torch.full((6, 1, 8, 8), 17)] * (n + 1) for n in (8, 1)}
    figure = drawing.frame(states, 5)
    assert [ax.get_title() for ax in figure.axes] == [
        "8 evaluations\n5 of 8",
        "1 evaluation\n1 of 1",
    ]
    plt.close(figure)


def test_replacements_from_the_target_overshoot_where_the_draft_gave_enough(shown):
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.7])
    drawing.kept_and_replaced(p, q)
    bars = shown[0][0].axes[2].patches
    tops = np.array([bar.get_y() + bar.get_height() for bar in bars]).reshape(2, 3)
    assert tops.max(0) == pytest.approx([0.35, 0.35, 0.3])  # kept is 1/2 of all, by hand
    (dashes,) = shown[0][0].axes[2].collections
    assert [path[0][1] for path in dashes.get_segments()] == pytest.approx(p.numpy())


def test_words_are_ranked_by_the_rule_that_is_biased(shown):
    ratios = {"exact": torch.ones(3), "biased": torch.tensor([0.5, 2.0, 0.1])}
    drawing.word_frequencies(["a", "b", "c"], ratios)
    ax = shown[0][0].axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b", "a", "c"]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([2.0, 0.5, 0.1])


def test_each_picture_says_its_message_and_has_an_alt_text(shown):
    curve = np.array([[2.0, 3.0], [1.0, 0.0]])
    names = ("random times", "surest first", "least sure first")
    bounds = {"U-Net": ((1, 2), np.ones((1, 2))), "small": ((1, 2), np.ones((3, 2)))}
    drawing.prices(
        dict.fromkeys(names, curve),
        np.ones((3, 5, 2)),
        bounds,
        {"3 evaluations, 1 + 1 + 3": [0.6, 0.9]},
    )
    tokens = {1: np.full((3, 2), 1.5), 3: np.full((3, 2), 1.7)}
    drawing.drafting((1, 2), tokens, lambda beta, k: 1 + beta * k, [("text", [1, 3])])
    digits = torch.zeros(12, 64, dtype=torch.long)
    drawing.digit_sheets({"random": digits, "zero": digits}, {"random": (0.9, 0.8)})
    heights = {
        float(line.get_ydata()[0])
        for figure, _ in shown
        for ax in figure.axes
        for line in ax.lines
        if line.get_marker() == "D"
    }
    assert heights == {0.6, 0.9}  # of a plan: with the ideal network, and with the trained ones
    titles = [ax.get_title() for figure, _ in shown for ax in figure.axes]
    assert all(titles)
    assert titles[-2:] == ["random\nprecision 0.90, recall 0.80", "zero\none picture"]
    assert all(len(alt) > 50 for _, alt in shown)
