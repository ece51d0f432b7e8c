"""The look of the figures, and the cards of the map."""

import base64
import io

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from PIL import Image

import genlab_course as course
from genlab.map import LESSONS, SYSTEMS
from genlab_course import figures
from genlab_course.figures import player


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


def test_a_grid_of_images_has_a_row_for_each_ten():
    figure, ax = plt.subplots()
    course.show_images(ax, torch.rand(25, 1, 8, 8))
    assert ax.images[0].get_array().shape == (3 * 9 - 1, 10 * 9 - 1, 4)
    course.show_images(ax, torch.full((2, 3, 32, 32), -1.0), n_columns=2)
    colours = ax.images[1].get_array()
    assert colours.shape == (32, 66, 4)
    assert colours[0, 0].tolist() == [0, 0, 0, 1]  # -1 is black
    assert colours[0, 32, 3] == 0  # the paper is seen through the gutter
    plt.close(figure)


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed, as (data, metadata)."""
    shown = []
    monkeypatch.setattr(
        figures, "display", lambda data, metadata, raw: shown.append((data, metadata))
    )
    return shown


def test_a_figure_is_shown_at_twice_its_size_with_its_words(displayed):
    course.show(plt.figure(figsize=(4, 2)), alt="an empty page")
    ((data, metadata),) = displayed
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert (picture.format, picture.mode) == ("PNG", "P")  # few colours, and half as large
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.width == 2 * metadata["image/png"]["width"] == 640
    assert data["text/plain"] == metadata["image/png"]["alt"] == "an empty page"
    assert plt.get_fignums() == []
    with pytest.raises(ValueError, match="alt must say"):
        course.show(plt.figure(), alt=" ")


def test_a_film_loops_over_its_frames_and_stays_small(displayed):
    course.film(torch.rand(5, 8, 8), alt="five grey squares", width=64)
    ((data, _),) = displayed
    gif = Image.open(io.BytesIO(base64.b64decode(data["image/gif"])))
    assert (gif.n_frames, gif.size, gif.info["loop"]) == (5, (64, 64), 0)
    times = [(gif.seek(k), gif.info["duration"])[1] for k in range(5)]
    assert times == [800] * 4 + [2400]
    with pytest.raises(ValueError, match="more than 300"):
        course.film(torch.rand(20, 400, 400), alt="noise")


def test_a_film_that_runs_is_a_player_that_rests_on_its_last_frame(displayed, monkeypatch):
    made = []
    monkeypatch.setattr(player.Player, "get_view_spec", lambda one: made.append(one) or {"id": 1})
    grey = [torch.full((8, 8), k / 4) for k in range(5)]
    course.film(grey, alt="from black to white", width=64)
    ((data, metadata),) = displayed
    assert data["application/vnd.jupyter.widget-view+json"] == {"id": 1}
    (shown,) = made
    assert shown.film == base64.b64decode(data["image/gif"])  # what a stored notebook keeps
    assert (shown.alt, shown.width) == ("from black to white", metadata["image/gif"]["width"])
    with Image.open(io.BytesIO(shown.rest)) as rest:
        assert rest.convert("RGB").getextrema() == ((255, 255),) * 3


def test_the_slim_map_names_the_families_in_words(displayed):
    course.draw_map("latent_diffusion", slim=True)
    assert "latent-variable, score / diffusion" in displayed[0][0]["text/plain"]


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


def test_a_film_lets_go_of_its_figures_while_it_is_drawn(displayed, monkeypatch):
    calls = []
    monkeypatch.setattr("gc.collect", lambda: calls.append(1))
    course.film((torch.full((8, 8), k / 20).numpy() for k in range(17)), "grey")
    assert len(calls) == 2
