"""Pictures of the latent diffusion lab. Pictures of scenes are `(n, 3, h, w)` in [0, 1]."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from genlab_course.figures import BLUE, DARK, GREEN, LIGHT, RED

LAYERS = ("8 x 8, down", "4 x 4, down", "4 x 4, middle", "4 x 4, up", "8 x 8, up")


def tiled(x: Tensor, n_columns: int = 4, gap: int = 2) -> Tensor:
    """Pictures side by side, as one image `(h, w, 3)` with white gutters."""
    framed = F.pad(x.clamp(0, 1), (gap, gap, gap, gap), value=1.0)
    rows = [torch.cat(list(part), 2) for part in framed.split(n_columns)]
    return torch.cat(rows, 1).permute(1, 2, 0)


def channels(z: Tensor) -> np.ndarray:
    """The four channels of a scaled code as colours: orange below 0, violet above."""
    z = F.pad(z / 5 + 0.5, (0, 1, 0, 1), value=0.5)
    rows = torch.cat([torch.cat([*z[:2]], 1), torch.cat([*z[2:]], 1)])
    return np.asarray(plt.get_cmap("PuOr")(rows[:-1, :-1].clamp(0, 1).numpy()))


def captioned(
    x: Tensor | Sequence[Tensor], titles: Sequence[str], n_columns: int, size: float = 1.6
) -> Figure:
    """Pictures, each under its own caption."""
    n_rows = -(-len(x) // n_columns)
    shape = (n_columns * size, n_rows * (size + 0.45))
    figure, axes = plt.subplots(n_rows, n_columns, figsize=shape, squeeze=False)
    for ax, image, title in zip(axes.flat, x, titles, strict=True):
        ax.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
        ax.set_title(two_lines(title), fontsize=8)
    for ax in axes.flat:
        ax.set_axis_off()
    return figure


def two_lines(caption: str) -> str:
    """A caption broken after its relation."""
    caption = caption.replace(" of a ", " of\na ")
    for word in (" above ", " below "):
        caption = caption.replace(word, word.rstrip() + "\n")
    return caption


def wall(
    x: Tensor, fits: Tensor, torn: Tensor, notes: Sequence[str] = (), n_columns: int = 10
) -> Figure:
    """Pictures in rows, notes below: red frames for those that do not fit, else blue for torn."""
    frames = {RED: ~fits.bool(), BLUE: fits.bool() & torn.bool()}
    edge = F.pad(torch.zeros(x.shape[-2:]), (2, 2, 2, 2), value=1.0).bool()
    framed = F.pad(x.clamp(0, 1), (2, 2, 2, 2), value=1.0)
    for colour, which in frames.items():
        ink = torch.tensor(to_rgb(colour))[:, None, None]
        framed = torch.where(edge & which[:, None, None, None], ink, framed)
    n_rows = -(-len(x) // n_columns)
    height = 0.95 * n_rows + 0.35 + 0.2 * len(notes)
    figure, ax = plt.subplots(figsize=(0.95 * n_columns, height))
    ax.imshow(tiled(framed, n_columns, gap=1).numpy())
    wrong, broken = (int(which.sum()) for which in frames.values())
    ax.set_title(f"{len(x)} drawings: {wrong} with a wrong word (red), {broken} broken only (blue)")
    figure.supxlabel("\n".join(notes), x=0.02, ha="left", fontsize=10)
    ax.set_axis_off()
    return figure


def codec(originals: Tensor, decoded: Tensor, code: Tensor, from_prior: Tensor) -> Figure:
    """Scenes above their reconstructions, one code, and decoded draws of the prior."""
    figure, axes = plt.subplots(1, 3, figsize=(10.6, 2.6), width_ratios=[5, 2.2, 3])
    axes[0].imshow(tiled(torch.cat([originals, decoded]), len(originals)).numpy())
    axes[0].set_title("scenes, and decoded from their codes", fontsize=10)
    axes[1].imshow(channels(code))
    axes[1].set_title("code of the first", fontsize=10)
    axes[2].imshow(tiled(from_prior, 3).numpy())
    axes[2].set_title("decoded from the prior: scraps", fontsize=10)
    for ax in axes:
        ax.set_axis_off()
    return figure


def heat(ax: Axes, values: Tensor, rows: Sequence[str], columns: Sequence[str]) -> None:
    """A table of percentages, each cell as dark as its number."""
    percent = (100 * values).round().int().numpy()
    ax.imshow(percent, cmap="Blues", vmin=0, vmax=130, aspect="auto")
    for (i, j), number in np.ndenumerate(percent):
        colour = LIGHT if number > 75 else DARK
        ax.text(j, i, str(number), ha="center", va="center", color=colour, fontsize=11)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def layer_table(table: Tensor, swaps: Sequence[Sequence[int]]) -> Figure:
    """What each group of layers decides: new digits, new colours, relation mirrored."""
    names = [LAYERS[s[0] - 1] if len(s) == 1 else " + ".join(map(str, s)) for s in swaps]
    rows = [f"{s[0]}: {n}" if len(s) == 1 else n for s, n in zip(swaps, names, strict=True)]
    figure, ax = plt.subplots(figsize=(7.4, 3.7))
    heat(ax, table, rows, ["new digit\n(% of objects)", "new colour\n(% of objects)",
                           "objects change places\n(% of pictures)"])  # fmt: skip
    ax.set_ylabel("layers that read the other caption")
    ax.set_title("Layer 4 reads what, layers 2 and 3 read where")
    return figure


def word_matrix(matrix: Tensor, names: Sequence[str]) -> Figure:
    """Which attribute of a picture changes when one word is exchanged inside the network."""
    figure, ax = plt.subplots(figsize=(7.4, 3.6))
    heat(ax, matrix, ["no word", *names], names)
    ax.set(ylabel="word exchanged", xlabel="attribute that changed (% of pictures)")
    ax.set_title("One word, one attribute")
    return figure


def attention_maps(x: Tensor, words: Sequence[str], maps: Tensor, rows: Sequence[str]) -> Figure:
    """Drawings, one a row, and for each word the weight with which each position reads it."""
    shape = (11.4, 1.35 * len(x) + 0.4)
    figure, axes = plt.subplots(len(x), 1 + len(words), figsize=shape, squeeze=False)
    for line, image, weights, name in zip(axes, x, maps, rows, strict=True):
        line[0].imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
        line[0].set_ylabel(name, fontsize=9)
        for ax, weight in zip(line[1:], weights, strict=True):
            ax.imshow(weight.numpy(), cmap="Blues", vmin=0, vmax=float(maps.max()))
    for ax, title in zip(axes[0], ["a drawing", *words], strict=True):
        ax.set_title(title, fontsize=9)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
    return figure


def machine(picture: Tensor, z0: Tensor, noise: Tensor, caption: str) -> Figure:
    """The parts of the system, and what flows between them in training and in drawing."""
    figure, ax = plt.subplots(figsize=(10.6, 3.5))
    shown = picture.clamp(0, 1).permute(1, 2, 0).numpy()

    def image(x: float, y: float, array: np.ndarray, words: str, r: float = 0.62) -> None:
        ax.imshow(array, extent=(x - r, x + r, y - r, y + r))
        ax.text(x, y - r - 0.08, words, ha="center", va="top", fontsize=8)

    def box(x: float, y: float, words: str, colour: str = BLUE, height: float = 0.7) -> None:
        corner = (x - 0.6, y - height / 2)
        ax.add_patch(FancyBboxPatch(corner, 1.2, height, "round,pad=0.1", fc=colour, ec="none"))
        ax.text(x, y, words, color="white", ha="center", va="center", fontsize=9, weight="bold")

    image(1.7, 4.0, shown, "picture")
    box(3.7, 4.0, "encoder")
    image(6.0, 4.0, channels(z0), "scaled code $z_0$")
    image(8.4, 4.0, channels(0.5 * z0 + 0.5 * noise), "$z_t$")
    image(12.7, 4.0, channels(noise - z0), r"velocity $\epsilon-z_0$")
    image(8.4, 2.0, channels(noise), "$z_t$, first noise")
    image(12.7, 2.0, channels(z0), "scaled code $z_0$")
    box(15.2, 2.0, "decoder")
    image(17.2, 2.0, shown, "picture")
    box(10.3, 3.0, "", RED, 2.6)
    ax.text(10.3, 4.15, "U-Net", color="white", ha="center", va="center", fontsize=9, weight="bold")
    for k, height in enumerate((1.5, 0.75, 0.75, 0.75, 1.5)):
        x = 9.8 + 0.25 * k
        ax.add_patch(Rectangle((x - 0.1, 3.0 - height / 2), 0.2, height, fc="white", ec="none"))
        ax.text(x, 3.0, str(k + 1), color=RED, ha="center", va="center", fontsize=9, weight="bold")
    box(8.4, 0.3, "text\nencoder", GREEN)
    for x, width, y, words in (
        (2.4, 0.5, 4.0, ""), (4.45, 0.85, 4.0, "scale"), (6.7, 1.0, 4.0, "add noise"),
        (9.1, 0.45, 4.0, ""), (11.05, 0.95, 4.0, "answer"), (9.1, 0.45, 2.0, ""),
        (11.05, 0.95, 2.0, "last step"), (13.4, 1.0, 2.0, "unscale"), (15.95, 0.55, 2.0, ""),
        (7.1, 0.5, 0.3, ""),
    ):  # fmt: skip
        ax.annotate("", (x + width, y), (x, y), arrowprops={"arrowstyle": "-|>"})
        ax.text(x + width / 2, y + 0.1, words, ha="center", va="bottom", fontsize=8)
    loop = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=-0.45", "color": RED}
    ax.annotate("", (8.5, 1.05), (11.3, 1.55), arrowprops=loop)
    ax.text(11.0, 0.78, "six times: a step along the velocity", fontsize=8, color=RED, va="top")
    ax.annotate("", (10.3, 1.55), (10.3, 0.3), arrowprops={"arrowstyle": "-|>"})
    ax.plot([9.15, 10.3], [0.3, 0.3], color="black", lw=1)
    ax.text(7.0, 0.3, f"“{caption}”", ha="right", va="center", fontsize=9)
    ax.text(10.45, 0.3, "8 word states, read by layers 1 to 5", va="center", fontsize=9)
    ax.text(0.0, 4.0, "train", weight="bold", va="center")
    ax.text(0.0, 2.0, "draw", weight="bold", va="center")
    ax.text(7.5, 2.0, "begin with noise", ha="right", va="center", fontsize=9)
    ax.set(xlim=(-0.1, 17.9), ylim=(-0.25, 4.75), aspect="equal")
    ax.set_axis_off()
    return figure
