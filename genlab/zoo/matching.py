"""A score of the digits at fourteen noise levels (lesson 11)."""

from genlab.data.digits import EVENT_SHAPE, from_unit
from genlab.score.matching import NCSN, LevelMLP, noise_ladder
from genlab.zoo.cards import digit_distance, samples_of
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.sources import DIGITS, scaled_digits


def digit_ncsn(
    sigma_max: float,
    sigma_min: float,
    n_levels: int,
    data_std: float,
    width: int,
    depth: int,
    rate: float,
    langevin_steps: int,
) -> NCSN:
    """Annealed Langevin from the largest distance of two digits to one and a half grey levels."""
    return NCSN(
        LevelMLP(64, width=width, depth=depth), noise_ladder(sigma_max, sigma_min, n_levels),
        event_shape=EVENT_SHAPE, data_std=data_std, rate=rate, n_steps=langevin_steps,
    )  # fmt: skip


RECIPES = (
    Recipe(
        "digit_ncsn", "score of the digits at 14 noise levels, drawn by annealed Langevin",
        lesson=11, seconds=20, seed=11,
        build=digit_ncsn,
        sizes={"sigma_max": 10.0, "sigma_min": 0.2, "n_levels": 14, "data_std": 0.85,
               "width": 256, "depth": 3, "rate": 0.1, "langevin_steps": 10},
        data=lambda: scaled_digits()[:1], **DIGITS,
        plan=Plan(n_steps=1500, batch_size=128, lr=4e-3, warmup=50),
        measure=lambda model: digit_distance(lambda n, g: from_unit(samples_of(model, n, g))),
    ),
)  # fmt: skip
