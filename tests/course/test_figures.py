"""The look of the figures."""

import matplotlib.pyplot as plt
import pytest
import torch

import genlab_course as course
from genlab_course import figures


def test_a_lesson_number_out_of_range_is_refused():
    with pytest.raises(ValueError, match="1 to 15, got 16"):
        course.begin(lesson=16)


def test_a_lesson_runs_on_one_thread_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("GENLAB_THREADS", raising=False)
    before = torch.get_num_threads()
    try:
        course.begin(lesson=3, threads=2)
        assert torch.get_num_threads() == 2
        course.begin(lesson=3)
        assert torch.get_num_threads() == 1
        with pytest.raises(ValueError, match="got 0"):
            course.begin(lesson=3, threads=0)
    finally:
        torch.set_num_threads(before)


def test_the_environment_can_ask_for_more_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("GENLAB_THREADS", "2")
    try:
        course.begin(lesson=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_beginning_a_lesson_seeds_it():
    course.begin(lesson=3)
    first = torch.rand(3)
    course.begin(lesson=3)
    torch.testing.assert_close(torch.rand(3), first, rtol=0, atol=0)


def test_a_grid_of_images_has_a_row_for_each_ten():
    figure, ax = plt.subplots()
    course.show_images(ax, torch.rand(25, 1, 8, 8))
    assert ax.images[0].get_array().shape == (3 * 9 - 1, 10 * 9 - 1)
    plt.close(figure)


def test_a_systems_lab_has_a_seed_of_its_own():
    draws = []
    for name in ("glide", "stylegan", "glide"):
        course.begin(name)
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[2] != draws[1]


def test_titles_stand_where_matplotlib_would_look_for_a_place():
    """A fixed height spares the search at every drawing, and nothing stands above our axes."""

    def drawn():
        figure, axes = plt.subplots(1, 2)
        axes[0].set(title="a curve", xlabel="x", ylabel="y")
        axes[1].imshow(torch.eye(3).numpy())
        axes[1].set_title("a picture, smaller", fontsize=8)
        figure.canvas.draw()
        pixels = bytes(figure.canvas.buffer_rgba())
        plt.close(figure)
        return pixels

    with plt.rc_context({**figures.STYLE, "axes.titley": None}):
        searched = drawn()
    with plt.rc_context({**figures.STYLE, "axes.titley": 0.9}):
        elsewhere = drawn()
    with plt.rc_context(figures.STYLE):
        assert drawn() == searched != elsewhere
