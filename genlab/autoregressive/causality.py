r"""Causality, proved rather than assumed: which inputs does an output depend on?

$$J_{ij} = \sum_{a, b} \Big| \frac{\partial f_{i a}(x)}{\partial x_{j b}} \Big|$$

A network is a valid autoregressive model when $J_{ij} = 0$ exactly for every $j \ge i$: row $i$ of
its output, the distribution of piece $i$, ignores piece $i$ and all later ones. The zeros are
structural, so they hold for any weights and can be tested before anything is trained. Derivatives
need real numbers: feed the vectors that tokens are embedded as, or grey levels as they are scaled.

Lesson: notebooks/02_autoregressive.ipynb
Source: van den Oord et al. 2016 (arXiv:1606.05328), figure 1 (the blind spot, here measured).
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def dependence(f: Callable[[Tensor], Tensor], x: Float[Tensor, " n d"]) -> Float[Tensor, " m n"]:
    r"""How strongly each row of the output responds to each row of the input.

    $$J_{ij} = \sum_{a, b} \Big| \frac{\partial f_{i a}(x)}{\partial x_{j b}} \Big|$$

    Args:
        f: maps `(n, d)` pieces to `(m, k)` outputs.
        x: where to differentiate; a generic (random) point.

    Returns:
        `(m, n)`, non-negative; exactly 0 where there is no path from input j to output i.

    Example:
        >>> dependence(lambda x: x.cumsum(0), torch.ones(3, 1))
        tensor([[1., 0., 0.],
                [1., 1., 0.],
                [1., 1., 1.]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    jacobian: Tensor = torch.autograd.functional.jacobian(f, x)  # type: ignore[no-untyped-call]
    return jacobian.abs().sum(dim=(1, 3))


def peeks(j: Float[Tensor, " n n"]) -> int:
    r"""Number of forbidden connections: pairs with $j \ge i$ and $J_{ij} \ne 0$; 0 if causal.

    Args:
        j: from `dependence`, with rows and columns in the order in which pieces are visited.

    Returns:
        A count between 0 and n (n + 1) / 2.

    Example:
        >>> peeks(torch.tensor([[0.0, 0.0], [1.0, 0.0]])), peeks(torch.ones(2, 2))
        (0, 3)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    return int((j.triu() != 0).sum())


def seen_pixels(
    stack: Callable[[Tensor], Tensor], row: int, column: int, size: int = 8
) -> Bool[Tensor, " h w"]:
    r"""The measured receptive field: which pixels reach the features at one place.

    $$\text{seen}_{rc} = \Big[ \frac{\partial}{\partial x_{rc}} \sum_a f_a(x)_{\text{row, column}}
    \ne 0 \Big]$$

    Args:
        stack: maps `(1, 1, size, size)` to features of the same height and width.
        row: of the output.
        column: of the output.
        size: height and width.

    Returns:
        `(size, size)`, true where the output depends on the pixel.

    Example:
        >>> seen_pixels(torch.nn.AvgPool2d(3, 1, 1), 1, 1, size=4).int().sum()
        tensor(9)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    x = torch.linspace(-1, 1, size * size).reshape(1, 1, size, size).requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x)[0, :, row, column].sum(), x)
    return gradient[0, 0] != 0
