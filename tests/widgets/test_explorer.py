"""The button that puts off what takes long."""

import ipywidgets

from genlab_course import widgets


def test_nothing_is_made_until_the_button_is_pressed():
    made = []
    box = widgets.later("Make it", lambda: made.append(ipywidgets.Label("here")) or made[-1])
    assert (made, box.button.description) == ([], "Make it")
    box.button.click()
    assert list(box.children) == made


def test_an_error_is_shown_and_the_button_stays():
    box = widgets.later("Make it", lambda: 1 / 0)
    box.press()
    button, said = box.children
    assert said.value == "ZeroDivisionError: division by zero"
    assert (button.description, button.disabled) == ("Make it", False)
