"""Point at a pixel and see, measured by differentiation, which pixels its prediction can read."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray
from torch import nn

from ..autoregressive.causality import seen_pixels
from ..autoregressive.pixelcnn import RasterStack, TwoStacks
from .explorer import Explorer, explore

SIZE = 8
COLOURS = ListedColormap(["#F2F2F2", "#E69F00", "#56B4E9", "#222222", "#D55E00"])
LATER, BLIND, SEEN, ITSELF, LEAK = range(5)


def _plain(n_layer: int) -> nn.Module:
    """Convolutions without mask: the bug to compare with."""
    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1)]
    for _ in range(n_layer - 1):
        layers += [nn.SiLU(), nn.Conv2d(4, 4, 3, padding=1)]
    return nn.Sequential(*layers)


NETWORKS = {
    "two stacks": lambda n: TwoStacks(1, 4, n_layer=n),
    "one raster stack": lambda n: RasterStack(1, 4, n_layer=n),
    "no mask (bug)": _plain,
}


def field_map(network: nn.Module, row: int, column: int) -> NDArray[np.int64]:
    """Class of every pixel for one prediction: later, blind, seen, itself, or leaking.

    Args:
        network: maps an image to features.
        row: of the predicted pixel.
        column: of the predicted pixel.

    Returns:
        `(8, 8)` integers, see the constants of this module.
    """
    seen = seen_pixels(network, row, column, SIZE)
    past = (torch.arange(SIZE * SIZE) < row * SIZE + column).reshape(SIZE, SIZE)
    kinds = torch.where(past, torch.where(seen, SEEN, BLIND), torch.where(seen, LEAK, LATER))
    if not seen[row, column]:
        kinds[row, column] = ITSELF
    return kinds.numpy()


def receptive_field() -> Explorer:
    """Choose a network, its depth and a pixel; colours say what the prediction there can read."""
    depths = range(1, SIZE + 1)
    built = {(name, n): make(n) for name, make in NETWORKS.items() for n in depths}
    figure, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    image = ax.imshow(np.zeros((SIZE, SIZE)), cmap=COLOURS, vmin=0, vmax=4)
    ax.set(xlabel="column", ylabel="row")
    ax.set_xticks(np.arange(-0.5, SIZE), minor=True)
    ax.set_yticks(np.arange(-0.5, SIZE), minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=ax, ticks=[0.4, 1.2, 2.0, 2.8, 3.6])
    bar.ax.set_yticklabels(["later", "blind", "read", "itself", "leak"])

    def update(network: str, layers: int, row: int, column: int) -> str:
        kinds = field_map(built[network, layers], row, column)
        image.set_data(kinds)
        counts = [int((kinds == k).sum()) for k in (SEEN, BLIND, LEAK)]
        return (
            f"Pixel ({row}, {column}) comes after {row * SIZE + column} others: {counts[0]} are "
            f"read, {counts[1]} are out of reach. Forbidden pixels read: {counts[2]}."
        )

    def slider(name: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
        return ipywidgets.IntSlider(value=value, min=low, max=high, description=name)

    names = list(NETWORKS)
    return explore(
        figure,
        update,
        network=ipywidgets.Dropdown(options=names, value=names[0], description="network"),
        layers=slider("layers", 4, 1, SIZE),
        row=slider("row", 5, 0, SIZE - 1),
        column=slider("column", 3, 0, SIZE - 1),
    )
