"""A flow of the digits, with exact likelihoods (lesson 04)."""

import torch

from genlab.data.digits import N_LEVELS, load_digits
from genlab.flow.dequantization import DequantisedFlow, pixel_flow
from genlab.zoo.cards import measure_pixels
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.sources import DIGITS


def digit_flow(n_layers: int, width: int, n_bins: int) -> DequantisedFlow:
    """Spline couplings, each followed by a linear map, scaled to the training digits."""
    pixels = load_digits("train").images.flatten(1)
    return pixel_flow(pixels, N_LEVELS, n_layers=n_layers, width=width, n_bins=n_bins)


RECIPES = (
    Recipe(
        "digit_flow", "spline flow of the digits, with uniform dequantisation",
        lesson=4, seconds=15, seed=4,
        build=digit_flow, sizes={"n_layers": 4, "width": 64, "n_bins": 5},
        data=lambda: (load_digits("train").images.flatten(1),), **DIGITS,
        plan=Plan(n_steps=400, batch_size=128, lr=5e-3, warmup=50, clip=50.0, weight_decay=0.3),
        measure=measure_pixels, dtype=torch.float32,
    ),
)  # fmt: skip
