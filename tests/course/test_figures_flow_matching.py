"""The pictures of the notebook on flow matching."""

import matplotlib.pyplot as plt
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


def test_a_ratio_of_one_lies_on_the_line_where_nothing_changes():
    times = torch.tensor([0.25, 0.5])
    same, double = (times, torch.ones(8, 2)), (times, torch.full((8, 2), 2.0))
    figure = drawing.times_and_ratios(torch.ones_like, {"same": same, "double": double})
    drawn = [line.get_ydata() for line in figure.axes[1].lines if len(line.get_xdata()) == 2]
    heights = [float(y[0]) for y in drawn if y[0] == y[1]]
    assert heights == pytest.approx([1, 1, 2])  # the line of no change, then both curves


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
                {1.0: torch.zeros(4, 2), 0.0: torch.ones(4, 2)}, torch.tensor([0, 1, 2, 3])
            ),
            ["t = 1.0", "t = 0.0"],
        ),
        (
            lambda: drawing.clouds([([torch.zeros(2, 2)], torch.tensor([0, 3]), "A")] * 2, 0, 0.5),
            ["A, t = 0.50"] * 2,
        ),
        (
            lambda: drawing.race((2, 4), {"a": [1, 2], "b": [2, 1]}, {1: torch.ones(10, 1, 8, 8)}),
            ["Heun needs short steps", "The same noise, more evaluations"],
        ),
        (lambda: drawing.paths({"A": torch.zeros(2, 3, 2), "B": torch.ones(5, 3, 2)}), ["A", "B"]),
        (
            lambda: drawing.label_histograms({"a": torch.randn(9, 1), "b": torch.ones(9, 1)}, abs),
            ["A", "B"],
        ),
    ],
)
def test_a_picture_says_its_message_in_its_titles(figure, titles):
    assert [ax.get_title() for ax in figure().axes] == titles
