"""The box and its reading: every text changes it, a bad one says why."""

import ipywidgets

from genlab_course.widgets import release_reader
from genlab_course.widgets.releases import EXAMPLE


def test_it_opens_with_an_example_whose_evidence_is_marked():
    widget = release_reader()
    assert widget.box.value == EXAMPLE
    assert "<b>latent-variable, score" in widget.reading.value
    assert "<mark" in widget.reading.value


def test_typing_changes_the_reading():
    widget = release_reader()
    before = widget.reading.value
    widget.read("A generator is trained against a discriminator; samples need one pass.")
    assert widget.reading.value != before
    assert "<b>adversarial</b>" in widget.reading.value


def test_markup_in_a_text_is_shown_and_not_run():
    assert "<script" not in release_reader("<script>alert(1)</script> a GAN").reading.value


def test_an_empty_box_says_what_to_do():
    assert "the text is empty" in release_reader("").reading.value


def test_it_is_plain_and_reached_by_the_keyboard():
    widget = release_reader()
    assert [type(c) for c in widget.children] == [ipywidgets.Textarea, ipywidgets.HTML]
    assert not widget.box.disabled
