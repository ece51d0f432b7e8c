"""Exercises of the notebook on flow matching: velocity, loss, sampler, pairs, translation."""

from collections.abc import Callable
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank


def marginal_velocity(x: Tensor, t: float, points: Tensor) -> Tensor:
    """The marginal velocity at each row of x, for equally likely points."""
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    return (x - weights @ points) / t


def _guess(x: Tensor, t: float, points: Tensor, **other: Any) -> Tensor:
    """The mean of the points, each weighted by how well it explains x; with one mistake at most."""
    gaps = (x[:, None] - other.get("scale", 1 - t) * points).square().sum(-1)
    gaps = gaps ** other.get("power", 1.0) / other.get("spread", 2 * t**2)
    return other.get("normalise", torch.nn.Softmax(1))(-gaps) @ points


def floor(t: float) -> float:
    """The variance of eps - x0 that remains when x_t is known."""
    return 1 / ((1 - t) ** 2 + t**2)


def flow_loss(network: Callable[..., Tensor], x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Mean squared error of the velocity at random points of random lines."""
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - (eps - x0)).square().mean()


def _bend(x: Tensor, t: Tensor) -> Tensor:
    """A network that is as strict about the shape of t as the real ones."""
    if getattr(t, "shape", None) != x.shape[:1]:
        raise ValueError(f"the network wants its times as a tensor of shape ({len(x)},), got {t}")
    return torch.tanh(x) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)))


def _batch(seed: int, *shape: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, *shape, generator=g, dtype=torch.float64)
    return _bend, x0, eps, 0.1 + 0.8 * torch.rand(shape[0], generator=g, dtype=torch.float64)


def flow_sample(network: Callable[..., Tensor], x: Tensor, n_steps: int) -> Tensor:
    """Euler's method from the noise at t = 1 to the data at t = 0."""
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), k / n_steps)
        x = x - network(x, t) / n_steps
    return x


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


def edm_velocity(denoiser: Callable[..., Tensor], x: Tensor, t: Tensor) -> Tensor:
    """The velocity of the straight path, for times between 0 and 1."""
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t / (1 - t))
    return (x - guess) / at


VELOCITY = Exercise(
    id="fm.marginal-velocity",
    right=marginal_velocity,
    cases=tuple((_batch(5, 5, 2)[1], t, _batch(6, 4, 2)[1]) for t in (0.4, 0.85, 0.15)),
    mistakes=Mistake.pairs(
        lambda x, t, p: -marginal_velocity(x, t, p),
        "Your velocity leads from noise to data; here positive time leads to the noise.",
        lambda x, t, p: (x - (1 - t) * _guess(x, t, p)) / t,
        "This is the best guess of eps; the velocity subtracts all of the guess of x0.",
        lambda x, t, p: (x - _guess(x, t, p, scale=1.0)) / t,
        "You compared x with the points themselves; at time t they have shrunk by 1 - t.",
        lambda x, t, p: (x - _guess(x, t, p, spread=2 * t)) / t,
        "The noise at time t is t * eps: its variance is t squared, not t.",
        lambda x, t, p: (x - _guess(x, t, p, spread=t**2)) / t,
        "A normal density has a factor one half in its exponent.",
        lambda x, t, p: (x - _guess(x, t, p, power=0.5)) / t,
        "A normal density has the *squared* distance in its exponent.",
        lambda x, t, p: (x - _guess(x, t, p, spread=2 * t**4)) / t,
        "t squared is the variance; a library's Normal wants the standard deviation, t.",
        lambda x, t, p: x - _guess(x, t, p),
        "This is the way to go; divide it by the time that is left for it, t.",
        lambda x, t, p: (x - _guess(x, t, p, normalise=torch.exp)) / t,
        "Your weights are densities: divide them by their sum, so that they are probabilities.",
        _guess,
        "This is the best guess of the data, the hard part. The velocity follows from it.",
        lambda x, t, p: (x - p[torch.cdist(x, (1 - t) * p).argmin(1)]) / t,
        "You took the likeliest point; what is wanted is a mean over all of them.",
    ),
)
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
    ),
)
LOSS = Exercise(
    id="fm.loss",
    right=flow_loss,
    cases=tuple(
        (lambda x, t: _bend(x, t) * torch.ones((), dtype=x.dtype, requires_grad=True), *batch[1:])
        for batch in (_batch(1, 4, 2), _batch(2, 3, 1, 2, 2))
    ),
    mistakes=Mistake.pairs(
        lambda n, x, e, t: flow_loss(lambda a, s: n(a, t), e, x, 1 - t),
        "Time grows towards the noise here, so the derivative of x_t is eps - x0.",
        lambda n, x, e, t: flow_loss(lambda a, s: -n(a, s), e, x, t),
        "Your x_t is at the wrong end: t = 0 must be the data.",
        lambda n, x, e, t: flow_loss(n, e, x, t),
        "Consistent, but in the other papers' time, with noise at 0 and data at 1.",
        lambda n, x, e, t: flow_loss(lambda a, s: n(a, s) - x, x, e, t),
        "This is the target of noise prediction; a velocity is the derivative of x_t.",
        lambda n, x, e, t: flow_loss(n, x, e, t) * x[0].numel(),
        "You summed over the coordinates; the loss is a mean over batch and coordinates.",
    ),
)
SAMPLER = Exercise(
    id="fm.sampler",
    right=flow_sample,
    cases=tuple((*_batch(n, 4, 2)[:2], n) for n in (4, 1, 7)),
    atol=1e-5,
    mistakes=Mistake.pairs(
        lambda n, x, k: flow_sample(lambda y, t: -n(y, 1 - t), x, k),
        "This is the broken sampler as it stood.",
        lambda n, x, k: flow_sample(lambda y, t: n(y, 1 - t), x, k),
        "The sign is mended; but the times still run as if you started at the data.",
        lambda n, x, k: flow_sample(lambda y, t: -n(y, t), x, k),
        "The clock is mended; but a step from t to t - 1/n moves by *minus* the velocity / n.",
        lambda n, x, k: flow_sample(lambda y, t: n(y, t - 1 / k), x, k),
        "You asked for the velocity at the end of each step; Euler asks where the step begins.",
        lambda n, x, k: flow_sample(lambda y, t: n(y, t) * k, x, k),
        "You forgot the length of a step, 1 / n_steps.",
    ),
)
BUDGET = Exercise(
    id="fm.budget",
    right=16,
    mistakes=Mistake.pairs(
        2,
        "With 2, Heun takes one step and its second evaluation, at t = 0, undoes half of it.",
        4,
        "The order of a method speaks of short steps. Two steps are not short: look below.",
        8,
        "A fair bet, and the gap is small there. Compare the two columns below.",
        32,
        "More careful than needed: compare the two columns below.",
    ),
)
PAIRS = Exercise(
    id="fm.pairs",
    right=pairs_by_label,
    cases=(_labelled(1, 7), _labelled(2, 12)),
    mistakes=Mistake.pairs(
        lambda pair, x0, eps, c: pair(x0, eps),
        "This is the trap itself: these pairs do not look at the labels.",
        lambda pair, x0, eps, c: eps,
        "These are independent pairs: right for every label, but as long as before.",
        lambda pair, x0, eps, c: pairs_by_label(pair, x0, eps, c)[c[:, 0].argsort(stable=True)],
        "The pairs are right, but the rows have moved: row i of the noise belongs to row i of x0.",
        lambda pair, x0, eps, c: pair(torch.cat([x0, c], 1), torch.cat([eps, c], 1))[:, :1],
        "Labels count in your distance, but a near noise can outweigh them: pair label by label.",
    ),
)
EDM = Exercise(
    id="fm.edm",
    right=edm_velocity,
    cases=tuple((n, x, t) for n, x, _, t in (_batch(1, 4, 2), _batch(2, 3, 1, 2, 2))),
    mistakes=Mistake.pairs(
        lambda d, x, t: edm_velocity(lambda y, s: d(x, t), x, t),
        "The denoiser knows x0 + sigma * eps only: both x and the level must be translated.",
        lambda d, x, t: edm_velocity(lambda y, s: d(x, s), x, t),
        "The denoiser has never seen a shrunken signal: divide x by 1 - t before you ask.",
        lambda d, x, t: edm_velocity(lambda y, s: d(y, t), x, t),
        "Dividing x by 1 - t makes its noise larger as well: the level is no longer t.",
        lambda d, x, t: edm_velocity(d, x, t) * (1 - t.reshape(-1, *[1] * (x.ndim - 1))),
        "You divided by sigma; the velocity is (x - guess) / t.",
        lambda d, x, t: x + edm_velocity(d, x, t) * (1 - t.reshape(-1, *[1] * (x.ndim - 1))),
        "This is the guess of eps, EDM's slope in sigma; the velocity subtracts all of the guess.",
    ),
)

EXERCISES = bank(globals())
