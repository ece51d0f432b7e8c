"""Living figures: pictures that a browser computes and draws, with a kernel and without one.

Each is one module, NAME.js, over the stage that all share (stage.js); `page` writes one into a page
that needs no server. Some hold a trained network, over its layers (net.js): the shipped weights
travel beside the page, or in it. Their mathematics is held to genlab by tests/browser/living.
"""

import base64
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

import genlab
from genlab_course.widgets.living.recorded import recorded

FOLDER = Path(__file__).parent
WIDTH = 760  # of a figure at most, in CSS pixels
SHARED = re.compile(r'^import (\{.*\}) from "\./(\w+)\.js";\n', re.MULTILINE)
SHARES = {"stage", "net", "machines", "gif"}  # modules that figures stand on
STAGE = "draw_a_shape"  # five machines in workers: no figure over stage.js, but offered like one
STICKY = {  # a figure that obeys the derivation beside it: the page that it stands in
    "noise_and_back": "12_diffusion_i",
    "reading_the_past": "02_autoregressive",
    "area_and_density": "04_normalizing_flows",
    "bound_and_gap": "05_latent_variables_and_elbo",
    "ratio_of_two": "07_gans_minimax",
}
APART = SHARES | STICKY.keys() | {STAGE}
NAMES = tuple(sorted({path.stem for path in FOLDER.glob("*.js")} - APART))
RECORDED = FOLDER / "stills" / f"{STAGE}.json"  # written by docs/images/stage.py
SHIPPED = Path(genlab.__file__).parent / "zoo/weights"
NETWORKS = {  # figure: the model whose weights it holds
    "digits_live": "mnist16_diffusion",
    "latent_walk": "mnist_plane",
    "next_token": "language_model",
}
MODEL = """\
const state = { data: DATA, ...STATE }, heard = {}, model = {
  get: (key) => state[key],
  set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
  on: (event, f) => (heard[event] ??= []).push(f),
  save_changes() {},
};
const el = document.getElementById("ID");
{
  const begin = () => { el.replaceChildren(); el.model = model; el.end = render({ model, el }); };
  if (state.data === true) begin();
  else if (state.data) requestAnimationFrame(() => setTimeout(begin)); // the still is seen first
}
"""


def source(name: str) -> str:
    """One module that stands alone: what it shares with others, then the figure."""
    if name not in (*NAMES, *STICKY, STAGE):
        there = ", ".join((*NAMES, *STICKY, STAGE))
        raise ValueError(f"no living figure {name!r}; there are: {there}")
    text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    shared = [_scope(module) for _, module in SHARED.findall(text)]
    return "\n".join([*shared, SHARED.sub(r"const \1 = \2_js;\n", text)])


def _state(name: str, settings: dict[str, Any], autoplay: bool = False) -> dict[str, Any]:
    """What a figure begins with; ValueError that names settings which it has not."""
    there = re.findall(r'\{ name: "(\w+)"', source(name))
    if strange := sorted(settings.keys() - set(there)):
        said = ", ".join(map(repr, strange))
        raise ValueError(f"{name} has no setting {said}; there are: {', '.join(there)}")
    return {"settings": settings, "autoplay": autoplay}


def _scope(module: str) -> str:
    """A shared module as one constant that has what it exports, so that no names meet."""
    text = (FOLDER / f"{module}.js").read_text(encoding="utf-8")
    offers = ", ".join(re.findall(r"^export (?:function|const|class)\*? (\w+)", text, re.MULTILINE))
    inside = text.replace("\nexport ", "\n")
    return f"const {module}_js = (() => {{\n{inside}\nreturn {{ {offers} }};\n}})();\n"


def weights(name: str) -> bytes:
    """What a figure holds, as the file that ships: weights, or a recorded run; mostly nothing."""
    if name == STAGE:
        return RECORDED.read_bytes()
    return (SHIPPED / f"{NETWORKS[name]}.safetensors").read_bytes() if name in NETWORKS else b""


def data_script(name: str) -> str:
    """Text of the file NAME.data.js, which holds the weights for a page with `beside`."""
    return f'globalThis.living_{name} = "{base64.b64encode(weights(name)).decode()}";\n'


def page(name: str, ident: str, *, beside: bool = False, **state: Any) -> str:
    """HTML that shows a figure where no kernel is; without scripts, its still picture.

    A network's weights stand in it, or `beside` it in a file NAME.data.js (`data_script`); where
    that file is missing the still picture stays.
    """
    script, data, state = "", "true", _state(name, **{"settings": {}} | state)
    if name in NETWORKS:
        held = f'src="{name}.data.js" defer>' if beside else f">{data_script(name)}"
        script = f"<script {held}</script>\n"
        data = f"globalThis.living_{name}"
    if name == STAGE:
        data = weights(name).decode()
        image = recorded(json.loads(data))
    else:
        picture = base64.b64encode(still(name)).decode()
        image = f'<img alt="{name}: still picture" src="data:image/png;base64,{picture}">'
    start = MODEL.replace("DATA", data).replace("ID", ident).replace("STATE", json.dumps(state))
    script += f'<script type="module">\n{source(name)}{start}</script>'
    return f'<div id="{ident}">{image}</div>\n{script}\n'


def still(name: str) -> bytes:
    """The figure as a PNG picture, for where it does not run."""
    return (FOLDER / "stills" / f"{name}.png").read_bytes()


class Living(anywidget.AnyWidget):
    """A living figure in JupyterLab, Colab or Voila; `settings` holds what its controls say."""

    settings = traitlets.Dict().tag(sync=True)
    autoplay = traitlets.Bool(False).tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)  # a network's weights

    _ipython_display_ = None  # ipywidgets 7 would show, and a notebook keep, its repr

    def __init__(self, name: str, *, autoplay: bool = False, **settings: Any) -> None:
        self.name, self._esm = name, source(name)
        super().__init__(**_state(name, settings, autoplay), data=weights(name))

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Add the still picture, for a notebook that is read and not run."""
        words = f"Still picture of {self.name}. Run this cell, or open the site, to move it."
        data = {
            "application/vnd.jupyter.widget-view+json": self.get_view_spec(),
            "image/png": base64.b64encode(still(self.name)).decode(),
            "text/plain": words,
        }
        about = {"name": self.name, "settings": self.settings}
        size = {"width": WIDTH, "alt": words}  # drawn at twice its size
        return data, {"image/png": size, "living": about}


def __getattr__(name: str) -> Any:
    if name not in (*NAMES, STAGE):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(Living, name)
