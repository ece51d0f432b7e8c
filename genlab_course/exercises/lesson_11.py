"""Exercises of lesson 11: denoising losses, Tweedie's formula, and the ladder of noise levels.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, RefusedError, bank

Score = Callable[[Tensor], Tensor]  # points (n, ...) to slopes of the same shape
LevelScore = Callable[[Tensor, Tensor], Tensor]  # points and one level for each row, (n,)

FLOOR_GUESS = Prediction("11.predict-floor", choices=("0", "0.25", "0.5", "1"))
SHARE = Prediction("11.predict-share", between=(0.0, 1.0))
WIDTH = Prediction("11.predict-width", choices=("0.5", "0.75", "1", "1.12"))


# 11.dsm-loss: the loss at one level
def dsm_loss(score: Score, x0: Tensor, eps: Tensor, sigma: float) -> Tensor:
    """Half the squared distance of the slope at x0 + sigma eps from -eps / sigma, a sum a row."""
    error = score(x0 + sigma * eps) + eps / sigma
    return 0.5 * error.square().sum(1)


def _bent(x: Tensor) -> Tensor:
    return torch.sin(x) - 0.3 * x.flip(1)


def _noisy(seed: int, sigma: float) -> tuple[Score, Tensor, Tensor, float]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, 5, 3, generator=g, dtype=torch.float64)
    return _bent, x0, eps, sigma


def asked_for_the_noise(score, x0, eps, sigma):
    target = -eps
    return 0.5 * (score(x0 + sigma * eps) - target).square().sum(1)


def pointed_along_the_noise(score, x0, eps, sigma):
    target = eps / sigma
    return 0.5 * (score(x0 + sigma * eps) - target).square().sum(1)


def divided_by_sigma_twice(score, x0, eps, sigma):
    target = -eps / sigma**2
    return 0.5 * (score(x0 + sigma * eps) - target).square().sum(1)


def averaged_over_an_example(score, x0, eps, sigma):
    target = -eps / sigma
    return 0.5 * (score(x0 + sigma * eps) - target).square().mean(1)


def showed_the_clean_example(score, x0, eps, sigma):
    target = -eps / sigma
    return 0.5 * (score(x0) - target).square().sum(1)


def left_the_half_out(score, x0, eps, sigma):
    target = -eps / sigma
    return (score(x0 + sigma * eps) - target).square().sum(1)


def averaged_the_batch(score, x0, eps, sigma):
    target = -eps / sigma
    return 0.5 * (score(x0 + sigma * eps) - target).square().sum(1).mean()


DSM_LOSS = Exercise(
    id="11.dsm-loss",
    right=dsm_loss,
    cases=(_noisy(0, 0.4), _noisy(1, 2.5)),
    mistakes=Mistake.pairs(
        asked_for_the_noise,
        "your target is the noise; the slope of its log-density grows as the noise gets small.",
        pointed_along_the_noise,
        "the sign: the score points back towards the clean example, against the noise.",
        divided_by_sigma_twice,
        "you divided by sigma twice: (x_t - x0) / sigma^2 is already eps / sigma.",
        averaged_over_an_example,
        "you averaged over the numbers of an example; the definition sums them.",
        showed_the_clean_example,
        "you showed the clean example to the model; it must see the noisy one.",
        left_the_half_out,
        "twice what was asked for: the half in front of the square is missing.",
        averaged_the_batch,
        "you averaged over the batch; return one number for each row.",
    ),
)


# 11.floor: what no network can remove
FLOOR = Exercise(
    id="11.floor",
    right=lambda s, sigma: s**2 / (2 * sigma**2 * (s**2 + sigma**2)),
    cases=((1.0, 1.0), (2.0, 0.5), (0.3, 2.0)),
    mistakes=Mistake.pairs(
        lambda s, sigma: 0.0,
        "from a noisy example nobody can tell which noise was drawn: the loss has a floor.",
        lambda s, sigma: 1 / (2 * sigma**2),
        "this is the loss of the model that always answers 0; the best one does better.",
        lambda s, sigma: s**2 / (2 * (s**2 + sigma**2)),
        "this is the floor of the loss multiplied by sigma^2, that of noise prediction.",
        lambda s, sigma: 1 / (2 * (s**2 + sigma**2)),
        "this is half the true score's mean square: *take it off* the loss of answering 0.",
        lambda s, sigma: s**2 / (sigma**2 * (s**2 + sigma**2)),
        "twice too much: the loss has a half in front of its square.",
        lambda s, sigma: s / (2 * sigma**2 * (s + sigma)),
        "variances add, standard deviations do not: the noised data have s^2 + sigma^2.",
    ),
)


# 11.tweedie: from the score to the clean example
_SEEN = (torch.tensor([2.5, -1.0]), torch.tensor([-1.25, 0.7]), 1.0, 0.8)
_SCALED = (torch.tensor([0.4, 3.0, -2.0]), torch.tensor([0.1, -0.9, 1.1]), 0.6, 1.7)

TWEEDIE = Exercise(
    id="11.tweedie",
    right=lambda x_t, score, alpha, sigma: (x_t + sigma**2 * score) / alpha,
    cases=(_SEEN, _SCALED),
    mistakes=Mistake.pairs(
        lambda x_t, score, alpha, sigma: (x_t + sigma * score) / alpha,
        "sigma times the score is minus the noise of size 1; how large is the noise in x_t?",
        lambda x_t, score, alpha, sigma: (x_t - sigma**2 * score) / alpha,
        "the sign: the score points to where the data are, so go along it.",
        lambda x_t, score, alpha, sigma: x_t + sigma**2 * score,
        "this estimates alpha x0, the signal as it stands in x_t.",
        lambda x_t, score, alpha, sigma: x_t / alpha + sigma**2 * score,
        "you undid the scaling of x_t only: the whole estimate of alpha x0 is to be divided.",
        lambda x_t, score, alpha, sigma: (x_t + sigma**2 * score) * alpha,
        "you multiplied by alpha: x_t holds alpha x0, so divide.",
    ),
)


# 11.level-loss: every row at a level of its own
def level_loss(score: LevelScore, x0: Tensor, eps: Tensor, sigma: Tensor, weight: Tensor) -> Tensor:
    """The weighted loss of each row at its own level; x0 is (n, d) or (n, 1, 8, 8)."""
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


def _told(x: Tensor, sigma: Tensor) -> Tensor:
    if sigma.shape != (len(x),):
        raise RefusedError(
            f"score wants one level for each row, of shape ({len(x)},), and got one of shape "
            f"{tuple(sigma.shape)}: pass sigma as it came."
        )
    s = sigma.reshape(-1, *[1] * (x.ndim - 1))
    return torch.sin(x) / (1 + s) - 0.3 * x.flip(-1)


def _rows(seed: int, *shape: int) -> tuple[LevelScore, Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, *shape, generator=g, dtype=torch.float64)
    sigma = 0.2 + 3 * torch.rand(shape[0], generator=g, dtype=torch.float64)
    return _told, x0, eps, sigma, sigma**2 * (1 + sigma**2 / 4)


def one_level_for_all_rows(score, x0, eps, sigma, weight):
    s = sigma[0]
    error = score(x0 + s * eps, sigma) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


def told_the_first_level(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma[:1].expand(len(x0))) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


def left_the_weight_out(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return 0.5 * error.square().flatten(1).sum(1)


def weighted_inside_the_square(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return weight**2 * 0.5 * error.square().flatten(1).sum(1)


def took_the_noise_for_the_slope(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps
    return weight * 0.5 * error.square().flatten(1).sum(1)


def averaged_the_pixels(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return weight * 0.5 * error.square().flatten(1).mean(1)


def forgot_the_half_again(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return weight * error.square().flatten(1).sum(1)


def returned_the_mean(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return (weight * 0.5 * error.square().flatten(1).sum(1)).mean()


def pointed_with_the_noise(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) - eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


def asked_at_the_clean_example(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0, sigma) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


def passed_the_reshaped_levels(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, s) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


LEVEL_LOSS = Exercise(
    id="11.level-loss",
    right=level_loss,
    cases=(_rows(2, 3, 2), _rows(3, 4, 1, 3, 3)),
    mistakes=Mistake.pairs(
        one_level_for_all_rows,
        "all rows got the noise of the first row's level; each has its own.",
        told_the_first_level,
        "the model is told one level for all rows; pass sigma as it came, one for each row.",
        left_the_weight_out,
        "the weight is missing.",
        weighted_inside_the_square,
        "the weight stands in front of the square, not inside it.",
        took_the_noise_for_the_slope,
        "your target is the noise; the slope of its log-density is -eps / sigma.",
        averaged_the_pixels,
        "you averaged over the numbers of an example; the loss sums them.",
        forgot_the_half_again,
        "twice what was asked for: the half in front of the square is missing.",
        returned_the_mean,
        "you averaged over the batch; return one number for each row.",
        pointed_with_the_noise,
        "the sign: the score points back towards the clean example, against the noise.",
        asked_at_the_clean_example,
        "you showed the clean example to the model; it must see the noisy one.",
        passed_the_reshaped_levels,
        "score wants one level for each row, of shape (3,), and got one of shape (3, 1): pass "
        "sigma as it came.",
    ),
)


# 11.annealed: down the ladder
def annealed(
    score: LevelScore,
    x: Tensor,
    sigmas: Tensor,
    rate: float,
    n_steps: int,
    rng: torch.Generator | None,
) -> Tensor:
    """From noise at the first level to samples: n_steps on each level, then one denoising."""
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def steps_in_proportion_to_sigma(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def one_step_size_for_all_levels(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigmas[-1] ** 2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def noise_of_variance_eta(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + eta.sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def noise_without_its_root(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + 2 * eta * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def kept_the_last_noise(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x


def denoised_on_every_level(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
        x = x + sigma**2 * score(x, level)
    return x


def denoised_by_sigma(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] * score(x, sigmas[-1].expand(len(x)))


def climbed_the_ladder(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas.flip(0):
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def one_step_on_each_level(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        z = torch.randn(x.shape, generator=rng)
        x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def stayed_on_the_first_score(score, x, sigmas, rate, n_steps, rng):
    level = sigmas[0].expand(len(x))
    for sigma in sigmas:
        eta = rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def went_against_the_score(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x - eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def started_each_level_afresh(score, x, sigmas, rate, n_steps, rng):
    start = x
    for sigma in sigmas:
        x, level, eta = start, sigma.expand(len(start)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def half_a_step_with_whole_noise_of_it(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + 0.5 * eta * score(x, level) + eta.sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def no_noise_at_all(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            x = x + eta * score(x, level)
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def the_rate_as_the_step(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), torch.tensor(rate)
        for _ in range(n_steps):
            z = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * z
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


_WRONG_WALKS = (
    (steps_in_proportion_to_sigma,
     "your steps go with sigma: sigma^2 times the score leads to the clean guess, so a step goes "
     "the same fraction of that way on every level only if it goes with sigma^2."),
    (one_step_size_for_all_levels,
     "your steps are as short on high levels as on the last: eta is rate sigma^2 of its level."),
    (noise_of_variance_eta, "the noise of a step has the variance 2 eta, and yours has eta."),
    (noise_without_its_root,
     "2 eta is the *variance* of the noise: the factor of torch.randn is its root."),
    (kept_the_last_noise,
     "your samples keep the noise of the last level: one step by Tweedie's formula is missing."),
    (denoised_on_every_level,
     "you denoised after every level; what the next one expects is a *noisy* point. Only the last "
     "noise is removed."),
    (denoised_by_sigma, "Tweedie's formula has sigma^2 in front of the score."),
    (climbed_the_ladder, "you climbed: sigmas is falling as it comes, the largest level first."),
    (one_step_on_each_level, "you took one step on each level; n_steps of them were asked for."),
    (stayed_on_the_first_score,
     "you asked for the score of the first level on all levels: pass the level you are on."),
    (went_against_the_score, "your points go against the score; it points to where the data are."),
    (half_a_step_with_whole_noise_of_it,
     "your step is half as long as asked: eta / 2 with the noise sqrt(eta) is a Langevin step too, "
     "of the size eta / 2. Here the step is eta, and its noise sqrt(2 eta)."),
    (no_noise_at_all, "your walkers are never shaken: a Langevin step adds sqrt(2 eta) z."),
    (the_rate_as_the_step, "your step is the rate itself on all levels: eta is rate sigma^2."),
    (started_each_level_afresh,
     "each level began at the noise again: pass the points down from level to level."),
)  # fmt: skip

_SPREADS = torch.tensor([1.0, 0.4])  # of the normal data on which the walks are tried
_CENTRE = torch.tensor([1.0, -0.5])
_WALKS = ((torch.tensor([3.0, 1.0, 0.4]), 0.2, 3), (torch.tensor([2.0, 0.5]), 0.3, 2))
_WALKERS = 200_000
_NEAR = 6.0  # standard errors


def _normal_score(x: Tensor, sigma: Tensor) -> Tensor:
    return (_CENTRE - x) / (_SPREADS**2 + sigma[:, None] ** 2)


def _ends(answer: Callable[..., Any]) -> Tensor:
    """Means and spreads (2, 2) of many points at the end of each of two short ladders."""
    found = []
    for sigmas, rate, n_steps in _WALKS:
        g = torch.Generator().manual_seed(3)
        x = sigmas[0] * torch.randn(_WALKERS, 2, generator=g)
        x = answer(_normal_score, x, sigmas, rate, n_steps, g)
        found.append(torch.stack([x.mean(0), x.std(0)]))
    return torch.stack(found).detach()


def _predicted_ends() -> Tensor:
    """The same numbers from the recursion of mean and variance."""
    found = []
    for sigmas, rate, n_steps in _WALKS:
        mean, variance = -_CENTRE, (sigmas[0] ** 2).expand(2)
        for sigma in sigmas:
            keep = 1 - rate * sigma**2 / (_SPREADS**2 + sigma**2)
            for _ in range(n_steps):
                mean, variance = keep * mean, keep**2 * variance + 2 * rate * sigma**2
        keep = 1 - sigmas[-1] ** 2 / (_SPREADS**2 + sigmas[-1] ** 2)
        found.append(torch.stack([keep * mean + _CENTRE, keep * variance.sqrt()]))
    return torch.stack(found)


def _judge_annealed(answer: Callable[..., Any]) -> str:
    sigmas, rate, n_steps = _WALKS[0]
    x = torch.tensor([[0.3, -0.2], [1.0, 2.0]])
    before = x.clone()
    runs = [
        answer(_normal_score, x, sigmas, rate, n_steps, torch.Generator().manual_seed(0))
        for _ in range(2)
    ]
    if not isinstance(runs[0], Tensor) or runs[0].shape != x.shape:
        shape = tuple(runs[0].shape) if isinstance(runs[0], Tensor) else type(runs[0]).__name__
        return f"return the points after the last step, of shape (2, 2) like x; you gave {shape}."
    if not torch.equal(x, before):
        return (
            "you moved the points that you were given (-= and += work in place): whoever called "
            "you still needs them. Write x = x + ..."
        )
    if not torch.equal(runs[0], runs[1]):
        return (
            "two calls with the same generator give different points: draw the noise with "
            "generator=rng."
        )
    found, expected = _ends(answer), _predicted_ends()
    if _alike(found, expected):
        return ""
    for wrong, says in _WRONG_WALKS:
        if _alike(found, _ends(wrong)):
            return says
    return (
        f"{_WALKERS:,d} points that come down three levels have the mean {found[0, 0, 0]:.3g} and "
        f"the standard deviation {found[0, 1, 0]:.3g} in the first coordinate; expected "
        f"{expected[0, 0, 0]:.3g} and {expected[0, 1, 0]:.3g}."
    )


def _alike(found: Tensor, expected: Tensor) -> bool:
    error = expected[:, 1:] / math.sqrt(_WALKERS) * torch.tensor([[1.0], [math.sqrt(0.5)]])
    return bool(((found - expected).abs() < _NEAR * error).all())


def moved_the_given_points(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            x += eta * score(x, level)
            x += (2 * eta).sqrt() * torch.randn(x.shape, generator=rng)
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


def left_the_generator_out(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            x = x + eta * score(x, level) + (2 * eta).sqrt() * torch.randn(x.shape)
    return x + sigmas[-1] ** 2 * score(x, sigmas[-1].expand(len(x)))


ANNEALED = Exercise(
    id="11.annealed",
    right=annealed,
    judge=_judge_annealed,
    mistakes=(
        *(Mistake(wrong, says) for wrong, says in _WRONG_WALKS),
        Mistake(
            moved_the_given_points,
            "you moved the points that you were given (-= and += work in place): whoever called "
            "you still needs them. Write x = x + ...",
        ),
        Mistake(
            left_the_generator_out,
            "two calls with the same generator give different points: draw the noise with "
            "generator=rng.",
        ),
    ),
)


# 11.noise-for-slope: a network of another repository
def slope_from_noise(predict: LevelScore, x: Tensor, level: Tensor) -> Tensor:
    """The score of a network that answers with the noise."""
    return -predict(x, level) / level.reshape(-1, *[1] * (x.ndim - 1))


def _guess(x: Tensor, level: Tensor) -> Tensor:
    s = level.reshape(-1, *[1] * (x.ndim - 1))
    return s * torch.tanh(x) / (1 + s**2) + 0.2 * x.flip(-1)


def _mixed(seed: int, *shape: int) -> tuple[LevelScore, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=g, dtype=torch.float64)
    return _guess, x, 0.2 + 3 * torch.rand(shape[0], generator=g, dtype=torch.float64)


def used_it_as_it_is(predict, x, level):
    return predict(x, level)


def turned_the_sign_alone(predict, x, level):
    return -predict(x, level)


def left_the_sign(predict, x, level):
    return predict(x, level) / level.reshape(-1, *[1] * (x.ndim - 1))


def multiplied_by_sigma(predict, x, level):
    return -predict(x, level) * level.reshape(-1, *[1] * (x.ndim - 1))


def divided_by_the_variance(predict, x, level):
    return -predict(x, level) / level.reshape(-1, *[1] * (x.ndim - 1)) ** 2


def one_level_of_all(predict, x, level):
    return -predict(x, level) / level[0]


def went_to_the_clean_example(predict, x, level):
    return x - level.reshape(-1, *[1] * (x.ndim - 1)) * predict(x, level)


NOISE_FOR_SLOPE = Exercise(
    id="11.noise-for-slope",
    right=slope_from_noise,
    cases=(_mixed(4, 3, 2), _mixed(5, 2, 1, 3, 3)),
    mistakes=Mistake.pairs(
        used_it_as_it_is,
        "this is the colleague's function: the network answers with the noise, which is no slope.",
        turned_the_sign_alone,
        "the sign is right. How long is the slope of a noise of size sigma?",
        left_the_sign,
        "the length is right; the noise points away from the data, and the score towards them.",
        multiplied_by_sigma,
        "at small noise the slope is steep: divide by sigma.",
        divided_by_the_variance,
        "x_t - x0 is sigma eps; of its division by sigma^2 one sigma is left.",
        one_level_of_all,
        "you divided all rows by the level of the first; each row has its own.",
        went_to_the_clean_example,
        "this is the clean example behind x; its slope was asked for.",
    ),
)


# 11.sliced: score matching without noise, by one backward pass
def sliced_loss(score: Score, x: Tensor, v: Tensor) -> Tensor:
    """Hyvarinen's objective along one direction for each row, (n, d)."""
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)  # v^T J
    return (row * v).sum(1) + 0.5 * s.square().sum(1)


_SCALE = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)  # what a training would move


def _swayed(x: Tensor) -> Tensor:
    return torch.sin(x) - _SCALE * x.flip(1)


def _directions(seed: int, n: int, d: int) -> tuple[Score, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    v = torch.randn(n, d, generator=g, dtype=torch.float64)
    return _swayed, x, v


def forgot_the_second_v(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return row.sum(1) + 0.5 * s.square().sum(1)


def slope_of_the_plain_sum(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad(s.sum(), x, create_graph=True)
    return row.sum(1) + 0.5 * s.square().sum(1)


def turned_the_trace(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return -(row * v).sum(1) + 0.5 * s.square().sum(1)


def no_half(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return (row * v).sum(1) + s.square().sum(1)


def divided_by_the_length_of_v(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return (row * v).sum(1) / v.square().sum(1) + 0.5 * s.square().sum(1)


_FLAT = (
    "the values are right, but training cannot follow the first term back to the weights: "
    "create_graph=True keeps it in the graph."
)


def _judge_sliced(answer: Callable[..., Any]) -> str:
    slopes = []
    for loss in (sliced_loss, answer):
        mean = loss(*_directions(6, 4, 3)).mean()
        (slope,) = torch.autograd.grad(mean, _SCALE, allow_unused=True)
        slopes.append(torch.zeros_like(_SCALE) if slope is None else slope)
    return "" if torch.allclose(slopes[0], slopes[1], rtol=1e-6) else _FLAT


def lost_the_graph(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, retain_graph=True)
    return (row * v).sum(1) + 0.5 * s.square().sum(1)


SLICED = Exercise(
    id="11.sliced",
    right=sliced_loss,
    cases=(_directions(6, 4, 3), _directions(7, 5, 2)),
    judge=_judge_sliced,
    mistakes=Mistake.pairs(
        lost_the_graph,
        _FLAT,
        forgot_the_second_v,
        "the direction stands on both sides of the Jacobian: multiply its row by v, then add up.",
        slope_of_the_plain_sum,
        "v is missing: you added up all entries of the Jacobian, which is not its trace.",
        turned_the_trace,
        "the sign of the trace: by parts it comes out with a plus in the objective.",
        no_half,
        "the half in front of the square is missing.",
        divided_by_the_length_of_v,
        "no division: E[v v^T] = I already makes the mean of v^T J v the trace.",
    ),
)

EXERCISES = bank(globals())
