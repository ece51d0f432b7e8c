"""Exercises of lesson 12: the forward and the reverse process."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank

Model = Callable[[Tensor, Tensor], Tensor]


def weight(beta: float, alpha_bar: float, variance: float) -> float:
    """What multiplies the summed squared error of the noise, in nats."""
    return beta**2 / (2 * variance * (1 - beta) * (1 - alpha_bar))


def noise_loss(network: Model, x0: Tensor, t: Tensor, eps: Tensor, alphas_bar: Tensor) -> Tensor:
    """Mean square error of the predicted noise."""
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def _gap(variances: Tensor, t: Tensor, x: Tensor) -> Tensor:
    """What is lost when `x` is scaled by its variance instead of the root."""
    a = variances[t][:, None, None, None]
    return (a.sqrt() - a) * x


def _network(x: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)) / 5)


def _learned(x: Tensor, t: Tensor) -> Tensor:
    return _network(x, t) * torch.ones((), dtype=x.dtype, requires_grad=True)


BETAS = torch.linspace(0.02, 0.3, 6, dtype=torch.float64)


def _batch(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 4, 1, 3, 3, generator=g, dtype=torch.float64)
    return _learned, x0, torch.tensor([0, 2, 3, 5]), eps, (1 - BETAS).cumprod(0)


def walk_back(network: Model, x: Tensor, z: Tensor, betas: Tensor) -> Tensor:
    """From pure noise x to data, with step variances beta."""
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def _walk(
    network: Model, x: Tensor, z: Tensor, betas: Tensor, *slips: str, width: Any = torch.sqrt
) -> Tensor:
    """The ways in which an ancestral sampler goes wrong: its slips by name."""
    bar = 1 - betas if "one step's noise" in slips else (1 - betas).cumprod(0)
    bar = (1 - torch.linspace(0.001, 0.2, 100)).cumprod(0) if "lesson's table" in slips else bar
    steps = range("stops at 1" in slips, len(betas))
    for t in steps if "forwards" in slips else reversed(steps):
        x = x - betas[t] / (1 - bar[t]).sqrt() * network(x, torch.full((len(x),), t))
        if "no rescaling" not in slips:
            x = x / (bar[t] if "rescaled by alpha bar" in slips else 1 - betas[t]).sqrt()
        x = x + width(betas)[t] * z[t] if t > 0 or "last noise" in slips else x
    return x


def _tilde(betas: Tensor) -> Tensor:
    bar = (1 - betas).cumprod(0)
    return ((1 - bar.roll(1)) / (1 - bar) * betas).sqrt()  # its first entry is not used


def clipped_walk(network: Model, x: Tensor, z: Tensor, betas: Tensor) -> Tensor:
    """From pure noise x to data, each guess of the data kept in [-1, 1]."""
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def _clipped(network: Model, x: Tensor, z: Tensor, betas: Tensor, *slips: str) -> Tensor:
    bar = (1 - betas).cumprod(0)
    for t in reversed(range("stops at 1" in slips, len(betas))):
        a, beta = bar[t], betas[t]
        first = torch.zeros_like(a) if "starts at 0" in slips else torch.ones_like(a)
        before = bar[t - 1] if t > 0 or "wraps" in slips else first
        eps_hat = network(x, torch.full((len(x),), t))
        eps_hat = eps_hat.clamp(-1, 1) if "noise" in slips else eps_hat
        x = x.clamp(-1, 1) if "state" in slips else x
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()
        x0_hat = x0_hat if "data free" in slips else x0_hat.clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        x = x + beta.sqrt() * z[t] if t > 0 else x
    return x


def _start(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x_T = torch.randn(4, 3, generator=g, dtype=torch.float64)
    return _network, x_T, torch.randn(6, 4, 3, generator=g, dtype=torch.float64), BETAS


SHORTCUT = Exercise(
    id="12.shortcut",
    right=2 * 0.9**2.5 + 0.3 * math.sqrt(1 - 0.9**5),
    mistakes=Mistake.pairs(
        2 * 0.9**5 + 0.3 * (1 - 0.9**5),
        "you used the fractions of the variance as scales; amplitudes are their square roots.",
        2 * 0.9**2.5 + 0.3 * (1 - 0.9**5),
        "the signal is scaled correctly, the noise by its variance instead of its "
        "standard deviation.",
        2 * math.sqrt(0.5) + 0.3 * math.sqrt(0.5),
        "you added the betas; the fractions that each step leaves are multiplied.",
        2 * math.sqrt(0.9) + 0.3 * math.sqrt(0.1),
        "this is x_1: you used one step's beta instead of the product over five steps.",
        2 * 0.9**2 + 0.3 * math.sqrt(1 - 0.9**4),
        "this is x_4: five steps multiply five factors.",
        2 * 0.9**2.5,
        "the noise is missing.",
    ),
)
BOUND_WEIGHT = Exercise(
    id="12.bound-weight",
    right=weight,
    cases=((0.1, 0.6, 0.1), (0.02, 0.9, 0.015), (0.3, 0.2, 0.25)),
    mistakes=Mistake.pairs(
        lambda beta, alpha_bar, v: 1.0,
        "this is the simple loss, which has dropped the weight.",
        lambda beta, alpha_bar, v: weight(beta, alpha_bar, beta),
        "you set the step's variance to beta; it is an argument of its own.",
        lambda beta, alpha_bar, v: 2 * weight(beta, alpha_bar, v),
        "a divergence of two normals has the squared distance of the means over *twice* "
        "the variance.",
        lambda beta, alpha_bar, v: weight(beta, alpha_bar, v) * (1 - beta),
        "the means carry a factor 1 / sqrt(1 - beta), which is squared with them; you lost it.",
        lambda beta, alpha_bar, v: weight(beta, alpha_bar, v) * (1 - beta) / alpha_bar,
        "you took alpha bar, the factor of all steps, where the factor of one step belongs.",
        lambda beta, alpha_bar, v: beta / (2 * v * (1 - beta) * (1 - alpha_bar)),
        "the coefficient of the noise in the mean is squared, and that includes beta.",
        lambda beta, alpha_bar, v: beta**2 / (2 * v**2 * (1 - beta) * (1 - alpha_bar)),
        "tau^2 is already a variance: it must not be squared.",
    ),
)
V_AGAINST_EPS = Exercise(
    id="12.v-against-eps",
    right=lambda alpha_bar: 1 / alpha_bar,
    cases=((0.9,), (0.5,), (0.1,)),
    mistakes=Mistake.pairs(
        lambda alpha_bar: alpha_bar,
        "upside down: near pure noise, eps is easy to tell and v is not.",
        lambda alpha_bar: alpha_bar / (1 - alpha_bar),
        "this is the SNR, which relates the errors of eps and of x_0.",
        lambda alpha_bar: 1 / (1 - alpha_bar),
        "this relates the errors of v and of x_0.",
        lambda alpha_bar: 1 / math.sqrt(alpha_bar),
        "this is the ratio of the errors, not of their squares.",
    ),
)
TRAINING_STEP = Exercise(
    id="12.training-step",
    right=noise_loss,
    cases=(_batch(0), _batch(1)),
    mistakes=Mistake.pairs(
        lambda f, x, t, e, a: noise_loss(lambda y, s: f(y - _gap(a, t, x), s), x, t, e, a),
        "you scaled the signal with alpha bar; its square root is the amplitude.",
        lambda f, x, t, e, a: noise_loss(lambda y, s: f(y - _gap(1 - a, t, e), s), x, t, e, a),
        "you scaled the noise with its variance instead of its standard deviation.",
        lambda f, x, t, e, a: noise_loss(f, x, t, e, a.cumprod(0)),
        "you multiplied up alphas_bar once more; it is the product already.",
        lambda f, x, t, e, a: noise_loss(f, x, t, e, a.roll(1)),
        "t counts from 0 here, so its entry is alphas_bar[t]; at t = 0 yours is the last one.",
        lambda f, x, t, e, a: noise_loss(lambda y, s: f(y, s + 1), x, t, e, a),
        "the network counts steps from 0, as the table does: give it t itself.",
        lambda f, x, t, e, a: noise_loss(lambda y, s: f(x, s), x, t, e, a),
        "the network saw the clean images; it must see the noisy ones.",
        lambda f, x, t, e, a: noise_loss(lambda y, s: e - x + f(y, s), x, t, e, a),
        "you compared the prediction with the data; this network names the noise.",
        lambda f, x, t, e, a: x[0].numel() * noise_loss(f, x, t, e, a),
        "you summed over the pixels; a mean was asked for.",
        lambda f, x, t, e, a: noise_loss(f, x, t, e, a).sqrt(),
        "this is the root; the mean of the squares was asked for.",
    ),
)
SAMPLER = Exercise(
    id="12.sampler",
    right=walk_back,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        lambda f, x, z, b: _walk(f, x, z, b, "last noise"),
        "you added noise at the last step too: the finished example must not be noised.",
        lambda f, x, z, b: _walk(f, x, z, b, width=lambda beta: beta),
        "you multiplied the noise by the variance; its standard deviation is the root.",
        lambda f, x, z, b: _walk(f, x, z, b, width=_tilde),
        "this is the smaller variance, beta tilde; beta was asked for.",
        lambda f, x, z, b: _walk(f, x, z, b, "stops at 1"),
        "you left out t = 0: the last step has no noise, but it has a mean.",
        lambda f, x, z, b: _walk(f, x, z, b, "rescaled by alpha bar"),
        "you divided by the root of alpha bar; one reverse step undoes the factor of one step.",
        lambda f, x, z, b: _walk(f, x, z, b, "no rescaling"),
        "you forgot to divide by sqrt(1 - beta): the signal that a step took away never "
        "comes back.",
        lambda f, x, z, b: _walk(f, x, z, b, "one step's noise"),
        "the noise in x_t has the variance of all steps together; you used one step's.",
        lambda f, x, z, b: _walk(lambda y, s: f(y, s + 1), x, z, b),
        "the network counts steps from 0, as the table does: give it the index t.",
        lambda f, x, z, b: _walk(f, x, z, b, "lesson's table"),
        "this is the notebook's alphas_bar; make your own from the betas that you are given.",
        lambda f, x, z, b: _walk(f, x, z, b, "forwards"),
        "you walked forwards: begin at the last index, T - 1.",
    ),
)
REPAIR = Exercise(
    id="12.repair",
    right=clipped_walk,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        lambda f, x, z, b: _clipped(f, x, z, b, "wraps", "noise", "data free"),
        "this behaves as before. Walk through the last step, t = 0, by hand; and ask what "
        "lies in [-1, 1].",
        lambda f, x, z, b: _clipped(f, x, z, b, "wraps"),
        "one found. The other: what does alphas_bar[t - 1] give when t is 0?",
        lambda f, x, z, b: _clipped(f, x, z, b, "wraps", "data free"),
        "one found, but what should be clipped instead? And what is alphas_bar[t - 1] at t = 0?",
        lambda f, x, z, b: _clipped(f, x, z, b, "noise", "data free"),
        "one found. The other: pixels lie in [-1, 1]; does noise?",
        lambda f, x, z, b: _clipped(f, x, z, b, "noise"),
        "you clip the data, rightly, and the noise as well: a third of a normal's draws lie "
        "outside [-1, 1].",
        lambda f, x, z, b: _clipped(f, x, z, b, "starts at 0"),
        "before the first step nothing is lost: alpha bar is 1 there, not 0.",
        lambda f, x, z, b: _clipped(f, x, z, b, "data free", "state"),
        "you clip the state; it carries noise, and must be free to leave [-1, 1].",
        lambda f, x, z, b: _clipped(f, x, z, b, "data free"),
        "both bugs are gone, but so is the clipping: it is the guess of x_0 that must stay in "
        "[-1, 1].",
        lambda f, x, z, b: _clipped(f, x, z, b, "stops at 1"),
        "you left out t = 0, the last step: it has a mean, with before = 1.",
    ),
)
FEW_STEPS = Exercise(
    id="12.few-steps",
    right="narrow",
    mistakes=Mistake.pairs(
        "wide",
        "the mass stranded between the peaks is not in their cores. Is the exact step wider or "
        "narrower than one that knows x_0?",
        "right",
        "the means are right, the variances are not: a perfect network does not know x_0.",
        "one",
        "the mean of each step is exact, and it leans to the nearer peak; both survive.",
    ),
)

EXERCISES = bank(globals())
