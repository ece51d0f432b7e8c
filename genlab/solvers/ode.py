"""Ordinary differential equations in fixed steps, and the divergence of their field.

Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, 2nd ed., section II.1.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import Event, PerExample, Rng, Scalar, drawn, last, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import require_rows

Field: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Step: TypeAlias = Callable[[Field, Tensor, Tensor, Tensor], Tensor]
Solver: TypeAlias = Callable[[Field, Tensor, Tensor], Iterator[Tensor]]
Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x, t), t (b,), to dx/dt


def euler_step(
    func: Field, t: Scalar, s: Scalar, y: Float[Tensor, " *state"]
) -> Float[Tensor, " *state"]:
    r"""Follow the slope at the start: $y_s = y_t + h f(t, y_t)$ with $h = s - t$. Order 1."""
    return y + (s - t) * func(t, y)


def heun_step(
    func: Field, t: Scalar, s: Scalar, y: Float[Tensor, " *state"]
) -> Float[Tensor, " *state"]:
    r"""Average the slopes at the start and at Euler's end point. Order 2.

    $$k_1 = f(t, y), \quad k_2 = f(s, y + h k_1), \quad y_s = y + \tfrac h2 (k_1 + k_2)$$
    """
    h = s - t
    k1 = func(t, y)
    k2 = func(s, y + h * k1)
    return y + h / 2 * (k1 + k2)


def rk4_step(
    func: Field, t: Scalar, s: Scalar, y: Float[Tensor, " *state"]
) -> Float[Tensor, " *state"]:
    r"""Simpson's rule for slopes. Order 4.

    $$y_s = y + \tfrac h6 (k_1 + 2k_2 + 2k_3 + k_4)$$
    """
    h = s - t
    k1 = func(t, y)
    k2 = func(t + h / 2, y + h / 2 * k1)
    k3 = func(t + h / 2, y + h / 2 * k2)
    k4 = func(s, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def euler(
    func: Field, y0: Float[Tensor, " *state"], ts: Float[Tensor, " n"]
) -> Iterator[Float[Tensor, " *state"]]:
    """Euler's method along the times `ts`: 1 evaluation a step, error $O(h)$."""
    return _integrate(euler_step, func, y0, ts)


def heun(
    func: Field, y0: Float[Tensor, " *state"], ts: Float[Tensor, " n"]
) -> Iterator[Float[Tensor, " *state"]]:
    """Heun's method along the times `ts`: 2 evaluations a step, error $O(h^2)$."""
    return _integrate(heun_step, func, y0, ts)


def rk4(
    func: Field, y0: Float[Tensor, " *state"], ts: Float[Tensor, " n"]
) -> Iterator[Float[Tensor, " *state"]]:
    """The classical Runge-Kutta method along `ts`: 4 evaluations a step, error $O(h^4)$."""
    return _integrate(rk4_step, func, y0, ts)


def require_times(ts: Tensor) -> None:
    """Refuse times that are no path: empty, more than one axis, or turning back."""
    gaps = ts.detach().diff()
    if ts.ndim != 1 or len(ts) == 0 or not bool((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError(f"ts is {ts.tolist()}, expected times that only rise or only fall")


def _integrate(step: Step, func: Field, y0: Tensor, ts: Tensor) -> Iterator[Tensor]:
    require_times(ts)
    return walk(partial(step, func), y0, ts)


def walk(
    step: Callable[..., Tensor], y: Float[Tensor, " *state"], ts: Float[Tensor, " n"]
) -> Iterator[Float[Tensor, " *state"]]:
    """Yield `y`, then what `step(t, s, y)` makes of it from each time to the next."""
    yield y
    for t, s in pairwise(ts):
        y = step(t, s, y)
        yield y


VectorField: TypeAlias = Callable[[Tensor], Tensor]


def exact_divergence(func: VectorField, x: Event) -> tuple[Event, PerExample]:
    r"""Field and exact divergence, by D backward passes (Chen et al. 2018, eq. 8).

    $$\nabla\cdot f(x_i) = \sum_{j=1}^D \frac{\partial f_j(x_i)}{\partial x_{ij}}$$

    Rows of f(x) must not mix; both results carry gradients when gradients are enabled.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        x, value = _evaluate(func, x)
        columns = value.flatten(1)
        trace = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for j in range(columns.shape[1]):
            slope = _backward(columns[:, j].sum(), x, keep)
            trace = trace + slope.flatten(1)[:, j]
    return (value, trace) if keep else (value.detach(), trace.detach())


def hutchinson_divergence(
    func: VectorField, x: Event, probes: Float[Tensor, " k b *event"]
) -> tuple[Event, PerExample]:
    r"""Field and an unbiased estimate of its divergence, by one backward pass for each probe.

    $$\nabla\cdot f(x_i) \approx \frac1k \sum_{m=1}^k v_m^\top J_f(x_i)\, v_m$$

    Keep the probes along one solution (Grathwohl et al. 2019, arXiv:1810.01367, eq. 7).
    """
    require_rows(probes=probes)
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        x, value = _evaluate(func, x)
        products = [sum_event(v * _backward((value * v).sum(), x, keep)) for v in probes]
        trace = torch.stack(products).mean(0)
    return (value, trace) if keep else (value.detach(), trace.detach())


def rademacher(
    shape: Sequence[int], *, like: Float[Tensor, " *state"], generator: Rng = None
) -> Tensor:
    r"""Probes with entries +1 or -1, $\mathbb E[vv^\top] = I$ (Hutchinson 1990, proposition 1)."""
    bits = drawn(torch.randint, 0, 2, tuple(shape), device=like.device, generator=generator)
    return 2 * bits.to(like.dtype) - 1


def _evaluate(func: VectorField, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x if x.requires_grad else x.detach().requires_grad_(True)
    value = func(x)
    if value.shape != x.shape:
        raise ValueError(f"func(x) has shape {tuple(value.shape)}, expected {tuple(x.shape)}")
    return x, value


def _backward(scalar: Tensor, x: Tensor, keep: bool) -> Tensor:
    if not scalar.requires_grad:  # a constant field
        return torch.zeros_like(x)
    (slope,) = torch.autograd.grad(
        scalar, x, create_graph=keep, retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(x) if slope is None else slope


def ride(
    velocity: Velocity,
    x0: Event,
    ts: Float[Tensor, " n"],
    *,
    probes: Float[Tensor, " k b *event"] | None = None,
    method: Solver = rk4,
) -> tuple[Event, PerExample]:
    r"""Carry points along a velocity; return where they arrive, and log|det| of the way in nats.

    $$\frac{d}{dt}\begin{pmatrix} x_t \\ \ell_t\end{pmatrix} =
    \begin{pmatrix} v(x_t, t) \\ \nabla\cdot v(x_t, t)\end{pmatrix}, \qquad \ell = 0
    \text{ at the start}$$

    With `probes` by Hutchinson's trace (Grathwohl et al. 2019, arXiv:1810.01367, eq. 4).
    """
    trace = exact_divergence if probes is None else partial(hutchinson_divergence, probes=probes)

    def slope(t: Tensor, state: Tensor) -> Tensor:
        x = state[:, :-1].reshape(x0.shape)
        v, div = trace(lambda x: velocity(x, t.expand(len(x))), x)
        return torch.cat([v.flatten(1), div[:, None]], 1)

    start = torch.cat([x0.flatten(1), x0.new_zeros(len(x0), 1)], 1)
    state = last(method(slope, start, ts.to(x0)))
    return state[:, :-1].reshape(x0.shape), state[:, -1]


check_public(__name__)
