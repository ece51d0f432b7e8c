"""Orbits in the smallest GAN, played by genlab's own steps in the field of its own loss."""

from functools import partial

import torch

from genlab.adversarial import games

HIDDEN = {"start": lambda rng: [round(rng.uniform(-2.4, 2.4), 3) for _ in range(2)]}
STEPS = {
    "simultaneous": games.simultaneous_step,
    "alternating": games.alternating_step,
    "extragradient": games.extragradient_step,
}


def expected(settings):
    lr, n = settings["rate"], settings["steps"]
    field = partial(games.dirac_field, gamma=settings["gamma"])
    start = torch.tensor(settings["start"], dtype=torch.float64)
    states = {m: games.play(start, partial(step, field=field, lr=lr), n_steps=n)
              for m, step in STEPS.items()}  # fmt: skip
    states["optimistic"] = games.play_optimistic(start, field=field, lr=lr, n_steps=n)
    paths = {m: torch.stack([start, *path]) for m, path in states.items()}
    return paths | {f"{m} distance": path.norm(dim=1) for m, path in paths.items()}
