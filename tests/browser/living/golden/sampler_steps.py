"""DDIM, its ancestral form and DPM-Solver++ (2M) of genlab over the exact flow of a mixture."""

import functools

import torch

from genlab import score
from genlab.metrics.distances import wasserstein_1d
from genlab_course.widgets.score import line_mixture
from tests.browser.living.replay import Normals

N, FEW, MANY, CLEAN = 240, 3, 40, 5.2
NAMES = ("DDIM", "DPM-Solver++ (2M)", "DDPM (ancestral)")
LAW = line_mixture((0.25, 0.35, 0.4), (-2.0, 0.2, 1.6), (0.25, 0.2, 0.35))
BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
BAR = score.alphas_bar_from_betas(BETAS)
MODEL = score.exact_eps_model(LAW, BAR)
LEVELS = (torch.arange(N, dtype=torch.float64) + 0.5) / N
STARTS = torch.special.ndtri(LEVELS)[:, None]
GOAL = score.exact_flow_1d(LAW, LEVELS, 1.0, 0.0)[:, 0]
COLUMNS = torch.linspace(float(score.half_log_snr(BAR[-1])), CLEAN, 32, dtype=torch.float64)
ROWS = torch.linspace(-3.2, 3.2, 55, dtype=torch.float64)
SOME = slice(8, None, 16)
HIDDEN = {"start": lambda rng: rng.uniform(-2.8, 2.8)}


def run(sampler, n, start, z):
    """The levels visited, and the states at each and at the end, `(n + 1, b)`."""
    if sampler == NAMES[1]:
        steps = score.log_snr_timesteps(BAR, n)
        states = [start, *score.dpm_solver_sample(MODEL, start, steps, alphas_bar=BAR)]
    elif sampler == NAMES[0]:
        steps = score.ddim_timesteps(1000, n)
        states = [start, *score.ddim_sample(MODEL, start, steps, alphas_bar=BAR)]
    else:
        steps, states = score.ddim_timesteps(1000, n), [start]
        kept = torch.cat([BAR[steps], BAR.new_ones(1)])
        for k, t in enumerate(steps.tolist()):
            eps_hat = MODEL(states[-1], torch.full((len(start),), t))
            step = score.ddim_step(states[-1], eps_hat, z[k], kept[k], kept[k + 1], eta=1.0)
            states.append(step)
    return steps, torch.stack(states)[..., 0]


def noise(seed, b):
    return Normals(seed).tensor(MANY, b, 1)


FRESH, OWN = noise(7, N), noise(9, 1)


@functools.cache
def together(sampler, n):
    return run(sampler, n, STARTS, FRESH)


def density(lam):
    """Of the states at half the log SNR lam, on ROWS."""
    alpha, sigma = torch.sigmoid(2 * lam).sqrt(), torch.sigmoid(-2 * lam).sqrt()
    return LAW.noised(float(alpha), float(sigma)).log_prob(ROWS[:, None]).exp()


def exact(u):
    """The exact flow at each of COLUMNS, the last without noise, `(levels, columns)`."""
    alphas = [*torch.sigmoid(2 * COLUMNS[:-1]).tolist(), 1.0]
    path = [score.exact_flow_1d(LAW, u, a**0.5, (1 - a) ** 0.5)[:, 0] for a in alphas]
    return torch.stack(path, 1)


@functools.cache
def fixed():
    """What no control changes."""
    curves = [
        torch.stack([wasserstein_1d(together(s, n)[1][-1], GOAL) for n in range(FEW, MANY + 1)])
        for s in NAMES
    ]
    draws, sets = Normals(8), []
    for _ in range(20):
        x = []
        for _ in range(N):
            u = draws.uniform()
            k = 0 if u < 0.25 else 1 if u < 0.6 else 2
            x.append(float(LAW.means[k]) + float(LAW.stds[k]) * draws())
        sets.append(wasserstein_1d(torch.tensor(x, dtype=torch.float64), GOAL))
    shade = torch.stack([density(lam) for lam in COLUMNS], 1)
    return {
        "curves": torch.stack(curves), "floor": torch.stack(sets).mean(),
        "shade": shade.flatten(), "exact": exact(LEVELS[SOME]),
    }  # fmt: skip


def expected(settings):
    sampler, n = settings["sampler"], settings["steps"]
    steps, states = together(sampler, n)
    start = torch.tensor([[settings["start"]]], dtype=torch.float64)
    own = run(sampler, n, start, OWN)[1][:, 0]
    truth = exact(torch.special.ndtr(start[0]))[0]
    lam = [*score.half_log_snr(BAR[steps]).tolist(), CLEAN]
    return {
        **fixed(), "lam": lam, "paths": states[:, SOME], "ends": states[-1],
        "own": own, "truth": truth,
        "error": wasserstein_1d(states[-1], GOAL), "gap": (own[-1] - truth[-1]).abs(),
    }  # fmt: skip
