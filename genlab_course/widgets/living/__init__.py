"""Living figures: pictures that a browser computes and draws, with a kernel and without one.

Each is one module, NAME.js, over the stage that all share (stage.js); `page` writes one into a page
that needs no server. Their mathematics is held to genlab by tests/browser/living.
"""

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

FOLDER = Path(__file__).parent
WIDTH = 760  # of a figure at most, in CSS pixels
STAGE = 'from "./stage.js";'
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.js") if path.stem != "stage"))
MODEL = """\
const state = STATE, heard = {}, model = {
  get: (key) => state[key],
  set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
  on: (event, f) => (heard[event] ??= []).push(f),
  save_changes() {},
};
const el = document.getElementById("ID");
el.replaceChildren();
el.model = model;
render({ model, el });
"""


def source(name: str) -> str:
    """One module that stands alone: the stage, then the figure."""
    if name not in NAMES:
        raise ValueError(f"no living figure {name!r}; there are: {', '.join(NAMES)}")
    stage = (FOLDER / "stage.js").read_text(encoding="utf-8").replace("\nexport ", "\n")
    text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.endswith(STAGE)]
    return "\n".join([stage, *lines, ""])


def page(name: str, ident: str, **state: Any) -> str:
    """HTML that shows a figure where no kernel is; without scripts, its still picture."""
    start = MODEL.replace("STATE", json.dumps(state)).replace("ID", ident)
    picture = base64.b64encode(still(name)).decode()
    image = f'<img alt="{name}: still picture" src="data:image/png;base64,{picture}">'
    script = f'<script type="module">\n{source(name)}{start}</script>'
    return f'<div id="{ident}">{image}</div>\n{script}\n'


def still(name: str) -> bytes:
    """The figure as a PNG picture, for where it does not run."""
    return (FOLDER / "stills" / f"{name}.png").read_bytes()


class Living(anywidget.AnyWidget):
    """A living figure in JupyterLab, Colab or Voila; `settings` holds what its controls say."""

    settings = traitlets.Dict().tag(sync=True)
    autoplay = traitlets.Bool(False).tag(sync=True)

    def __init__(self, name: str, *, autoplay: bool = False, **settings: Any) -> None:
        self.name, self._esm = name, source(name)
        super().__init__(settings=settings, autoplay=autoplay)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Add the still picture, for a notebook that is read and not run."""
        data, more = super()._repr_mimebundle_(**kwargs)
        words = f"Still picture of {self.name}. Run this cell, or open the site, to move it."
        data |= {"text/plain": words, "image/png": base64.b64encode(still(self.name)).decode()}
        more = {**more, "image/png": {"width": WIDTH}}  # drawn at twice its size
        return data, {**more, "living": {"name": self.name, "settings": self.settings}}


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(Living, name)
