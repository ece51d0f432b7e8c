"""The box and its reading: every text changes it, a bad one says why."""

import ipywidgets
from genlab_course.widgets.release_reader import EXAMPLE

from genlab_course.widgets import release_reader


def test_it_opens_with_an_example_that_is_read():
    widget = release_reader()
    assert widget.box.value == EXAMPLE
    assert "latent-variable, score-based" in widget.reading.value
    assert "<s title=" in widget.reading.value  # GANs are only compared with


def test_typing_changes_the_reading():
    widget = release_reader("A GAN.")
    assert "minimax" not in widget.reading.value
    assert ">GAN</mark>" in widget.reading.value
    widget.read("A normalizing flow.")
    assert ">normalizing flow</mark>" in widget.reading.value


def test_an_empty_box_says_what_to_do():
    widget = release_reader("")
    assert "there is no text" in widget.reading.value


def test_it_is_plain_and_reached_by_the_keyboard():
    widget = release_reader()
    assert [type(c) for c in widget.children] == [ipywidgets.Textarea, ipywidgets.HTML]
    assert not widget.box.disabled
