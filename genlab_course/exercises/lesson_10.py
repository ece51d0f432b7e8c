"""Exercises of lesson 10: energies, chains that walk on them, and springs that let them cross.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genlab_course.grading import Exercise, Mistake, Prediction, bank

Energy = Callable[[Tensor], Tensor]  # points (n, ...) to one number each, (n,)

VARIANCE = Prediction("10.predict-variance", choices=("0.75", "1", "1.33"))
BARRIER = Prediction("10.predict-barrier", choices=("2", "9", "100"), unit="times")
UNSEEN = Prediction(
    "10.predict-unseen", choices=("it empties", "it stays", "it fills", "any of the three")
)


# 10.slope-of-log-z: of boxes, in the energy of each
_BOXES = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
_MORE_BOXES = torch.tensor([0.3, -0.7, 1.5, 0.3, 2.2], dtype=torch.float64)

SLOPE_OF_LOG_Z = Exercise(
    id="10.slope-of-log-z",
    right=lambda energies: -torch.softmax(-energies, 0),
    cases=((_BOXES,), (_MORE_BOXES,)),
    mistakes=Mistake.pairs(
        lambda energies: torch.softmax(-energies, 0),
        "the sizes are right and the sign is not: raise one energy, and Z loses mass.",
        lambda energies: -torch.exp(-energies),
        "this is the slope of Z itself; the logarithm in front of it still divides.",
        lambda energies: -energies * torch.softmax(-energies, 0),
        "the exponent's inner slope is that of -E in E, which is -1, not -E.",
        lambda energies: -torch.softmax(energies, 0),
        "low energy is high probability: the exponent is -E.",
        lambda energies: -torch.exp(-energies).sum(),
        "you added up all boxes; the slope in each energy by itself was asked for.",
        lambda energies: -torch.log_softmax(-energies, 0),
        "this is -log p of each box; no logarithm is left once you have differentiated.",
        lambda energies: torch.logsumexp(-energies, 0),
        "this is log Z; its slopes are asked for.",
    ),
)


# 10.langevin: the chain
def langevin(
    energy: Energy, x: Tensor, eta: float, n_steps: int, rng: torch.Generator | None
) -> Tensor:
    """Where the points x are after so many steps downhill, each with noise of variance 2 eta."""
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        noise = torch.randn(x.shape, generator=rng)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * noise
    return x


def noise_of_variance_eta(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + math.sqrt(eta) * torch.randn(x.shape, generator=rng)
    return x


def noise_without_its_root(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + 2 * eta * torch.randn(x.shape, generator=rng)
    return x


def climbed_uphill(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() + eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)
    return x


def slope_of_the_mean(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).mean(), x)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)
    return x


def did_not_shake(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope
    return x


def one_noise_for_all_steps(energy, x, eta, n_steps, rng):
    noise = torch.randn(x.shape, generator=rng)
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * noise
    return x


def one_noise_for_all_points(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape[1:], generator=rng)
    return x


def the_first_slope_for_all_steps(energy, x, eta, n_steps, rng):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(energy(x).sum(), x)
    x = x.detach()
    for _ in range(n_steps):
        x = x - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)
    return x


def took_one_step(energy, x, eta, n_steps, rng):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(energy(x).sum(), x)
    return x.detach() - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)


def uniform_noise(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * torch.rand(x.shape, generator=rng)
    return x


def kept_the_graph(energy, x, eta, n_steps, rng):
    x = x.clone().requires_grad_()
    for _ in range(n_steps):
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)
    return x


def moved_the_given_points(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        y = x.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(energy(y).sum(), y)
        x -= eta * slope
        x += math.sqrt(2 * eta) * torch.randn(x.shape, generator=rng)
    return x


def left_the_generator_out(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * torch.randn(x.shape)
    return x


def noise_of_two_columns(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        noise = torch.randn(len(x), 2, generator=rng)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * noise
    return x


_ONLY_POINTS = (
    "your chain works for points in the plane, and not for pictures (n, 1, 8, 8): draw noise of "
    "the shape x.shape."
)
_FORGOT_RNG = (
    "two calls with the same generator give different points: draw the noise with generator=rng."
)
_CURVES = torch.tensor([1.0, 3.0])  # of the valley in which the answers are tried
_CENTRE = torch.tensor([0.5, -1.0])


def _valley(x: Tensor) -> Tensor:
    return (_CURVES * (x - _CENTRE) ** 2).sum(1) / 2


def _settled(answer: Callable[..., Any]) -> Tensor:
    """Means and spreads of many points after 6 steps and after 1: 8 numbers."""
    found = []
    for n_steps, eta in ((6, 0.1), (1, 0.2)):
        x = torch.tensor([2.0, -2.0]).repeat(40_000, 1)
        x = answer(_valley, x, eta, n_steps, torch.Generator().manual_seed(3))
        found += [x.mean(0), x.std(0)]
    return torch.cat(found).detach()


def _predicted_spread() -> Tensor:
    """The same 8 numbers from the recursion of mean and variance."""
    found = []
    for n_steps, eta in ((6, 0.1), (1, 0.2)):
        keep = 1 - eta * _CURVES
        mean, variance = torch.tensor([2.0, -2.0]) - _CENTRE, torch.zeros(2)
        for _ in range(n_steps):
            mean, variance = keep * mean, keep**2 * variance + 2 * eta
        found += [mean + _CENTRE, variance.sqrt()]
    return torch.cat(found)


_NEAR = 0.015  # five standard errors of a mean of 40,000 points

_WRONG_CHAINS = (
    (noise_of_variance_eta, "the noise of a step has the variance 2 eta, and yours has eta."),
    (noise_without_its_root,
     "2 eta is the *variance* of the noise: the factor of torch.randn is its root."),
    (climbed_uphill, "your points climb: subtract the slope of the energy."),
    (slope_of_the_mean,
     "you differentiated the *mean* energy, so each point feels a slope n times too small, n the "
     "number of points. The sum gives each point its own slope."),
    (did_not_shake, "your points roll and are not shaken: the noise is missing."),
    (one_noise_for_all_steps,
     "all steps share one noise: draw it afresh inside the loop."),
    (one_noise_for_all_points, "all points share one noise: draw it with the shape of x."),
    (the_first_slope_for_all_steps,
     "the slope is that of the first place: ask the energy again after each step."),
    (took_one_step, "you took one step; n_steps of them were asked for."),
    (uniform_noise, "rand is uniform between 0 and 1; the noise is normal: randn."),
)  # fmt: skip


def _takes_pictures(answer: Callable[..., Any]) -> bool:
    x = torch.zeros(3, 1, 2, 2)

    def energy(x):
        return x.square().flatten(1).sum(1) / 2

    try:
        walked = answer(energy, x, 0.1, 2, torch.Generator().manual_seed(0))
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    return isinstance(walked, Tensor) and walked.shape == x.shape


def _judge_langevin(answer: Callable[..., Any]) -> str:
    x = torch.tensor([[0.3, -0.2], [1.0, 2.0]])
    before = x.clone()
    once = answer(_valley, x, 0.1, 3, torch.Generator().manual_seed(0))
    if not isinstance(once, Tensor) or once.shape != x.shape:
        shape = tuple(once.shape) if isinstance(once, Tensor) else type(once).__name__
        return f"return the points after the last step, of shape (2, 2) like x; you gave {shape}."
    if not torch.equal(x, before):
        return (
            "you moved the points that you were given (-= and += work in place): whoever called "
            "you still needs them. Write x = x - ..."
        )
    if not _takes_pictures(answer):
        return _ONLY_POINTS
    if once.requires_grad:
        return (
            "your points still carry the graph of all steps: each step would cost more memory, and "
            "training would follow it. Detach x in each step."
        )
    again = answer(_valley, x, 0.1, 3, torch.Generator().manual_seed(0))
    if not torch.equal(once, again):
        return _FORGOT_RNG
    found, expected = _settled(answer), _predicted_spread()
    if bool(((found - expected).abs() < _NEAR).all()):
        return ""
    for wrong, says in _WRONG_CHAINS:
        other = _settled(wrong)
        if bool(((found - other).abs() < _NEAR).all()):
            return says
    if bool((found[2:4] == 0).all()):
        return _WRONG_CHAINS[4][1]
    return (
        f"40,000 points from 2 in a valley of curvature 1 around 0.5 have the mean {found[0]:.3g} "
        f"and the standard deviation {found[2]:.3g} after 6 steps of 0.1; expected "
        f"{expected[0]:.3g} and {expected[2]:.3g}."
    )


LANGEVIN = Exercise(
    id="10.langevin",
    right=langevin,
    judge=_judge_langevin,
    mistakes=(
        *(Mistake(wrong, says) for wrong, says in _WRONG_CHAINS),
        Mistake(
            kept_the_graph,
            "your points still carry the graph of all steps: each step would cost more memory, and "
            "training would follow it. Detach x in each step.",
        ),
        Mistake(
            moved_the_given_points,
            "you moved the points that you were given (-= and += work in place): whoever called "
            "you still needs them. Write x = x - ...",
        ),
        Mistake(left_the_generator_out, _FORGOT_RNG),
        Mistake(noise_of_two_columns, _ONLY_POINTS),
    ),
)


# 10.settled-variance: where the chain settles in a valley
SETTLED_VARIANCE = Exercise(
    id="10.settled-variance",
    right=lambda eta, c: 1 / (c * (1 - eta * c / 2)),
    cases=((0.1, 1.0), (0.5, 1.0), (0.2, 3.0)),
    mistakes=Mistake.pairs(
        lambda eta, c: 1 / c,
        "this is the variance of the target; a step of finite size misses it.",
        lambda eta, c: 1 / (1 - eta * c / 2),
        "you forgot that the target's own variance is not 1 when c is not 1.",
        lambda eta, c: 1 / (c * (1 - eta / 2)),
        "the step contracts by 1 - eta c, not by 1 - eta: the bias depends on the curvature too.",
        lambda eta, c: 1 / (2 * c * (1 - eta * c / 2)),
        "you gave the noise the variance eta; it is 2 eta, from the factor sqrt(2 eta).",
        lambda eta, c: 2 * eta / (1 - (1 - eta * c)),
        "in v' = a^2 v + 2 eta the contraction a is squared: variances scale with squares.",
        lambda eta, c: math.sqrt(1 / (c * (1 - eta * c / 2))),
        "this is the standard deviation; the variance was asked for.",
        lambda eta, c: 1 / (c * (1 + eta * c / 2)),
        "a sign: 1 - (1 - a)^2 is 2a - a^2, so a longer step makes the variance larger.",
    ),
)


# 10.update: one step of training
def update(
    energy: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, negatives: Tensor
) -> float:
    """Push the energy down at the data x and up at the negatives; return the gap before."""
    gap = energy(x).mean() - energy(negatives).mean()
    optimizer.zero_grad()
    gap.backward()
    optimizer.step()
    return gap.item()


def exchanged_the_phases(energy, optimizer, x, negatives):
    gap = energy(negatives).mean() - energy(x).mean()
    optimizer.zero_grad()
    gap.backward()
    optimizer.step()
    return gap.item()


def left_the_negatives_out(energy, optimizer, x, negatives):
    loss = energy(x).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def pushed_both_down(energy, optimizer, x, negatives):
    loss = energy(x).mean() + energy(negatives).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def never_cleared(energy, optimizer, x, negatives):
    gap = energy(x).mean() - energy(negatives).mean()
    gap.backward()
    optimizer.step()
    return gap.item()


def cleared_after_the_step(energy, optimizer, x, negatives):
    gap = energy(x).mean() - energy(negatives).mean()
    gap.backward()
    optimizer.step()
    optimizer.zero_grad()
    return gap.item()


def cleared_between(energy, optimizer, x, negatives):
    gap = energy(x).mean() - energy(negatives).mean()
    gap.backward()
    optimizer.zero_grad()
    optimizer.step()
    return gap.item()


def summed_the_batch(energy, optimizer, x, negatives):
    gap = energy(x).sum() - energy(negatives).sum()
    optimizer.zero_grad()
    gap.backward()
    optimizer.step()
    return gap.item()


def squared_the_gap(energy, optimizer, x, negatives):
    loss = (energy(x).mean() - energy(negatives).mean()).square()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def took_the_size_of_the_gap(energy, optimizer, x, negatives):
    loss = (energy(x).mean() - energy(negatives).mean()).abs()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _given(seed: int) -> tuple[nn.Module, torch.optim.Optimizer, list[tuple[Tensor, Tensor]]]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 5), nn.SiLU(), nn.Linear(5, 1), nn.Flatten(0))
    g = torch.Generator().manual_seed(seed)
    batches = [  # the gap is above 0 in one of them and below in the other
        (torch.randn(7, 2, generator=g) + side, 2 * torch.randn(5, 2, generator=g) - side)
        for side in (1, -1)
    ]
    return net, torch.optim.SGD(net.parameters(), lr=0.1), batches


def _after_two_updates(answer: Callable[..., Any]) -> tuple[Tensor, Any]:
    """The weights after two updates, and what the second returned."""
    net, optimizer, batches = _given(1)
    found = None
    for x, negatives in batches:
        for p in net.parameters():  # as a chain by backward() leaves them
            left = torch.full_like(p, 0.3)
            p.grad = left if p.grad is None else p.grad + left
        found = answer(net, optimizer, x, negatives)
    return torch.cat([p.detach().flatten() for p in net.parameters()]), found


_WRONG_UPDATES = (
    (exchanged_the_phases,
     "the phases are exchanged: you push the energy up at the data and down at your own samples."),
    (left_the_negatives_out,
     "the negative phase is missing, or detached: the energy falls everywhere, and nothing "
     "forbids it."),
    (pushed_both_down,
     "you push the energy down at the negatives too: there it must rise."),
    (never_cleared,
     "gradients add up until they are cleared: zero_grad() is missing."),
    (cleared_after_the_step,
     "clear the gradients *before* backward(): the chain that made the negatives may have left "
     "some on the weights."),
    (cleared_between,
     "you clear the gradients after backward(): the step finds nothing. Clear them before."),
    (summed_the_batch,
     "you summed over the batch: with 7 points of data and 5 negatives the two phases no longer "
     "weigh the same. Take means."),
    (squared_the_gap,
     "you squared the gap. It is no error to be brought to zero: only its slope means something."),
    (took_the_size_of_the_gap,
     "you took the absolute value: once the data's energy is the lower one, you train backwards."),
)  # fmt: skip


def _judge_update(answer: Callable[..., Any]) -> str:
    raw = getattr(answer, "__wrapped__", answer)  # the other one takes a missing return for a blank
    weights, found = _after_two_updates(raw)
    if torch.allclose(weights, _after_two_updates(update)[0], atol=1e-6):
        return _judge_gap(found)
    for wrong, says in _WRONG_UPDATES:
        if torch.allclose(weights, _after_two_updates(wrong)[0], atol=1e-6):
            if wrong is cleared_between:
                _after_two_updates(answer)  # a blank ends here: its weights have not moved either
            return says
    return (
        "the weights after two updates differ from the right ones: mean energy at the data minus "
        "mean energy at the negatives, then zero_grad(), backward(), step()."
    )


def _judge_gap(found: Any) -> str:
    expected = _after_two_updates(update)[1]
    if isinstance(found, Tensor) and found.requires_grad:
        return "return the gap as a number, with .item(): a tensor would keep its graph alive."
    try:
        gap = float(found)
    except (TypeError, ValueError):
        return "the weights move as they should; return the gap, as a number."
    if abs(gap + expected) < 1e-5 < abs(expected):
        return "the weights move as they should; the gap is data minus negatives."
    if abs(gap - expected) > 1e-5:
        return "the weights move as they should; return the gap that you differentiated."
    return ""


UPDATE = Exercise(
    id="10.update",
    right=update,
    judge=_judge_update,
    mistakes=tuple(Mistake(wrong, says) for wrong, says in _WRONG_UPDATES),
)


# 10.pool: repair chains that begin again at every update
def negatives_from(pool: Tensor, rows: Tensor, walk: Callable[[Tensor], Tensor]) -> Tensor:
    """Walk the chains in these rows of the pool, and leave them where they have arrived."""
    x = walk(pool[rows])
    pool[rows] = x
    return x


def forgot_the_pool(pool, rows, walk):
    x = walk(pool[rows])
    return x


def put_into_the_first_rows(pool, rows, walk):
    x = walk(pool[rows])
    pool[: len(rows)] = x
    return x


def walked_the_whole_pool(pool, rows, walk):
    pool[:] = walk(pool)
    return pool[rows]


def walked_twice(pool, rows, walk):
    pool[rows] = walk(pool[rows])
    return walk(pool[rows])


def returned_the_pool(pool, rows, walk):
    pool[rows] = walk(pool[rows])
    return pool


def _pool_after(answer: Callable[..., Any]) -> tuple[Tensor, list[Tensor]]:
    pool = torch.arange(12.0).reshape(6, 2)
    found = []
    for rows in ([4, 1, 3], [1, 0, 4]):
        given = answer(pool, torch.tensor(rows), lambda x: 2 * x + 1)
        found.append(given.clone() if isinstance(given, Tensor) else given)
    return pool, found


def _same_pool(one: tuple[Tensor, list[Any]], other: tuple[Tensor, list[Any]]) -> bool:
    pairs = [(one[0], other[0]), *zip(one[1], other[1], strict=True)]
    return all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape and torch.equal(a, b)
        for a, b in pairs
    )


_WRONG_POOLS = (
    (forgot_the_pool,
     "the pool has not changed (pool[rows] with a list of rows is a copy, and so is clone()): the "
     "next update begins at the same old places."),
    (put_into_the_first_rows, "the chains went back into other rows than they came from."),
    (walked_the_whole_pool, "you walked the whole pool; only the chains in these rows move."),
    (walked_twice, "the chains that you return have walked twice, those in the pool once."),
    (returned_the_pool, "return the chains that walked, in the order of the rows, not the pool."),
)  # fmt: skip


def _judge_pool(answer: Callable[..., Any]) -> str:
    raw = getattr(answer, "__wrapped__", answer)  # the other one takes a missing return for a blank
    found = _pool_after(raw)
    if _same_pool(found, _pool_after(negatives_from)):
        return ""
    for wrong, says in _WRONG_POOLS:
        if _same_pool(found, _pool_after(wrong)):
            return says
    if not all(isinstance(value, Tensor) for value in found[1]):
        if torch.equal(found[0], _pool_after(negatives_from)[0]):
            return "the pool is right; return the chains that walked as well."
        _pool_after(answer)  # a blank ends here
    return (
        "with a walk that doubles and adds one, the pool or what you returned differs from the "
        "right one: walk pool[rows], write the result into the same rows, return it."
    )


POOL = Exercise(
    id="10.pool",
    right=negatives_from,
    judge=_judge_pool,
    mistakes=tuple(Mistake(wrong, says) for wrong, says in _WRONG_POOLS),
)


# 10.spring: the longest spring that leaves one valley
SPRING = Exercise(
    id="10.spring",
    right=lambda b: 1 / (2 * math.sqrt(b)),
    cases=((6.0,), (1.0,), (2.5,)),
    mistakes=Mistake.pairs(
        lambda b: 1 / (4 * b),
        "this is the square of s: take its root.",
        lambda b: 2 * math.sqrt(b),
        "this is 1/s: a weaker spring has the larger s.",
        lambda b: 1 / math.sqrt(8 * b),
        "you used the curvature at the bottom of the valleys, 8b; the spring must undo the most "
        "*negative* curvature, that of the top between them.",
        lambda b: 1 / math.sqrt(2 * b),
        "the second derivative of (x - y)^2 / (2 s^2) is 1/s^2, not 2/s^2.",
        lambda b: 4 * b,
        "4b is the curvature that the spring must undo; s is asked for, and 1/s^2 is its "
        "curvature.",
        lambda b: 1 / math.sqrt(b),
        "differentiate b (x^2 - 1)^2 twice: at x = 0 the curvature is -4b.",
    ),
)


# 10.descent: walk down the rungs, each tied to the one above
def tied(energy: Energy, y: Tensor, s: float) -> Energy:
    """The energy of what lies behind the noisy copy y."""
    return lambda x: energy(x) + (x - y).square().flatten(1).sum(1) / (2 * s**2)


def descent(
    rungs: Any, x: Tensor, tied: Callable[..., Energy], walk: Callable[..., Tensor]
) -> Tensor:
    """From the noisiest rung, the last, to the first: walk, tied to where the rung above ended."""
    for energy, s in reversed(rungs):
        x = walk(tied(energy, x, s), x, s)
    return x


def began_at_the_clean_end(rungs, x, tied, walk):
    for energy, s in rungs:
        x = walk(tied(energy, x, s), x, s)
    return x


def forgot_the_spring(rungs, x, tied, walk):
    for energy, s in reversed(rungs):
        x = walk(energy, x, s)
    return x


def tied_to_the_first_noise(rungs, x, tied, walk):
    y = x
    for energy, s in reversed(rungs):
        x = walk(tied(energy, y, s), x, s)
    return x


def walked_from_the_first_noise(rungs, x, tied, walk):
    y = x
    for energy, s in reversed(rungs):
        x = walk(tied(energy, x, s), y, s)
    return x


def the_first_spring_for_all(rungs, x, tied, walk):
    s = rungs[0][1]
    for energy, _ in reversed(rungs):
        x = walk(tied(energy, x, s), x, s)
    return x


def the_sharp_energy_for_all(rungs, x, tied, walk):
    energy = rungs[0][0]
    for _, s in reversed(rungs):
        x = walk(tied(energy, x, s), x, s)
    return x


def left_out_the_last_rung(rungs, x, tied, walk):
    for energy, s in reversed(rungs[1:]):
        x = walk(tied(energy, x, s), x, s)
    return x


def noise_between_the_rungs(rungs, x, tied, walk):
    for energy, s in reversed(rungs):
        y = x + s
        x = walk(tied(energy, y, s), y, s)
    return x


def _roll(energy: Energy, x: Tensor, s: float) -> Tensor:
    """Two steps downhill without noise: a walk whose end is known exactly."""
    for _ in range(2):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - 0.3 * s**2 * slope
    return x


def _bowl(curve: float, centre: float) -> Energy:
    return lambda x: curve * (x - centre).square().flatten(1).sum(1) / 2


_RUNGS = ((_bowl(4.0, 1.0), 0.3), (_bowl(1.5, -0.5), 0.8), (_bowl(0.4, 2.0), 1.4))
_DOTS = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.0]])
_PICTURES = torch.linspace(-2, 2, 8).reshape(2, 1, 2, 2)

DESCENT = Exercise(
    id="10.descent",
    right=descent,
    cases=((list(_RUNGS), _DOTS, tied, _roll), (list(_RUNGS[:2]), _PICTURES, tied, _roll)),
    mistakes=Mistake.pairs(
        began_at_the_clean_end,
        "you began with the sharpest energy: the first rung is the cleanest, so go through them "
        "in reverse.",
        forgot_the_spring,
        "your points walk without a spring: tie them to where the rung above ended.",
        tied_to_the_first_noise,
        "every rung is tied to the very first noise; tie it to where the rung above has ended.",
        walked_from_the_first_noise,
        "every rung begins its walk at the first noise; begin where the rung above has ended.",
        the_first_spring_for_all,
        "you used one s for all rungs: each has its own.",
        the_sharp_energy_for_all,
        "you used one energy for all rungs: each has its own.",
        left_out_the_last_rung,
        "you stopped one rung too early: the cleanest one is missing.",
        noise_between_the_rungs,
        "you moved the points between two rungs; where one ends, the next is tied.",
    ),
)


# 10.acceptance: Metropolis' logarithmic ratio for a Langevin proposal
def _log_acceptance(x: float, y: float, energy: Any, slope: Any, eta: float) -> float:
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return float(min(0.0, energy(x) - energy(y) + back - forth))


_QUARTIC = (lambda x: x**4 / 4, lambda x: x**3)  # an energy and its slope
_MOVES = ((0.2, 1.3, *_QUARTIC, 0.3), (1.8, 0.9, *_QUARTIC, 0.2), (-0.5, 0.9, *_QUARTIC, 0.5))


def exchanged_the_proposals(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(x) - energy(y) + forth - back)


def turned_the_ratio_upside_down(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(y) - energy(x) + forth - back)


def divided_by_the_variance_alone(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (2 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (2 * eta)
    return min(0.0, energy(x) - energy(y) + back - forth)


def gave_the_probability(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return math.exp(min(0.0, energy(x) - energy(y) + back - forth))


def took_no_minimum(x, y, energy, slope, eta):
    forth = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return energy(x) - energy(y) + back - forth


ACCEPTANCE = Exercise(
    id="10.acceptance",
    right=_log_acceptance,
    cases=_MOVES,
    mistakes=Mistake.pairs(
        lambda x, y, energy, slope, eta: min(0.0, energy(x) - energy(y)),
        "this is Metropolis' rule for symmetric proposals; Langevin's drifts downhill, so "
        "going there and coming back are not equally likely.",
        exchanged_the_proposals,
        "the two proposals are exchanged: the way *back* belongs in the numerator.",
        turned_the_ratio_upside_down,
        "the ratio is upside down: moves to lower energy must be the ones accepted.",
        divided_by_the_variance_alone,
        "the proposal has the variance 2 eta, so its exponent is divided by 4 eta.",
        gave_the_probability,
        "this is the probability itself; its logarithm was asked for.",
        took_no_minimum,
        "a probability is at most 1, so its logarithm is at most 0: take the minimum.",
    ),
)


# 10.annealed-weights: log of the AIS weight from the values along the path
_PATH = (np.array([0.0, 0.2, 0.5, 1.0]), np.array([-1.0, -1.2, -2.0]), np.array([3.0, 2.0, 0.5]))
_SHORT = (np.array([0.0, 1.0]), np.array([-0.9]), np.array([0.4]))

ANNEALED_WEIGHTS = Exercise(
    id="10.annealed-weights",
    right=lambda betas, log_q, energy: float(np.sum(np.diff(betas) * (-energy - log_q))),
    cases=(_PATH, _SHORT),
    mistakes=Mistake.pairs(
        lambda b, q, e: float(np.sum(np.diff(b) * -e)),
        "you left out the base: between two levels log f changes by both terms.",
        lambda b, q, e: float(np.sum(np.diff(b) * (-e + q))),
        "the base loses weight as beta grows: its term enters with a minus.",
        lambda b, q, e: float(np.sum(np.diff(b) * (e + q))),
        "the sign is turned round: log f contains -E, and this estimates 1/Z.",
        lambda b, q, e: float(np.sum(-e - q)),
        "each term counts only for the *change* of beta at its point.",
        lambda b, q, e: float(np.sum(b[1:] * (-e - q))),
        "you used the levels themselves: a weight collects differences of levels.",
    ),
)

EXERCISES = bank(globals())
