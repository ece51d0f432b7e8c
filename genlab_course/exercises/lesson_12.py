"""Exercises of lesson 12: the forward and the reverse process."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank

Model = Callable[[Tensor, Tensor], Tensor]

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


# 12.bound-weight
def weight(beta: float, alpha_bar: float, variance: float) -> float:
    """What multiplies the summed squared error of the noise, in nats."""
    return beta**2 / (2 * variance * (1 - beta) * (1 - alpha_bar))


BOUND_WEIGHT = Exercise(
    id="12.bound-weight",
    right=weight,
    cases=((0.1, 0.6, 0.1), (0.02, 0.9, 0.015), (0.3, 0.2, 0.25)),
    mistakes=Mistake.pairs(
        lambda beta, alpha_bar, v: 1.0,
        "this is the simple loss, which has dropped the weight.",
        lambda beta, alpha_bar, v: beta**2 / (2 * beta * (1 - beta) * (1 - alpha_bar)),
        "you set the step's variance to beta; it is an argument of its own.",
        lambda beta, alpha_bar, v: beta**2 / (v * (1 - beta) * (1 - alpha_bar)),
        "a divergence of two normals has the squared distance of the means over *twice* "
        "the variance.",
        lambda beta, alpha_bar, v: beta**2 / (2 * v * (1 - alpha_bar)),
        "the means carry a factor 1 / sqrt(1 - beta), which is squared with them; you lost it.",
        lambda beta, alpha_bar, v: beta**2 / (2 * v * alpha_bar * (1 - alpha_bar)),
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


# 12.training-step
def noise_loss(network: Model, x0: Tensor, t: Tensor, eps: Tensor, alphas_bar: Tensor) -> Tensor:
    """Mean square error of the predicted noise."""
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def _network(x: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)) / 5)


def _learned(x: Tensor, t: Tensor) -> Tensor:
    return _network(x, t) * torch.ones((), dtype=x.dtype, requires_grad=True)


BETAS = torch.linspace(0.02, 0.3, 6, dtype=torch.float64)


def _batch(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 4, 1, 3, 3, generator=g, dtype=torch.float64)
    return _learned, x0, torch.tensor([0, 2, 3, 5]), eps, (1 - BETAS).cumprod(0)


def forgot_the_root_of_the_signal(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def forgot_the_root_of_the_noise(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a) * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def multiplied_up_twice(network, x0, t, eps, alphas_bar):
    a = alphas_bar.cumprod(0)[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def read_the_entry_before(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t - 1][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


def told_the_network_a_later_step(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t + 1)) ** 2).mean()


def showed_the_clean_images(network, x0, t, eps, alphas_bar):
    return ((eps - network(x0, t)) ** 2).mean()


def compared_with_the_data(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((x0 - network(x_t, t)) ** 2).mean()


def summed_over_the_pixels(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).sum((1, 2, 3)).mean()


def took_the_root_of_the_mean(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean().sqrt()


TRAINING_STEP = Exercise(
    id="12.training-step",
    right=noise_loss,
    cases=(_batch(0), _batch(1)),
    mistakes=Mistake.pairs(
        forgot_the_root_of_the_signal,
        "you scaled the signal with alpha bar; its square root is the amplitude.",
        forgot_the_root_of_the_noise,
        "you scaled the noise with its variance instead of its standard deviation.",
        multiplied_up_twice,
        "you multiplied up alphas_bar once more; it is the product already.",
        read_the_entry_before,
        "t counts from 0 here, so its entry is alphas_bar[t]; at t = 0 yours is the last one.",
        told_the_network_a_later_step,
        "the network counts steps from 0, as the table does: give it t itself.",
        showed_the_clean_images,
        "the network saw the clean images; it must see the noisy ones.",
        compared_with_the_data,
        "you compared the prediction with the data; this network names the noise.",
        summed_over_the_pixels,
        "you summed over the pixels; a mean was asked for.",
        took_the_root_of_the_mean,
        "this is the root; the mean of the squares was asked for.",
    ),
)


# 12.sampler; `# <-` marks where a wrong walk leaves the right one
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


def _start(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x_T = torch.randn(4, 3, generator=g, dtype=torch.float64)
    return _network, x_T, torch.randn(6, 4, 3, generator=g, dtype=torch.float64), BETAS


def noised_the_finished_example(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        x = x + betas[t].sqrt() * z[t]  # <-
    return x


def noise_times_its_variance(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t] * z[t]  # <-
    return x


def used_the_smaller_variance(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            tilde = (1 - alphas_bar[t - 1]) / (1 - alphas_bar[t]) * betas[t]  # <-
            x = x + tilde.sqrt() * z[t]  # <-
    return x


def left_out_the_last_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(1, len(betas))):  # <-
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        x = x + betas[t].sqrt() * z[t]
    return x


def divided_by_the_factor_of_all_steps(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / alphas_bar[t].sqrt()  # <-
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def did_not_rescale(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def used_the_noise_of_one_step(network, x, z, betas):
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / betas[t].sqrt() * eps_hat  # <-
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def named_a_later_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t + 1))  # <-
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def read_the_notebooks_table(network, x, z, betas):
    alphas_bar = (1 - torch.linspace(0.001, 0.2, 100)).cumprod(0)  # <-
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


def walked_forwards(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in range(len(betas)):  # <-
        eps_hat = network(x, torch.full((len(x),), t))
        x = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = x / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


SAMPLER = Exercise(
    id="12.sampler",
    right=walk_back,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        noised_the_finished_example,
        "you added noise at the last step too: the finished example must not be noised.",
        noise_times_its_variance,
        "you multiplied the noise by the variance; its standard deviation is the root.",
        used_the_smaller_variance,
        "this is the smaller variance, beta tilde; beta was asked for.",
        left_out_the_last_step,
        "you left out t = 0: the last step has no noise, but it has a mean.",
        divided_by_the_factor_of_all_steps,
        "you divided by the root of alpha bar; one reverse step undoes the factor of one step.",
        did_not_rescale,
        "you forgot to divide by sqrt(1 - beta): the signal that a step took away never "
        "comes back.",
        used_the_noise_of_one_step,
        "the noise in x_t has the variance of all steps together; you used one step's.",
        named_a_later_step,
        "the network counts steps from 0, as the table does: give it the index t.",
        read_the_notebooks_table,
        "this is the notebook's alphas_bar; make your own from the betas that you are given.",
        walked_forwards,
        "you walked forwards: begin at the last index, T - 1.",
    ),
)


# 12.repair
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


def as_it_stood(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), t)).clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def still_wraps_to_the_last_entry(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def wraps_and_does_not_clip(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def still_clips_the_noise(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t)).clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def clips_data_and_noise(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t)).clamp(-1, 1)  # <-
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def lost_the_signal_before_the_first_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.zeros_like(a)  # <-
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def clips_the_state(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t))
        x = x.clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def does_not_clip(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
    return x


def repaired_but_for_the_last_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(1, len(betas))):  # <-
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1]
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        x = x + beta.sqrt() * z[t]
    return x


REPAIR = Exercise(
    id="12.repair",
    right=clipped_walk,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        as_it_stood,
        "this behaves as before. Walk through the last step, t = 0, by hand; and ask what "
        "lies in [-1, 1].",
        still_wraps_to_the_last_entry,
        "one found. The other: what does alphas_bar[t - 1] give when t is 0?",
        wraps_and_does_not_clip,
        "one found, but what should be clipped instead? And what is alphas_bar[t - 1] at t = 0?",
        still_clips_the_noise,
        "one found. The other: pixels lie in [-1, 1]; does noise?",
        clips_data_and_noise,
        "you clip the data, rightly, and the noise as well: a third of a normal's draws lie "
        "outside [-1, 1].",
        lost_the_signal_before_the_first_step,
        "before the first step nothing is lost: alpha bar is 1 there, not 0.",
        clips_the_state,
        "you clip the state; it carries noise, and must be free to leave [-1, 1].",
        does_not_clip,
        "both bugs are gone, but so is the clipping: it is the guess of x_0 that must stay in "
        "[-1, 1].",
        repaired_but_for_the_last_step,
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
