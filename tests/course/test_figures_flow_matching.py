"""The pictures of the notebook on flow matching."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genlab_course.figures import flow_matching as drawing


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_dots_lie_in_the_ink_of_their_letter_and_not_in_its_hole():
    dots, letter = drawing.word_dots("OO", spacing=0.05)
    for k in (0, 1):
        own = dots[letter == k]
        middle = (own.amin(0) + own.amax(0)) / 2
        assert (own - middle).norm(dim=1).min() > 0.2  # the hole of the O
    assert dots[letter == 0, 0].max() < dots[letter == 1, 0].min()  # one after the other


def test_a_word_is_centred():
    dots, _ = drawing.word_dots("FLOW", spacing=0.1)
    torch.testing.assert_close(dots.amin(0), -dots.amax(0), atol=1e-5, rtol=0)


def test_a_ratio_of_two_at_every_time_is_drawn_at_two_without_a_band():
    figure = drawing.error_ratios(torch.tensor([0.25, 0.5]), torch.full((8, 2), 2.0))
    no_change, ratio = figure.axes[0].lines
    assert list(no_change.get_ydata()) == [1, 1]
    assert list(ratio.get_ydata()) == pytest.approx([2, 2])
    (band,) = figure.axes[0].collections
    low, high = band.get_datalim(figure.axes[0].transData).intervaly
    assert (low, high) == pytest.approx((2, 2))


def test_a_path_of_the_upper_cluster_has_its_colour_even_when_it_ends_below_zero():
    ends = torch.tensor([0.9, -0.3, -0.9])[:, None]
    paths = torch.stack([torch.zeros(3, 1), ends])
    figure = drawing.lines_and_flow(torch.tensor([1.0, 0.0]), paths, paths)
    assert [line.get_color() for line in figure.axes[1].lines] == [
        drawing.BLUE,
        drawing.BLUE,
        drawing.RED,
    ]


def test_the_two_halves_of_a_histogram_add_up_to_a_density():
    right = torch.tensor([True, True, False, False])
    ends = torch.tensor([[1.0], [1.2], [0.1], [-0.2]])
    figure = drawing.label_histograms({"a": ends, "b": ends}, right, torch.exp)
    areas = [bar.get_height() * bar.get_width() for bar in figure.axes[0].patches]
    assert sum(areas) == pytest.approx(1, abs=1e-5)


def test_a_chord_joins_the_ends_of_its_path():
    walk = torch.tensor([[1.0], [0.2], [0.5]])
    path, chord = drawing.paths_and_chords(torch.tensor([1.0, 0.5, 0.0]), walk).axes[0].lines
    assert list(path.get_ydata()) == pytest.approx([1, 0.2, 0.5])
    assert list(chord.get_xdata()) == [1, 0]
    assert list(chord.get_ydata()) == pytest.approx([1, 0.5])


def test_a_walker_that_turns_back_along_a_radius_is_seen_to_turn():
    there_and_back = torch.tensor([[6.0, 8.0], [3.0, 4.0], [4.5, 6.0]])[:, None]  # 10, 5, 7.5 away
    figure = drawing.after_reflow({}, {"A": there_and_back}, radius=1.5)
    path = figure.axes[1].lines[0]
    assert list(path.get_xdata()) == pytest.approx([1, 0.5, 0])
    assert list(path.get_ydata()) == pytest.approx([10, 5, 7.5])


def test_a_coupling_s_distances_span_its_lowest_and_highest_network():
    far = {"reflow": {1: np.array([0.1, 0.4, 0.2]), 50: np.array([0.1, 0.1, 0.1])}}
    figure = drawing.after_reflow(far, {"A": torch.ones(3, 1, 2)}, radius=1.5)
    (band,) = figure.axes[0].collections
    low, high = band.get_datalim(figure.axes[0].transData).intervaly
    assert (low, high) == pytest.approx((0.1, 0.4))
    assert [text.get_text() for text in figure.axes[0].texts] == ["reflow"]


@pytest.mark.parametrize(
    ("figure", "titles"),
    [
        (
            lambda: drawing.lines_and_flow(
                torch.tensor([1.0, 0.0]), torch.zeros(2, 3, 1), torch.zeros(2, 3, 1)
            ),
            ["Training lines cross", "The flow does not"],
        ),
        (
            lambda: drawing.snapshots(
                {t: torch.zeros(4, 2) for t in (1.0, 0.5, 0.3, 0.0)}, torch.tensor([0, 1, 2, 3])
            ),
            ["t = 1.0", "t = 0.5", "t = 0.3", "t = 0.0"],
        ),
        (
            lambda: drawing.clouds([([torch.zeros(2, 2)], torch.tensor([0, 3]), "A")] * 2, 0, 0.5),
            ["A, t = 0.50"] * 2,
        ),
        (
            lambda: drawing.race((2, 4), {"a": [1, 2], "b": [2, 1]}, {1: torch.ones(10, 1, 8, 8)}),
            ["Heun needs short steps", "The same noise, more evaluations"],
        ),
        (
            lambda: drawing.after_reflow(
                {"one": {1: np.ones(8), 50: np.ones(8)}}, {"A": torch.ones(5, 3, 2)}, radius=1.5
            ),
            ["After reflow, one step nearly does", "A"],
        ),
        (
            lambda: drawing.label_histograms(
                {"a": torch.randn(9, 1), "b": torch.ones(9, 1)}, torch.arange(9) > 4, abs
            ),
            ["A", "B"],
        ),
    ],
)
def test_a_picture_says_its_message_in_its_titles(figure, titles):
    assert [ax.get_title() for ax in figure().axes] == titles
