"""Autoregressive models of digits and of characters, with exact likelihoods (lesson 02)."""

from typing import Any

from genlab.autoregressive.images import ImageTransformer, PixelCNN, TwoStacks
from genlab.autoregressive.lm import TransformerLM
from genlab.data.digits import EVENT_SHAPE, N_LEVELS, load_digits
from genlab.data.text import load_text
from genlab.nn.transformer import TransformerConfig
from genlab.zoo.cards import Figures, held_out_bits, measure_pixels
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.sources import DIGITS
from genlab.zoo.texts import ALPHABET, TEXT, windows


def pixelcnn(width: int, n_layer: int) -> PixelCNN:
    """Two stacks of masked convolutions, a softmax over 17 levels (arXiv:1606.05328, 2.2)."""
    return PixelCNN(TwoStacks(1, width, n_layer=n_layer), width)


def image_transformer(d_model: int, n_layer: int, n_head: int, d_hidden: int) -> ImageTransformer:
    """Pixels are tokens, in raster order (Chen et al. 2020, section 3)."""
    config = TransformerConfig(d_model, n_layer, n_head, n_kv_head=n_head, d_hidden=d_hidden)
    return ImageTransformer(N_LEVELS, EVENT_SHAPE, config)


def text_transformer(
    length: int, d_model: int, n_layer: int, n_head: int, d_hidden: int
) -> TransformerLM:
    """A language model of characters, which are bytes here."""
    config = TransformerConfig(d_model, n_layer, n_head, n_kv_head=n_head, d_hidden=d_hidden)
    return TransformerLM(len(ALPHABET), length, config)


def _measure_text(model: Any) -> Figures:
    bits = held_out_bits(model, windows(load_text("test")))
    return {"bits_per_byte": bits["bits_per_dim"], "kind": bits["kind"]}


RECIPES = (
    Recipe(
        "digit_pixelcnn", "PixelCNN of the digits: two stacks of masked convolutions",
        lesson=2, seconds=10, seed=2,
        build=pixelcnn, sizes={"width": 32, "n_layer": 4},
        data=lambda: (load_digits("train").images,), **DIGITS,
        plan=Plan(n_steps=440, batch_size=32, lr=1e-2, warmup=20, weight_decay=0.01),
        measure=measure_pixels,
    ),
    Recipe(
        "digit_transformer", "transformer of the digits: a pixel is a token",
        lesson=2, seconds=10, seed=2,
        build=image_transformer, sizes={"d_model": 32, "n_layer": 2, "n_head": 4, "d_hidden": 64},
        data=lambda: (load_digits("train").images,), **DIGITS,
        plan=Plan(n_steps=440, batch_size=16, lr=1e-2, warmup=20, weight_decay=0.01),
        measure=measure_pixels,
    ),
    Recipe(
        "text_transformer", "transformer of Python's manual: a character is a token",
        lesson=2, seconds=10, seed=2,
        build=text_transformer,
        sizes={"length": 64, "d_model": 64, "n_layer": 1, "n_head": 4, "d_hidden": 128},
        data=lambda: (windows(load_text("train")),), **TEXT,
        plan=Plan(n_steps=600, batch_size=16, lr=3e-3, warmup=20, weight_decay=0.01),
        measure=_measure_text,
    ),
)  # fmt: skip
