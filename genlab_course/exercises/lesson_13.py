"""Exercises of lesson 13: sampling in few steps, and guidance."""

import math
from typing import Any

import torch
from torch import Tensor

from genlab.score.samplers import ddim_step
from genlab_course.grading import Exercise, Mistake, bank

PASSES = Exercise(
    id="13.passes",
    right=118,
    mistakes=Mistake.pairs(
        30,
        "these are the steps: Heun looks twice in most of them, guidance twice.",
        59,
        "you forgot that a guided slope asks the network with and without the condition.",
        60,
        "each step counted twice: which doubling was it? Both happen; one step is an exception.",
        116,
        "you took four evaluations off; the last step saves one slope, two guided evaluations.",
        120,
        "the step to zero noise has no second slope: nothing can be divided by zero.",
        295,
        "the guidance scale is a factor in a formula; it does not ask the network more often.",
    ),
)


def _step_case(seed: int, a_t: float, a_s: float) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x, eps = torch.randn(2, 3, 2, generator=g, dtype=torch.float64)
    return x, eps, torch.tensor(a_t, dtype=x.dtype), torch.tensor(a_s, dtype=x.dtype)


def scaled_by_variances(x_t, eps_hat, a_t, a_s):
    x0_hat = (x_t - (1 - a_t) * eps_hat) / a_t
    return a_s * x0_hat + (1 - a_s) * eps_hat


def put_back_at_the_old_level(x_t, eps_hat, a_t, a_s):
    x0_hat = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    return a_t.sqrt() * x0_hat + (1 - a_s).sqrt() * eps_hat


def put_no_noise_back(x_t, eps_hat, a_t, a_s):
    x0_hat = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    return a_s.sqrt() * x0_hat


def put_all_the_noise_back(x_t, eps_hat, a_t, a_s):
    x0_hat = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    return a_s.sqrt() * x0_hat + (1 - a_t).sqrt() * eps_hat


def stopped_at_the_guess(x_t, eps_hat, a_t, a_s):
    return (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()


DDIM_STEP = Exercise(
    id="13.ddim-step",
    right=lambda x_t, eps_hat, a_t, a_s: ddim_step(x_t, eps_hat, 0 * x_t, a_t, a_s),
    cases=(_step_case(0, 0.1, 0.5), _step_case(1, 0.4, 1.0)),
    mistakes=Mistake.pairs(
        scaled_by_variances,
        "you used alpha-bar for the scales: it is a variance; signals are scaled by its root.",
        put_back_at_the_old_level,
        "the guess was put back at the level you come from, not at the one you go to.",
        put_no_noise_back,
        "you took the noise out and put none back: only the step to a_s = 1 ends without.",
        put_all_the_noise_back,
        "you put back as much noise as there was; the new level has less.",
        stopped_at_the_guess,
        "this is the guess of the clean data, which is where the step begins.",
    ),
)


# 13.markov-sigma: the fresh noise with which the sampler is DDPM's
def _sigma(a_t: float, a_s: float) -> float:
    return math.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))


MARKOV_SIGMA = Exercise(
    id="13.markov-sigma",
    right=_sigma,
    cases=((0.2, 0.5), (0.5, 0.9), (0.05, 0.06)),
    mistakes=Mistake.pairs(
        lambda a_t, a_s: (1 - a_s) / (1 - a_t) * (1 - a_t / a_s),
        "this is the variance; the noise is multiplied by its root.",
        lambda a_t, a_s: math.sqrt(1 - a_t / a_s),
        "this is sqrt(beta), the noise of the *forward* step; knowing x0 as well, less is open.",
        lambda a_t, a_s: math.sqrt((1 - a_t) / (1 - a_s) * (1 - a_t / a_s)),
        "one ratio is upside down: the result must vanish when the new level is clean.",
        lambda a_t, a_s: math.sqrt(1 - a_s),
        "with this much fresh noise nothing of the old noise is kept; DDPM keeps some.",
    ),
)


TWO_M = Exercise(
    id="13.two-m",
    right=lambda now, before, lam_r, lam_t, lam_s: (
        now + (lam_s - lam_t) / (2 * (lam_t - lam_r)) * (now - before)
    ),
    cases=((1.0, 0.6, -2.0, -1.0, 0.5), (0.3, 0.9, 0.0, 0.4, 0.6)),
    mistakes=Mistake.pairs(
        lambda now, before, lam_r, lam_t, lam_s: (
            now + (lam_s - lam_t) / (lam_t - lam_r) * (now - before)
        ),
        "this is the line's value at the *end* of the step; on average over the step it is lower.",
        lambda now, before, lam_r, lam_t, lam_s: (
            now - (lam_s - lam_t) / (2 * (lam_t - lam_r)) * (now - before)
        ),
        "the line was continued backwards, towards the older guess.",
        lambda now, before, lam_r, lam_t, lam_s: (
            now + (lam_t - lam_r) / (2 * (lam_s - lam_t)) * (now - before)
        ),
        "the ratio of the two steps is upside down: a longer new step needs more extrapolation.",
        lambda now, before, lam_r, lam_t, lam_s: 1.5 * now - 0.5 * before,
        "this is right only if the new step is as long as the old one.",
        lambda now, before, lam_r, lam_t, lam_s: (now + before) / 2,
        "this is the middle of the step that is already over.",
    ),
)


GUIDED_VARIANCE = Exercise(
    id="13.guided-variance",
    right=lambda v, w: v**w,
    cases=((0.25, 3.0), (0.5, 2.0), (0.8, 5.0)),
    mistakes=Mistake.pairs(
        lambda v, w: v / (w + (1 - w) * v),
        "this is the variance of the sharpened p^(1-w) p_c^w, which guidance does not sample.",
        lambda v, w: v ** (w / 2),
        "this is how the flow scales a length; a variance scales by its square.",
        lambda v, w: v / w,
        "no: see what w = 1 and then w = 2 do in step 12.",
        lambda v, w: v ** (2 * w),
        "one square too many: v itself is a variance, not a standard deviation.",
        lambda v, w: v,
        "this is the class itself: right for w = 1 only.",
    ),
)


# 13.guided-network: build classifier-free guidance around a network
def _net(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
    return torch.sin(x) + 0.1 * t[:, None] + label[:, None]


def guided_network(net: Any, x: Tensor, t: Tensor, label: Tensor, null: int, w: float) -> Tensor:
    free: Tensor = net(x, t, torch.full_like(label, null))
    guided: Tensor = free + w * (net(x, t, label) - free)
    return guided


def _guided_case(seed: int, w: float) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 2, generator=g, dtype=torch.float64)
    return _net, x, torch.tensor([3, 3, 3, 3]), torch.tensor([0, 7, 2, 9]), 10, w


def counted_from_the_conditional(net, x, t, label, null, w):
    free = net(x, t, torch.full_like(label, null))
    return free + (1 + w) * (net(x, t, label) - free)


def exchanged_the_predictions(net, x, t, label, null, w):
    free = net(x, t, label)
    return free + w * (net(x, t, torch.full_like(label, null)) - free)


def gave_the_digit_zero(net, x, t, label, null, w):
    free = net(x, t, torch.zeros_like(label))
    return free + w * (net(x, t, label) - free)


def used_the_first_label_for_all(net, x, t, label, null, w):
    free = net(x, t, torch.full_like(label, null))
    return free + w * (net(x, t, label[:1].expand(len(label))) - free)


GUIDED_NETWORK = Exercise(
    id="13.guided-network",
    right=guided_network,
    cases=(_guided_case(0, 3.0), _guided_case(1, 0.5)),
    mistakes=Mistake.pairs(
        counted_from_the_conditional,
        "your scale is off by one: this is the paper's w', whose zero is plain conditional.",
        exchanged_the_predictions,
        "the two predictions changed places: you lean away from the class.",
        gave_the_digit_zero,
        "you gave label 0 for 'no class': that is the digit zero.",
        lambda net, x, t, label, null, w: w * net(x, t, label),
        "you multiplied the prediction; only the difference that the class makes is exaggerated.",
        used_the_first_label_for_all,
        "every row was given the first row's class.",
    ),
)

EXERCISES = bank(globals())
