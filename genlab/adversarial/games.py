r"""Games small enough to see: two numbers, two players, and what becomes of gradient steps.

$$\min_x \max_y\; a\,xy \qquad\Rightarrow\qquad
\dot x = -a\,y, \quad \dot y = +a\,x$$

The field turns around the equilibrium and never points at it. Followed in steps of finite length
it spirals outwards, by $\sqrt{1+\eta^2a^2}$ a step. Taking turns, averaging, friction (here) and
looking ahead (`lookahead.py`) are cures.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1 and
section 3; Goodfellow 2016 (arXiv:1701.00160), section 7.2.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import require_between

State: TypeAlias = Float[Tensor, " *b 2"]
Field: TypeAlias = Callable[[State], State]  # where each player would go, at unit learning rate


def bilinear_field(z: State, *, strength: float = 1.0) -> State:
    r"""Both players' directions in the game with value $a\,xy$.

    $$v(x, y) = (-a\,y,\; +a\,x)$$

    A rotation: $v(z)\cdot z = 0$ everywhere.

    Args:
        z: $(x, y)$, `(*b, 2)`; x minimises, y maximises.
        strength: $a$.

    Returns:
        Like `z`.

    Example:
        >>> bilinear_field(torch.tensor([1.0, 2.0]))
        tensor([-2.,  1.])

    Source: Goodfellow 2016 (arXiv:1701.00160), section 7.2.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    x, y = z.unbind(-1)
    return strength * torch.stack([-y, x], -1)


def dirac_field(z: State, *, gamma: float = 0.0) -> State:
    r"""Both players' directions in the smallest GAN there is, with an $R_1$ penalty.

    The data are one point at 0, the generator makes one point at $\theta$, the critic's logit is
    $l(x) = \psi x$; with the minimax loss and the penalty $\tfrac\gamma2\psi^2$

    $$v(\theta, \psi) = \big(\psi\,\sigma(\psi\theta),\; -\theta\,\sigma(\psi\theta)
      - \gamma\,\psi\big)$$

    Without the penalty it turns: $v(z)\cdot z = 0$ everywhere, as in the bilinear game. The penalty
    adds friction, and near the equilibrium $(0, 0)$ the distance falls like $e^{-\gamma t/2}$.

    Args:
        z: $(\theta, \psi)$, `(*b, 2)`.
        gamma: weight of the penalty, not negative.

    Returns:
        Like `z`.

    Raises:
        ValueError: `gamma` is negative.

    Example:
        >>> dirac_field(torch.tensor([1.0, 0.0]), gamma=1.0)
        tensor([ 0.0000, -0.5000])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1, eq. 9.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    theta, psi = z.unbind(-1)
    turn = (theta * psi).sigmoid()
    return torch.stack([psi * turn, -theta * turn - gamma * psi], -1)


def simultaneous_step(z: State, *, field: Field, lr: float) -> State:
    r"""Both players step at once, each against the other's old position.

    $$z_{k+1} = z_k + \eta\, v(z_k)$$

    In the bilinear game the distance from the equilibrium grows by $\sqrt{1+\eta^2a^2}$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> simultaneous_step(torch.tensor([1.0, 0.0]), field=bilinear_field, lr=0.5)
        tensor([1.0000, 0.5000])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), section 3.1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return z + lr * field(z)


def alternating_step(z: State, *, field: Field, lr: float) -> State:
    r"""The first player steps, then the second one answers the new position.

    $$x_{k+1} = x_k + \eta\, v_x(x_k, y_k), \qquad y_{k+1} = y_k + \eta\, v_y(x_{k+1}, y_k)$$

    In the bilinear game it keeps $x^2 + y^2 - \eta a\,xy$: an ellipse, for $\eta a < 2$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> alternating_step(torch.tensor([0.0, 1.0]), field=bilinear_field, lr=0.5)
        tensor([-0.5000,  0.7500])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), section 3.1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    first, second = z.new_tensor([1.0, 0.0]), z.new_tensor([0.0, 1.0])
    z = z + lr * first * field(z)
    return z + lr * second * field(z)


def play(z: State, step: Callable[[State], State], *, n_steps: int) -> Iterator[State]:
    """Yield the state after each of `n_steps` steps.

    Args:
        z: where both players start, `(*b, 2)`.
        step: one of this file's steps, its field and learning rate already chosen.
        n_steps: how many.

    Yields:
        Like `z`.
    """
    require_between(0, math.inf, n_steps=n_steps)
    for _ in range(n_steps):
        z = step(z)
        yield z


def running_mean(states: Iterable[State]) -> Iterator[State]:
    r"""Yield the average of the states so far: $\bar z_n = \tfrac1n \sum_{k\le n} z_k$.

    Args:
        states: a game being played.

    Yields:
        Like one state.
    """
    total: Tensor | float = 0.0
    for n, z in enumerate(states, 1):
        total = total + z
        yield total / n
