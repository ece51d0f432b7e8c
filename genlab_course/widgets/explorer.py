"""Controls above a picture above a caption: what every figure that moves is made of.

`explore` ties controls to a figure that is drawn anew as a picture at each move; `slider`, `menu`
and their like make the controls; `later` puts off what takes long to make.
"""

import base64
import io
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.text import Text
from PIL import Image, ImageDraw, ImageFont


class Stored(ipywidgets.VBox):
    """A column of widgets that leaves `_still()` in a notebook that is read and not run."""

    _width = 0  # of the picture in `_still`, where it is not its own
    _ipython_display_ = None  # ipywidgets 7 would show, and a notebook keep, its repr

    def _still(self) -> dict[str, str]:
        """What stands in its place, by MIME type."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        still = {"application/vnd.jupyter.widget-view+json": self.get_view_spec()} | self._still()
        about: dict[str, Any] = {"alt": still["text/plain"]}
        return still, {"image/png": about | ({"width": self._width} if self._width else {})}


class Later(ipywidgets.VBox):
    """A button, then what it made (it takes long to make), or the sentence that says why not."""

    def __init__(self, label: str, make: Callable[[], ipywidgets.Widget]) -> None:
        self._make = make
        layout = ipywidgets.Layout(width="auto", align_self="flex-start")
        self.button = ipywidgets.Button(description=label, layout=layout)
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


later = Later


def panels(width: float, height: float, rows: int = 1, columns: int = 2, **more: Any) -> Any:
    """A figure of some inches and its axes, laid out by matplotlib."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **more)


def slider(name: str, value: float, low: float, high: float, step: float, **more: Any) -> Any:
    """A slider of whole numbers where `value` is an int, else of real numbers."""
    kind = ipywidgets.IntSlider if isinstance(value, int) else ipywidgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, description=name, **more)


def powers(name: str, value: float, low: float, high: float, step: float) -> Any:
    """A slider of powers of ten, from exponent `low` to `high`."""
    bounds = {"base": 10, "min": low, "max": high, "step": step}
    return ipywidgets.FloatLogSlider(value=value, description=name, **bounds)


def stops(name: str, options: Sequence[Any], value: Any) -> Any:
    """A slider that stops at some values only."""
    return ipywidgets.SelectionSlider(options=options, value=value, description=name)


def menu(name: str, options: Iterable[Any], value: Any = None) -> Any:
    """A drop-down of options, or of pairs of a label and an option; the first is chosen."""
    options = list(options)
    more = {} if value is None else {"value": value}
    return ipywidgets.Dropdown(options=options, description=name, **more)


def entry(name: str, value: str) -> Any:
    """A line of text that is read when Enter is pressed."""
    return ipywidgets.Text(value=value, description=name, continuous_update=False)


def played(control: Any, seconds: float = 5.0) -> ipywidgets.HBox:
    """A slider beside a button that walks it to its end, by its stops: `Play` has whole numbers."""
    n = round((control.max - control.min) / control.step)
    places = [round(control.min + k * control.step, 10) for k in range(n + 1)]
    if hasattr(control, "base"):
        places = [control.base**v for v in places]
    pause = max(60, round(1000 * seconds / n))
    button = ipywidgets.Play(max=n, interval=pause, show_repeat=False, tooltip="play or stop")

    def nearest() -> int:
        return min(range(n + 1), key=lambda k: abs(places[k] - control.value))

    def move(change: Any) -> None:
        if change["new"] != nearest():  # a hand may stop between two of them
            control.value = places[change["new"]]

    button.value = nearest()
    button.observe(move, names="value")
    control.observe(lambda _: button.set_trait("value", nearest()), names="value")
    control.layout.flex, button.layout.width = "1 1 300px", "auto"
    beside = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
    return ipywidgets.HBox([control, button], layout=beside)


DPI = 80  # on a reader's screen
PROJECTOR = 1800, 750  # pixels that a picture may have there: 1920 x 1080 less words and controls
LEGIBLE = 22  # pixels of letters there: a fiftieth of the height, to be read from the last row
_room: tuple[float, float] | None = None
# The arrow of a drop-down is black on JupyterLab's dark theme, where nobody sees it.
STYLE = """<style>body[data-jp-theme-light="false"] { --jp-widgets-dropdown-arrow: url("data:image/\
svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath fill='%23ccc' \
d='M5.2 5.9 9 9.7l3.8-3.8 1.2 1.2-5 5-5-5z'/%3E%3C/svg%3E"); }</style>"""


def project(width: float = PROJECTOR[0], height: float = PROJECTOR[1]) -> None:
    """Draw every widget made from now on as large as fits into some pixels, for a projector.

    A reader's size is 80 dpi.
    """
    global _room
    if not (width > 0 and height > 0):
        raise ValueError(f"width and height must be positive, got {width} and {height}")
    _room = width, height


def projected() -> bool:
    """Whether widgets are drawn for a projector now."""
    return _room is not None


def resolution(figure: Figure) -> float:
    """Dots per inch at which a figure is shown now: a reader's, or what fits on a projector."""
    if _room is None:
        return DPI
    return min(_room[0] / figure.get_figwidth(), _room[1] / figure.get_figheight())


def enlarge(figure: Figure) -> None:
    """Raise letters that are too small for a projector to what is read from the last row."""
    least = 72 * LEGIBLE / resolution(figure)  # in points
    for words in figure.findobj(Text):
        if float(words.get_fontsize()) < least:
            words.set_fontsize(least)


def png(figure: Figure, dpi: float | None = None) -> bytes:
    """Render a figure as PNG, at the resolution of `project` or another that becomes its own."""
    buffer = io.BytesIO()
    dpi = dpi or resolution(figure)
    if figure.dpi != dpi:
        figure.dpi = dpi
    # Not savefig: it draws twice where there was a layout engine, and forgets the sizes of words.
    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
    canvas.print_png(buffer, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def packed(picture: Image.Image) -> bytes:
    """A PNG of 128 colours, a quarter of the size."""
    buffer = io.BytesIO()
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


def caption(words: str, width: int) -> tuple[str, int]:
    """The words that `still` writes under a picture, in lines, and the pixels that they need."""
    lines = textwrap.wrap(words, width // 16)
    return "\n".join(lines), 16 + 36 * len(lines)


def still(picture: bytes, words: str) -> bytes:
    """Write words under a PNG picture of twice the size, for where its widget does not run."""
    shown = Image.open(io.BytesIO(picture)).convert("RGB")
    lines, room = caption(words, shown.width)
    sheet = Image.new("RGB", (shown.width, shown.height + room), "white")
    sheet.paste(shown)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 26)
    ImageDraw.Draw(sheet).text((16, shown.height + 8), lines, fill="#555", font=font)
    return packed(sheet)


class Explorer(Stored):
    """Controls above a figure above a caption: every change calls `update` and shows it again.

    `update` gets the value of every control by name, moves the figure's artists, and may return a
    caption (HTML, maths between dollar signs); its errors are not swallowed. The figure is closed,
    so that it does not show twice; `set(name=value)` drives the widget without a browser. A button
    beside the slider that `play` names, which is of time, moves it.
    """

    def __init__(self, figure: Figure, update: Callable[..., str | None], *, play: str = "",
                 **controls: ipywidgets.Widget) -> None:  # fmt: skip
        if not controls:
            raise ValueError("explore needs at least one control, such as x=FloatSlider(...)")
        if play and play not in controls:
            raise ValueError(f"no control {play!r} to play; there are: {', '.join(controls)}")
        self._figure, self._update, self.controls = figure, update, controls
        self._dpi = resolution(figure)
        width = f"{round(figure.get_figwidth() * self._dpi)}px"
        self._image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(width=width))
        self._text = ipywidgets.HTMLMath()
        self._redraw()
        figure.set_layout_engine("none")  # keep the first layout: half of the drawing time
        labels = f"{0.62 * max(len(c.description) for c in controls.values()) + 1:.1f}em"
        for control in controls.values():
            control.style.description_width = labels  # no name is cut off, all begin in one line
            control.layout.max_width = control.layout.width or "480px"
            control.layout.width = "auto"  # in a narrow window the value beside it stays in sight
            control.observe(lambda _: self._redraw(), names="value")
        plt.close(figure)  # or the notebook would show it a second time
        style = ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))
        rows = [c if name != play else played(c) for name, c in controls.items()]
        super().__init__([*rows, self._image, self._text, style])

    def _redraw(self) -> None:
        said = self._update(**{name: c.value for name, c in self.controls.items()})
        if said is not None:
            self._text.value = said
        if self._dpi != DPI:
            enlarge(self._figure)
        self._image.value = png(self._figure, self._dpi)

    def set(self, **values: Any) -> None:
        """Move controls by name, as a hand would."""
        for name, value in values.items():
            if name not in self.controls:
                raise ValueError(f"no control {name!r}; there are: {', '.join(self.controls)}")
            self.controls[name].value = value

    def _still(self) -> dict[str, str]:
        """The picture on show, and what moves it."""
        names = ", ".join(c.description for c in self.controls.values())
        words = f"Still picture. Run this cell to move: {names}."
        picture = base64.b64encode(still(png(self._figure, 2 * DPI), words)).decode()
        self._width = round(self._figure.get_figwidth() * DPI)
        return {"text/plain": words, "image/png": picture}

    @property
    def picture(self) -> bytes:
        """The picture on show, as PNG bytes."""
        return bytes(self._image.value)

    @property
    def text(self) -> str:
        """The caption on show."""
        return str(self._text.value)


explore = Explorer
