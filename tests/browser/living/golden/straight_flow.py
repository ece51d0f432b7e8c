"""Euler along genlab's exact velocity, and along that of optimal pairs, which is solved for."""

import functools
import math

import torch

from genlab.score.exact import exact_flow_1d, exact_velocity
from genlab.score.flow_matching import flow_sample
from genlab.solvers.ode import euler
from genlab_course.widgets.score import line_mixture

N, FRAMES, SHOWN = 240, 60, slice(None, None, 12)
LAW = line_mixture((0.45, 0.55), (-1.7, 1.7), (0.32, 0.32))  # along either axis
INDEX = torch.arange(N, dtype=torch.float64)
ANGLE, RADIUS = math.pi * (3 - 5**0.5) * INDEX, (-2 * (1 - (INDEX + 0.5) / N).log()).sqrt()
STARTS = torch.stack([RADIUS * ANGLE.cos(), RADIUS * ANGLE.sin()], 1)
TIMES = torch.linspace(1, 0, 17, dtype=torch.float64)
HIDDEN = {"start": lambda rng: [rng.uniform(-2.8, 2.8), rng.uniform(-2.8, 2.8)]}


def flow(x, t):
    u = torch.special.ndtr(x.flatten())
    return exact_flow_1d(LAW, u, 1 - float(t), float(t)).reshape(x.shape)


def curved(x, n):
    """Euler's states, each axis alone: the law is a product, and so is its velocity."""
    ts = torch.linspace(1, 0, n + 1, dtype=torch.float64)
    states = flow_sample(exact_velocity(LAW), x.reshape(-1, 1), ts)
    return torch.stack([state.reshape(x.shape) for state in states])


def pair_velocity(t, x):
    """Noise minus data of the one pair that passes x at time t, its data found by bisection."""
    low, high = torch.full_like(x, -4.0), torch.full_like(x, 4.0)
    means, stds = LAW.means[:, 0], LAW.stds
    for _ in range(55):
        y = (low + high) / 2
        u = torch.special.ndtr((y[..., None] - means) / stds) @ LAW.weights
        after = (1 - t) * y + t * torch.special.ndtri(u) > x  # the pair of y passes on the right
        low, high = torch.where(after, low, y), torch.where(after, y, high)
    return (x - y) / t


@functools.cache
def all_flows(n):
    ts = torch.linspace(1, 0, n + 1, dtype=torch.float64)
    return curved(STARTS, n), torch.stack(list(euler(pair_velocity, STARTS, ts)))


@functools.cache
def fixed():
    return torch.stack([flow(STARTS[SHOWN], t) for t in TIMES]), flow(STARTS, 0)


def expected(settings):
    n, done = settings["steps"], settings["frame"] / FRAMES * settings["steps"]
    k = min(n - 1, int(done))
    mine, (exact, ends) = torch.tensor([settings["start"]], dtype=torch.float64), fixed()
    truth = torch.stack([flow(mine, t)[0] for t in TIMES])
    ts = torch.linspace(1, 0, n + 1, dtype=torch.float64)
    own = curved(mine, n), torch.stack(list(euler(pair_velocity, mine, ts)))
    found = {"exact": exact.flatten(1), "ends": ends.flatten(), "end": truth[-1], "truth": truth}
    for kind, states, path in zip(("curved", "straight"), all_flows(n), own, strict=True):
        found |= {
            f"{kind}Now": torch.lerp(states[k], states[k + 1], done - k).flatten(),
            f"{kind}Paths": states[:, SHOWN].flatten(1), f"{kind}Own": path[:, 0],
            f"{kind}Miss": (states[-1] - ends).norm(dim=1).mean(),
        }  # fmt: skip
    return found
