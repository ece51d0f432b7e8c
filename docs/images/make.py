"""Draw the picture of the README from genlab itself: python docs/images/make.py.

Each family in two lines, with digits that its shipped model draws; readable at a width of 400 px.
"""

from pathlib import Path

import matplotlib as mpl
import torch

mpl.use("agg")
from matplotlib import pyplot as plt

from genlab.map import PARADIGMS
from genlab.zoo import load_model
from genlab_course.figures import COLOURS

MODELS = ("digit_pixelcnn", "digit_flow", "digit_vae", "digit_gan", "digit_diffusion")
N_DIGITS = 4


def main():
    """Write map.png beside this file, with no version or date in it."""
    figure = plt.figure(figsize=(8, 4.4), dpi=120)
    for row, (paradigm, name) in enumerate(zip(PARADIGMS, MODELS, strict=True)):
        colour = COLOURS[paradigm.name]
        y = 1 - (row + 0.5) / len(PARADIGMS)
        draw = {"va": "center", "fontsize": 16}
        style = {"color": colour, "weight": "bold"}
        figure.text(0.02, y + 0.04, paradigm.name, **draw | style)
        said = f"log p(x): {paradigm.likelihoods[0]}"
        figure.text(0.66, y + 0.04, said, ha="right", **draw | {"fontsize": 14})
        line = f"{paradigm.objectives[0]} → {paradigm.draws}"
        figure.text(0.02, y - 0.045, line, color="#444444", **draw | {"fontsize": 12.5})
        images = load_model(name).sample(N_DIGITS, generator=torch.Generator().manual_seed(1))
        for k, image in enumerate(images):
            axes = figure.add_axes((0.68 + 0.08 * k, y - 0.072, 0.075, 0.145))
            axes.imshow(image.reshape(8, 8), cmap="gray_r", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(colour)
    figure.savefig(Path(__file__).parent / "map.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
