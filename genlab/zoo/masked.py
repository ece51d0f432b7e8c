"""Masked diffusion of the digits: pixels appear many at a time (lesson 15)."""

from functools import partial

from torch import Generator, Tensor

from genlab.data.digits import EVENT_SHAPE, N_LEVELS, load_digits
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.masked import MaskedDiffusion, PixelFiller
from genlab.zoo.cards import Draw, Figures, distances, held_out_bits, in_single
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.sources import DIGITS


def digit_masked(width: int, mults: tuple[int, ...], dropout: float) -> MaskedDiffusion:
    """A U-Net that guesses all hidden pixels at once."""
    config = UNetConfig(
        c_in=3, c_out=N_LEVELS, width=width, mults=mults, time_scale=100.0, dropout=dropout
    )
    filler = PixelFiller(UNet(config), EVENT_SHAPE, N_LEVELS)
    return MaskedDiffusion(filler, event_shape=EVENT_SHAPE, n_tokens=N_LEVELS)


def draw_masked(model: MaskedDiffusion, n_passes: int) -> Draw:
    """Grey levels by masked diffusion."""

    def draw(n: int, generator: Generator) -> Tensor:
        with in_single(model) as masked:
            return masked.sample(n, n_steps=n_passes, generator=generator)

    return draw


def _measure_masked(model: MaskedDiffusion) -> Figures:
    bits = held_out_bits(model, load_digits("test").images)
    return bits | distances(partial(draw_masked, model), (1, 4, 16, 64))


RECIPES = (
    Recipe(
        "digit_masked_diffusion", "masked diffusion of the digits: pixels appear many at a time",
        lesson=15, seconds=90, seed=17,
        build=digit_masked, sizes={"width": 24, "mults": (1, 2), "dropout": 0.1},
        data=lambda: (load_digits("train").images,), **DIGITS,
        plan=Plan(n_steps=2500, batch_size=64, lr=4e-3, warmup=100, clip=1.0,
                  weight_decay=0.01, average=0.998),
        measure=_measure_masked,
    ),
)  # fmt: skip
