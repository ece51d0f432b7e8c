"""Type the beginning of a caption; see it completed word by word, and drawn."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Generator

from ..autoregressive.decoding import apply_temperature
from ..core import last
from ..course.figures import BLACK, BLUE, ORANGE
from ..systems.caption_lm import FILL, IMAGE, IMAGE_TOKEN, LENGTH, VOCABULARY, words_of
from ..systems.language_and_image import LanguageAndImage
from .explorer import Explorer, explore

STEPS = 7  # of the painter: two passes each when guided
GREY = "#BBBBBB"  # bars of words that the prompt gave


def write_and_draw(model: LanguageAndImage) -> Explorer:
    """Complete a prompt and draw it: the model's probability of each word, and the picture.

    Args:
        model: writes and draws.

    Returns:
        The widget; controls `prompt`, `temperature`, `guidance` and `seed`.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.8, 3.2), layout="constrained", width_ratios=(2.4, 1)
    )
    bars = left.bar(range(LENGTH), [0.0] * LENGTH, width=0.7)
    shares = [left.text(k, 0.0, "", ha="center", va="bottom", fontsize=8) for k in range(LENGTH)]
    left.set_xticks(range(LENGTH), [IMAGE_TOKEN] * LENGTH, fontfamily="monospace", rotation=20)
    left.set(ylabel="probability at its turn", ylim=(0, 1.12), title="what is written")
    for colour, label in ((GREY, "given"), (BLUE, "drawn"), (ORANGE, "image token")):
        left.bar([0], [0], color=colour, label=label)
    left.legend(loc="upper left", fontsize=8, ncols=3)
    picture = right.imshow(np.zeros((16, 16, 3)))
    right.set(xticks=[], yticks=[], title="what is drawn")
    absent = right.text(7.5, 7.5, "", color="white", ha="center", va="center")

    def show_words(tokens: torch.Tensor, n_given: int) -> None:
        row = tokens[0].tolist()
        p = model.lm.states_and_log_probs(tokens)[1][0].exp().tolist()
        names = [VOCABULARY[k] for k in row] + [""] * (LENGTH - len(row))
        for k, (bar, share) in enumerate(zip(bars, shares, strict=True)):
            height = p[k] if k < len(row) else 0.0
            given, image = k < n_given, k < len(row) and row[k] == IMAGE
            bar.set_height(height)
            bar.set_color(ORANGE if image else GREY if given else BLUE)
            share.set_y(height)
            share.set_text(f"{height:.2g}" if k < len(row) else "")
            share.set_color(BLACK)
        left.set_xticklabels(names)

    @torch.no_grad()
    def update(prompt: str, temperature: float, guidance: float, seed: int) -> str:
        generator = Generator().manual_seed(seed)
        words = prompt.lower().split()[: LENGTH - 1]
        try:
            steps = model.lm.write(
                [" ".join(words)],
                reshape=lambda logits: apply_temperature(logits, temperature),
                generator=generator,
            )
            written = last(steps)
        except ValueError as error:
            return f"{error}".split("; known")[0] + "; nothing is written"
        show_words(written.tokens, len(words))
        text = words_of(written.tokens.masked_fill(written.tokens == IMAGE, FILL))[0]
        if not bool(written.stopped):
            picture.set_data(np.zeros((16, 16, 3)))
            absent.set_text("no image token:\nnobody draws")
            return f"written: “{text}”; seven words and no image token"
        absent.set_text("")
        image = model.paint(
            written.states, guidance_scale=guidance, n_steps=STEPS, generator=generator
        )
        picture.set_data(((image[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).double().numpy())
        return f"written: “{text}”; drawn from {len(text.split()) + 1} states"

    return explore(
        figure,
        update,
        prompt=ipywidgets.Text(value="a thin red", description="prompt", continuous_update=False),
        guidance=ipywidgets.FloatSlider(
            value=3.0, min=0, max=6, step=0.5, description="guidance w"
        ),
        seed=ipywidgets.IntSlider(value=1, min=0, max=30, description="seed"),
        temperature=ipywidgets.FloatLogSlider(
            value=1.0, base=10, min=-1, max=1, step=0.1, description="temperature"
        ),
    )
