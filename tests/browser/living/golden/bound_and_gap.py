"""Lesson 05's tiny case, and EM of one number, with genlab's bounds and posteriors."""

import itertools

import torch

from genlab.core.stats import kl_categorical
from genlab.latent import discrete_elbo, discrete_posterior, log_mean_weight

HIDDEN = {"stage": lambda rng: rng.uniform(0, 9)}
STEPS, INKED = 5, 0.6


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


JOINT, GUESS = tensor(0.1, 0.4).log(), tensor(0.3, 0.7)
LOG_P = JOINT.logsumexp(0)
Q = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
PAIRS = torch.stack([1 - Q, Q], 1)


def em_joint(pick):
    """Of an inked and of a blank pixel: log p(x, z), (2, 2)."""
    inks = torch.stack([tensor(0.2, 1.0), tensor(0.8, 0.0)])
    return (inks * torch.stack([1 - pick, pick])).log()


def mean_bound(q, pick):
    """Over six inked pixels and four blank ones, which are surely template 0's."""
    inked, blank = em_joint(pick)
    known = discrete_elbo(tensor(1.0)[None], blank[None, :1])
    return INKED * discrete_elbo(torch.stack([1 - q, q])[None], inked[None])[0] + 0.4 * known[0]


def mean_log_p(pick):
    return em_joint(pick)[[0] * 6 + [1] * 4].logsumexp(1).mean()


def climb():
    """Guess and model after each half of a step, from a guess of 0.9 and a model of 0.15."""
    q, pick = tensor(0.9)[0], tensor(0.15)[0]
    found = [(q, pick)]
    for _ in range(STEPS):
        posterior = discrete_posterior(em_joint(pick)[[0] * 6 + [1] * 4])[:, 1]  # of ten pixels
        q = posterior[0]
        found.append((q, pick))
        pick = posterior.mean()
        found.append((q, pick))
    return found


def bound_of(n_draws):
    """The importance-weighted bound: all 2^K outcomes of the draws."""
    coins = torch.tensor(list(itertools.product((0, 1), repeat=n_draws)))
    log_w = JOINT - GUESS.log()
    return (GUESS[coins].prod(1) * log_mean_weight(log_w[coins].T)).sum()


MORE = [bound_of(k) for k in (1, 2, 4, 8, 16)]


def expected(settings):
    stage, steps = settings["stage"], climb()
    part, lift = (min(1.0, max(0.0, stage - k)) for k in (6, 7))
    guess = torch.lerp(steps[0][0], steps[1][0], part)
    pick = torch.lerp(steps[1][1], steps[2][1], lift)
    price = kl_categorical(GUESS, tensor(0.5, 0.5))
    bound = discrete_elbo(GUESS[None], JOINT[None])[0]
    posterior = discrete_posterior(JOINT)[1]
    arch = lambda q: discrete_elbo(torch.stack([1 - q, q])[None], JOINT[None])[0]
    bend = torch.func.hessian(arch)(posterior)
    return {
        "evidence": LOG_P.exp(), "logP": LOG_P, "posterior": posterior,
        "weights": (JOINT - GUESS.log()).exp(), "price": price, "reconstruction": bound + price,
        "bound": LOG_P - kl_categorical(GUESS, discrete_posterior(JOINT)),
        "arch": discrete_elbo(PAIRS, JOINT.expand(99, 2)),
        "parabola": LOG_P + bend * (Q - posterior) ** 2 / 2,
        "climb": torch.stack([torch.stack(step) for step in steps]),
        "rises": torch.stack([torch.stack([mean_bound(*s), mean_log_p(s[1])]) for s in steps]),
        "now": torch.stack([guess, pick, mean_bound(guess, pick), mean_log_p(pick)]),
        "archNow": torch.stack([mean_bound(q, pick) for q in Q]), "more": torch.stack(MORE),
    }  # fmt: skip
