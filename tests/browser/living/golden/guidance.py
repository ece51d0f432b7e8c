"""Guided DDIM of genlab with exact noise predictors, and the sharpened law by its own formula."""

import functools
import math

import torch

from genlab import score
from genlab.core import last
from genlab.oracles import GaussianMixture

N, LEVELS, PER = 220, 40, 3
BAR = torch.sigmoid(torch.linspace(9, -9, LEVELS, dtype=torch.float64))
INDEX = torch.arange(N, dtype=torch.float64)
# A shuffled sunflower: even quantiles of the radius of normal points, angles evenly apart.
ANGLE = math.pi * (3 - 5**0.5) * (67 * INDEX % N)
RADIUS = (-2 * (1 - (INDEX + 0.5) / N).log()).sqrt()
STARTS = torch.stack([RADIUS * ANGLE.cos(), RADIUS * ANGLE.sin()], 1)
SIDE = torch.linspace(-3.3, 3.3, 49, dtype=torch.float64)
PIXELS = torch.cartesian_prod(SIDE, SIDE).flip(1)
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
CLASSES = ("blue", "green", "pink")


def mixture(parts):
    k = len(parts)
    weights, stds = torch.full((k,), 1 / k, dtype=torch.float64), torch.full_like(parts[:, 0], 0.42)
    return GaussianMixture(weights, parts, stds)


def laws(gap, chosen):
    """All data, the class, and the direction of its arm."""
    angle = math.pi / 2 - 2 * math.pi / 3 * torch.arange(3, dtype=torch.float64)
    axis = torch.stack([angle.cos(), angle.sin()], 1)
    k = torch.arange(3, dtype=torch.float64)[:, None]
    turned = torch.stack([-axis[:, 1], axis[:, 0]], 1)
    arms = gap * ((0.35 + 0.5 * k) * axis[:, None] + 0.12 * k**2 * turned[:, None])
    return mixture(arms.reshape(-1, 2)), mixture(arms[chosen]), axis[chosen]


def sample(data, of_class, weights):
    """Samples at each weight, `(weights, N, 2)`, in one run."""
    free, conditional = (score.exact_eps_model(law, BAR) for law in (data, of_class))

    def guided(x, t):
        eps = zip(free(x, t).split(N), conditional(x, t).split(N), weights, strict=True)
        return torch.cat([score.cfg_eps(u, c, guidance_scale=w) for u, c, w in eps])

    start, steps = STARTS.repeat(len(weights), 1), torch.arange(LEVELS - 1, -1, -1)
    ends = last(score.ddim_sample(guided, start, steps, alphas_bar=BAR))
    return ends.reshape(-1, N, 2)


def sharpened(data, of_class, weight):
    tilt = (1 - weight) * data.log_prob(PIXELS) + weight * of_class.log_prob(PIXELS)
    return tilt.softmax(0) / (SIDE[1] - SIDE[0]) ** 2


def moments(x, masses, axis):
    masses = masses / masses.sum()
    mean = masses @ x
    return torch.stack([mean @ axis, (masses @ ((x - mean) ** 2).sum(1)).sqrt()])


@functools.cache
def known(gap, chosen):
    data, of_class, axis = laws(gap, chosen)
    ones, rows, ends = torch.ones(N, dtype=torch.float64), [], sample(data, of_class, WEIGHTS)
    for w, x in zip(WEIGHTS, ends, strict=True):
        wanted = moments(PIXELS, sharpened(data, of_class, w), axis)
        rows.append(torch.cat([moments(x, ones, axis), wanted]))
    return ends[WEIGHTS.index(1.0)], torch.stack(rows)


def expected(settings):
    gap, chosen, w = settings["gap"], CLASSES.index(settings["name"]), settings["weight"]
    data, of_class, axis = laws(gap, chosen)
    (plain, rows), (ends,) = known(gap, chosen), sample(data, of_class, (w,))
    law = sharpened(data, of_class, w)
    return {
        "parts": data.means, "ends": ends.flatten(), "plain": plain.flatten(), "rows": rows,
        "law": law, "guided": moments(ends, torch.ones_like(ends[:, 0]), axis),
        "wanted": moments(PIXELS, law, axis),
    }  # fmt: skip
