r"""Dormand-Prince 5(4): two answers from the same seven slopes, and their gap sets the step.

$$y_{5} = y + h\sum_i b_i k_i, \qquad \text{err} = h\sum_i (b_i - \hat b_i)\, k_i, \qquad
h \leftarrow h \cdot 0.9\,\lVert \text{err} \rVert^{-1/5}$$

Where the solution is dull the steps grow, where it bends they shrink, and a step whose error
exceeds the tolerance is taken again. The last slope of an accepted step is the first of the
next one, so a step costs six evaluations.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Dormand and Prince 1980, J. Comput. Appl. Math. 6, table 2; Hairer, Norsett and Wanner,
Solving Ordinary Differential Equations I, 2nd ed., eqs. II.4.11 to II.4.13.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.solvers.ode import Field, require_times

NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
WEIGHTS = (*STAGES[-1], 0.0)
EMBEDDED = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
GAPS = tuple(b - e for b, e in zip(WEIGHTS, EMBEDDED, strict=True))


def dopri5_step(
    func: Field, t: Tensor, h: Tensor, y: Tensor, k1: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""One step of size `h`: fifth-order answer, error estimate, slope at the end.

    $$k_i = f\Big(t + c_i h,\; y + h \sum_{j<i} a_{ij} k_j\Big)$$

    Args:
        func: $f(t, y)$.
        t: time at the start, `()`.
        h: signed step, `()`.
        y: state at the start.
        k1: slope at the start, $f(t, y)$.

    Returns:
        State at t + h, the estimated error of its fourth-order companion, and f(t + h, state).

    Source: Dormand and Prince 1980, table 2.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    slopes = [k1]
    state = y
    for node, row in zip(NODES[1:], STAGES[1:], strict=True):
        state = y + h * combine(row, slopes)
        slopes.append(func(t + node * h, state))
    return state, h * combine(GAPS, slopes), slopes[-1]  # the last stage sits at the answer


def dopri5(
    func: Field,
    y0: Tensor,
    ts: Float[Tensor, " n"],
    *,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    max_steps: int = 10_000,
) -> Iterator[Tensor]:
    r"""Adaptive Dormand-Prince along `ts`; the steps are cut so that every time is met exactly.

    $$\lVert \text{err} \rVert = \max_b \sqrt{\operatorname{mean}_j \Big(
    \frac{\text{err}_{bj}}{\text{atol} + \text{rtol}\,|y_{bj}|}\Big)^2} \le 1$$

    The norm takes the worst example of the batch, so a hard example is not averaged away.

    Args:
        func: $f(t, y)$; receives a number and a state, returns a slope like `y`.
        y0: state at `ts[0]`, `(b, *event)` or a single number.
        ts: times, `(n,)`, rising or falling, n >= 1.
        rtol: error allowed per step, relative to the state, positive.
        atol: error allowed per step, absolute, positive.
        max_steps: attempts allowed in each interval.

    Yields:
        The state at each of the n times, `y0` first.

    Raises:
        ValueError: a tolerance is not positive; `ts` is empty or turns back.
        RuntimeError: `max_steps` attempts were not enough, or an error estimate is not finite.

    Example:
        >>> ts = torch.tensor([0.0, 1.0])
        >>> list(dopri5(lambda t, y: -y, torch.ones(1), ts, rtol=1e-5, atol=1e-6))[-1]
        tensor([0.3679])

    Source: Hairer, Norsett and Wanner I, eqs. II.4.11 to II.4.13.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    if not rtol > 0 or not atol > 0:
        raise ValueError(f"dopri5: rtol is {rtol} and atol is {atol}, expected both > 0")
    require_times(ts)
    return _adaptive_walk(func, y0, ts, rtol, atol, max_steps)


def _adaptive_walk(
    func: Field, y: Tensor, ts: Tensor, rtol: float, atol: float, max_steps: int
) -> Iterator[Tensor]:
    yield y
    if len(ts) == 1:
        return
    slope = func(ts[0], y)
    size = _first_step(y, slope, rtol, atol)
    for i in range(len(ts) - 1):
        t, end = ts[i], ts[i + 1]
        for _ in range(max_steps):
            remaining = float((end - t).detach().abs())
            final = size >= remaining
            h = end - t if final else torch.sign(end - t) * size
            candidate, error, end_slope = dopri5_step(func, t, h, y, slope)
            ratio = _norm(error, torch.maximum(y.abs(), candidate.abs()), rtol, atol)
            size = float(h.detach().abs()) * min(10.0, max(0.2, 0.9 * (ratio + 1e-12) ** -0.2))
            if ratio <= 1:
                t, y, slope = end if final else t + h, candidate, end_slope
                if final:
                    break
        else:
            raise RuntimeError(f"dopri5: {max_steps} steps did not reach t = {float(end)}")
        yield y


def _first_step(y: Tensor, slope: Tensor, rtol: float, atol: float) -> float:
    r"""A hundredth of the time in which the state would change by its own size."""
    speed = _norm(slope, y.abs(), rtol, atol)
    return 0.01 * max(_norm(y, y.abs(), rtol, atol), 1e-3) / max(speed, 1e-9)


def _norm(error: Tensor, magnitude: Tensor, rtol: float, atol: float) -> float:
    scaled = (error / (atol + rtol * magnitude)).detach()
    rows = scaled.reshape(max(1, scaled.shape[0]) if scaled.ndim > 1 else 1, -1)
    value = float((rows**2).mean(1).max().sqrt())
    if value != value or value == float("inf"):
        raise RuntimeError(f"dopri5: the error estimate is {value}, expected a finite number")
    return value


def combine(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    r"""The weighted sum $\sum_i w_i k_i$, skipping zero weights."""
    terms = [w * k for w, k in zip(weights, slopes, strict=True) if w != 0]
    return torch.stack(terms).sum(0)
