"""A film as a running notebook shows it: with a button that stops it."""

from pathlib import Path

import anywidget
import traitlets


class Player(anywidget.AnyWidget):
    """A GIF with a button; stopped, or where less motion is asked for, its last frame stands.

    Where nothing runs (a stored notebook, GitHub) the GIF itself is shown, which no page can stop.
    """

    _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

    film = traitlets.Bytes().tag(sync=True)
    rest = traitlets.Bytes().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
