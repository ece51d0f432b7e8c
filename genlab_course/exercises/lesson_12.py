"""Exercises of lesson 12: the forward and the reverse process."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab.score.diffusion import alphas_bar_from_betas, ddpm_loss
from genlab_course.grading import Exercise, Mistake, bank

Model = Callable[[Tensor, Tensor], Tensor]


# 12.bound-weight: what multiplies the summed square in the bound
def _weight(beta: float, alpha_bar: float, v: float) -> float:
    return beta**2 / (2 * v * (1 - beta) * (1 - alpha_bar))


# 12.training-step: build it
def _noise_loss(eps_model: Model, x0: Tensor, t: Tensor, eps: Tensor, betas: Tensor) -> Tensor:
    return ddpm_loss(eps_model, x0, t, eps, alphas_bar=alphas_bar_from_betas(betas))


def _loss_with(scales: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    """A training step whose signal and noise scale come from `scales(betas, t)`."""

    def loss(eps_model: Model, x0: Tensor, t: Tensor, eps: Tensor, betas: Tensor) -> Tensor:
        signal, noise = (a[:, None] for a in scales(betas, t))
        return ((eps - eps_model(signal * x0 + noise * eps, t)) ** 2).mean(1)

    return loss


def _bar(betas: Tensor, t: Tensor) -> Tensor:
    return alphas_bar_from_betas(betas)[t]


def _x0_loss(eps_model: Model, x0: Tensor, t: Tensor, eps: Tensor, betas: Tensor) -> Tensor:
    a = _bar(betas, t)[:, None]
    return ((x0 - eps_model(a.sqrt() * x0 + (1 - a).sqrt() * eps, t)) ** 2).mean(1)


def _early(betas: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    a = torch.where(t > 0, _bar(betas, (t - 1).clamp(min=0)), torch.ones_like(betas[t]))
    return a.sqrt(), (1 - a).sqrt()


def _network(x: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + t[:, None] / 5)


def _batch(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 4, 3, generator=g, dtype=torch.float64)
    betas = torch.linspace(0.02, 0.3, 6, dtype=torch.float64)
    return _network, x0, torch.tensor([0, 2, 3, 5]), eps, betas


# 12.sampler: build it
def _walk(
    eps_model: Model,
    x_T: Tensor,
    z: Tensor,
    betas: Tensor,
    *,
    last_noise: bool = False,
    width: Callable[[Tensor], Tensor] = torch.sqrt,
    rescale: bool = True,
    upwards: bool = False,
    product: bool = True,
) -> Tensor:
    """Ancestral sampler, and (by its options) the ways in which it goes wrong."""
    bar = alphas_bar_from_betas(betas) if product else 1 - betas
    x, order = x_T, range(len(betas))
    for t in order if upwards else reversed(order):
        eps_hat = eps_model(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt() if rescale else x
        x = x + width(betas[t]) * z[t] if t > 0 or last_noise else x
    return x


def _start(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    betas = torch.linspace(0.02, 0.3, 6, dtype=torch.float64)
    x_T = torch.randn(4, 3, generator=g, dtype=torch.float64)
    return _network, x_T, torch.randn(6, 4, 3, generator=g, dtype=torch.float64), betas


SHORTCUT = Exercise(
    id="12.shortcut",
    right=2 * 0.9**2.5 + 0.3 * math.sqrt(1 - 0.9**5),
    mistakes=Mistake.pairs(
        2 * 0.9**5 + 0.3 * (1 - 0.9**5),
        "you used the shares of the variance as scales; amplitudes are their square roots.",
        2 * 0.9**2.5 + 0.3 * (1 - 0.9**5),
        "the signal is scaled correctly, the noise by its variance instead of its "
        "standard deviation.",
        2 * math.sqrt(0.9) + 0.3 * math.sqrt(0.1),
        "this is x_1: you used one step's beta instead of the product over five steps.",
        2 * 0.9**2 + 0.3 * math.sqrt(1 - 0.9**4),
        "you multiplied four factors: five steps have five.",
        2 * 0.9**2.5 + 0.3 * math.sqrt(1 - 0.1**5),
        "the noise's share is 1 minus the signal's share, which is a product of 1 - beta, "
        "not of beta.",
    ),
    hints="How much of the signal's variance is left after one step? After five?\n"
    "alpha bar = 0.9^5; signal and noise variance add up to one.\n"
    "Square roots of both shares, times 2 and times 0.3.",
)
BOUND_WEIGHT = Exercise(
    id="12.bound-weight",
    right=_weight,
    cases=((0.1, 0.6, 0.1), (0.02, 0.9, 0.015), (0.3, 0.2, 0.25)),
    mistakes=Mistake.pairs(
        lambda beta, alpha_bar, v: 1.0,
        "this is the simple loss, which has dropped the weight.",
        lambda beta, alpha_bar, v: 2 * _weight(beta, alpha_bar, v),
        "a divergence of two normals has the squared distance of the means over *twice* "
        "the variance.",
        lambda beta, alpha_bar, v: _weight(beta, alpha_bar, v) * (1 - beta),
        "the means carry a factor 1 / sqrt(1 - beta), which is squared with them; you lost it.",
        lambda beta, alpha_bar, v: beta / (2 * v * (1 - beta) * (1 - alpha_bar)),
        "the coefficient of the noise in the mean is squared, and that includes beta.",
        lambda beta, alpha_bar, v: beta**2 / (2 * v * (1 - beta) * math.sqrt(1 - alpha_bar)),
        "the noise enters the mean divided by sqrt(1 - alpha_bar); after squaring, the "
        "root is gone.",
        lambda beta, alpha_bar, v: beta**2 / (2 * v**2 * (1 - beta) * (1 - alpha_bar)),
        "v is already a variance: it must not be squared.",
    ),
    hints="Two normals with different means: which part of their divergence sees the means?\n"
    "Distance of the means squared over 2 v. Where do the two means differ?\n"
    "The means differ by beta / sqrt((1 - beta)(1 - alpha_bar)) times the noise's error.",
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
        lambda alpha_bar: 1 - alpha_bar,
        "upside down, and of another pair: this relates the errors of x_0 and of v.",
        lambda alpha_bar: 1 / math.sqrt(alpha_bar),
        "this is the ratio of the errors, not of their squares.",
    ),
    hints="Write both errors in terms of the error of x_0.\n"
    "Error of eps: alpha / sigma times that of x_0. Error of v: 1 / sigma times.\n"
    "(SNR + 1) / SNR, with SNR = alpha_bar / (1 - alpha_bar).",
)
TRAINING_STEP = Exercise(
    id="12.training-step",
    right=_noise_loss,
    cases=(_batch(0), _batch(1)),
    mistakes=Mistake.pairs(
        _loss_with(lambda b, t: (_bar(b, t), (1 - _bar(b, t)).sqrt())),
        "you scaled the signal with alpha bar; its square root is the amplitude.",
        _loss_with(lambda b, t: (_bar(b, t).sqrt(), 1 - _bar(b, t))),
        "you scaled the noise with its variance instead of its standard deviation.",
        _loss_with(lambda b, t: ((1 - b[t]).sqrt(), b[t].sqrt())),
        "you took a single step of the chain; the jump to t needs the product up to t.",
        _loss_with(_early),
        "your alpha bar is one step early: index t includes the factor of step t itself.",
        _x0_loss,
        "you compared the prediction with the data; this network names the noise.",
        lambda e, x, t, s, b: x.shape[1] * _noise_loss(e, x, t, s, b),
        "you summed over the dimensions; a mean was asked for.",
        lambda eps_model, x0, t, eps, betas: _noise_loss(eps_model, x0, t, eps, betas).mean(),
        "you averaged over the batch; one number for each example was asked.",
    ),
    hints="Three lines: alpha bar of each example, the noisy example, the square.\n"
    "cumprod of 1 - betas, indexed by t, with a second axis so that it meets (b, d).\n"
    "x_t = sqrt(a) x0 + sqrt(1 - a) eps; then ((eps - eps_model(x_t, t)) ** 2).mean(1).",
)
SAMPLER = Exercise(
    id="12.sampler",
    right=_walk,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        lambda f, x, z, b: _walk(f, x, z, b, last_noise=True),
        "you added noise at the last step too: the finished example must not be noised.",
        lambda f, x, z, b: _walk(f, x, z, b, width=lambda beta: beta),
        "you multiplied the noise by the variance; its standard deviation is the root.",
        lambda f, x, z, b: _walk(f, x, z, b, rescale=False),
        "you forgot to divide by sqrt(1 - beta): the signal that a step took away never "
        "comes back.",
        lambda f, x, z, b: _walk(f, x, z, b, upwards=True),
        "you walked from little noise to much; sampling starts at the last step.",
        lambda f, x, z, b: _walk(f, x, z, b, product=False),
        "the noise in x_t has the variance of all steps together; you used one step's.",
    ),
    hints="A loop over t from T-1 down to 0; in it one network call, a mean, and noise if t > 0.\n"
    "mean = (x - beta / sqrt(1 - alpha_bar) * eps_hat) / sqrt(1 - beta), all at index t.\n"
    "t must be handed over as torch.full((len(x),), t).",
)

EXERCISES = bank(globals())
