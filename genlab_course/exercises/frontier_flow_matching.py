"""Exercises of the notebook on flow matching: its velocity, loss, sampler and translation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank

Model = Callable[[Tensor, Tensor], Tensor]


# fm.marginal-velocity: build it
def marginal_velocity(x: Tensor, t: float, points: Tensor) -> Tensor:
    """The marginal velocity at each row of x, for equally likely points."""
    gaps = x[:, None] - (1 - t) * points
    weights = torch.softmax(-(gaps**2).sum(-1) / (2 * t**2), 1)
    guess = weights @ points
    return (x - guess) / t


def _guess(x: Tensor, t: float, points: Tensor, **other: Any) -> Tensor:
    """The mean of the points, each weighted by how well it explains x; with one mistake at most."""
    scale, dim = other.get("scale", 1 - t), other.get("dim", 1)
    gaps = (x[:, None] - scale * points).square().sum(-1)
    weights = torch.softmax(-gaps / other.get("spread", 2 * t**2), dim)
    return weights @ points


def _nearest(x: Tensor, t: float, points: Tensor) -> Tensor:
    return points[torch.cdist(x, (1 - t) * points).argmin(1)]


def _cloud(seed: int, t: float) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x, points = (torch.randn(n, 2, generator=g, dtype=torch.float64) for n in (5, 4))
    return x, t, points


# fm.floor: Gaussian data
def floor(t: float) -> float:
    """The variance of eps - x0 that remains when x_t is known."""
    return 1 / ((1 - t) ** 2 + t**2)


# fm.loss: build it
def flow_loss(network: Model, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Mean squared error of the velocity at random points of random lines."""
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - at) * x0 + at * eps
    return (network(x_t, t) - (eps - x0)).square().mean()


def _loss(network: Any, x0: Tensor, eps: Tensor, t: Tensor, **other: Any) -> Tensor:
    """The loss with a mistake: other ends, another target, other scales, another reduction."""
    at = t.reshape(-1, *[1] * (x0.ndim - 1))
    a, b = other.get("scales", lambda s: (1 - s, s))(at)
    gap = network(a * x0 + b * eps, t) - other.get("target", eps - x0)
    return other.get("reduce", torch.mean)(gap**2)


def _bend(x: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)))


def _batch(seed: int, *shape: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(2, *shape, generator=g, dtype=torch.float64)
    return _bend, x0, eps, torch.rand(shape[0], generator=g, dtype=torch.float64)


# fm.sampler: repair it
def flow_sample(network: Model, x: Tensor, n_steps: int) -> Tensor:
    """Euler's method from the noise at t = 1 to the data at t = 0."""
    for k in range(n_steps, 0, -1):
        t = torch.full((len(x),), k / n_steps)
        x = x - network(x, t) / n_steps
    return x


def _walk(network: Any, x: Tensor, n: int, *, times: Any = None, sign: float = -1.0) -> Tensor:
    for k in range(n):
        t = 1 - k / n if times is None else times(k, n)
        x = x + sign * network(x, torch.full((len(x),), t, dtype=x.dtype)) / n
    return x


def _start(seed: int, n: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    return _bend, torch.randn(4, 2, generator=g, dtype=torch.float64), n


# fm.edm: read a denoiser of x0 + sigma eps as a velocity
def edm_velocity(denoiser: Model, x: Tensor, t: Tensor) -> Tensor:
    """The velocity of the straight path, for times between 0 and 1."""
    at = t.reshape(-1, *[1] * (x.ndim - 1))
    guess = denoiser(x / (1 - at), t / (1 - t))
    return (x - guess) / at


def _denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    return torch.tanh(x) / (1 + sigma.reshape(-1, *[1] * (x.ndim - 1)))


def _at(x: Tensor, t: Tensor) -> Tensor:
    return t.reshape(-1, *[1] * (x.ndim - 1))


def _levels(seed: int, *shape: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=g, dtype=torch.float64)
    return _denoiser, x, 0.1 + 0.8 * torch.rand(shape[0], generator=g, dtype=torch.float64)


VELOCITY = Exercise(
    id="fm.marginal-velocity",
    level="build",
    minutes=10,
    right=marginal_velocity,
    cases=(_cloud(1, 0.4), _cloud(2, 0.85), _cloud(3, 0.15)),
    mistakes=Mistake.pairs(
        lambda x, t, p: (_guess(x, t, p) - x) / t,
        "Your arrows lead from the noise to the data, as in the papers whose time runs the other "
        "way. Here positive time leads to the noise.",
        lambda x, t, p: (x - _guess(x, t, p, scale=1.0)) / t,
        "You compared x with the points themselves; at time t a point has shrunk to (1 - t) times "
        "itself.",
        lambda x, t, p: (x - _guess(x, t, p, spread=2 * t)) / t,
        "The noise at time t is t * eps: its variance is t squared, not t.",
        lambda x, t, p: (x - _guess(x, t, p, spread=t**2)) / t,
        "A normal density has a factor one half in its exponent.",
        lambda x, t, p: (x - _guess(x, t, p, spread=-2 * t**2)) / t,
        "The sign in the exponent: far points must count less, not more.",
        lambda x, t, p: (x - _guess(x, t, p, dim=0)) / t,
        "The weights of the points must sum to 1 for each x: softmax over the other axis.",
        lambda x, t, p: x - _guess(x, t, p),
        "This is the way from the best guess to x. A velocity is that, divided by the time spent.",
        lambda x, t, p: _guess(x, t, p),
        "This is the best guess of the data, the hard part. The velocity follows from it.",
        lambda x, t, p: (x - p.mean(0)) / t,
        "All points count alike here; x_t tells which of them are likely.",
        lambda x, t, p: (x - _nearest(x, t, p)) / t,
        "You took the likeliest point; what is wanted is a mean over all of them.",
    ),
    hints="First the probability of each point given x, by Bayes' rule; then the mean point.\n"
    "x given point i is normal with mean (1 - t) * points[i] and standard deviation t.\n"
    "weights = softmax(-|x - (1 - t) points|^2 / (2 t^2)); the answer is (x - weights @ points) / "
    "t.",
)
FLOOR = Exercise(
    id="fm.floor",
    level="derive",
    minutes=5,
    right=floor,
    cases=((0.0,), (0.2,), (0.5,), (0.9,)),
    mistakes=Mistake.pairs(
        lambda t: 2.0 + 0 * t,
        "That is the variance of the target, the loss of a network that always answers 0.",
        lambda t: 0.0 * t,
        "A perfect network predicts the *mean* of the target given x_t; the rest stays.",
        lambda t: (1 - t) ** 2 + t**2,
        "That is the variance of x_t: you are near, but upside down.",
        lambda t: (2 * t - 1) ** 2 / ((1 - t) ** 2 + t**2),
        "That is the part of the target's variance which x_t explains; the floor is the rest.",
        lambda t: 2 - (2 * t - 1) ** 2,
        "The covariance of target and x_t is 2t - 1; its square must be divided by Var(x_t).",
        lambda t: 2 / ((1 - t) ** 2 + t**2),
        "Twice too much: at t = 0 the data are known and only eps, of variance 1, is not.",
    ),
    hints="All variables are jointly normal: the variance of y given x is Var y - Cov^2 / Var x.\n"
    "Var(eps - x0) = 2, Var(x_t) = (1-t)^2 + t^2, Cov(eps - x0, x_t) = t - (1 - t).\n"
    "2 - (2t - 1)^2 / ((1-t)^2 + t^2), which simplifies to one over the variance of x_t.",
)
LOSS = Exercise(
    id="fm.loss",
    level="build",
    minutes=10,
    right=flow_loss,
    cases=(_batch(1, 4, 2), _batch(2, 3, 1, 2, 2)),
    mistakes=Mistake.pairs(
        lambda n, x, e, t: _loss(n, x, e, t, target=x - e),
        "Your target leads from noise to data. Here time grows towards the noise, so the "
        "derivative of x_t is eps - x0.",
        lambda n, x, e, t: _loss(n, x, e, t, scales=lambda s: (s, 1 - s)),
        "Your x_t is at the wrong end: t = 0 must be the data.",
        lambda n, x, e, t: _loss(n, x, e, t, scales=lambda s: (s, 1 - s), target=x - e),
        "Consistent, but in the other papers' time, with noise at 0 and data at 1.",
        lambda n, x, e, t: _loss(n, x, e, t, target=e),
        "This is the target of noise prediction; a velocity is the derivative of x_t.",
        lambda n, x, e, t: _loss(n, x, e, t, target=x),
        "This is the target of a denoiser; a velocity is the derivative of x_t.",
        lambda n, x, e, t: _loss(n, x, e, t, scales=lambda s: ((1 - s).sqrt(), s.sqrt())),
        "With square roots the path is curved, and eps - x0 is not its derivative.",
        lambda n, x, e, t: _loss(n, x, e, t, reduce=torch.sum),
        "You summed; the loss is a mean over the batch and all coordinates.",
        lambda n, x, e, t: _loss(n, x, e, t, reduce=lambda a: a.flatten(1).sum(1).mean()),
        "You summed over the coordinates; the loss is a mean over them, too.",
        lambda n, x, e, t: _loss(lambda a, s: n(a, 0 * s), x, e, t),
        "The network must be told the time: network(x_t, t).",
    ),
    hints="Three lines: the point x_t, its velocity, the mean squared difference.\n"
    "t has shape (b,): reshape it to (b, 1, ...) before it is multiplied with images.\n"
    "x_t = (1 - at) * x0 + at * eps; ((network(x_t, t) - (eps - x0)) ** 2).mean().",
)
SAMPLER = Exercise(
    id="fm.sampler",
    level="repair",
    minutes=6,
    right=flow_sample,
    cases=(_start(1, 4), _start(2, 1), _start(3, 7)),
    atol=1e-5,
    mistakes=Mistake.pairs(
        lambda n, x, k: _walk(n, x, k, times=lambda i, n: i / n, sign=1.0),
        "This is the broken sampler as it stood.",
        lambda n, x, k: _walk(n, x, k, times=lambda i, n: i / n),
        "The sign is mended; but the network is still told that it starts among the data.",
        lambda n, x, k: _walk(n, x, k, sign=1.0),
        "The clock is mended; but a step from t to t - 1/n moves by *minus* the velocity / n.",
        lambda n, x, k: _walk(n, x, k, times=lambda i, n: 1 - (i + 1) / n),
        "You asked for the velocity at the end of each step; Euler asks where the step begins.",
        lambda n, x, k: _walk(n, x, k, times=lambda i, n: (n - i - 0.5) / n),
        "You told the network the middle of the step, at a place where the step begins.",
        lambda n, x, k: _walk(n, x, k, sign=-float(k)),
        "You forgot the length of a step, 1 / n_steps.",
        lambda n, x, k: _walk(n, x, k - 1),
        "One step too few.",
    ),
    hints="At which t does sampling start, and which way does t run from there?\n"
    "The first velocity belongs to t = 1, the last to t = 1/n; time falls by 1/n each step.\n"
    "for k in range(n_steps, 0, -1): t = k / n_steps, and x = x - network(x, t) / n_steps.",
)
BUDGET = Exercise(
    id="fm.budget",
    level="predict",
    minutes=3,
    right=16,
    mistakes=Mistake.pairs(
        2,
        "With one step Heun's second evaluation is at t = 0, at the mean of the data: it undoes "
        "half of the step. Look at the first row below.",
        4,
        "The order of a method speaks of short steps. Two steps are not short: look below.",
        8,
        "A fair bet, and the gap is small there. Compare the two columns below.",
        32,
        "More careful than needed: compare the two columns below.",
    ),
    hints="Heun pays two evaluations for a step: with 2 it takes one step, Euler two.\n"
    "An order is a promise for short steps. Where along the way does the velocity turn most?\n"
    "Run the cell below and read off the first row in which Heun's number is the smaller one.",
)
EDM = Exercise(
    id="fm.edm",
    level="compute",
    minutes=5,
    right=edm_velocity,
    cases=(_levels(1, 4, 2), _levels(2, 3, 1, 2, 2)),
    mistakes=Mistake.pairs(
        lambda d, x, t: (x - d(x, t / (1 - t))) / _at(x, t),
        "The denoiser has never seen a shrunken signal: divide x by 1 - t before you ask.",
        lambda d, x, t: (x - d(x / (1 - _at(x, t)), t)) / _at(x, t),
        "Dividing x by 1 - t makes its noise larger as well: the level is no longer t.",
        lambda d, x, t: (d(x / (1 - _at(x, t)), t / (1 - t)) - x) / _at(x, t),
        "The sign: time grows towards the noise, so the arrow leads away from the guess.",
        lambda d, x, t: (x - d(x / (1 - _at(x, t)), t / (1 - t))) / (_at(x, t) / (1 - _at(x, t))),
        "You divided by sigma; the velocity is (x - guess) / t.",
        lambda d, x, t: (x / (1 - _at(x, t)) - d(x / (1 - _at(x, t)), t / (1 - t))) / _at(x, t),
        "Two coordinates are mixed: the guess is subtracted from x, not from x / (1 - t).",
        lambda d, x, t: (
            (x / (1 - _at(x, t)) - d(x / (1 - _at(x, t)), t / (1 - t)))
            / (_at(x, t) / (1 - _at(x, t)))
        ),
        "That is the guess of eps, or dx/dsigma in EDM's coordinates; here dx/dt is wanted.",
        lambda d, x, t: x - d(x / (1 - _at(x, t)), t / (1 - t)),
        "This is t times the velocity.",
    ),
    hints="Make the noisy picture look as the denoiser knows it: what must x be divided by?\n"
    "x / (1 - t) = x0 + (t / (1 - t)) eps, so sigma = t / (1 - t).\n"
    "(x - denoiser(x / (1 - t), t / (1 - t))) / t, with t reshaped where it meets x.",
)

EXERCISES = bank(globals())
