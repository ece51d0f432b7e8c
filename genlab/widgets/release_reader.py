"""Paste a release, and see where it sits on the map and which phrases put it there."""

from typing import Any

import ipywidgets

from ..atlas.reader import read_release
from ..atlas.report import as_html
from ..atlas.text import UnreadableError

EXAMPLE = (
    "Unlike GANs, our model has no discriminator. An autoencoder maps pictures to latents, and a "
    "network denoises the latents in 30 steps."
)


# The marks are light on any theme, so the letters on them must be dark.
FRAME = (
    "<style>.genlab-reading [style*=background] {{ color: #222222; }}</style>"
    "<div class='genlab-reading'>{}</div>"
)


class ReleaseReader(ipywidgets.VBox):  # type: ignore[misc]
    """A box to type in above the reading; it follows every change of the text."""

    def __init__(self, text: str) -> None:
        layout = ipywidgets.Layout(width="44em", height="9em", max_width="100%")
        self.box = ipywidgets.Textarea(
            value=text, layout=layout, placeholder="Paste an abstract, a model card, key: value ..."
        )
        self.box.tooltip = "text of a release, in English"
        self.reading = ipywidgets.HTML()
        self.box.observe(lambda change: self._show(change["new"]), names="value")
        self._show(text)
        super().__init__([self.box, self.reading])

    def _show(self, text: str) -> None:
        try:
            self.reading.value = FRAME.format(as_html(read_release(text)))
        except UnreadableError as error:
            self.reading.value = f"<p role='status'>{error}</p>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Add the reading on show, for a notebook that is read and not run."""
        words = "Run this cell to read another text."
        shown = f"<p><em>{words}</em></p>{self.reading.value}"
        return {
            **super()._repr_mimebundle_(**kwargs),
            "text/plain": f"The reading of a release. {words}",
            "text/html": shown,
        }

    def read(self, text: str) -> None:
        """Type a text, as a hand would.

        Args:
            text: of a release.
        """
        self.box.value = text


def release_reader(text: str = EXAMPLE) -> ReleaseReader:
    """Make the reader of releases.

    Args:
        text: that stands in the box at first.

    Returns:
        The widget; `read(text)` drives it, and `reading.value` is the HTML on show.
    """
    return ReleaseReader(text)
