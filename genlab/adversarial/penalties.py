r"""Penalties that keep a critic smooth, without which the game rarely settles.

$$R_1 = \frac\gamma2\, \mathbb E_{x\sim p}\lVert\nabla_x l(x)\rVert^2, \qquad
\mathrm{GP} = \lambda\, \mathbb E_{\hat x}\big(\lVert\nabla f(\hat x)\rVert - 1\big)^2$$

$R_1$ looks at real examples and wants a flat critic; the gradient penalty looks between real and
generated examples and wants slope 1.

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Sources: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), eq. 9; Gulrajani et al. 2017
(arXiv:1704.00028), eq. 3.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import require_between
from genlab.core.shapes import Event, PerExample, expand, sum_event


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


def gradient_penalty(
    critic: Callable[[Tensor], PerExample], real: Event, fake: Event, u: PerExample
) -> PerExample:
    r"""How far the critic's slope is from 1 at a random point between each pair.

    $$\big(\lVert\nabla f(\hat x)\rVert - 1\big)^2, \qquad \hat x = u\,x + (1-u)\,\tilde x$$

    The norm is taken over the whole event, then squared, example by example: averaging over the
    batch before the square would let steep and flat points cancel. A linear critic
    $f = w\cdot x$ gives $(\lVert w\rVert - 1)^2$ everywhere. Without the weight $\lambda$.

    Args:
        critic: $f$, example by example, `(b, *event) -> (b,)`.
        real: $x$, `(b, *event)`.
        fake: $\tilde x$, as many generated examples; no gradient reaches the generator.
        u: one uniform number in [0, 1] for each pair, `(b,)`.

    Returns:
        `(b,)`; itself differentiable in the critic's parameters.

    Raises:
        ValueError: a weight outside [0, 1].

    Example:
        >>> steep = lambda x: x @ torch.tensor([3.0, 4.0])
        >>> gradient_penalty(steep, torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.5]))
        tensor([16.])

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), eq. 3 and algorithm 1.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    require_between(0, 1, u=u)
    between = expand(u, real) * real.detach() + (1 - expand(u, real)) * fake.detach()
    between.requires_grad_(True)
    slope = _slope(critic(between), between)
    return (sum_event(slope**2).clamp(min=1e-24).sqrt() - 1) ** 2


def lazy_weight(step: int, interval: int) -> float:
    r"""How much a regulariser counts at one step when it is computed only now and then.

    $$\lambda_t = \begin{cases} K & t \equiv 0 \;(\mathrm{mod}\; K) \\ 0 & \text{else} \end{cases}
    \qquad\Longrightarrow\qquad \frac1K \sum_{t=0}^{K-1} \lambda_t = 1$$

    Averaged over K steps, the gradient is that of the regulariser at every step; its cost is 1/K.

    Args:
        step: 0, 1, ...
        interval: $K$; 1 for every step.

    Returns:
        K or 0.

    Raises:
        ValueError: an interval below 1.

    Example:
        >>> [lazy_weight(step, 4) for step in range(5)]
        [4.0, 0.0, 0.0, 0.0, 4.0]

    Source: Karras et al. 2020 (arXiv:1912.04958), section 3.1 and appendix B.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    if interval < 1:
        raise ValueError(f"interval must be at least 1, got {interval}")
    return 0.0 if step % interval else float(interval)


def _slope(logits: PerExample, x: Event) -> Float[Tensor, " b *event"]:
    if not x.requires_grad:
        raise ValueError("the penalty needs x.requires_grad, set before the logits are computed")
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope
