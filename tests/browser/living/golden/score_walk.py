"""Chains of genlab's Langevin step on genlab's mixture under noise, one level or a ladder."""

import functools

import torch

from genlab.oracles import GaussianMixture
from genlab.score import noise_ladder
from genlab.solvers.mcmc import langevin_step
from tests.browser.living.replay import Normals

T, N, PER, RATE, TOP = 120, 300, 5, 0.25, 4.0
MEANS = torch.tensor([[-3.9, 1.4], [0.2, -1.7], [4.1, 1.2]], dtype=torch.float64)
MASS = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
ISLANDS = GaussianMixture(MASS, MEANS, torch.full_like(MASS, 0.4))
HIDDEN = {
    "drops": lambda rng: [
        [rng.uniform(-6, 6), rng.uniform(-3.5, 3.5)] for _ in range(rng.randint(0, 3))
    ]
}


def lattice(wide, high, columns, rows):
    """Places row by row from the bottom, (rows * columns, 2)."""
    side = [
        torch.linspace(-a, a, n, dtype=torch.float64) for a, n in ((high, rows), (wide, columns))
    ]
    return torch.cartesian_prod(*side).flip(1)


@functools.cache
def noise(seed, *shape):
    return Normals(seed).tensor(*shape)


@functools.cache
def starts():
    even = Normals(13)
    u = torch.tensor([even.uniform() for _ in range(2 * N)], dtype=torch.float64).reshape(N, 2)
    return (2 * u - 1) * torch.tensor([6.4, 3.7], dtype=torch.float64)


def walk(x, sigmas, z):
    path = [x]
    for sigma, fresh in zip(sigmas.tolist(), z, strict=True):
        law = ISLANDS.noised(1.0, sigma)
        variance = float(law.stds[0] ** 2)
        path.append(langevin_step(path[-1], law.score(path[-1]), fresh, step_size=RATE * variance))
    return torch.stack(path)


def ladder(level, way):
    low = 10**level
    if way == "one level" or low >= TOP:
        return torch.full((T,), low, dtype=torch.float64)
    return noise_ladder(TOP, low, T).double()


@functools.cache
def film(level, way):
    return walk(starts(), ladder(level, way), noise(11, T, N, 2))


def shares(x):
    return torch.cdist(x, MEANS).argmin(1).bincount(minlength=3) / len(x)


def expected(settings):
    level, way, step = settings["level"], settings["way"], settings["steps"]
    sigmas, path = ladder(level, way), film(level, way)
    sigma = float(sigmas[min(step, T - 1)])
    law, arrows = ISLANDS.noised(1.0, sigma), lattice(6, 3.3, 17, 10)
    own = [
        walk(torch.tensor([place] * PER, dtype=torch.float64), sigmas, noise(12, T, PER, 2))
        for place in settings["drops"]
    ]
    return {
        "sigmas": sigmas, "sigma": sigma,
        "density": law.log_prob(lattice(6.4, 3.7, 61, 35)).exp(),
        "field": sigma * law.score(arrows).reshape(10, 17, 2),
        "fate": torch.cdist(path[-1], MEANS).argmin(1), "shares": shares(path[step]),
        "walkers": path[step].flatten(),
        "own": torch.stack(own).flatten(2) if own else [],
        "wrong": (shares(path[step]) - MASS).clamp(min=0).sum(),
    }  # fmt: skip
