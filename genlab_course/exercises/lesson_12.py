"""Exercises of lesson 12: the forward and the reverse process."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, RefusedError, bank

Model = Callable[[Tensor, Tensor], Tensor]

LOST = Prediction("12.predict-lost", choices=("35", "60", "90"), unit="steps")
LOSS = Prediction("12.predict-loss", choices=("zero", "more"))
ERROR = Prediction("12.predict-error", choices=("1", "5", "30"), unit="times")

SHORTCUT = Exercise(
    id="12.shortcut",
    right=2 * 0.9**2.5 + 0.3 * math.sqrt(1 - 0.9**5),
    mistakes=Mistake.pairs(
        2 * 0.9**5 + 0.3 * (1 - 0.9**5),
        "you used the fractions of the variance as scales; amplitudes are their square roots.",
        2 * 0.9**2.5 + 0.3 * (1 - 0.9**5),
        "the signal is scaled correctly, the noise by its variance instead of its "
        "standard deviation.",
        2 * 0.9**5 + 0.3 * math.sqrt(1 - 0.9**5),
        "the noise is scaled correctly, the signal by a fraction of the variance instead of its "
        "square root.",
        1.7,
        "this is rounded too far: three digits are asked for.",
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


# 12.posterior
BETAS = torch.linspace(0.02, 0.3, 6, dtype=torch.float64)


def posterior(x0: Tensor, x_t: Tensor, k: int, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of x_{t-1} given x_t and x_0; the index is k = t - 1."""
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    beta, after = betas[k], alphas_bar[k]
    mean = before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t
    return mean / (1 - after), (1 - before) / (1 - after) * beta


def wraps_to_the_last_entry(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1]  # <-
    gain = (1 - betas[k]).sqrt() * (1 - before) / (1 - alphas_bar[k])
    mean = before.sqrt() * x0 + gain * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - gain**2 * (1 - alphas_bar[k])


def wraps_in_the_simplified_form(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before, after = alphas_bar[k - 1], alphas_bar[k]  # <-
    mean = before.sqrt() * betas[k] * x0 + (1 - betas[k]).sqrt() * (1 - before) * x_t
    return mean / (1 - after), (1 - before) / (1 - after) * betas[k]


def nothing_is_left_before_the_first_step(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.zeros_like(betas[0])  # <-
    gain = (1 - betas[k]).sqrt() * (1 - before) / (1 - alphas_bar[k])
    mean = before.sqrt() * x0 + gain * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - gain**2 * (1 - alphas_bar[k])


def covariance_without_its_factor(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = 1 - before, 1 - alphas_bar[k]  # <-
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - cov**2 / var


def covariance_with_the_factor_of_all_steps(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = alphas_bar[k].sqrt() * (1 - before), 1 - alphas_bar[k]  # <-
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - cov**2 / var


def means_without_roots(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before * x0 + cov / var * (x_t - alphas_bar[k] * x0)  # <-
    return mean, (1 - before) - cov**2 / var


def did_not_subtract_the_mean(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * x_t  # <-
    return mean, (1 - before) - cov**2 / var


def covariance_not_squared(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - cov / var  # <-


def variance_grows_by_what_is_seen(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) + cov**2 / var  # <-


def weights_swapped(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    of_x0, of_x_t = (1 - betas[k]).sqrt() * (1 - before), before.sqrt() * betas[k]  # <-
    var = 1 - alphas_bar[k]
    return (of_x0 * x0 + of_x_t * x_t) / var, (1 - before) / var * betas[k]


def variance_of_the_forward_step(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, betas[k]  # <-


def variance_that_knows_nothing_of_x_t(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, 1 - before  # <-


def standard_deviation(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, ((1 - before) - cov**2 / var).clamp(min=0).sqrt()  # <-


def _numbers(x0: float, x_t: float, k: int, betas: Tensor) -> tuple[Any, ...]:
    return *torch.tensor([x0, x_t], dtype=torch.float64), k, betas


def _judge_pictures(answer: Any) -> str:
    """What follows steps back with whole pictures, and takes roots of the variance."""
    x0 = torch.tensor([[0.3, -1.2], [0.5, 0.1]], dtype=torch.float64)
    mean, variance = answer(x0, 0.5 * x0 + 1, 2, BETAS)
    if not (isinstance(mean, Tensor) and isinstance(variance, Tensor)):
        return "the numbers are right; return tensors, because pictures will step back with it."
    right = posterior(x0, 0.5 * x0 + 1, 2, BETAS)[0]
    if mean.shape != right.shape or not torch.allclose(mean.double(), right):
        return "single numbers step back, but whole tensors x0 and x_t do not."
    return ""


POSTERIOR = Exercise(
    id="12.posterior",
    right=posterior,
    cases=(
        _numbers(2.0, 1.729, 4, torch.full((6,), 0.1, dtype=torch.float64)),
        _numbers(-0.7, 0.4, 0, BETAS),
        _numbers(1.3, -0.2, 2, BETAS),
        _numbers(0.8, 0.5, 5, BETAS),
    ),
    mistakes=Mistake.pairs(
        wraps_to_the_last_entry,
        "at k = 0 yours reads alphas_bar[-1], the last entry; before the first step nothing is "
        "lost, and alpha bar is 1.",
        wraps_in_the_simplified_form,
        "at k = 0 yours reads alphas_bar[-1], the last entry; before the first step nothing is "
        "lost, and alpha bar is 1.",
        nothing_is_left_before_the_first_step,
        "before the first step nothing is lost: alpha bar is 1 there, not 0.",
        covariance_without_its_factor,
        "the covariance lacks its factor: x_t holds sqrt(alpha_t) times x_{t-1}.",
        covariance_with_the_factor_of_all_steps,
        "between x_{t-1} and x_t lies one step: its factor is sqrt(1 - beta), not that of all "
        "steps.",
        means_without_roots,
        "the means are sqrt(alpha bar) times x_0; you lost the roots.",
        did_not_subtract_the_mean,
        "the gain multiplies what surprises you, x_t minus *its* mean.",
        covariance_not_squared,
        "the mean is right; in the variance the covariance is squared.",
        variance_grows_by_what_is_seen,
        "the mean is right; the variance has a wrong sign: what you see can only lower it.",
        weights_swapped,
        "x_0 and x_t have swapped their weights; late in the chain the larger one belongs to x_t.",
        variance_of_the_forward_step,
        "the mean is right; the variance is that of a forward step, which knows no x_0.",
        variance_that_knows_nothing_of_x_t,
        "the mean is right; the variance is what it was before you saw x_t.",
        standard_deviation,
        "the mean is right; return the variance, not its root.",
    ),
    judge=_judge_pictures,
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
        lambda beta, alpha_bar, v: 1 / (2 * v),
        "this multiplies the squared gap of the *means*; by (11), what stands before the noise "
        "in them comes out, squared.",
        lambda beta, alpha_bar, v: beta / (2 * v * math.sqrt((1 - beta) * (1 - alpha_bar))),
        "what stands before the noise in the mean must be squared, all of it.",
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


# 12.training-step
def noise_loss(network: Model, x0: Tensor, k: Tensor, eps: Tensor, alphas_bar: Tensor) -> Tensor:
    """Mean square error of the predicted noise."""
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def _network(x: Any, k: Any) -> Tensor:
    if len(getattr(k, "shape", ())) != 1:
        raise RefusedError("network(x, k) wants one k for each row: torch.full((len(x),), k)")
    return torch.tanh(x) * (1 + k.reshape(-1, *[1] * (x.ndim - 1)) / 5)


def _batch(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 4, 1, 3, 3, generator=g, dtype=torch.float64)
    k = torch.tensor([0, 2, 3, 5])

    def network(x: Any, told: Any) -> Tensor:
        """A network with weights, which refuses what is made of another noise or step."""
        guess = _network(x, told) * torch.ones((), dtype=x.dtype, requires_grad=True)
        if x.shape == x0.shape:
            known = torch.stack([x0, eps], -1).flatten(1, 3)
            fit = known @ torch.linalg.lstsq(known, x.detach().flatten(1, 3)[..., None]).solution
            if not torch.allclose(fit[..., 0], x.detach().flatten(1), atol=1e-6):
                raise RefusedError("x_t is made of other noise than eps: use the one you are given")
        if told.shape == k.shape and not any(torch.equal(told, k + more) for more in (0, 1)):
            raise RefusedError("the network is asked at other steps than k: use the k given")
        return guess

    return network, x0, k, eps, (1 - BETAS).cumprod(0)


def forgot_the_root_of_the_signal(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def forgot_the_root_of_the_noise(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a) * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def forgot_both_roots(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a * x0 + (1 - a) * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def multiplied_up_twice(network, x0, k, eps, alphas_bar):
    a = alphas_bar.cumprod(0)[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def read_the_entry_before(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k - 1][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean()


def told_the_network_a_later_step(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k + 1)) ** 2).mean()


def showed_the_clean_images(network, x0, k, eps, alphas_bar):
    return ((eps - network(x0, k)) ** 2).mean()


def compared_with_the_data(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((x0 - network(x_t, k)) ** 2).mean()


def summed_over_the_pixels(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).sum((1, 2, 3)).mean()


def summed_over_everything(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).sum()


def took_the_root_of_the_mean(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean().sqrt()


TRAINING_STEP = Exercise(
    id="12.training-step",
    right=noise_loss,
    cases=(_batch(0), _batch(1)),
    mistakes=Mistake.pairs(
        forgot_the_root_of_the_signal,
        "you scaled the signal with alpha bar; its square root is the amplitude.",
        forgot_the_root_of_the_noise,
        "you scaled the noise with its variance instead of its standard deviation.",
        forgot_both_roots,
        "alpha bar and 1 - alpha bar are fractions of the *variance*; the pictures are scaled with "
        "their square roots.",
        multiplied_up_twice,
        "you multiplied up alphas_bar once more; it is the product already.",
        read_the_entry_before,
        "k counts from 0 here, so its entry is alphas_bar[k]; at k = 0 yours is the last one.",
        told_the_network_a_later_step,
        "the network counts steps from 0, as the table does: give it k itself.",
        showed_the_clean_images,
        "the network saw the clean images; it must see the noisy ones.",
        compared_with_the_data,
        "you compared the prediction with the data; this network names the noise.",
        summed_over_the_pixels,
        "you summed over the pixels; a mean was asked for.",
        summed_over_everything,
        "you summed over digits and pixels; a mean was asked for.",
        took_the_root_of_the_mean,
        "this is the root; the mean of the squares was asked for.",
    ),
)


# 12.sampler; `# <-` marks where a wrong walk leaves the right one
def walk_back(network: Model, x: Tensor, z: Tensor, betas: Tensor) -> Tensor:
    """From pure noise x to data, with step variances beta."""
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def _start(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x_T = torch.randn(4, 3, generator=g, dtype=torch.float64)
    last: dict[str, Any] = {}

    def network(x: Any, k: Any) -> Tensor:
        """A network that notices if random numbers were drawn since the step before."""
        guess, state = _network(x, k), torch.get_rng_state()
        if last.get("k") == int(k[0]) + 1 and not torch.equal(state, last["state"]):
            raise RefusedError("you drew noise of your own; use z[k], so that results compare.")
        last.update(k=int(k[0]), state=state)
        return guess

    return network, x_T, torch.randn(6, 4, 3, generator=g, dtype=torch.float64), BETAS


def noised_the_finished_example(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        x = x + betas[k].sqrt() * z[k]  # <-
    return x


def noise_times_its_variance(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k] * z[k]  # <-
    return x


def used_the_smaller_variance(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            tilde = (1 - alphas_bar[k - 1]) / (1 - alphas_bar[k]) * betas[k]  # <-
            x = x + tilde.sqrt() * z[k]  # <-
    return x


def left_out_the_last_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(1, len(betas))):  # <-
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        x = x + betas[k].sqrt() * z[k]
    return x


def divided_by_the_factor_of_all_steps(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / alphas_bar[k].sqrt()  # <-
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def did_not_rescale(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def used_the_noise_of_one_step(network, x, z, betas):
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / betas[k].sqrt() * eps_hat  # <-
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def forgot_the_root_of_the_noise_in_x(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]) * eps_hat  # <-
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def guessed_and_noised_anew(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = (x - (1 - alphas_bar[k]).sqrt() * eps_hat) / alphas_bar[k].sqrt()  # <-
        if k > 0:
            x = alphas_bar[k - 1].sqrt() * x + (1 - alphas_bar[k - 1]).sqrt() * z[k]  # <-
    return x


def clipped_the_guess(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def clipped_the_end(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x.clamp(-1, 1)  # <-


def named_a_later_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k + 1))  # <-
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def read_the_notebooks_table(network, x, z, betas):
    alphas_bar = (1 - torch.linspace(0.001, 0.2, 100)).cumprod(0)  # <-
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


def walked_forwards(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in range(len(betas)):  # <-
        eps_hat = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = x / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
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
        "you left out k = 0: the last step has no noise, but it has a mean.",
        divided_by_the_factor_of_all_steps,
        "you divided by the root of alpha bar; one reverse step undoes the factor of one step.",
        did_not_rescale,
        "you forgot to divide by sqrt(1 - beta): the signal that a step took away never "
        "comes back.",
        used_the_noise_of_one_step,
        "the noise in x_t has the variance of all steps together; you used one step's.",
        forgot_the_root_of_the_noise_in_x,
        "you divided by the variance of the noise in x_t; its standard deviation is the root.",
        guessed_and_noised_anew,
        "you guessed the data and noised it anew: that forgets where x_t is. The mean of the step "
        "keeps x_t.",
        clipped_the_guess,
        "you clipped the guess of the data: a good habit, and the next exercise. Here nothing is "
        "clipped.",
        clipped_the_end,
        "you clipped the result; here nothing is clipped.",
        named_a_later_step,
        "the network counts steps from 0, as the table does: give it the index k.",
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
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def as_it_stood(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), k)).clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def still_wraps_to_the_last_entry(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def wraps_and_does_not_clip(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1]  # <-
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def still_clips_the_noise(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k)).clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def clips_data_and_noise(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k)).clamp(-1, 1)  # <-
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def lost_the_signal_before_the_first_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.zeros_like(a)  # <-
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def clips_the_state(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x = x.clamp(-1, 1)  # <-
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def does_not_clip(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def repaired_with_the_smaller_variance(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + ((1 - before) / (1 - a) * beta).sqrt() * z[k]  # <-
    return x


def clips_only_the_end(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()  # <-
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x.clamp(-1, 1)  # <-


def repaired_but_for_the_last_step(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(1, len(betas))):  # <-
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1]
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        x = x + beta.sqrt() * z[k]
    return x


REPAIR = Exercise(
    id="12.repair",
    right=clipped_walk,
    cases=(_start(0), _start(1)),
    mistakes=Mistake.pairs(
        as_it_stood,
        "this behaves as before. Walk through the last step, k = 0, by hand; and ask what "
        "lies in [-1, 1].",
        still_wraps_to_the_last_entry,
        "one found. The other: what does alphas_bar[k - 1] give when k is 0?",
        wraps_and_does_not_clip,
        "one found, but what should be clipped instead? And what is alphas_bar[k - 1] at k = 0?",
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
        repaired_with_the_smaller_variance,
        "both bugs are gone, but the noise now has the smaller variance, beta tilde: keep beta.",
        clips_only_the_end,
        "both bugs are gone, but you clip the finished picture only: the guess of x_0 must be "
        "clipped in every step.",
        repaired_but_for_the_last_step,
        "you left out k = 0, the last step: it has a mean, with before = 1.",
    ),
)


def _few_steps(answer: Any) -> str:
    said = str(answer).strip().lower().removeprefix("too ").removeprefix("about ")
    return "" if said == "narrow" else FEW_STEPS_SAYS.get(said, FEW_STEPS_SAYS[""])


FEW_STEPS_SAYS = {
    "wide": "the mass stranded between the peaks is not in their cores. The last step returns an "
    "average: does it vary more or less than what it averages?",
    "right": "the means are right, the variances are not: the last step returns E[x_0 | x_1], an "
    "average, and adds nothing.",
    "one": "the mean of each step is exact, and it leans to the nearer peak; both survive.",
    "": "choose one of narrow, wide, right, one.",
}
FEW_STEPS = Exercise(
    id="12.few-steps",
    right="narrow",
    mistakes=tuple(Mistake(*pair) for pair in FEW_STEPS_SAYS.items() if pair[0]),
    judge=_few_steps,
)

EXERCISES = bank(globals())
