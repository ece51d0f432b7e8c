"""Exercises of lesson 08: the Wasserstein distance and the gradient penalty.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from genlab_course.grading import Exercise, Mistake, Prediction, bank

Critic = Callable[[Tensor], Tensor]  # of a batch, to one number each

GRAPH = Prediction("08.predict-graph", choices=("about 1.3", "about 10", "over 1,000"))
STOP = Prediction("08.predict-stop", choices=("at the data", "elsewhere", "never"))
NEARER = Prediction("08.predict-nearer", choices=("real digits", "averages"))


# 08.js-of-thirds: what lesson 07's distance says of the tiny case
JS_OF_THIRDS = Exercise(
    id="08.js-of-thirds",
    right=2 / 3 * math.log(2),
    mistakes=Mistake.pairs(
        math.log(2),
        "this is the ceiling, reached only if no outcome is shared.",
        math.log(2) / 3,
        "you counted the shared outcome; where p = q, nothing is contributed.",
        4 / 3 * math.log(2),
        "the two divergences are averaged, not added: JS has a half.",
    ),
)


# 08.w1-on-a-line: from two histograms on sorted places
def w1_on_a_line(x: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """The area between the two distribution functions."""
    crossing = (p - q).cumsum(0)[:-1]  # net mass that passes each gap
    return (crossing.abs() * x.diff()).sum()


_PLACES = torch.arange(5, dtype=torch.float64)
_UNEVEN = torch.tensor([0.0, 0.5, 2.0, 5.0], dtype=torch.float64)
_THIRDS = (_PLACES, torch.tensor([1.0, 1, 1, 0, 0]).double() / 3,
           torch.tensor([0.0, 0, 1, 1, 1]).double() / 3)  # fmt: skip
_CROSSING = (_UNEVEN, torch.tensor([0.5, 0.0, 0.1, 0.4]).double(),
             torch.tensor([0.2, 0.6, 0.2, 0.0]).double())  # fmt: skip

W1_ON_A_LINE = Exercise(
    id="08.w1-on-a-line",
    right=w1_on_a_line,
    cases=(_THIRDS, _CROSSING),
    mistakes=Mistake.pairs(
        lambda x, p, q: ((p - q).cumsum(0)[:-1] * x.diff()).sum(),
        "you let the two distribution functions cancel where they cross: mass that must "
        "travel right and mass that must travel left both cost something.",
        lambda x, p, q: (p - q).cumsum(0).abs().sum(),
        "you added up gaps between the distribution functions as if all points were one "
        "unit apart: each gap lasts as long as the way to the next point.",
        lambda x, p, q: (p - q).cumsum(0).abs().max(),
        "this is the largest gap of the distribution functions; the area is asked for.",
        lambda x, p, q: (x @ (p - q)).abs(),
        "you compared the means (the absolute value of the summed gaps is the same number). Where "
        "mass crosses in both directions, the means do not see it: take each gap's absolute value.",
        lambda x, p, q: (p - q).abs().sum() / 2,
        "this is how much mass must move (the total variation distance), not how far.",
        lambda x, p, q: ((p - q).abs()[:-1] * x.diff()).sum(),
        "you compared point by point; what crosses is the *sum* of the differences to the left.",
        lambda x, p, q: ((p - q).cumsum(0)[1:].abs() * x.diff()).sum(),
        "your gaps are shifted by one place: from x[i] to x[i + 1] passes what lies up to x[i].",
        lambda x, p, q: p @ (x[:, None] - x).abs() @ q,
        "you carried every grain to all places of q; the cheapest plan keeps the order.",
    ),
)


# 08.best-slope: of the critic that earns the most on a line
def best_slope(f_p: Tensor, f_q: Tensor) -> Tensor:
    """The slope of the best critic, where the distribution functions are f_p and f_q."""
    return torch.sign(f_q - f_p)


_F_P = torch.tensor([0.1, 0.4, 0.9, 1.0]).double()
_F_Q = torch.tensor([0.0, 0.5, 0.6, 0.7]).double()

BEST_SLOPE = Exercise(
    id="08.best-slope",
    right=best_slope,
    cases=((_F_P, _F_Q), (_F_Q, _F_P), (_F_P[:2], _F_Q[1:3])),
    mistakes=Mistake.pairs(
        lambda f_p, f_q: torch.sign(f_p - f_q),
        "a sign: this critic is high at the samples and low at the data.",
        lambda f_p, f_q: f_q - f_p,
        "you weighed the slope by what crosses; where anything is earned, the steepest slope that "
        "is allowed earns the most.",
        lambda f_p, f_q: (f_q > f_p).double(),
        "where the bracket is negative, a slope of 0 earns nothing, and another slope does earn.",
        lambda f_p, f_q: torch.ones_like(f_p),
        "always uphill: where the bracket is negative, that loses what it could earn.",
        lambda f_p, f_q: -torch.ones_like(f_p),
        "always downhill: right as long as the samples lie to the right; elsewhere it loses.",
        lambda f_p, f_q: (f_q - f_p).abs(),
        "this is what the best critic earns at each place; its slope is asked for.",
    ),
)  # fmt: skip


# 08.gradient-penalty: the lesson's central object
def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """How far the critic's slope is from 1 between each pair, squared: one number a pair."""
    u = u.reshape(-1, *[1] * (real.ndim - 1))  # (n, 1) for points, (n, 1, 1, 1) for pictures
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2  # (n,)


def _between(real, fake, u):
    u = u.reshape(-1, *[1] * (real.ndim - 1))
    return (u * real + (1 - u) * fake).detach().requires_grad_()


def _norms(critic, x):
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return slope.flatten(1).norm(dim=1)


def averaged_before_the_square(critic, real, fake, u):
    gap = _norms(critic, _between(real, fake, u)).mean() - 1
    return gap**2 * torch.ones_like(u)


def one_number_averaged_before_the_square(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u)).mean() - 1) ** 2


def took_the_slope_at_the_real_points(critic, real, fake, u):
    return (_norms(critic, real.detach().requires_grad_()) - 1) ** 2


def took_the_slope_at_the_fakes(critic, real, fake, u):
    return (_norms(critic, fake.detach().requires_grad_()) - 1) ** 2


def squared_the_norm(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u)) ** 2 - 1) ** 2


def used_one_weight_for_all(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u[:1].expand(len(u)))) - 1) ** 2


def used_the_mean_weight_for_all(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u.mean().expand(len(u)))) - 1) ** 2


def exchanged_the_weights(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, 1 - u)) - 1) ** 2


def punished_steep_slopes_only(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u)) - 1).clamp(min=0) ** 2


def multiplied_by_the_weight_of_the_loss(critic, real, fake, u):
    return 10 * (_norms(critic, _between(real, fake, u)) - 1) ** 2


def took_one_norm_for_the_batch(critic, real, fake, u):
    x = _between(real, fake, u)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.norm() - 1) ** 2 * torch.ones_like(u)


def slope_of_the_mean(critic, real, fake, u):
    x = _between(real, fake, u)
    (slope,) = torch.autograd.grad(critic(x).mean(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2


def mean_over_the_pixels(critic, real, fake, u):
    x = _between(real, fake, u)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.flatten(1).square().mean(1).sqrt() - 1) ** 2


def pulled_to_zero(critic, real, fake, u):
    return _norms(critic, _between(real, fake, u)) ** 2


def forgot_the_square(critic, real, fake, u):
    return (_norms(critic, _between(real, fake, u)) - 1).abs()


def no_distance_at_all(critic, real, fake, u):
    return _norms(critic, _between(real, fake, u)) - 1


def mean_of_the_batch(critic, real, fake, u):
    return ((_norms(critic, _between(real, fake, u)) - 1) ** 2).mean()


def graph_not_kept(critic, real, fake, u):
    x = _between(real, fake, u)
    (slope,) = torch.autograd.grad(critic(x).sum(), x)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2


_AVERAGED = "you averaged over the batch before the square: a steep point and a flat one cancel."
_ONE_U = "you used one weight for the whole batch: each pair needs its own."
_NO_GRAPH = (
    "every number is right, and the critic cannot learn from it: the slope needs a graph of its "
    "own, which torch.autograd.grad(..., create_graph=True) keeps; and return a tensor."
)
_WRONG_PENALTIES = Mistake.pairs(
    averaged_before_the_square, _AVERAGED,
    one_number_averaged_before_the_square, _AVERAGED,
    took_the_slope_at_the_real_points,
    "your slopes are those at the real points; the constraint is needed on the way between.",
    took_the_slope_at_the_fakes,
    "your slopes are those at the fakes; they are needed on the way between.",
    squared_the_norm,
    "you compared the squared norm with 1: another penalty, much harsher on steep critics.",
    used_one_weight_for_all, _ONE_U,
    used_the_mean_weight_for_all, _ONE_U,
    exchanged_the_weights,
    "u belongs to the real example and 1 - u to the fake; you exchanged them "
    "(on average that is the same, for these numbers it is not).",
    punished_steep_slopes_only,
    "you punish slopes above 1 only; that is a known variant, here both sides count.",
    multiplied_by_the_weight_of_the_loss,
    "the weight of ten belongs to the loss; asked for is the penalty without it.",
    took_one_norm_for_the_batch,
    "your norm runs over the whole batch; each point has a gradient of its own.",
    slope_of_the_mean,
    "you differentiated the mean of the critic's values, which divides each slope by the batch "
    "size. Each value depends on its own point alone, so differentiate their sum.",
    mean_over_the_pixels,
    "you averaged over the pixels (or coordinates); the squared length of a gradient is their sum.",
    pulled_to_zero,
    "you pull the slope towards 0, as lesson 07's R1 does; here it is pulled towards 1.",
    forgot_the_square,
    "the distance of the slope from 1 is not squared yet.",
    no_distance_at_all,
    "a slope below 1 would earn something here: square the difference.",
    mean_of_the_batch,
    "right, but averaged: return one number for each pair, and let the loss take the mean.",
)  # fmt: skip


def _of_points(seed: int, n: int) -> tuple[Any, ...]:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0)).double()
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(2.5)
    real, fake = torch.randn(2, n, 2, dtype=torch.float64)
    return net, real, fake + 1, torch.rand(n, dtype=torch.float64)


def _of_pictures(seed: int, n: int) -> tuple[Any, ...]:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
    real, fake = torch.randn(2, n, 1, 2, 3, dtype=torch.float64)
    return net.double(), real, 2 * fake, torch.rand(n, dtype=torch.float64)


_PENALISED = (_of_points(0, 4), _of_points(1, 5))


def _values(answer: Callable[..., Any], cases: Any = _PENALISED) -> list[Tensor]:
    copied = [(net, *(given.clone() for given in rest)) for net, *rest in cases]
    return [torch.as_tensor(answer(*case)).detach() for case in copied]


def _agree(first: list[Tensor], second: list[Tensor]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(a.shape == b.shape and torch.allclose(a.double(), b.double()) for a, b in pairs)


def _learns(answer: Callable[..., Any], right: Callable[..., Tensor], case: Any) -> bool:
    """Whether the critic's weights feel the answer as they should."""
    net, *rest = case
    weights = [w for w in net.parameters() if w.ndim == 2]
    wanted = torch.autograd.grad(right(net, *rest).sum(), weights)
    value = answer(net, *(given.clone() for given in rest))
    if not isinstance(value, Tensor) or not value.requires_grad:
        return False
    got = torch.autograd.grad(value.sum(), weights, allow_unused=True)
    return all(
        g is not None and torch.allclose(g, w, atol=1e-6) for g, w in zip(got, wanted, strict=True)
    )


def _judge_penalty(answer: Callable[..., Any]) -> str:
    found, right = _values(answer), _values(gradient_penalty)
    if not _agree(found, right):
        for mistake in _WRONG_PENALTIES:
            if _agree(found, _values(mistake.wrong)):
                return mistake.says
        if found[0].shape != right[0].shape:
            return (
                f"return one number for each pair, {len(right[0])} for {len(right[0])} pairs; "
                f"yours has shape {(*found[0].shape,)}."
            )
        return (
            f"for the first pair yours is {float(found[0][0]):.4g}, and {float(right[0][0]):.4g} "
            "was expected: the point between, the length of the slope there, its distance from 1, "
            "squared."
        )
    if not _learns(answer, gradient_penalty, _PENALISED[1]):
        return _NO_GRAPH
    pictures = (_of_pictures(2, 4),)
    try:
        fits = _agree(_values(answer, pictures), _values(gradient_penalty, pictures))
    except (RuntimeError, ValueError, IndexError):
        fits = False
    if not fits:
        return (
            "right for points in the plane, but not for pictures, of shape (n, 1, 8, 8): u needs "
            "an axis for each of theirs, and the length of a slope runs over all pixels "
            "(flatten(1) helps)."
        )
    return ""


GRADIENT_PENALTY = Exercise(
    id="08.gradient-penalty",
    right=gradient_penalty,
    judge=_judge_penalty,
    mistakes=(*_WRONG_PENALTIES, Mistake(graph_not_kept, _NO_GRAPH)),
)


# 08.critic-loss: repair a critic that is not held
def critic_loss(critic: Critic, x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    """What the critic minimises: minus its gap, plus ten times the mean penalty."""
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + 10 * gradient_penalty(critic, x, fake, u).mean()


def squashed_and_at_the_data(critic, x, fake, u):
    gap = critic(x).sigmoid().mean() - critic(fake).sigmoid().mean()
    return -gap + 10 * gradient_penalty(critic, x, x, u).mean()


def still_squashed(critic, x, fake, u):
    gap = critic(x).sigmoid().mean() - critic(fake).sigmoid().mean()
    return -gap + 10 * gradient_penalty(critic, x, fake, u).mean()


def still_at_the_data(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + 10 * gradient_penalty(critic, x, x, u).mean()


def at_the_fakes(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + 10 * gradient_penalty(critic, fake, fake, u).mean()


def wanted_a_small_gap(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return gap + 10 * gradient_penalty(critic, x, fake, u).mean()


def rewarded_the_penalty(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap - 10 * gradient_penalty(critic, x, fake, u).mean()


def dropped_the_weight(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + gradient_penalty(critic, x, fake, u).mean()


def dropped_the_penalty(critic, x, fake, u):
    return critic(fake).mean() - critic(x).mean()


def exchanged_the_pair(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + 10 * gradient_penalty(critic, fake, x, u).mean()


def one_number_an_example(critic, x, fake, u):
    return critic(fake) - critic(x) + 10 * gradient_penalty(critic, x, fake, u)


_WRONG_LOSSES = Mistake.pairs(
    squashed_and_at_the_data,
    "nothing has changed yet: what does a sigmoid do to a price, and where does the penalty look?",
    still_squashed,
    "the values are still squashed: a price may be any number, and then the gap may grow with "
    "the distance.",
    still_at_the_data,
    "the penalty still looks at the data only; on the way to the fakes the critic is free.",
    at_the_fakes,
    "the penalty now looks at the fakes only; on the way to the data the critic is free.",
    wanted_a_small_gap,
    "the sign of the gap: a loss is made small, and the critic wants its gap large.",
    rewarded_the_penalty,
    "the penalty is subtracted: this critic is paid for breaking the rule.",
    dropped_the_weight,
    "the weight 10 of the penalty is missing.",
    dropped_the_penalty,
    "without a penalty nothing holds the slope, and the gap has no upper bound.",
    exchanged_the_pair,
    "u belongs to the real example: penalty(critic, x, fake, u), in this order.",
    one_number_an_example,
    "this is one number for each example; return the mean over the batch.",
)


def _judge_loss(answer: Callable[..., Any]) -> str:
    found, right = _values(answer), _values(critic_loss)
    if _agree(found, right):
        fine = _learns(answer, critic_loss, _PENALISED[1])
        return "" if fine else "the value is right, but no gradient reaches the critic's weights."
    for mistake in _WRONG_LOSSES:
        if _agree(found, _values(mistake.wrong)):
            return mistake.says
    if found[0].shape:
        return f"return one number, a mean over the batch; yours has shape {(*found[0].shape,)}."
    return (
        f"yours is {float(found[0]):.4g} on a first batch, and {float(right[0]):.4g} was expected: "
        "minus the gap of the mean values, plus ten times the mean penalty between the pairs."
    )


CRITIC_LOSS = Exercise(
    id="08.critic-loss", right=critic_loss, judge=_judge_loss, mistakes=_WRONG_LOSSES
)


# 08.soft-slope: where a penalised slope ends
SOFT_SLOPE = Exercise(
    id="08.soft-slope",
    right=lambda w, lam: 1 + w / (2 * lam),
    cases=((3.0, 10.0), (1.0, 0.5), (5.0, 2.0)),
    mistakes=Mistake.pairs(
        lambda w, lam: 1.0,
        "this is a hard constraint's slope; a penalty is a price, and more slope is worth some.",
        lambda w, lam: 1 + w / lam,
        "the derivative of the square brings down a factor 2; you lost it.",
        lambda w, lam: w * (1 + w / (2 * lam)),
        "this is the gap that the critic reports, slope times distance; give the slope alone.",
        lambda w, lam: 1 + 2 * lam / w,
        "your fraction is upside down: a heavier penalty must pull the slope nearer to 1.",
        lambda w, lam: 1 + 1 / (2 * lam),
        "the reward grows with the distance w; it is missing.",
        lambda w, lam: w / (2 * lam),
        "you penalised the distance of the slope from 0; the penalty pulls it to 1.",
        lambda w, lam: 1 - w / (2 * lam),
        "a sign slipped: the first term rewards steepness, so the optimum is above 1.",
        lambda w, lam: 1 + w / 20,
        "you put in 10 for the weight; here it is `lam`.",
    ),
)


# 08.field: the smallest GAN with a gradient penalty
def field(theta: Any, psi: Any, lam: float) -> tuple[Any, Any]:
    """The directions of both players: the generator's point, the critic's slope."""
    side = 1.0 if psi > 0 else -1.0
    return psi, -theta - 2 * lam * (abs(psi) - 1) * side


_STATES = tuple(
    (torch.tensor(theta, dtype=torch.float64), torch.tensor(psi, dtype=torch.float64), lam)
    for theta, psi, lam in ((1.5, 0.4, 0.7), (-2.0, -1.8, 2.0), (0.3, -0.2, 1.0), (-0.6, 1.7, 0.5))
)


FIELD = Exercise(
    id="08.field",
    right=field,
    cases=_STATES,
    mistakes=Mistake.pairs(
        lambda theta, psi, lam: (psi, -theta - 2 * lam * (psi - 1)),
        "you forgot the size: at psi < 0 the penalty pulls towards -1, not towards +1.",
        lambda theta, psi, lam: (psi, -theta - 2 * lam * (abs(psi) - 1)),
        "the derivative of |psi| is its sign: for psi < 0 your penalty pulls the wrong way.",
        lambda theta, psi, lam: (psi, -theta - lam * (abs(psi) - 1) * psi / abs(psi)),
        "the derivative of the square brings down a factor 2; you lost it.",
        lambda theta, psi, lam: (-psi, theta + 2 * lam * (abs(psi) - 1) * psi / abs(psi)),
        "these are the slopes of the two losses; each player moves *against* its slope.",
        lambda theta, psi, lam: (psi, theta - 2 * lam * (abs(psi) - 1) * psi / abs(psi)),
        "the critic wants its value at the fake, psi * theta, small: a sign.",
        lambda theta, psi, lam: (psi, -theta + 2 * lam * (abs(psi) - 1) * psi / abs(psi)),
        "your penalty drives the slope away from 1: a sign.",
        lambda theta, psi, lam: (-psi, -theta - 2 * lam * (abs(psi) - 1) * psi / abs(psi)),
        "the generator climbs the critic: it moves with psi, not against it.",
        lambda theta, psi, lam: (psi, -theta),
        "this is the game without its penalty.",
        lambda theta, psi, lam: (psi, -theta - 2 * lam * psi),
        "your penalty pulls the slope to 0, as R1 does; this one pulls its size to 1.",
        lambda theta, psi, lam: (psi, -theta - 2 * lam * (psi**2 - 1) * 2 * psi),
        "you penalised the squared slope's distance from 1; here it is the size's.",
        lambda theta, psi, lam: (-theta - 2 * lam * (abs(psi) - 1) * psi / abs(psi), psi),
        "you exchanged the two: first the generator's direction, then the critic's.",
        lambda theta, psi, lam: (psi, -theta - 2 * lam * (abs(psi) - 1) * psi),
        "the derivative of |psi| is the sign of psi, not psi itself.",
    ),
)

EXERCISES = bank(globals())
