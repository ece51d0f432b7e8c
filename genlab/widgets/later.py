"""A button for what takes long to make: pressed, it gives way to the thing itself."""

from collections.abc import Callable

import ipywidgets


class Later(ipywidgets.VBox):  # type: ignore[misc]
    """The button, then what it made, or the sentence that says why not."""

    def __init__(self, label: str, make: Callable[[], ipywidgets.Widget]) -> None:
        self._make = make
        self.button = ipywidgets.Button(
            description=label, layout=ipywidgets.Layout(width="auto", align_self="flex-start")
        )
        self.button.on_click(lambda _: self.press())
        super().__init__([self.button])

    def press(self) -> None:
        """Make the thing, as a click does; an error is shown, and the button stays."""
        label, self.button.disabled = self.button.description, True
        self.button.description = "working ..."
        try:
            self.children = [self._make()]
        except Exception as error:  # in a callback nobody would see it
            self.button.description, self.button.disabled = label, False
            self.children = [self.button, ipywidgets.Label(f"{type(error).__name__}: {error}")]


def later(label: str, make: Callable[[], ipywidgets.Widget]) -> Later:
    """Put off a widget that takes long to make until a button is pressed.

    Args:
        label: on the button.
        make: returns the widget.

    Returns:
        The button; `press()` does what a click does.
    """
    return Later(label, make)
