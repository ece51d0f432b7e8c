"""Exercises of the notebook on flow matching: velocity, loss, sampler, pairs, translation."""

from collections.abc import Callable
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

STEP = Prediction("fm.predict-step", between=(0, 3))
BEND = Prediction("fm.predict-bend", choices=("2", "10", "more than 50"), unit="times")
LABEL = Prediction("fm.predict-label", between=(-2, 2))


def marginal_velocity(x: Tensor, t: float, points: Tensor) -> Tensor:
    """The marginal velocity at each row of x, for equally likely points."""
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return (x - weights @ points) / t


def _bend(x: Tensor, t: Tensor) -> Tensor:
    """A network that is as strict about the shape of t as the real ones."""
    if getattr(t, "shape", None) != x.shape[:1]:
        raise ValueError(f"the network wants its times as a tensor of shape ({len(x)},), got {t}")
    return torch.tanh(x) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)))


def _batch(seed: int, *shape: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, *shape, generator=g, dtype=torch.float64)
    return _bend, x0, eps, 0.1 + 0.8 * torch.rand(shape[0], generator=g, dtype=torch.float64)


def led_to_the_data(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return (weights @ points - x) / t


def gave_the_guess_of_the_noise(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return (x - (1 - t) * weights @ points) / t


def compared_with_the_points_at_time_0(x, t, points):
    gaps = x[:, None] - points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return (x - weights @ points) / t


def took_t_for_the_variance(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t), 1)
    return (x - weights @ points) / t


def forgot_the_half(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / t**2, 1)
    return (x - weights @ points) / t


def forgot_the_square(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1).sqrt() / (2 * t**2), 1)
    return (x - weights @ points) / t


def gave_normal_the_variance(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(torch.distributions.Normal(0, t**2).log_prob(gaps).sum(-1), 1)
    return (x - weights @ points) / t


def gave_the_way_to_go(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return x - weights @ points


def did_not_normalise(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.exp(-(gaps**2).sum(-1) / (2 * t**2))
    return (x - weights @ points) / t


def normalised_over_the_walkers(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 0)
    return (x - weights @ points) / t


def gave_the_guess_of_the_data(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return weights @ points


def took_the_likeliest_point(x, t, points):
    gaps = x[:, None] - (1 - t) * points
    nearest = (gaps**2).sum(-1).argmin(1)
    return (x - points[nearest]) / t


def used_the_other_papers_time_for_the_arrow(x, t, points):
    gaps = x[:, None] - t * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * (1 - t) ** 2), 1)
    return (weights @ points - x) / (1 - t)


VELOCITY = Exercise(
    id="fm.marginal-velocity",
    right=marginal_velocity,
    cases=tuple((_batch(5, 5, 2)[1], t, _batch(6, 4, 2)[1]) for t in (0.4, 0.85, 0.15)),
    mistakes=Mistake.pairs(
        led_to_the_data,
        "Your velocity leads from noise to data; here positive time leads to the noise.",
        gave_the_guess_of_the_noise,
        "This is the best guess of eps; the velocity subtracts all of the guess of x0.",
        compared_with_the_points_at_time_0,
        "You compared x with the points themselves; at time t they have shrunk by 1 - t.",
        took_t_for_the_variance,
        "The noise at time t is t * eps: its variance is t squared, not t.",
        forgot_the_half,
        "A normal density has a factor one half in its exponent.",
        forgot_the_square,
        "A normal density has the *squared* distance in its exponent.",
        gave_normal_the_variance,
        "t squared is the variance; a library's Normal wants the standard deviation, t.",
        gave_the_way_to_go,
        "This is the way to go; divide it by the time that is left for it, t.",
        did_not_normalise,
        "Your weights are densities: divide them by their sum, so that they are probabilities.",
        normalised_over_the_walkers,
        "Your weights add up to 1 over the rows of x; each row's must do so over the points.",
        gave_the_guess_of_the_data,
        "This is the best guess of the data, the hard part. The velocity follows from it.",
        took_the_likeliest_point,
        "You took the likeliest point; what is wanted is a mean over all of them.",
        used_the_other_papers_time_for_the_arrow,
        "Consistent, but in the other papers' time, with noise at 0 and data at 1.",
    ),
)


def floor(t: float) -> float:
    """The variance of eps - x0 that remains when x_t is known."""
    return 1 / ((1 - t) ** 2 + t**2)


FLOOR = Exercise(
    id="fm.floor",
    right=floor,
    cases=((0.0,), (0.2,), (0.5,), (0.9,)),
    mistakes=Mistake.pairs(
        lambda t: 2.0 + 0 * t,
        "That is the variance of the target, the loss of a network that always answers 0.",
        lambda t: (1 - t) ** 2 + t**2,
        "That is the variance of x_t: you are near, but upside down.",
        lambda t: 2 - 1 / ((1 - t) ** 2 + t**2),
        "That is the part which x_t explains. Is your covariance t + (1 - t)? Mind the sign of x0.",
        lambda t: 2 - (2 * t - 1) ** 2,
        "The covariance of target and x_t is 2t - 1; its square must be divided by Var(x_t).",
        lambda t: 2 - (2 * t - 1) / ((1 - t) ** 2 + t**2),
        "Your covariance is right; in the formula it stands squared.",
        lambda t: t**2 / ((1 - t) ** 2 + t**2),
        "This is the error of the guess of x0. By (5) the arrow divides it by t: and its variance?",
    ),
)


def flow_loss(network: Callable[..., Tensor], x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Mean squared error of the velocity at random points of random lines."""
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - (eps - x0)).square().mean()


def asked_for_the_way_to_the_data(network, x0, eps, t):
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - (x0 - eps)).square().mean()


def put_the_noise_at_time_0(network, x0, eps, t):
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = at * x0 + (1 - at) * eps
    return (network(x_t, t) - (eps - x0)).square().mean()


def used_the_other_papers_time(network, x0, eps, t):
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = at * x0 + (1 - at) * eps
    return (network(x_t, t) - (x0 - eps)).square().mean()


def asked_for_the_noise(network, x0, eps, t):
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - eps).square().mean()


def summed_over_the_coordinates(network, x0, eps, t):
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - (eps - x0)).square().flatten(1).sum(1).mean()


LOSS = Exercise(
    id="fm.loss",
    right=flow_loss,
    cases=tuple(
        (lambda x, t: _bend(x, t) * torch.ones((), dtype=x.dtype, requires_grad=True), *batch[1:])
        for batch in (_batch(1, 4, 2), _batch(2, 3, 1, 2, 2))
    ),
    mistakes=Mistake.pairs(
        asked_for_the_way_to_the_data,
        "Time grows towards the noise here, so the derivative of x_t is eps - x0.",
        put_the_noise_at_time_0,
        "Your x_t is at the wrong end: t = 0 must be the data.",
        used_the_other_papers_time,
        "Consistent, but in the other papers' time, with noise at 0 and data at 1.",
        asked_for_the_noise,
        "This is the target of noise prediction; a velocity is the derivative of x_t.",
        summed_over_the_coordinates,
        "You summed over the coordinates; the loss is a mean over batch and coordinates.",
    ),
)


def flow_sample(network: Callable[..., Tensor], x: Tensor, n_steps: int) -> Tensor:
    """Euler's method from the noise at t = 1 to the data at t = 0."""
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), k / n_steps)
        x = x - network(x, t) / n_steps
    return x


def sampler_as_it_stood(network, x, n_steps):
    for k in range(n_steps):
        t = torch.full((len(x),), k / n_steps)
        x = x + network(x, t) / n_steps
    return x


def mended_the_sign_only(network, x, n_steps):
    for k in range(n_steps):
        t = torch.full((len(x),), k / n_steps)
        x = x - network(x, t) / n_steps
    return x


def mended_the_clock_only(network, x, n_steps):
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), k / n_steps)
        x = x + network(x, t) / n_steps
    return x


def asked_where_the_step_ends(network, x, n_steps):
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), (k - 1) / n_steps)
        x = x - network(x, t) / n_steps
    return x


def forgot_the_length_of_a_step(network, x, n_steps):
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), k / n_steps)
        x = x - network(x, t)
    return x


def took_n_times_for_n_steps(network, x, n_steps):
    for t in torch.linspace(1, 0, n_steps):
        x = x - network(x, t.expand(len(x))) / n_steps
    return x


def took_one_step_more(network, x, n_steps):
    for t in torch.linspace(1, 0, n_steps + 1):
        x = x - network(x, t.expand(len(x))) / n_steps
    return x


SAMPLER = Exercise(
    id="fm.sampler",
    right=flow_sample,
    cases=tuple((*_batch(n, 4, 2)[:2], n) for n in (4, 1, 7)),
    atol=1e-5,
    mistakes=Mistake.pairs(
        sampler_as_it_stood,
        "This is the broken sampler as it stood.",
        mended_the_sign_only,
        "The sign is mended; but the times still run as if you started at the data.",
        mended_the_clock_only,
        "The clock is mended; but a step from t to t - 1/n moves by *minus* the velocity / n.",
        asked_where_the_step_ends,
        "You asked for the velocity at the end of each step; Euler asks where the step begins.",
        forgot_the_length_of_a_step,
        "You forgot the length of a step, 1 / n_steps.",
        took_n_times_for_n_steps,
        "n steps have n + 1 times, both ends counted; the last one, t = 0, is never asked.",
        took_one_step_more,
        "You took n + 1 steps: at the last of the n + 1 times, t = 0, you have arrived.",
    ),
)


BUDGETS = (2, 4, 6, 8, 10, 12, 16, 32)

CROSSING = Exercise(
    id="fm.crossing",
    right=(8, 10),
    mistakes=Mistake.pairs(
        (2, 4),
        "With 2, Heun takes one step, and from 4 it takes two. Is that short? Look below.",
        (4, 6),
        "The order of a method speaks of short steps. Three steps are not short: look below.",
        (6, 8),
        "A fair bet, and the gap is small there. Compare the two columns below.",
        (10, 12),
        "More careful than needed: compare the two columns below.",
        (12, 16),
        "More careful than needed: compare the two columns below.",
        (16, 32),
        "More careful than needed: compare the two columns below.",
    )
    + tuple(
        Mistake((a, b), "Between these two lie other budgets: name two neighbours of the list.")
        for place, a in enumerate(BUDGETS)
        for b in BUDGETS[place + 2 :]
    ),
)


def missing_term(walk: Tensor) -> Tensor:
    """The variance of the velocity over the times of a path, mean over paths: the bend."""
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).mean()


def _walk(seed: int, n: int, b: int, d: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    begin, drift, turn = torch.randn(3, b, d, generator=g, dtype=torch.float64)
    t = torch.linspace(1, 0, n + 1, dtype=torch.float64)[:, None, None]
    return begin + t * drift + t**3 * turn


def forgot_that_a_step_is_short(walk):
    velocity = walk[:-1] - walk[1:]
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).mean()


def counted_states_for_steps(walk):
    n = len(walk)
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).mean()


def let_time_run_up(walk):
    n = len(walk) - 1
    velocity = n * (walk[1:] - walk[:-1])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).mean()


def gave_the_mean_squared_speed(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    return velocity.square().sum(-1).mean()


def gave_the_squared_chords(walk):
    chord = walk[0] - walk[-1]
    return chord.square().sum(-1).mean()


def gave_the_cross_term(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return 2 * ((velocity - chord) * chord).sum(-1).mean()


def averaged_over_the_coordinates(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().mean()


def added_up_the_times(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).sum(0).mean()


def compared_lengths(walk):
    n = len(walk) - 1
    speed = n * (walk[:-1] - walk[1:]).norm(dim=-1)
    chord = (walk[0] - walk[-1]).norm(dim=-1)
    return (speed - chord).square().mean()


def compared_places_with_the_straight_line(walk):
    t = torch.linspace(1, 0, len(walk), dtype=walk.dtype)[:, None, None]
    line = (1 - t) * walk[-1] + t * walk[0]
    return (walk - line).square().sum(-1).mean()


def took_one_mean_velocity_for_all_paths(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    return (velocity - velocity.mean((0, 1))).square().sum(-1).mean()


def took_the_spread_over_paths(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    return (velocity - velocity.mean(1, keepdim=True)).square().sum(-1).mean()


def left_one_number_a_path(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    chord = walk[0] - walk[-1]
    return (velocity - chord).square().sum(-1).mean(0)


def let_the_library_divide_by_one_less(walk):
    n = len(walk) - 1
    velocity = n * (walk[:-1] - walk[1:])
    return velocity.var(0).sum(-1).mean()


def compared_the_length_of_path_and_chord(walk):
    length = (walk[:-1] - walk[1:]).norm(dim=-1).sum(0)
    chord = (walk[0] - walk[-1]).norm(dim=-1)
    return (length - chord).mean()


def compared_the_squared_length_of_path_and_chord(walk):
    length = (walk[:-1] - walk[1:]).norm(dim=-1).sum(0)
    chord = (walk[0] - walk[-1]).norm(dim=-1)
    return (length**2 - chord**2).mean()


MISSING = Exercise(
    id="fm.bend",
    right=missing_term,
    cases=((_walk(1, 6, 4, 2),), (_walk(2, 9, 3, 3),)),
    mistakes=Mistake.pairs(
        forgot_that_a_step_is_short,
        "A difference of states is a velocity times 1/n: multiply by n.",
        counted_states_for_steps,
        "n + 1 states have n steps between them: len(walk) is one more than n.",
        let_time_run_up,
        "Time falls from one state to the next: your velocities have the opposite sign.",
        gave_the_mean_squared_speed,
        "This is the mean squared speed, chords included: take away what the chord explains.",
        gave_the_squared_chords,
        "These are the chords, a term that you know; what is missing lies along the way.",
        gave_the_cross_term,
        "This is the cross term. It is 0: the mean velocity of a path is its chord. What is left?",
        averaged_over_the_coordinates,
        "Lengths add up over coordinates: take a sum there, and means over paths and times.",
        added_up_the_times,
        "You added up the times; an integral over [0, 1] is a mean over equal steps.",
        compared_lengths,
        "You compared speeds. A path that turns at constant speed has a missing term, too.",
        compared_places_with_the_straight_line,
        "You compared places; the budget is about squared velocities.",
        took_one_mean_velocity_for_all_paths,
        "You took one mean for all paths; each path has a mean velocity of its own.",
        took_the_spread_over_paths,
        "This is the variance over paths at a time; take it over the times of a path.",
        left_one_number_a_path,
        "Right for each path; what is wanted is the mean over paths, one number.",
        let_the_library_divide_by_one_less,
        "var() divides by n - 1; an integral over time divides by n (correction=0).",
        compared_the_length_of_path_and_chord,
        "You compared lengths. The budget is about squared velocities, also along the chord.",
        compared_the_squared_length_of_path_and_chord,
        "You squared the whole length of a path; square the velocity at each time, then average.",
    ),
)


def pairs_by_label(pair: Callable[..., Tensor], x0: Tensor, eps: Tensor, c: Tensor) -> Tensor:
    """The noise, re-ordered by `pair` among the rows of each label."""
    eps = eps.clone()
    for label in c.unique():
        rows = c[:, 0] == label
        eps[rows] = pair(x0[rows], eps[rows])
    return eps


def _labelled(seed: int, n: int) -> tuple[Any, ...]:
    x0, eps = _batch(seed, n, 1)[1:3]
    c = (torch.arange(n) % 3 < 1).double()[:, None] * 2 - 1
    return (lambda a, b: b[linear_sum_assignment(torch.cdist(a, b) ** 2)[1]]), x0 + c, eps, c


def stacked_the_labels_in_turn(pair, x0, eps, c):
    return torch.cat([pair(x0[c[:, 0] == k], eps[c[:, 0] == k]) for k in c.unique()])


PAIRS = Exercise(
    id="fm.pairs",
    right=pairs_by_label,
    cases=(_labelled(1, 7), _labelled(2, 12)),
    mistakes=Mistake.pairs(
        lambda pair, x0, eps, c: pair(x0, eps),
        "This is the trap itself: these pairs do not look at the labels.",
        lambda pair, x0, eps, c: eps,
        "These are independent pairs: right for every label, but as long as before.",
        stacked_the_labels_in_turn,
        "The pairs are right, but the rows have moved: row i of the noise belongs to row i of x0.",
        lambda pair, x0, eps, c: pair(torch.cat([x0, c], 1), torch.cat([eps, c], 1))[:, :1],
        "Labels count in your distance, but a near noise can outweigh them: pair label by label.",
    ),
)


def edm_velocity(denoiser: Callable[..., Tensor], x: Tensor, t: Tensor) -> Tensor:
    """The velocity of the straight path, for times between 0 and 1."""
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t / (1 - t))
    return (x - guess) / at


def asked_as_the_path_stands(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x, t)
    return (x - guess) / at


def translated_the_level_only(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x, t / (1 - t))
    return (x - guess) / at


def translated_the_state_only(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t)
    return (x - guess) / at


def divided_by_sigma(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t / (1 - t))
    sigma = at / (1 - at)
    return (x - guess) / sigma


def gave_edms_slope(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t / (1 - t))
    sigma = at / (1 - at)
    return (x / (1 - at) - guess) / sigma


def kept_the_scaled_state(denoiser, x, t):
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    x = x / (1 - at)
    return (x - denoiser(x, t / (1 - t))) / at


EDM = Exercise(
    id="fm.edm",
    right=edm_velocity,
    cases=tuple((n, x, t) for n, x, _, t in (_batch(1, 4, 2), _batch(2, 3, 1, 2, 2))),
    mistakes=Mistake.pairs(
        asked_as_the_path_stands,
        "The denoiser knows x0 + sigma * eps only: both x and the level must be translated.",
        translated_the_level_only,
        "The denoiser has never seen a shrunken signal: divide x by 1 - t before you ask.",
        translated_the_state_only,
        "Dividing x by 1 - t makes its noise larger as well: the level is no longer t.",
        divided_by_sigma,
        "You divided by sigma; the velocity is (x - guess) / t.",
        gave_edms_slope,
        "This is the guess of eps, EDM's slope in sigma; the velocity subtracts all of the guess.",
        kept_the_scaled_state,
        "The denoiser call is right, but subtract its guess from the path's x, not the scaled.",
    ),
)

EXERCISES = bank(globals())
