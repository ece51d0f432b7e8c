"""The map: which lesson lights which paradigm, and that nothing runs over its card."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import FancyBboxPatch

import genlab_course as course
from genlab.map import LESSONS, PARADIGMS, SYSTEMS, lit


@pytest.mark.parametrize(
    ("lesson", "names"),
    [
        (2, ["autoregressive"]),
        (6, ["latent-variable"]),
        (8, ["adversarial"]),
        (12, ["score / diffusion"]),
        ("latent_diffusion", ["latent-variable", "score / diffusion"]),
        ("flow_density_estimator", ["flow"]),
    ],
)
def test_a_lesson_lights_its_own_paradigm(lesson, names):
    assert [p.name for p in lit(lesson)] == names


@pytest.mark.parametrize("lesson", [1, 9, 15])
def test_the_lessons_about_all_light_all(lesson):
    assert lit(lesson) == PARADIGMS


def test_an_unknown_lesson_is_refused():
    with pytest.raises(ValueError, match="1 to 15, got 0"):
        course.draw_map(0)
    with pytest.raises(ValueError, match="no system is named 'toaster'; there are: language_model"):
        course.draw_map("toaster")


@pytest.mark.parametrize("lesson", [*LESSONS, *SYSTEMS])
def test_every_text_stays_inside_the_picture_and_its_card(lesson):
    figure = course.draw_map(lesson)
    figure.canvas.draw()
    ax = figure.axes[0]
    cards = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        home = [c for c in cards if c.y1 > box.y1 and c.x0 <= box.x0 <= c.x1]
        assert all(box.x1 <= c.x1 for c in home), text.get_text()
    plt.close(figure)
