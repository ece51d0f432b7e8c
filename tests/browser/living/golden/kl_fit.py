"""Both divergences on the line, and natural-gradient steps with autograd's derivatives."""

import numpy as np
import torch

from genlab.core.stats import kl_on_grid, normal_log_prob
from genlab_course.widgets.score import line_mixture

X = torch.linspace(-22, 22, 881, dtype=torch.float64)
RANKS = (torch.arange(200, dtype=torch.float64) + 0.5) / 200
HIDDEN = {"drawn": lambda rng: [rng.choice((0.0, rng.random())) for _ in range(25)]}


def log_target(shape, drawn):
    if shape == "two modes":
        return line_mixture((0.6, 0.4), (-2.0, 2.0), (0.6, 0.6)).log_prob(X[:, None])
    places = torch.linspace(-6, 6, 25, dtype=torch.float64)
    k = ((X.clamp(-6, 6) + 6) / 0.5).floor().long().clamp(max=23)
    heights = torch.tensor(drawn, dtype=torch.float64)
    part = (X - places[k]) / 0.5
    density = torch.where(X.abs() > 6, 0.0, torch.lerp(heights[k], heights[k + 1], part)) + 1e-6
    return (density / torch.trapezoid(density, X)).log()


def divergences(log_p, mean, log_width):
    log_q = normal_log_prob(X[:, None], mean, log_width.exp())
    return kl_on_grid(log_p, log_q, X), kl_on_grid(log_q, log_p, X), log_q


def empty_below(p):
    """The density below which one per cent of the data lies."""
    rising = np.sort(p.numpy())
    return rising[np.searchsorted(rising.cumsum() / rising.sum(), 0.01)]


def expected(settings):
    log_p = log_target(settings["shape"], settings["drawn"])
    mean = torch.tensor(settings["mean"], dtype=torch.float64)
    log_width = torch.tensor(settings["width"], dtype=torch.float64).log()
    which = 0 if settings["minimise"] == "forward" else 1
    for _ in range(settings["steps"]):
        mean, log_width = mean.requires_grad_(), log_width.requires_grad_()
        loss = divergences(log_p, mean, log_width)[which]
        by_mean, by_log = torch.autograd.grad(loss, (mean, log_width))
        natural = by_mean * log_width.exp() ** 2  # Fisher information: 1 / width^2, and 2
        mean = (mean - (0.2 * natural).clamp(-0.1, 0.1)).detach().clamp(-6, 6)
        log_width = (log_width - (0.2 * by_log / 2).clamp(-0.1, 0.1)).detach()
        log_width = log_width.exp().clamp(0.2, 4).log()
    forward, reverse, log_q = divergences(log_p, mean, log_width)
    p, q = log_p.exp(), log_q.exp()
    samples = mean + log_width.exp() * torch.special.ndtri(RANKS)
    floor, there = empty_below(p), np.interp(samples, X, p)
    return {
        "floor": floor, "lost": (there < floor).mean(), "samples": samples,
        "at": torch.stack([mean, log_width.exp()]), "p": p, "q": q,
        "forward": forward, "reverse": reverse,
        "forwardAt": p * (log_p - log_q), "reverseAt": q * (log_q - log_p),
    }  # fmt: skip
