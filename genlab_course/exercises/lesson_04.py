"""Exercises of lesson 04: normalizing flows."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, RefusedError, bank

Net = Callable[[Tensor], tuple[Tensor, Tensor]]

DENSITY = Prediction("04.predict-density", choices=("0.1", "1", "10"))
CHANNEL = Prediction("04.predict-channel", choices=("0", "4", "15"), unit="%")
SWEEPS_GUESS = Prediction("04.predict-sweeps", between=(1, 64), unit="sweeps")


# 04.stretch: log-density of x = a z + b, z standard normal
def _log_phi(z: float) -> float:
    return -0.5 * z * z - 0.5 * math.log(2 * math.pi)


STRETCH = Exercise(
    id="04.stretch",
    right=lambda x, a, b: _log_phi((x - b) / a) - math.log(abs(a)),
    cases=((2.0, 2.0, 1.0), (-1.0, -0.5, 0.3), (4.0, 3.0, -2.0), (0.2, 0.1, 0.2)),
    mistakes=Mistake.pairs(
        lambda x, a, b: _log_phi((x - b) / a) + math.log(abs(a)),
        "you multiplied by the stretch where the mass is spread thinner: the sign is wrong.",
        lambda x, a, b: _log_phi((x - b) / a),
        "the stretch is missing: this does not integrate to 1 over x.",
        lambda x, a, b: _log_phi(x) - math.log(abs(a)),
        "you asked the base for its density at x; ask it at the z that x came from.",
        lambda x, a, b: _log_phi(x / a - b) - math.log(abs(a)),
        "you undid the scale before the shift; what was done last is undone first.",
        lambda x, a, b: _log_phi(a * x + b) - math.log(abs(a)),
        "you sent x through the map once more; you need the z that x came from.",
        lambda x, a, b: _log_phi((x - b) / a) - abs(a),
        "you subtracted the stretch itself, not its logarithm.",
        lambda x, a, b: -0.5 * (x - b) ** 2 / abs(a) - 0.5 * math.log(2 * math.pi * abs(a)),
        "you took a for the variance; z is multiplied by a, so the standard deviation is |a|.",
        lambda x, a, b: math.exp(_log_phi((x - b) / a)) / abs(a),
        "this is the density; its logarithm was asked for.",
        lambda x, a, b: -0.5 * ((x - b) / a) ** 2 - math.log(abs(a)),
        "the constant of the normal, -log(2 pi) / 2, is missing.",
    ),
)


# 04.stack: log p(x) of a stack of layers on a standard normal
def log_prob(x: Tensor, layers: Any) -> Tensor:
    """Log-density of each row of x, in nats: back through the layers, the last one first."""
    log_det = torch.zeros(len(x), dtype=x.dtype)
    for layer in reversed(layers):
        x, step = layer.inverse(x)  # (n, d), (n,)
        log_det = log_det + step
    base = -0.5 * x**2 - 0.5 * math.log(2 * math.pi)  # (n, d)
    return base.sum(1) + log_det


class _Layer:
    """A layer of a case: it answers tensors (n, d) only, in both directions."""

    def __init__(self, there: Any, back: Any) -> None:
        self.there, self.back = there, back

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._travel(self.there, z)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._travel(self.back, x)

    __call__ = forward

    def _travel(self, way: Any, a: Any) -> tuple[Tensor, Tensor]:
        if getattr(a, "ndim", 0) != 2:
            raise RefusedError("a layer wants all points, of shape (n, d), not what you gave it")
        moved: tuple[Tensor, Tensor] = way(a)
        return moved


def _stretch(s: Sequence[float], t: Sequence[float]) -> _Layer:
    """Return x = exp(s) z + t, the same everywhere."""
    a, b = torch.tensor(s, dtype=torch.float64), torch.tensor(t, dtype=torch.float64)
    return _Layer(
        lambda z: (z * a.exp() + b, a.sum().expand(len(z))),
        lambda x: ((x - b) * (-a).exp(), -a.sum().expand(len(x))),
    )


def _bend(moves: int, reads: int) -> _Layer:
    """One coordinate is scaled and shifted by what another one says."""

    def there(z: Tensor) -> tuple[Tensor, Tensor]:
        x, u = z.clone(), z[:, reads]
        x[:, moves] = (0.5 * u.sin()).exp() * z[:, moves] + u.cos()
        return x, 0.5 * u.sin()

    def back(x: Tensor) -> tuple[Tensor, Tensor]:
        z, u = x.clone(), x[:, reads]
        z[:, moves] = (x[:, moves] - u.cos()) * (-0.5 * u.sin()).exp()
        return z, -0.5 * u.sin()

    return _Layer(there, back)


def _points(seed: int, n: int, d: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64)


def layers_from_the_first(x, layers):
    log_det = torch.zeros(len(x))
    for layer in layers:  # <-
        x, step = layer.inverse(x)
        log_det = log_det + step
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


def log_dets_subtracted(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det - step  # <-
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


def kept_only_one_log_det(x, layers):
    for layer in reversed(layers):
        x, log_det = layer.inverse(x)  # <-
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


def every_layer_asked_at_x(x, layers):
    log_det, z = torch.zeros(len(x)), x
    for layer in reversed(layers):
        log_det = log_det + layer.inverse(x)[1]  # <-
        z, _ = layer.inverse(z)
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


def base_asked_at_x(x, layers):
    base = (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1)  # <-
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return base + log_det


def forgot_the_log_dets(x, layers):
    for layer in reversed(layers):
        x, _ = layer.inverse(x)
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1)  # <-


def one_constant_for_all_coordinates(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return (-0.5 * x**2).sum(1) - 0.5 * math.log(2 * math.pi) + log_det  # <-


def no_constant(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return (-0.5 * x**2).sum(1) + log_det  # <-


def mean_over_the_coordinates(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).mean(1) + log_det  # <-


def sent_x_on_instead_of_back(x, layers):
    log_det = torch.zeros(len(x))
    for layer in layers:
        x, step = layer.forward(x)  # <-
        log_det = log_det + step
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) - log_det


def one_number_for_the_batch(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return ((-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det).mean()  # <-


def one_log_det_for_the_batch(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step.sum()  # <-
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


def one_base_for_the_batch(x, layers):
    log_det = torch.zeros(len(x))
    for layer in reversed(layers):
        x, step = layer.inverse(x)
        log_det = log_det + step
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum() + log_det  # <-


_NO_LAYERS = (
    "your function stops where there are no layers. `layers` may be empty: what is left is the "
    "log-density of the normal. (A running sum that begins at 0 needs no layer.)"
)


def _judge_stack(answer: Any) -> str:
    """A stack may be empty, and what it says of its layers must be trainable."""
    x = _points(6, 4, 2)
    try:
        bare = answer(x, [])
    except (IndexError, NameError, RuntimeError, TypeError, ValueError):
        return _NO_LAYERS
    if not torch.allclose(torch.as_tensor(bare).double(), log_prob(x, [])):
        return "the normal alone, a stack without layers, has a density, too; yours differs."
    size = torch.tensor([0.3, -0.1], dtype=torch.float64, requires_grad=True)
    layer = _Layer(
        lambda z: (size.exp() * z, size.sum().expand(len(z))),
        lambda x: ((-size).exp() * x, -size.sum().expand(len(x))),
    )
    scored = answer(x, [layer])
    if not (isinstance(scored, Tensor) and scored.requires_grad):
        return "the numbers are right, but no gradient comes back to the layers: keep tensors."
    return ""


STACK = Exercise(
    id="04.stack",
    right=log_prob,
    cases=(
        (_points(1, 5, 2), [_stretch([0.7, -0.2], [1.0, 0.5]), _bend(1, 0), _bend(0, 1)]),
        (_points(2, 4, 3), [_bend(2, 0), _stretch([0.1, 0.9, -0.4], [0.0, 1.0, -1.0])]),
    ),
    mistakes=Mistake.pairs(
        layers_from_the_first,
        "you began with the first layer; on the way from x to z the last layer is undone first.",
        log_dets_subtracted,
        "from x to z the log-determinant is added; you subtracted it.",
        kept_only_one_log_det,
        "you kept the log-determinant of one layer only; those of a stack add up.",
        every_layer_asked_at_x,
        "each layer must be asked at the point where the layers after it have arrived, not at x.",
        base_asked_at_x,
        "you asked the normal for its density at x; ask it at z, after all layers.",
        forgot_the_log_dets,
        "the stretches are missing: this does not integrate to 1 over x.",
        one_constant_for_all_coordinates,
        "a normal in d dimensions has the constant log(2 pi) / 2 once for each coordinate.",
        no_constant,
        "the constant of the normal is missing, log(2 pi) / 2 for each coordinate.",
        mean_over_the_coordinates,
        "the coordinates of the base are independent: log-densities are summed, not averaged.",
        sent_x_on_instead_of_back,
        "you sent x through the layers once more; to score, it must go back to z.",
        one_number_for_the_batch,
        "return one number for each point; the training takes the mean over the batch later.",
        one_log_det_for_the_batch,
        "you summed the log-determinants over the points; each point keeps its own, of shape (n,).",
        one_base_for_the_batch,
        "you summed the normal's log-densities over the points, too: sum over the coordinates, "
        "axis 1, only.",
    ),
    judge=_judge_stack,
)


# 04.coupling: both directions of an affine coupling
def coupling(a: Tensor, net: Net, way: str, stays: Tensor) -> tuple[Tensor, Tensor]:
    """Move the half that does not stay; log|det| of the way that was travelled."""
    s, t = net(a[:, stays])  # (n, moved) each
    b = a.clone()
    if way == "sample":  # from z to x
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.sum(1)


def _net(m: int) -> Net:
    """Scale and shift of m coordinates from any number of others, with a weight."""
    weight = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def net(kept: Tensor) -> tuple[Tensor, Tensor]:
        if getattr(kept, "ndim", 0) != 2:
            raise RefusedError("net wants a half of all points, of shape (n, half)")
        u = weight * (kept * torch.arange(1, kept.shape[1] + 1)).sum(1, keepdim=True)
        places = torch.arange(m)
        return (u + places).sin() - 0.3, (u - places).cos() * 1.5

    return net


_TWO = torch.tensor([True, False])
_FOUR = torch.tensor([True, False, False, True])


def undid_the_scale_first(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.sum(1)
    b[:, ~stays] = a[:, ~stays] * (-s).exp() - t  # <-
    return b, -s.sum(1)


def scaled_once_more(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) * s.exp()  # <-
    return b, -s.sum(1)


def shifted_before_scaling(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * (a[:, ~stays] + t)  # <-
        return b, s.sum(1)
    b[:, ~stays] = a[:, ~stays] * (-s).exp() - t
    return b, -s.sum(1)


def shifted_before_scaling_there_only(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * (a[:, ~stays] + t)  # <-
        return b, s.sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.sum(1)


def same_log_det_both_ways(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
    else:
        b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, s.sum(1)  # <-


def log_dets_exchanged(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, -s.sum(1)  # <-
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, s.sum(1)


def summed_the_scales_themselves(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.exp().sum(1)  # <-
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.exp().sum(1)


def averaged_the_log_scales(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.mean(1)  # <-
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.mean(1)


def read_the_half_that_moves(a, net, way, stays):
    s, t = net(a[:, ~stays])  # <-
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.sum(1)


def exchanged_the_halves(a, net, way, stays):
    s, t = net(a[:, ~stays])
    b = a.clone()
    if way == "sample":
        b[:, stays] = s.exp() * a[:, stays] + t  # <-
        return b, s.sum(1)
    b[:, stays] = (a[:, stays] - t) * (-s).exp()
    return b, -s.sum(1)


def put_the_halves_side_by_side(a, net, way, stays):
    s, t = net(a[:, stays])
    if way == "sample":
        moved, log_det = s.exp() * a[:, ~stays] + t, s.sum(1)
    else:
        moved, log_det = (a[:, ~stays] - t) * (-s).exp(), -s.sum(1)
    return torch.cat([a[:, stays], moved], dim=1), log_det  # <-


def did_not_take_the_exponential(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s * a[:, ~stays] + t  # <-
        return b, s.abs().log().sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) / s
    return b, -s.abs().log().sum(1)


def only_ever_samples(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    b[:, ~stays] = s.exp() * a[:, ~stays] + t  # <-
    return b, s.sum(1)


def _judge_training(answer: Any) -> str:
    """Layers are stacked and trained: the points given must survive, and gradients come back."""
    a = _points(5, 6, 4)
    before = a.clone()
    net, other = _net(2), _net(2)
    b, first = answer(a, net, "score", _FOUR)
    if not torch.equal(a, before):
        return "you changed the points that you were given; work on a copy: b = a.clone()."
    c, second = answer(b, other, "score", ~_FOUR)
    (c.sum() + first.sum() + second.sum()).backward()
    return ""


COUPLING = Exercise(
    id="04.coupling",
    right=coupling,
    cases=tuple(
        (_points(seed, 5, len(mask)), _net(len(mask) // 2), way, mask)
        for seed, mask in ((3, _TWO), (4, _FOUR))
        for way in ("sample", "score")
    ),
    mistakes=Mistake.pairs(
        undid_the_scale_first,
        "back to z you undid the scale first; the shift was done last and is undone first.",
        scaled_once_more,
        "back to z you scaled once more where the scale must be undone: exp(-s).",
        shifted_before_scaling,
        "you shift, then scale; in (5) z is scaled first, and the shift is added after that.",
        shifted_before_scaling_there_only,
        "to sample you shift, then scale; in (5) z is scaled first, and the shift is added then.",
        same_log_det_both_ways,
        "both ways return the same log-determinant; what stretches one way shrinks the other.",
        log_dets_exchanged,
        "the points are right; each log-determinant is that of the other way.",
        summed_the_scales_themselves,
        "the diagonal holds exp(s), and it is its *logarithm* that is summed.",
        averaged_the_log_scales,
        "a determinant is a product over the coordinates: its logarithm is a sum, not a mean.",
        read_the_half_that_moves,
        "your network reads the half that moves; on the way back that half is not known yet.",
        exchanged_the_halves,
        "you moved the half that should stay.",
        put_the_halves_side_by_side,
        "you put the halves side by side; coordinate i must come back at place i.",
        did_not_take_the_exponential,
        "you scaled by s itself; the scale is exp(s), which is never 0 and never turns round.",
        only_ever_samples,
        'both ways do the same: `way` is "sample" or "score".',
    ),
    judge=_judge_training,
)


# 04.block: an autoregressive flow in both directions
def block(a: Tensor, net: Net, way: str) -> tuple[Tensor, Tensor]:
    """Score x in one evaluation of the network, or sample from z in d."""
    if way == "score":
        s, t = net(a)  # (n, d) each; entry i has read a_1 ... a_{i-1}
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


class _Causal:
    """Scale and shift of coordinate i from the coordinates before it; counts how often it ran."""

    def __init__(self, d: int) -> None:
        g = torch.Generator().manual_seed(d)
        self.w = 0.7 * torch.randn(2, d, d, generator=g, dtype=torch.float64).tril(-1)
        self.c = torch.linspace(-0.5, 0.6, d, dtype=torch.float64)
        self.calls = 0

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if getattr(x, "ndim", 0) != 2 or x.shape[1] != len(self.c):
            raise RefusedError("net wants all coordinates of all points, of shape (n, d)")
        if isinstance(x, Tensor) and x.dtype != self.c.dtype:
            raise RefusedError(
                f"net got {x.dtype} where the points are {self.c.dtype}: make your zeros with "
                "torch.zeros_like, which keeps the dtype"
            )
        self.calls += 1
        return (x @ self.w[0].T).sin() + self.c, (x @ self.w[1].T).tanh() + 2 * self.c


def parameters_read_z(a, net, way):
    s, t = net(a)
    if way == "score":
        return (a - t) * (-s).exp(), -s.sum(1)
    return s.exp() * a + t, s.sum(1)  # <-


def asked_once_before_there_was_anything(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    s, t = net(x)  # <-
    for i in range(a.shape[1]):
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def scaled_the_empty_x(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * x[:, i] + t[:, i]  # <-
    return x, s.sum(1)


def scored_by_the_forward_formula(a, net, way):
    if way == "score":
        s, t = net(a)
        return s.exp() * a + t, s.sum(1)  # <-
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def undid_the_scale_before_the_shift(a, net, way):
    if way == "score":
        s, t = net(a)
        return a * (-s).exp() - t, -s.sum(1)  # <-
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def log_det_of_the_other_way(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), s.sum(1)  # <-
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def both_log_dets_turned_round(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), s.sum(1)  # <-
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, -s.sum(1)


def filled_from_the_end(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    for i in reversed(range(a.shape[1])):  # <-
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def log_det_of_the_last_coordinate(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s[:, -1]  # <-


def _judge_evaluations(answer: Any) -> str:
    """One evaluation to score, one for each coordinate to sample."""
    net = _Causal(5)
    answer(_points(9, 3, 5), net, "score")
    if net.calls > 1:
        return f"right, but scoring took {net.calls} evaluations: x is all there, one is enough."
    z = _points(9, 3, 5)
    before = z.clone()
    answer(z, net, "sample")
    if not torch.equal(z, before):
        return "you wrote over z, which later cells need: fill an x of your own, zeros_like(a)."
    return ""


BLOCK = Exercise(
    id="04.block",
    right=block,
    cases=tuple(
        (_points(seed, 4, d), _Causal(d), way)
        for seed, d in ((7, 2), (8, 5))
        for way in ("sample", "score")
    ),
    mistakes=Mistake.pairs(
        parameters_read_z,
        "to sample, your network read z; here the parameters read the x that has been made so far. "
        "(What you wrote is another flow, IAF.)",
        asked_once_before_there_was_anything,
        "you asked the network once, when x was still empty; ask again after each coordinate.",
        scaled_the_empty_x,
        "to sample you scaled x, which is still zero at place i; what is scaled is z, your `a`.",
        scored_by_the_forward_formula,
        "to score you must solve for z: undo the shift, then the scale.",
        undid_the_scale_before_the_shift,
        "to score you undid the scale first; the shift was done last and is undone first.",
        log_det_of_the_other_way,
        "scoring returns the log-determinant of the other way.",
        both_log_dets_turned_round,
        "the points are right; each log-determinant is that of the other way.",
        filled_from_the_end,
        "you filled x from its last coordinate; coordinate i reads those before it.",
        log_det_of_the_last_coordinate,
        "to sample you returned one log-scale; those of all coordinates are summed.",
    ),
    judge=_judge_evaluations,
)


# 04.sweeps: all coordinates again and again, from a guess
def sweeps(z: Tensor, net: Net, n: int) -> Tensor:
    """Start at zeros; in each sweep remake all coordinates from the x before."""
    x = torch.zeros_like(z)
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * z + t
    return x


def scaled_x_instead_of_z(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * x + t  # <-
    return x


def scaled_x_from_a_start_at_z(z, net, n):
    x = z.clone()
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * x + t  # <-
    return x


def network_reads_z(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n):
        s, t = net(z)  # <-
        x = s.exp() * z + t
    return x


def asked_the_network_once(z, net, n):
    x = torch.zeros_like(z)
    s, t = net(x)  # <-
    for _ in range(n):
        x = s.exp() * z + t
    return x


def began_at_z(z, net, n):
    x = z.clone()  # <-
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * z + t
    return x


def one_coordinate_a_sweep(z, net, n):
    x = torch.zeros_like(z)
    for i in range(min(n, z.shape[1])):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * z[:, i] + t[:, i]  # <-
    return x


def one_sweep_too_few(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n - 1):  # <-
        s, t = net(x)
        x = s.exp() * z + t
    return x


def one_sweep_too_many(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n + 1):  # <-
        s, t = net(x)
        x = s.exp() * z + t
    return x


def solved_the_wrong_way(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n):
        s, t = net(x)
        x = (z - t) * (-s).exp()  # <-
    return x


SWEEPS = Exercise(
    id="04.sweeps",
    right=sweeps,
    cases=tuple((_points(10 + n, 4, 5), _Causal(5), n) for n in (1, 2, 3)),
    mistakes=Mistake.pairs(
        scaled_x_instead_of_z,
        "you scaled the last guess; each sweep starts again from the noise z and only *reads* x.",
        scaled_x_from_a_start_at_z,
        "you scaled the last guess; each sweep starts again from the noise z and only *reads* x.",
        network_reads_z,
        "your network reads z, which never changes; it must read the last guess of x.",
        asked_the_network_once,
        "you asked the network once, at the zeros; ask it again in each sweep, at the last guess.",
        began_at_z,
        "you began at z; begin at zeros, so that results compare. (In the end it is as exact.)",
        one_coordinate_a_sweep,
        "you made one coordinate in each sweep; here all of them are made anew.",
        one_sweep_too_few,
        "this is one sweep too few.",
        one_sweep_too_many,
        "this is one sweep too many.",
        solved_the_wrong_way,
        "this goes from x to z; you need x from z.",
    ),
)


# 04.whole-numbers: repair the bits of a density on whole numbers
def bits(log_prob: Callable[[Tensor], Tensor], x: Tensor, u: Tensor, levels: int) -> Tensor:
    """Bits per dimension of a density on [0, 1]^d, for whole numbers 0 ... levels - 1."""
    d = x.shape[1]
    y = (x + u) / levels  # (n, d)
    nats = -log_prob(y) + d * math.log(levels)  # (n,)
    return nats.mean() / (d * math.log(2))


def _density(y: Tensor) -> Tensor:
    """A density on the unit cube, one number for each point: prod 2 y_i (+ a little)."""
    return (0.2 + 1.6 * y).log().sum(1)


def _counts(seed: int, n: int, d: int, levels: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(levels, (n, d), generator=g)
    return x, torch.rand(n, d, generator=g, dtype=torch.float64)


def as_it_was(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob(x / levels)).mean() / (d * math.log(2))  # <-


def noise_and_no_constant(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels)).mean() / (d * math.log(2))  # <-


def constant_and_no_noise(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob(x / levels) + d * math.log(levels)).mean() / (d * math.log(2))  # <-


def noise_as_wide_as_all_levels(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob(x / levels + u) + d * math.log(levels)).mean() / (d * math.log(2))  # <-


def constant_subtracted(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels) - d * math.log(levels)).mean() / (d * math.log(2))  # <-


def one_bin_for_the_whole_picture(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels) + math.log(levels)).mean() / (d * math.log(2))  # <-


def constant_in_the_wrong_unit(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels)).mean() / (d * math.log(2)) + math.log(levels)  # <-


def constant_in_bits_too_early(log_prob, x, u, levels):
    d = x.shape[1]
    nats = -log_prob((x + u) / levels) + d * math.log2(levels)  # <-
    return nats.mean() / (d * math.log(2))


def bits_of_the_whole_picture(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels) + d * math.log(levels)).mean() / math.log(2)  # <-


def one_level_fewer(log_prob, x, u, levels):
    d = x.shape[1]
    y = (x + u) / (levels - 1)  # <-
    return (-log_prob(y) + d * math.log(levels - 1)).mean() / (d * math.log(2))


def in_nats(log_prob, x, u, levels):
    d = x.shape[1]
    return (-log_prob((x + u) / levels) + d * math.log(levels)).mean() / d  # <-


WHOLE_NUMBERS = Exercise(
    id="04.whole-numbers",
    right=bits,
    cases=((_density, *_counts(1, 6, 3, 17), 17), (_density, *_counts(2, 4, 5, 4), 4)),
    mistakes=Mistake.pairs(
        as_it_was,
        "this is the function as it was: x still lies on spikes, and a density is not yet the "
        "probability of a bin.",
        noise_and_no_constant,
        "the noise is right; a density times the *volume of a bin* is a probability.",
        constant_and_no_noise,
        "the constant is right; but x still sits on exact levels, where a density can be as high "
        "as it likes.",
        noise_as_wide_as_all_levels,
        "the noise fills one bin: add it before you divide by the levels.",
        constant_subtracted,
        "a bin is smaller than 1, so its volume makes a probability smaller: the sign is wrong.",
        one_bin_for_the_whole_picture,
        "you counted the width of one bin; the bin has a width in every dimension.",
        constant_in_the_wrong_unit,
        "you added nats to bits: divide the constant by log 2, too.",
        constant_in_bits_too_early,
        "log2(levels) is in bits already and is divided by log 2 once more: add log(levels), in "
        "nats like log_prob.",
        bits_of_the_whole_picture,
        "these are the bits of a whole picture; divide by its dimensions.",
        one_level_fewer,
        "levels 0 to 16 are 17 bins: each is 1 / levels wide.",
        in_nats,
        "this is in nats; divide by log 2.",
    ),
)


EXERCISES = bank(globals())
