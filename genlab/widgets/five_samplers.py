"""Five models on their way to a sample: one slider from the first noise to the finished points."""

from collections.abc import Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt

from ..course.films import film
from ..course.first_map import EXTENT, RECIPES
from ..course.first_picture import COLOURS
from .explorer import Explorer, explore


def five_samplers(models: Mapping[str, Any], *, n_points: int = 800, seed: int = 0) -> Explorer:
    """Show how far each sampler has come after a share of its own passes.

    Args:
        models: trained models by the names of `first_map.RECIPES`.
        n_points: points in each panel.
        seed: of the noise that every sampler starts from.

    Returns:
        The widget; every frame was computed when it was made.
    """
    films = {name: film(model, n_points, seed=seed) for name, model in models.items()}
    figure, axes = plt.subplots(1, len(films), figsize=(9.4, 2.3), layout="constrained")
    clouds, titles = {}, {}
    for ax, name in zip(axes, films, strict=True):
        (clouds[name],) = ax.plot([], [], ".", markersize=2.2, color=COLOURS[name], alpha=0.6)
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
        ax.set_title(RECIPES[name].title.split(" (")[0], fontsize=9, color=COLOURS[name])
        ax.spines[["left", "bottom"]].set_visible(False)
        titles[name] = ax.set_xlabel(" ", fontsize=8.5, color="#555555")

    def update(share: float) -> None:
        for name, frames in films.items():
            done = int(share * (len(frames) - 1) + 1e-9)
            clouds[name].set_data(frames[done][:, 0], frames[done][:, 1])
            word = "pass" if len(frames) == 2 else "passes"
            titles[name].set_text(f"{done} of {len(frames) - 1} {word}")

    slider = ipywidgets.FloatSlider(
        value=0.0, min=0.0, max=1.0, step=0.02, description="share done", readout_format=".0%"
    )
    return explore(figure, update, share=slider)
