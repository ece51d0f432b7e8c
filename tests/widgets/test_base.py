"""The base of all widgets: a figure that follows its controls, a bar with a curve."""

import base64
import io

import ipywidgets
import matplotlib.pyplot as plt
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.text import Text

from genlab.train import Record
from genlab_course.widgets import (
    clinic,
    explore,
    explorer,
    project,
    quiz,
    release_reader,
    training,
    watch,
)


def make(update=None):
    figure, ax = plt.subplots(figsize=(3, 2))
    (line,) = ax.plot([0, 1], [0, 1])

    def move(slope):
        line.set_ydata([0, slope])
        return f"slope {slope:.1f}"

    slider = ipywidgets.FloatSlider(value=1.0, min=0, max=2, description="slope")
    return explore(figure, update or move, slope=slider)


def test_moving_a_control_changes_picture_and_caption_and_moving_it_back_restores_them():
    widget = make()
    before = widget.picture
    widget.set(slope=0.3)
    assert widget.picture != before
    assert widget.text == "slope 0.3"
    widget.set(slope=1.0)
    assert widget.picture == before


def test_an_error_in_the_update_is_not_swallowed():
    def broken(slope):
        if slope < 1:
            raise ValueError("slope below one")

    widget = make(broken)
    with pytest.raises(ValueError, match="slope below one"):
        widget.set(slope=0.2)


LOG = ipywidgets.FloatLogSlider(value=0.1, min=-2, max=0, step=0.5, description="noise")
PLAYED = [
    (ipywidgets.FloatSlider(value=0.5, min=0, max=2, step=0.5), 1, (3, 1.5), (2.0, 4)),
    (ipywidgets.IntSlider(value=2, min=2, max=8, step=2), 0, (2, 6), (8, 3)),
    (LOG, 2, (0, 0.01), (10**-0.4, 3)),
]


@pytest.mark.parametrize(("control", "at", "played", "by_hand"), PLAYED)
def test_a_play_button_walks_its_slider_and_follows_a_hand(control, at, played, by_hand):
    figure, ax = plt.subplots(figsize=(2, 1))
    (line,) = ax.plot([0, 1], [0, 1])
    other = ipywidgets.FloatSlider(description="not time")
    widget = explore(
        figure, lambda t, x: line.set_ydata([t, x]), play="t", t=control, x=other
    )  # fmt: skip
    row, plain, *_ = widget.children
    button = row.children[1]
    assert (row.children[0], plain) == (control, other)
    assert isinstance(button, ipywidgets.Play)
    assert (button.min, button.value, button.repeat) == (0, at, False)
    before = widget.picture
    button.value = played[0]
    assert control.value == pytest.approx(played[1])
    assert widget.picture != before
    control.value = by_hand[0]  # between two stops it is not pulled to one of them
    assert (control.value, button.value) == (pytest.approx(by_hand[0]), by_hand[1])
    button.value = button.max
    assert control.value == pytest.approx(1.0 if control is LOG else control.max)


def test_only_a_slider_that_is_there_is_played():
    with pytest.raises(ValueError, match="no control 'time' to play; there are: slope"):
        explore(plt.figure(), lambda slope: None, play="time", slope=ipywidgets.FloatSlider())
    plt.close("all")


STANDS = [(make, "image/png"), (lambda: quiz(3), "text/markdown")]
STANDS += [(release_reader, "text/html"), (clinic, "text/html")]


@pytest.mark.parametrize(("build", "kind"), STANDS)
def test_a_saved_notebook_holds_the_live_view_and_what_stands_for_it(build, kind):
    shown, _ = DisplayFormatter().format(widget := build())
    assert shown.keys() == {"application/vnd.jupyter.widget-view+json", "text/plain", kind}
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert "un this cell" in shown["text/plain"]


def test_watching_returns_every_record_and_leaves_no_figure_open():
    open_before = plt.get_fignums()
    run = [Record(k, {"critic": 1.0 / k, "generator": 2.0 / k}, 0.0) for k in range(1, 8)]
    curve = training.Curve("loss", 7)
    curve.draw(run)
    sizes = []
    for small in (False, True):
        shown, more = curve._picture(small=small)._repr_mimebundle_()
        sizes.append(len(shown["image/png"]))
        pixels = plt.imread(io.BytesIO(base64.b64decode(shown["image/png"])), format="png").shape
        assert pixels[1] == 2 * more["image/png"]["width"] == 960  # sharp on any screen
    assert sizes[1] < 0.7 * sizes[0]
    assert watch(iter(run), total=7) == run
    assert plt.get_fignums() == open_before


def test_a_projector_gets_larger_pictures_of_the_widgets_that_are_made_after_it(monkeypatch):
    monkeypatch.setattr(explorer, "_room", explorer._room)  # put back afterwards
    before = make()
    project(480, 900)  # wider than high: its width decides
    after = make()
    before.set(slope=2.0)
    sizes = [plt.imread(io.BytesIO(w.picture), format="png").shape for w in (before, after)]
    assert sizes == [(160, 240, 4), (320, 480, 4)]
    assert after._image.layout.width == "480px"
    project(900, 320)
    assert plt.imread(io.BytesIO(make().picture), format="png").shape == (320, 480, 4)
    with pytest.raises(ValueError, match="positive"):
        project(0)


def test_letters_on_a_projector_are_read_from_the_last_row(monkeypatch):
    monkeypatch.setattr(explorer, "_room", (1800, 700))
    figure, ax = plt.subplots(figsize=(8, 5))
    tiny = lambda slope: ax.set_title(f"slope {slope}", fontsize=6)
    shown = explore(
        figure, lambda slope: tiny(slope) and None, slope=explorer.slider("slope", 1.0, 0, 2, 0.1)
    )
    shown.set(slope=2.0)
    pixels = [text.get_fontsize() * figure.dpi / 72 for text in figure.findobj(Text)]
    assert len(pixels) > 5
    assert min(pixels) > 1080 / 50
