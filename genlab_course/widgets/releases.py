"""Paste a release: where it sits on the map, how sure that is, and which phrases say so."""

import html
from typing import Any

import ipywidgets

from genlab_course.reader import FIELDS, Answer, highlight, read

EXAMPLE = (
    "Unlike GANs, our model has no discriminator. An autoencoder maps pictures to latents, and a "
    "network denoises the latents in 30 steps."
)
# The marks are light on any theme, so the letters on them must be dark.
STYLE = "<style>.genlab-reading mark { color: #222222; }</style>"


def _row(field: str, answer: Answer) -> str:
    value = answer.value if isinstance(answer.value, str) else ", ".join(answer.value) or "none"
    cells = (field, f"<b>{html.escape(value)}</b>", f"{answer.confidence:.0%}")
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def as_html(text: str) -> str:
    """The four answers with their confidence, above the text with its evidence marked."""
    reading = read(text)
    rows = "".join(_row(field, getattr(reading, field)) for field in FIELDS)
    shown = f"<table>{rows}</table><p>{highlight(text, reading)}</p>"
    return f"{STYLE}<div class='genlab-reading'>{shown}</div>"


class ReleaseReader(ipywidgets.VBox):
    """A box to type in above the reading; it follows every change of the text."""

    def __init__(self, text: str) -> None:
        layout = ipywidgets.Layout(width="44em", height="9em", max_width="100%")
        self.box = ipywidgets.Textarea(value=text, layout=layout, placeholder="Paste an abstract")
        self.box.tooltip = "text of a release, in English"
        self.reading = ipywidgets.HTML()
        self.box.observe(lambda change: self._show(change["new"]), names="value")
        self._show(text)
        super().__init__([self.box, self.reading])

    def _show(self, text: str) -> None:
        try:
            self.reading.value = as_html(text)
        except ValueError as error:
            self.reading.value = f"<p role='status'>{html.escape(str(error))}</p>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Add the reading on show, for a notebook that is read and not run."""
        words = "Run this cell to read another text."
        return {
            **super()._repr_mimebundle_(**kwargs),
            "text/plain": f"The reading of a release. {words}",
            "text/html": f"<p><em>{words}</em></p>{self.reading.value}",
        }

    def read(self, text: str) -> None:
        """Type a text, as a hand would."""
        self.box.value = text


def release_reader(text: str = EXAMPLE) -> ReleaseReader:
    """A box and its reading; `read(text)` drives it, `reading.value` is the HTML on show."""
    return ReleaseReader(text)
