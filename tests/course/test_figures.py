"""The look of the figures, and the cards of the map."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import FancyBboxPatch

import genlab_course as course
from genlab.map import LESSONS, SYSTEMS


def test_a_lesson_runs_on_one_thread_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("GENLAB_THREADS", raising=False)
    before = torch.get_num_threads()
    for given, used in ({"threads": 2}, 2), ({}, 1):
        course.begin(lesson=3, **given)
        assert torch.get_num_threads() == used
    monkeypatch.setenv("GENLAB_THREADS", "2")
    course.begin(lesson=3)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_beginning_a_lesson_or_lab_seeds_it():
    draws = {}
    for name in (3, "glide", "stylegan", 3, "glide"):
        course.begin(name)
        draws.setdefault(name, []).append(torch.rand(1).item())
    assert draws[3][0] == draws[3][1]
    assert draws["glide"][0] == draws["glide"][1] != draws["stylegan"][0]


@pytest.mark.parametrize("lesson", [*LESSONS, *SYSTEMS])
def test_every_text_of_the_map_stays_inside_the_picture_and_its_card(lesson):
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
