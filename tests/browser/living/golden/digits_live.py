"""Trajectories of `edm_sample` with the shipped network in double precision, from the same noise.

The figure computes in doubles from the same half-precision weights, so both differ by the order of
their sums alone: about 1e-15 of a number in each layer, and a trajectory of 24 steps through a
network of twenty layers grows that to 1e-12 at the most. The default tolerance of 1e-9 holds.
"""

from functools import lru_cache

import torch

from genlab.score.edm import edm_sample, edm_sigmas
from genlab.zoo import load_model
from tests.browser.living.replay import Normals

FIRST = {"many": 1, "steps": 3}  # the ends of the other controls, on one picture of three steps
FEWER = {"many": 2, "steps": 4}  # in a picture that is looked at
HIDDEN = {"many": lambda rng: 1, "again": lambda rng: [rng.randint(0, 3) for _ in range(10)]}
N_RANDOM = 6
SHORT = {"steps": 6}  # a trajectory of 24 takes a second


@lru_cache(maxsize=1)
def model():
    return load_model("mnist16_diffusion", dtype=torch.float64)


def expected(settings):
    n, many, digit = settings["steps"], settings["many"], settings["digit"]
    labels = torch.arange(many) if digit == "all ten" else torch.full((many,), int(digit))
    starts = [1000 * settings["seed"] + 100 * i + settings["again"][i] for i in range(many)]
    x = 20 * torch.cat([Normals(start).tensor(1, 1, 16, 16) for start in starts])
    roots = torch.linspace(20 ** (1 / 7), 0.02 ** (1 / 7), n, dtype=torch.float64)
    sigmas = torch.cat([roots**7, torch.zeros(1, dtype=torch.float64)])
    single = edm_sigmas(n, sigma_min=0.02, sigma_max=20.0)  # in the precision of the day
    torch.testing.assert_close(sigmas, single.double(), rtol=1e-5, atol=0)
    denoiser = model().denoiser(labels, guidance_scale=settings["guidance"])
    with torch.no_grad():
        states = torch.stack([x, *edm_sample(denoiser, x, sigmas, order=1)], 1).flatten(2)
        now = states.unflatten(2, (1, 16, 16))
        guesses = [denoiser(now[:, k], sigmas[k].expand(many)).flatten(1) for k in range(n)]
    at = int(settings["time"] / 100 * n)
    guesses = torch.stack(guesses, 1)
    return {"sigmas": sigmas, "states": states, "guesses": guesses, "reached": n, "at": at}
