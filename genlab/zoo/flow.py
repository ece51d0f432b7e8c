"""Flows with exact densities, of the digits and of the two moons (lesson 04)."""

import torch
from torch import Generator, Tensor

from genlab.data.digits import N_LEVELS, load_digits
from genlab.data.toys import Moons
from genlab.flow import Affine, Flow, coupling_flow
from genlab.flow.dequantization import DequantisedFlow, pixel_flow
from genlab.zoo.cards import SEED, Figures, digest, measure_pixels
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.sources import DIGITS


def digit_flow(n_layers: int, width: int, n_bins: int) -> DequantisedFlow:
    """Spline couplings, each followed by a linear map, scaled to the training digits."""
    pixels = load_digits("train").images.flatten(1)
    return pixel_flow(pixels, N_LEVELS, n_layers=n_layers, width=width, n_bins=n_bins)


def moons_flow(n_layers: int, width: int, limit: float) -> Flow:
    """Affine couplings of the plane; small limits make many small steps, which can be watched."""
    return coupling_flow(2, Affine(limit), n_layers=n_layers, width=width)


def drawn_moons() -> Tensor:
    """Points of the two moons."""
    return Moons().sample(50_000, generator=Generator().manual_seed(SEED))


def measure_moons(model: Flow) -> Figures:
    """KL(moons || flow) on fresh points, in nats."""
    moons = Moons()
    x = moons.sample(4000, generator=Generator().manual_seed(SEED + 1))
    gap = moons.log_prob(x) - model.log_prob(x)
    return {"kind": "exact", "kl_nats": gap.mean().item()}


RECIPES = (
    Recipe(
        "digit_flow", "spline flow of the digits, with uniform dequantisation",
        lesson=4, seconds=15, seed=4,
        build=digit_flow, sizes={"n_layers": 4, "width": 64, "n_bins": 5},
        data=lambda: (load_digits("train").images.flatten(1),), **DIGITS,
        plan=Plan(n_steps=400, batch_size=128, lr=5e-3, warmup=50, clip=50.0, weight_decay=0.3),
        measure=measure_pixels, dtype=torch.float32,
    ),
    Recipe(
        "moons_flow", "affine couplings of the two moons",
        lesson=4, seconds=30, seed=4,
        build=moons_flow, sizes={"n_layers": 10, "width": 32, "limit": 0.8},
        data=lambda: (drawn_moons(),), source="genlab.data.toys.Moons: 50,000 points",
        digest=lambda: digest(drawn_moons()),
        plan=Plan(
            n_steps=2500, batch_size=512, lr=8e-3, warmup=750, clip=10.0, average=0.99,
        ),
        measure=measure_moons,
    ),
)  # fmt: skip
