"""The box and its reading: every text changes it, a bad one says why."""

from genlab_course.widgets import release_reader


def test_typing_changes_the_reading():
    widget = release_reader()
    before = widget.reading.value
    assert "<mark" in before
    widget.read("A generator is trained against a discriminator; samples need one pass.")
    assert widget.reading.value != before
    assert "<b>adversarial</b>" in widget.reading.value


def test_markup_in_a_text_is_shown_and_not_run():
    assert "<script" not in release_reader("<script>alert(1)</script> a GAN").reading.value


def test_an_empty_box_says_what_to_do():
    assert "the text is empty" in release_reader("").reading.value
