r"""Linear layers: permutations, and a full matrix kept as a product of triangles.

A triangular layer mixes coordinates in one order only. A permutation changes the order for free; a
learned matrix $W = L U$ with triangular factors mixes them all, and its determinant is still a
product of diagonals:

$$x = L\,U\,z + t, \qquad \log|\det W| = \sum_i \log U_{ii}$$

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Kingma and Dhariwal 2018 (Glow, arXiv:1807.03039), eq. 9 to 11; Oliva et al. 2018
(arXiv:1801.09819).
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.shapes import PerExample


def lu_forward(
    z: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Multiply by $W = LU$.

    $$x = L U z, \qquad \log|\det W| = \sum_i \log |L_{ii}| + \log|U_{ii}|$$

    Args:
        z: `(b, d)`.
        lower: $L$, lower triangular with a nonzero diagonal.
        upper: $U$, upper triangular with a nonzero diagonal.

    Returns:
        $x$ and log|det dx/dz|, the same for every example, `(b,)`, nats.

    Example:
        >>> lu_forward(torch.ones(1, 2), torch.eye(2), torch.tensor([[3.0, 1.0], [0.0, 2.0]]))
        (tensor([[4., 2.]]), tensor([1.7918]))

    Source: Kingma and Dhariwal 2018, eq. 10 and 11.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return z @ upper.T @ lower.T, _log_abs_diagonal(lower, upper).expand(len(z))


def lu_inverse(
    x: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Undo `lu_forward` by two triangular solves, $O(d^2)$ each.

    $$z = U^{-1} L^{-1} x, \qquad \log|\det W^{-1}| = -\log|\det W|$$

    Args:
        x: `(b, d)`.
        lower: $L$, lower triangular with a nonzero diagonal.
        upper: $U$, upper triangular with a nonzero diagonal.

    Returns:
        $z$ and log|det dz/dx|, the same for every example, `(b,)`, nats.

    Raises:
        ValueError: the factors are in half precision.

    Example:
        >>> lu_inverse(torch.tensor([[4.0, 2.0]]), torch.eye(2), torch.tensor([[3.0, 1], [0, 2]]))
        (tensor([[1., 1.]]), tensor([-1.7918]))

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    if torch.finfo(lower.dtype).bits < 32:
        raise ValueError(f"lu_inverse: factors are {lower.dtype}, expected float32 or float64")
    y = torch.linalg.solve_triangular(lower, x.T, upper=False)
    z = torch.linalg.solve_triangular(upper, y, upper=True).T
    return z, -_log_abs_diagonal(lower, upper).expand(len(x))


def _log_abs_diagonal(lower: Tensor, upper: Tensor) -> Tensor:
    return (lower.diagonal().abs().log() + upper.diagonal().abs().log()).sum()


@final
class Linear(nn.Module):
    """A learned x = L U z + t; L has ones on its diagonal, U has exp(s). Starts as the identity."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.below = nn.Parameter(torch.zeros(d, d))
        self.above = nn.Parameter(torch.zeros(d, d))
        self.log_diagonal = nn.Parameter(torch.zeros(d))
        self.shift = nn.Parameter(torch.zeros(d))

    def factors(self) -> tuple[Float[Tensor, " d d"], Float[Tensor, " d d"]]:
        """L and U, triangular with a positive diagonal, hence never singular."""
        lower = self.below.tril(-1) + torch.eye(len(self.shift)).to(self.below)
        return lower, self.above.triu(1) + torch.diag(self.log_diagonal.exp())

    def forward(
        self, z: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz|, `(b,)`."""
        x, log_det = lu_forward(z, *self.factors())
        return x + self.shift, log_det

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        return lu_inverse(x - self.shift, *self.factors())


@final
class Permutation(nn.Module):
    """Reorders the coordinates: x_i = z_{order(i)}; log-determinant 0.

    Args:
        order: each of 0..d-1 once.

    Raises:
        ValueError: `order` is not a permutation.
    """

    order: Tensor

    def __init__(self, order: Int[Tensor, " d"]) -> None:
        super().__init__()
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(
                f"Permutation: order is {order.tolist()}, expected each of 0..{len(order) - 1} once"
            )
        self.register_buffer("order", order)

    def forward(
        self, z: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz| = 0."""
        return z[:, self.order], z.new_zeros(len(z))

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx| = 0."""
        return x[:, self.order.argsort()], x.new_zeros(len(x))
