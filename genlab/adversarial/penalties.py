r"""Penalties that keep a critic smooth, without which the game rarely settles.

$$R_1 = \frac\gamma2\, \mathbb E_{x\sim p}\lVert\nabla_x l(x)\rVert^2$$

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Sources: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), eq. 9.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import Event, PerExample, sum_event


def r1_penalty(logits: PerExample, x: Event) -> PerExample:
    r"""Squared slope of the critic at each **real** example, without the factor $\gamma/2$.

    $$\lVert \nabla_x\, l(x) \rVert^2$$

    A linear critic $l = w\cdot x$ gives $\lVert w\rVert^2$ everywhere.

    Args:
        logits: $l(x)$, `(b,)`, computed from `x` and example by example.
        x: real examples, `(b, *event)`, with `requires_grad` set.

    Returns:
        `(b,)`, sum over the event; itself differentiable in the critic's parameters.

    Raises:
        ValueError: `x` does not require a gradient.

    Example:
        >>> x = torch.zeros(1, 2, requires_grad=True)
        >>> r1_penalty(x @ torch.tensor([3.0, 4.0]), x)
        tensor([25.])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), eq. 9.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    return sum_event(_slope(logits, x) ** 2)


def _slope(logits: PerExample, x: Event) -> Float[Tensor, " b *event"]:
    if not x.requires_grad:
        raise ValueError("the penalty needs x.requires_grad, set before the logits are computed")
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope
