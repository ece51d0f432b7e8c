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
