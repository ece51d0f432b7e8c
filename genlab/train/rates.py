"""Learning rates as functions of the step.

Lesson: every lesson from 01 on.
"""

import math
from collections.abc import Callable


def cosine(lr: float, n_steps: int, *, warmup: int = 0) -> Callable[[int], float]:
    r"""Learning rate that rises linearly, then falls to zero along half a cosine.

    $$\eta_k = \eta\,\min(1, k / w)\,\tfrac12\bigl(1 + \cos(\pi k / n)\bigr)$$

    Args:
        lr: the highest rate $\eta$.
        n_steps: number of steps $n$.
        warmup: steps $w$ of linear rise; 0 for none.

    Returns:
        A function of the step index 0, 1, ...

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts.
    """

    def rate(step: int) -> float:
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return lr * rise * 0.5 * (1 + math.cos(math.pi * min(step, n_steps) / n_steps))

    return rate


def hold_then_cosine(lr: float, n_hold: int, n_fall: int) -> Callable[[int], float]:
    r"""Learning rate that stays, and then falls to zero along half a cosine.

    $$\eta_k = \begin{cases} \eta & k \le h \\
    \eta\,\tfrac12\bigl(1 + \cos(\pi (k - h) / n)\bigr) & k > h \end{cases}$$

    A game circles its equilibrium at a distance that the rate decides: with the rate it falls.

    Args:
        lr: the rate $\eta$ at first.
        n_hold: steps $h$ at that rate.
        n_fall: steps $n$ of the fall.

    Returns:
        A function of the step index 0, 1, ...

    Raises:
        ValueError: a negative number of steps, or no step to fall.

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, begun late.
    """
    if n_hold < 0 or n_fall < 1:
        raise ValueError(f"expected n_hold >= 0 and n_fall >= 1, got {n_hold} and {n_fall}")
    fall = cosine(lr, n_fall)
    return lambda step: fall(max(0, step - n_hold))
