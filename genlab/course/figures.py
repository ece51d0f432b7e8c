"""One look for every figure of the course: colour-blind safe, opaque, legible at half size."""

import os
import zlib
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes

from ..core.memory import keep_freed_memory

BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#222222",
)  # fmt: skip
OKABE_ITO = (BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK)

STYLE: dict[str, Any] = {
    "figure.figsize": (8.0, 3.2),
    "figure.dpi": 90,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "white",
    "axes.prop_cycle": cycler(color=OKABE_ITO)
    + cycler(linestyle=["-", "--", "-.", ":", "-", "--", "-."]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titley": 1.0,  # where it would be anyway; to look for it costs a tenth of a drawing
    "axes.labelsize": 10,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "image.cmap": "viridis",
}


def begin(lesson: int | str, *, threads: int | None = None) -> None:
    """Start a lesson: the figures' style, seeds for global noise, one thread, memory that stays.

    Args:
        lesson: its number, or the name of a system's lab; each has seeds of its own.
        threads: for torch; the environment variable GENLAB_THREADS, else 1, when None. The
            networks of a lesson are so small that several threads mostly wait for each other,
            ten times longer than they work when the machine is shared.

    Raises:
        ValueError: the number is not a lesson, or no thread is left.
    """
    seed = zlib.crc32(lesson.encode()) if isinstance(lesson, str) else lesson
    if isinstance(lesson, int) and not 1 <= lesson <= 15:
        raise ValueError(f"lessons are numbered 1 to 15, got {lesson}")
    if threads is None:
        threads = int(os.environ.get("GENLAB_THREADS", "1"))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    torch.set_num_threads(threads)
    keep_freed_memory()
    for name, value in STYLE.items():
        mpl.rcParams[name] = value  # type: ignore[index]
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    np.random.seed(seed)  # noqa: NPY002 - libraries that ask for no generator use this one


def show_images(ax: Axes, images: torch.Tensor, *, n_columns: int = 10, title: str = "") -> None:
    """Draw a batch of one-channel images as one grid, light ink on dark ground.

    Args:
        ax: where to draw.
        images: `(n, 1, h, w)` or `(n, h, w)`, any range.
        n_columns: images in a row.
        title: shown above the grid.
    """
    x = images.detach().cpu().float().reshape(len(images), *images.shape[-2:])
    n_rows = -(-len(x) // n_columns)
    h, w = x.shape[1:]
    canvas = torch.full((n_rows * (h + 1) - 1, n_columns * (w + 1) - 1), float(x.min()))
    for i, image in enumerate(x):
        r, c = divmod(i, n_columns)
        canvas[r * (h + 1) : r * (h + 1) + h, c * (w + 1) : c * (w + 1) + w] = image
    ax.imshow(canvas.numpy(), cmap="gray", interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)
