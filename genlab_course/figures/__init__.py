"""One look for every figure of the course: colour-blind safe, opaque, legible at half size.

The modules beside this one hold the longer pictures of single notebooks.
"""

import base64
import gc
import io
import os
import warnings
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from genlab.map import FAMILIES, FRONTIER, LESSONS, PARADIGMS, SYSTEMS, Paradigm, lit
from genlab.train.fit import keep_freed_memory
from genlab_course.figures import vector
from genlab_course.start_page import HERO, HERO_ALT

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#222222")
BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK = OKABE_ITO
DARK, LIGHT = "#1A1A1A", "#FEFEFE"  # of letters on a colour or a picture: the same by night

FEW = 4096  # colours of a plot; a photograph has more
STYLE = Path(__file__).parents[1] / "data" / "figures.mplstyle"


def begin(lesson: int | str, *, threads: int | None = None) -> None:
    """Start a lesson or lab: the figures' style, seeds of its own, memory that stays, one thread.

    The networks are so small that several threads mostly wait for each other, ten times longer than
    they work when the machine is shared; the environment variable GENLAB_THREADS asks for more.
    """
    seed = zlib.crc32(lesson.encode()) if isinstance(lesson, str) else lesson
    if isinstance(lesson, int) and not 1 <= lesson <= 15:
        raise ValueError(f"lessons are numbered 1 to 15, got {lesson}")
    if threads is None:
        threads = int(os.environ.get("GENLAB_THREADS", "1"))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", "__array", DeprecationWarning)  # numpy 2 of torch's tensors
    keep_freed_memory()
    plt.style.use(STYLE)
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    np.random.seed(seed)  # noqa: NPY002 - libraries that ask for no generator use this one


def for_text(colour: str) -> tuple[float, ...]:
    """The colour, dark enough for letters on white."""
    return tuple(0.68 * part for part in to_rgb(colour))


def show_images(ax: Axes, images: torch.Tensor, *, n_columns: int = 10, title: str = "") -> None:
    """Draw images as one grid with clear gutters: grey `(n, 1, h, w)`, or colour in [-1, 1]."""
    x = images.detach().cpu().float()
    if x.shape[1:2] == (3,):
        x = (x.clamp(-1, 1) + 1) / 2
    else:
        x = x.reshape(len(x), 1, *x.shape[-2:]).expand(-1, 3, -1, -1)
        x = (x - x.min()) / (x.max() - x.min()).clamp(min=1e-12)
    h, w = x.shape[-2:]
    n_rows = -(-len(x) // n_columns)
    gap = max(1, h // 12)
    canvas = torch.ones(n_rows * (h + gap) - gap, n_columns * (w + gap) - gap, 4)
    canvas[..., 3] = 0  # the ground of the figure is seen there
    for i, image in enumerate(x):
        r, c = (k * (size + gap) for k, size in zip(divmod(i, n_columns), (h, w), strict=True))
        canvas[r : r + h, c : c + w, :3] = image.permute(1, 2, 0)
        canvas[r : r + h, c : c + w, 3] = 1
    ax.imshow(canvas.numpy(), interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)


def show(figure: Figure, alt: str) -> None:
    """Display a figure sharp on any screen (160 dpi, shown at 80) with its alt text; close it.

    Beside the picture the notebook keeps the figure as SVG (genlab_course.figures.vector), for a
    page that gives it its own colours and letters.
    """
    buffer = io.BytesIO()
    width = figure.get_figwidth()
    picture = _frame(figure, round(160 * width))  # without alpha, a tenth smaller
    if picture.getcolors(FEW):  # a plot, and no photograph: half as large, and looks the same
        picture = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(buffer, "PNG")
    drawn = vector.svg(figure, alt)
    also = {vector.MIME: drawn} if len(drawn) < vector.MOST else {}
    _display(buffer.getvalue(), "image/png", round(80 * width), alt, also)


def hero() -> None:
    """Display the animation of five families that turn noise into the same ring."""
    _display(HERO.read_bytes(), "image/webp", 880, HERO_ALT)


def film(frames: Iterable[Any], alt: str, *, seconds: float = 4.0, width: int = 640) -> None:
    """Display a looping GIF of figures, or of images `(h, w)` or `(h, w, 3)` with values in [0, 1].

    The last frame stays three times as long. While the notebook runs, a button stops the film, and
    its last frame stands where less motion is asked for. ValueError for more than 300 kB, which a
    notebook cannot carry many times over.
    """
    from genlab_course.figures.player import Player  # ipywidgets asks for the IPython that runs it

    drawn = []
    for number, frame in enumerate(frames, 1):
        drawn.append(_frame(frame, width))
        if number % 8 == 0:
            gc.collect()  # a closed figure is a cycle that holds its canvas
    times = [round(1000 * seconds / len(drawn))] * (len(drawn) - 1)
    buffer = io.BytesIO()
    sheet = Image.fromarray(np.concatenate([np.asarray(frame) for frame in drawn]))
    kinds = (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE)  # frequent colours, rare ones
    colours = [c for kind in kinds for c in (sheet.quantize(32, kind).getpalette() or [])[:96]]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]
    times.append(round(3000 * seconds / len(drawn)))
    few[0].save(buffer, "GIF", save_all=True, append_images=few[1:], loop=0, duration=times)
    if len(buffer.getvalue()) > 300_000:
        kilobytes = len(buffer.getvalue()) // 1000
        raise ValueError(f"the animation has {kilobytes} kB, more than 300: fewer frames?")
    data, width, rest = buffer.getvalue(), drawn[0].width, io.BytesIO()
    few[-1].save(rest, "PNG")
    player = Player(film=data, rest=rest.getvalue(), width=width, alt=alt)
    view = {"application/vnd.jupyter.widget-view+json": player.get_view_spec()}
    _display(data, "image/gif", width, alt, view)


def _frame(frame: Any, width: int) -> Image.Image:
    """A frame as a picture about `width` pixels wide; pixels of an image stay square and sharp."""
    if isinstance(frame, Figure):
        frame.dpi = width / frame.get_figwidth()
        canvas = FigureCanvasAgg(frame)  # not savefig: it lays a figure out twice
        canvas.draw()
        plt.close(frame)
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    values = np.asarray(frame, dtype=float).clip(0, 1)
    values = values if values.ndim == 3 else values[..., None].repeat(3, axis=2)
    times = max(1, width // values.shape[1])
    large = (values * 255).round().astype(np.uint8).repeat(times, axis=0).repeat(times, axis=1)
    return Image.fromarray(large)


def _display(
    data: bytes, kind: str, width: int, alt: str, also: Mapping[str, Any] = MappingProxyType({})
) -> None:
    if not alt.strip():
        raise ValueError("alt must say in a sentence what the picture shows, got nothing")
    shown = {kind: base64.b64encode(data).decode(), "text/plain": alt, **also}
    display(shown, metadata={kind: {"width": width, "alt": alt}}, raw=True)


COLOURS = dict(zip(FAMILIES, (BLUE, SKY, ORANGE, RED, GREEN), strict=True))
WIDTH, GAP = 2.5, 0.14


def draw_map(lesson: int | str, *, slim: bool = False) -> Figure | None:
    """Draw the map of the course, the lesson's or lab's paradigms in colour; slim: names only."""
    bright = lit(lesson)
    if slim:
        _ribbon(lesson, bright)
        return None
    figure, ax = plt.subplots(figsize=(11.0, 2.75), layout="none")
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.99)
    for column, (paradigm, colour) in enumerate(zip(PARADIGMS, COLOURS.values(), strict=True)):
        _card(ax, column * (WIDTH + GAP), paradigm, colour, paradigm.name in bright)
    right = len(PARADIGMS) * (WIDTH + GAP) - GAP
    ax.text(0, 3.34, _title(lesson), fontsize=13, weight="bold")
    sides = "a likelihood you can compute  ⟵    ⟶  only samples, or a gradient"
    ax.text(right, 3.34, sides, ha="right", fontsize=9, color="#555555")
    ax.set(xlim=(-0.05, right + 0.05), ylim=(-0.05, 3.65))
    ax.set_axis_off()
    return figure


def _ribbon(lesson: int | str, bright: tuple[str, ...]) -> None:
    """Display the names of the paradigms side by side, those in `bright` on their colour."""
    figure, ax = plt.subplots(figsize=(9.0, 0.5), layout="none")
    figure.subplots_adjust(0, 0, 1, 1)
    for column, (name, colour) in enumerate(COLOURS.items()):
        on = "#222222" if colour in ("#56B4E9", "#E69F00") else "white"  # dark on the pale ones
        fill, ink = (colour, on) if name in bright else ("#EEEEEE", "#777777")
        box = FancyBboxPatch((column + 0.06, 0.25), 0.88, 0.5, "round,pad=0.05", fc=fill, ec="none")
        ax.add_patch(box)
        ax.text(column + 0.5, 0.5, name, ha="center", va="center", color=ink, weight="bold")
    ax.set(xlim=(0, len(COLOURS)), ylim=(0, 1))
    ax.set_axis_off()
    show(figure, f"The map of the course; {_title(lesson)} is about: {', '.join(bright)}.")


def _title(lesson: int | str) -> str:
    if lesson in FRONTIER:
        return f"Frontier  {FRONTIER[str(lesson)][0]}"
    if isinstance(lesson, str):
        return f"System {list(SYSTEMS).index(lesson) + 1}  {SYSTEMS[lesson][0]}"
    return f"Lesson {lesson:02d}  {LESSONS[lesson]}"


def _card(ax: Axes, x: float, paradigm: Paradigm, colour: str, bright: bool) -> None:
    ink, head, word = (
        ("#111111", for_text(colour), "#666666") if bright else ("#8A8A8A", "#8A8A8A", "#AAAAAA")
    )
    fill, edge, wide = ("white", colour, 2.6) if bright else ("#F6F6F6", "#D5D5D5", 1.0)
    box = FancyBboxPatch((x + 0.06, 0.06), WIDTH - 0.12, 3.0, "round,pad=0.06", fc=fill, ec=edge)
    box.set_linewidth(wide)
    ax.add_patch(box)
    middle = x + WIDTH / 2
    ax.text(middle, 2.76, paradigm.name, ha="center", weight="bold", fontsize=11, color=head)
    ax.text(middle, 2.27, f"${paradigm.equation}$", ha="center", fontsize=9.5, color=ink)
    rows = [
        ("learn", paradigm.objectives[0]),
        ("sample", paradigm.draws),
        ("NFE", paradigm.evaluations),
        ("log p(x)", paradigm.likelihoods[0]),
        ("pays", paradigm.pays),
    ]
    for row, (label, value) in enumerate(rows):
        y = 1.80 - 0.37 * row
        ax.text(x + 0.08, y, label, fontsize=7.2, color=word)
        ax.text(x + 0.62, y, value, fontsize=8.0, color=ink)
