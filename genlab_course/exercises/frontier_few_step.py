"""Exercises of the notebook on few steps: average velocities, and losses for jumps."""

from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

STEPS = Prediction(id="few.predict-steps", between=(1, 1000), unit="Euler steps")
AGREE = Prediction(id="few.predict-agree", choices=("constant", "input", "noise"))
BETTER = Prediction(id="few.predict-better", choices=("teacher", "data"))

TWO_STEPS = Exercise(
    id="few.two-steps",
    right=torch.tensor(1.0).tanh().item(),
    mistakes=Mistake.pairs(
        0.0,
        "That is where one step lands, from any noise. The second step starts elsewhere.",
        0.4621,
        "The guess divides by t squared, which is a quarter at t = 1/2.",
        0.5,
        "That is where the first step lands; the second takes the velocity of that place.",
        0.6308,
        "The velocity is (x - guess) / t: at t = 1/2 that doubles the gap.",
        1.0,
        "The exact flow ends there. The second step aims at a mean of both points.",
    ),
)


_G = torch.Generator().manual_seed(17)
_X, _EPS, _V = torch.randn(3, 4, 2, generator=_G, dtype=torch.float64)
_R, _T = torch.rand(2, 4, 1, generator=_G, dtype=torch.float64).sort(0).values


def normal_average(x: Tensor, r: Tensor, t: Tensor, s: float) -> Tensor:
    """The average velocity between r and t at x, where the data are N(0, s^2)."""
    std_r, std_t = (((1 - a) ** 2 * s**2 + a**2) ** 0.5 for a in (r, t))
    return x * (1 - std_r / std_t) / (t - r)


def gave_the_displacement(x, r, t, s):
    std_r = ((1 - r) ** 2 * s**2 + r**2) ** 0.5
    std_t = ((1 - t) ** 2 * s**2 + t**2) ** 0.5
    return x * (1 - std_r / std_t)


def gave_where_the_path_is(x, r, t, s):
    std_r, std_t = (((1 - a) ** 2 * s**2 + a**2) ** 0.5 for a in (r, t))
    return x * std_r / std_t


def scaled_the_other_way_round(x, r, t, s):
    std_r, std_t = (((1 - a) ** 2 * s**2 + a**2) ** 0.5 for a in (r, t))
    return x * (1 - std_t / std_r) / (t - r)


def gave_the_velocity_in_the_middle(x, r, t, s):
    m = (r + t) / 2
    return x * (m - (1 - m) * s**2) / ((1 - m) ** 2 * s**2 + m**2)


def gave_the_velocity_at_the_end(x, r, t, s):
    variance = (1 - t) ** 2 * s**2 + t**2
    return x * (t - (1 - t) * s**2) / variance


def scaled_as_if_x_were_standard(x, r, t, s):
    std_r = ((1 - r) ** 2 * s**2 + r**2) ** 0.5
    return x * (1 - std_r) / (t - r)


def added_the_standard_deviations(x, r, t, s):
    std_r, std_t = ((1 - a) * s + a for a in (r, t))
    return x * (1 - std_r / std_t) / (t - r)


def scaled_by_the_variances(x, r, t, s):
    variance_r, variance_t = ((1 - a) ** 2 * s**2 + a**2 for a in (r, t))
    return x * (1 - variance_r / variance_t) / (t - r)


def averaged_a_constant_pull(x, r, t, s):
    return x * (t - r) / 2


NORMAL = Exercise(
    id="few.normal-average",
    right=normal_average,
    cases=((_X, _R, _T, 0.5), (_X, 0 * _R, _T, 2.0)),
    mistakes=Mistake.pairs(
        gave_the_displacement,
        "That is the displacement; an average velocity is displacement over time.",
        gave_where_the_path_is,
        "That is y_r, the place at time r. The average velocity is (x - y_r) / (t - r).",
        scaled_the_other_way_round,
        "The other way round: y_r / sigma_r = x / sigma_t, so x is scaled by sigma_r / sigma_t.",
        gave_the_velocity_in_the_middle,
        "That is the velocity at the middle time: a mean over the whole way is not its middle.",
        gave_the_velocity_at_the_end,
        "That is the velocity at t alone. Where is the path at time r?",
        scaled_as_if_x_were_standard,
        "x has standard deviation sigma_t already: scale it by sigma_r / sigma_t, not by sigma_r.",
        added_the_standard_deviations,
        "Variances add, not standard deviations: square both parts, add, take the root.",
        scaled_by_the_variances,
        "A path keeps y / sigma, not y / sigma squared: take the roots.",
        averaged_a_constant_pull,
        "That ignores the data's standard deviation: where is the path at time r? Divide by t - r.",
    ),
)


def consistency_loss(u: Any, slow: Any, x: Tensor, s: Tensor, t: Tensor, v: Tensor) -> Tensor:
    """The end of the path seen by u from x at t, against the slow copy's from s."""
    lower = x - (t - s) * v
    target = lower - s * slow(lower, 0 * s, s)
    return (x - t * u(x, 0 * t, t) - target.detach()).square().mean()


_W = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
_NETS = (  # the second: a slow copy
    lambda x, r, t: torch.sin(_W * x + r) * (1 + t) + _W * t * r,
    lambda x, r, t: torch.cos(x + r) * t,
)


def _slopes(right: Any, case: tuple[Any, ...], answer: Any) -> str:
    """A judge: the gradient of a loss must be that of `right`, which holds its target fixed."""
    found, wanted = (torch.autograd.grad(f(_NETS[0], *case), _W)[0] for f in (answer, right))
    says = "the value is right, but the target learns: it must get no gradient."
    return "" if torch.allclose(found, wanted) else says


def asked_the_network_for_its_target(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - s * u(lower, 0 * s, s)
    return (x - t * u(x, 0 * t, t) - target.detach()).square().mean()


def went_up_instead_of_down(u, slow, x, s, t, v):
    lower = x + (t - s) * v
    target = lower - s * slow(lower, 0 * s, s)
    return (x - t * u(x, 0 * t, t) - target.detach()).square().mean()


def forgot_the_time_of_the_jump(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - slow(lower, 0 * s, s)
    return (x - u(x, 0 * t, t) - target.detach()).square().mean()


def asked_the_slow_copy_twice(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - s * slow(lower, 0 * s, s)
    return (x - t * slow(x, 0 * t, t) - target.detach()).square().mean()


def took_the_noisier_point_for_the_target(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = x - t * slow(x, 0 * t, t)
    return (lower - s * u(lower, 0 * s, s) - target.detach()).square().mean()


def consistency_summed_over_the_pixels(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - s * slow(lower, 0 * s, s)
    return (x - t * u(x, 0 * t, t) - target.detach()).square().sum(1).mean()


def consistency_as_it_stood(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - u(lower, 0 * s, s)
    return (x - u(x, 0 * t, t) - target.detach()).square().mean()


CONSISTENCY = Exercise(
    id="few.consistency",
    right=consistency_loss,
    cases=((*_NETS, _X, _R, _T, _V), (*_NETS, _EPS, _R / 2, _T, _V)),
    judge=lambda loss: _slopes(consistency_loss, (_NETS[0], _X, _R, _T, _V), loss),
    mistakes=Mistake.pairs(
        asked_the_network_for_its_target,
        "Your f is the identity at t = 0 now; but in step 5 another network gives the target.",
        went_up_instead_of_down,
        "Down means against the velocity: subtract it.",
        forgot_the_time_of_the_jump,
        "At t = 0 your f still moves x: a jump is the velocity times the time that it bridges.",
        asked_the_slow_copy_twice,
        "The slow copy only follows: the end seen from x at t must come from the student u.",
        took_the_noisier_point_for_the_target,
        "The other way round: the point at s is nearer to the data, so its answer is the target.",
        consistency_summed_over_the_pixels,
        "You summed over the pixels: take the mean over all entries.",
        consistency_as_it_stood,
        "That is the loss as it stood, or nearly. Begin with step 4: what does f return at t = 0?",
    ),
)


jvp: Any = torch.func.jvp


def along_the_path(u: Any, x: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """u, and its rate of change when x moves with v and t with rate 1."""
    value, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return value, change


def let_r_move(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (v, 1 + 0 * r, 1 + 0 * t))
    return value, change


def let_x_stay(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (0 * v, 0 * r, 1 + 0 * t))
    return value, change


def let_time_stay(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (v, 0 * r, 0 * t))
    return value, change


def moved_x_with_u(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (u(x, r, t), 0 * r, 1 + 0 * t))
    return value, change


def moved_x_against_v(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (-v, 0 * r, 1 + 0 * t))
    return value, change


def let_time_run_down(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (-v, 0 * r, 0 * t - 1))
    return value, change


def let_time_alone_run_down(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (v, 0 * r, 0 * t - 1))
    return value, change


def gave_the_change_first(u, x, r, t, v):
    value, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return change, value


def gave_the_change_alone(u, x, r, t, v):
    return jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))[1]


def _stays_trainable(along: Any) -> str:
    """A judge: training must be able to follow the first result back to the weights."""
    value = along(_NETS[0], _X, _R, _T, _V)[0]
    says = (
        "both tensors are right, but training cannot follow the first back to the weights. "
        "`torch.func.jvp` keeps the way; `torch.autograd.functional.jvp` needs `create_graph=True`."
    )
    return "" if value.requires_grad else says


ALONG = Exercise(
    id="few.along",
    right=along_the_path,
    cases=((_NETS[0], _X, _R, _T, _V), (_NETS[0], _EPS, _R / 2, _T, _X)),
    judge=_stays_trainable,
    mistakes=Mistake.pairs(
        let_r_move,
        "r stays where it is while t moves: its rate is 0.",
        let_x_stay,
        "Your derivative holds x fixed; along the path x moves, too, with velocity v.",
        let_time_stay,
        "x moves, but t stands still; along the path t moves with rate 1.",
        moved_x_with_u,
        "At this moment the path moves with v, not with its average u.",
        moved_x_against_v,
        "When t grows, x moves with +v: the derivative in t asks how things change as t grows.",
        let_time_run_down,
        "That is the sampler's direction, downwards. The derivative in t lets t grow: rate 1.",
        let_time_alone_run_down,
        "x moves upwards in time with v, and your t downwards: the derivative in t lets t grow.",
        gave_the_change_first,
        "These are the right two tensors in the other order: first u, then its rate of change.",
        gave_the_change_alone,
        "That is the rate of change alone: return two tensors, u and its rate of change.",
    ),
)


def mean_flow_loss(u: Any, x0: Tensor, eps: Tensor, r: Tensor, t: Tensor) -> Tensor:
    """Mean squared error of the MeanFlow identity at points of straight lines."""
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def moved_r_with_t(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 1 + 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def held_x_fixed(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (0 * v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def solved_with_the_wrong_sign(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v + (t - r) * change).detach()).square().mean()


def forgot_the_time_bridged(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - change).detach()).square().mean()


def multiplied_by_t(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - t * change).detach()).square().mean()


def turned_the_velocity_round(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, x0 - eps
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def exchanged_data_and_noise(u, x0, eps, r, t):
    x, v = (1 - t) * eps + t * x0, x0 - eps
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def took_the_point_at_r(u, x0, eps, r, t):
    x, v = (1 - r) * x0 + r * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def moved_along_its_own_velocity(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (u(x, t, t), 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


def summed_over_the_pixels(u, x0, eps, r, t):
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().sum(1).mean()


MEAN_FLOW = Exercise(
    id="few.mean-flow",
    right=mean_flow_loss,
    cases=((_NETS[0], _X, _EPS, _R, _T), (_NETS[0], _V, _X, 0 * _R, _T)),
    judge=lambda loss: _slopes(mean_flow_loss, (_X, _EPS, _R, _T), loss),
    mistakes=Mistake.pairs(
        moved_r_with_t,
        "r stays where it is while you differentiate in t: its rate is 0.",
        held_x_fixed,
        "Your derivative holds x fixed; along the path x moves, too, with velocity v.",
        solved_with_the_wrong_sign,
        "Solve step 8 for u again: its derivative changes sides, and so its sign.",
        forgot_the_time_bridged,
        "The derivative is multiplied by the time that the jump bridges, t - r.",
        multiplied_by_t,
        "The derivative is multiplied by the time that the jump bridges: t - r, not t.",
        turned_the_velocity_round,
        "The velocity of the line points to the noise, where t = 1: it is eps - x0.",
        exchanged_data_and_noise,
        "t = 0 is the data: x = (1 - t) x0 + t eps, and its velocity is eps - x0.",
        took_the_point_at_r,
        "The network is asked at x_t, where the jump begins: x = (1 - t) x0 + t eps.",
        moved_along_its_own_velocity,
        "That direction is a later proposal, and one of the project's ideas. Here it is eps - x0.",
        summed_over_the_pixels,
        "You summed over the pixels: take the mean over all entries.",
    ),
)

FOUR = Exercise(
    id="few.four-samples",
    right="data",
    mistakes=Mistake.pairs(
        "middle",
        "There the other 60 ask already that neighbours agree. Which f agree and draw nothing? "
        "Which time tells them apart from the right one?",
        "noise",
        "That is the jump that we measure, but these samples, too, ask only for agreement: they "
        "do not say on which end. Which time does?",
        "none",
        "One does. The other 60 ask only for agreement; at which time is the answer itself known?",
    ),
)

EXERCISES = bank(globals())
