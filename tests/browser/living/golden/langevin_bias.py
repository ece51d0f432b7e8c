"""Laws by quadrature with genlab's normal densities, chains by genlab's own steps."""

import numpy as np
import torch
from scipy.integrate import cumulative_trapezoid

from genlab.core.stats import normal_log_prob
from genlab.solvers.mcmc import langevin_step, mala_step
from tests.browser.living.replay import Normals

N, BALLS, STEPS = 141, 36, 100
TARGETS = {  # half of the line, energy
    "two valleys": (3.5, lambda x: (2 * (x**2 - 1) ** 2 + 0.5 * x).sum(1)),
    "one valley, N(0, 1)": (8.0, lambda x: (x**2 / 2).sum(1)),
}
SLOPES = {"two valleys": lambda x: -(8 * x * (x**2 - 1) + 0.5), "one valley, N(0, 1)": lambda x: -x}
HIDDEN = {"start": lambda rng: rng.choice((None, rng.randrange(35, 106)))}


def chance():
    """The figure's numbers: noise (rounded there, since long steps make chains chaotic), coins."""
    source = Normals(10)
    pairs = [(round(source(), 6), source.uniform()) for _ in range(STEPS * BALLS)]
    z, u = torch.tensor(pairs, dtype=torch.float64).reshape(STEPS, BALLS, 2).unbind(2)
    return z[..., None], u


Z, U = chance()


def places(name):
    far, energy = TARGETS[name]
    x = -far + 2 * far * torch.arange(N, dtype=torch.float64)[:, None] / (N - 1)
    density = (-energy(x)).softmax(0) * (N - 1) / (2 * far)
    return x, density


def law_and_accepted(name, eta, adjusted, steps, start):
    """The law after some steps, and the part of the next moves that would be kept."""
    far, energy = TARGETS[name]
    (x, law), dx = places(name), 2 * far / (N - 1)
    to = langevin_step(x, SLOPES[name](x), torch.zeros_like(x), step_size=eta)
    log_q = normal_log_prob(x.repeat(N, 1), to.repeat_interleave(N, 0), (2 * eta) ** 0.5)
    log_flow = log_q.reshape(N, N) - energy(x)[:, None]
    if adjusted:
        log_flow = torch.minimum(log_flow, log_flow.T)
    matrix = (log_flow + energy(x)[:, None]).exp() * dx
    kept = matrix.sum(1)
    if adjusted:
        matrix += torch.diag(1 - kept)
    if start is not None:
        law = torch.zeros(N, dtype=torch.float64)
        law[start] = 1 / dx
    law = law @ torch.linalg.matrix_power(matrix, steps)
    return law, kept @ law * dx if adjusted else 1.0


def summary(x, law, dx):
    right = law * torch.heaviside(x[:, 0], torch.tensor(0.5, dtype=torch.float64))
    if right.sum() * dx < 1e-6:
        return np.zeros(3)
    mean = np.average(x[:, 0], weights=right)
    width = np.average((x[:, 0] - mean) ** 2, weights=right) ** 0.5
    return np.array([right.sum() / law.sum(), width, np.average(x[:, 0] ** 2, weights=law)])


def chains(name, eta, adjusted, steps, start):
    x, density = places(name)
    if start is None:
        below = cumulative_trapezoid(density, x[:, 0], initial=0)
        levels = (np.arange(BALLS) + 0.5) / BALLS
        at = torch.from_numpy(np.interp(levels, below, x[:, 0])).mul(1e4).round().div(1e4)[:, None]
    else:
        at = x[start].expand(BALLS, 1)
    before, refused = at, torch.zeros(BALLS)
    log_p, slope = (lambda v: -TARGETS[name][1](v)), SLOPES[name]
    for z, u in zip(Z[:steps], U[:steps], strict=True):
        before = at
        if adjusted:
            at, kept = mala_step(log_p, slope, at, z, u, step_size=eta)
            refused = ~kept
        else:
            at = langevin_step(at, slope(at), z, step_size=eta).clamp(-1e6, 1e6)
    return {"at": at[:, 0], "before": before[:, 0], "refused": refused}


def expected(settings):
    name, steps, start = settings["target"], settings["steps"], settings["start"]
    eta, adjusted = float(f"{10 ** settings['log_eta']:.2g}"), settings["chain"] == "Metropolis"
    law, accepted = law_and_accepted(name, eta, adjusted, steps, start)
    (x, density), dx = places(name), 2 * TARGETS[name][0] / (N - 1)
    lost = 1 - law.sum() * dx
    return {
        "eta": eta, "law": law, "accepted": accepted, "left": lost.clamp(min=0),
        "wrong": ((law - density).abs().sum() * dx + lost) / 2,
        "summary": summary(x, law, dx), "wanted": summary(x, density, dx),
    } | chains(name, eta, adjusted, steps, start)  # fmt: skip
