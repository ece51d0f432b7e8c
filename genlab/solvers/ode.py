r"""Ordinary differential equations, from the simplest step to one that watches its own error.

$$\frac{dy}{dt} = f(t, y), \qquad y(t_0) = y_0$$

Each method is one pure step; the generator around it yields the state at every time asked for.
Halving the step divides the final error by $2$ (Euler), $4$ (Heun), $16$ (RK4): their order.
Time may run either way, and gradients flow through every step.

Lesson: notebooks/04_normalizing_flows.ipynb
Source: Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, 2nd ed.,
sections II.1 (fixed steps), II.4 (step control) and II.5 (Dormand and Prince).
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

Field: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Step: TypeAlias = Callable[[Field, Tensor, Tensor, Tensor], Tensor]


def euler_step(func: Field, t: Tensor, s: Tensor, y: Tensor) -> Tensor:
    r"""Follow the slope at the start: $y_s = y_t + h f(t, y_t)$ with $h = s - t$. Order 1."""
    return y + (s - t) * func(t, y)


def heun_step(func: Field, t: Tensor, s: Tensor, y: Tensor) -> Tensor:
    r"""Average the slopes at the start and at Euler's end point. Order 2.

    $$k_1 = f(t, y), \quad k_2 = f(s, y + h k_1), \quad y_s = y + \tfrac h2 (k_1 + k_2)$$
    """
    h = s - t
    k1 = func(t, y)
    k2 = func(s, y + h * k1)
    return y + h / 2 * (k1 + k2)


def rk4_step(func: Field, t: Tensor, s: Tensor, y: Tensor) -> Tensor:
    r"""Simpson's rule for slopes. Order 4.

    $$y_s = y + \tfrac h6 (k_1 + 2k_2 + 2k_3 + k_4)$$
    """
    h = s - t
    k1 = func(t, y)
    k2 = func(t + h / 2, y + h / 2 * k1)
    k3 = func(t + h / 2, y + h / 2 * k2)
    k4 = func(s, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def euler(func: Field, y0: Tensor, ts: Float[Tensor, " n"]) -> Iterator[Tensor]:
    r"""Euler's method along the times `ts`: 1 evaluation a step, error $O(h)$.

    Args:
        func: $f(t, y)$; receives a number and a state, returns a slope like `y`.
        y0: state at `ts[0]`.
        ts: times, `(n,)`, rising or falling, n >= 1.

    Yields:
        The state at each of the n times, `y0` first; `last(...)` is the solution at the end.

    Raises:
        ValueError: `ts` is empty or turns back.

    Example:
        >>> import torch
        >>> ts = torch.linspace(0, 1, 3)
        >>> [round(float(y), 4) for y in euler(lambda t, y: -y, torch.tensor(1.0), ts)]
        [1.0, 0.5, 0.25]

    Source: Hairer, Norsett and Wanner I, eq. I.7.3.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return _integrate(euler_step, func, y0, ts)


def heun(func: Field, y0: Tensor, ts: Float[Tensor, " n"]) -> Iterator[Tensor]:
    r"""Heun's method along the times `ts`: 2 evaluations a step, error $O(h^2)$.

    Args:
        func: $f(t, y)$; receives a number and a state, returns a slope like `y`.
        y0: state at `ts[0]`.
        ts: times, `(n,)`, rising or falling, n >= 1.

    Yields:
        The state at each of the n times, `y0` first.

    Raises:
        ValueError: `ts` is empty or turns back.

    Example:
        >>> import torch
        >>> ts = torch.linspace(0, 1, 3)
        >>> [round(float(y), 4) for y in heun(lambda t, y: -y, torch.tensor(1.0), ts)]
        [1.0, 0.625, 0.3906]

    Source: Hairer, Norsett and Wanner I, section II.1.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    return _integrate(heun_step, func, y0, ts)


def rk4(func: Field, y0: Tensor, ts: Float[Tensor, " n"]) -> Iterator[Tensor]:
    r"""The classical Runge-Kutta method along `ts`: 4 evaluations a step, error $O(h^4)$.

    Args:
        func: $f(t, y)$; receives a number and a state, returns a slope like `y`.
        y0: state at `ts[0]`.
        ts: times, `(n,)`, rising or falling, n >= 1.

    Yields:
        The state at each of the n times, `y0` first.

    Raises:
        ValueError: `ts` is empty or turns back.

    Example:
        >>> import torch
        >>> ts = torch.linspace(0, 1, 3)
        >>> [round(float(y), 4) for y in rk4(lambda t, y: -y, torch.tensor(1.0), ts)]
        [1.0, 0.6068, 0.3682]

    Source: Hairer, Norsett and Wanner I, table II.1.2.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return _integrate(rk4_step, func, y0, ts)


def require_times(ts: Tensor) -> None:
    """Refuse times that are no path: empty, more than one axis, or turning back."""
    gaps = ts.detach().diff()
    if ts.ndim != 1 or len(ts) == 0 or not bool((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError(f"ts is {ts.tolist()}, expected times that only rise or only fall")


def _integrate(step: Step, func: Field, y0: Tensor, ts: Tensor) -> Iterator[Tensor]:
    require_times(ts)
    return _walk(step, func, y0, ts)


def _walk(step: Step, func: Field, y: Tensor, ts: Tensor) -> Iterator[Tensor]:
    yield y
    for i in range(len(ts) - 1):
        y = step(func, ts[i], ts[i + 1], y)
        yield y
