r"""Optimal transport between two finite distributions, as the two linear programs that define it.

$$W_1(p, q) = \min_{\gamma\ge0} \sum_{ij}\gamma_{ij} c_{ij}
\quad\text{with}\quad \textstyle\sum_j\gamma_{ij} = p_i,\; \sum_i\gamma_{ij} = q_j$$
$$\phantom{W_1(p, q)} = \max_f \sum_i f_i\,(p_i - q_i)
\quad\text{with}\quad f_i - f_j \le c_{ij}$$

The first moves mass, the second sets prices; that they agree is Kantorovich-Rubinstein duality.
Both are solved by SciPy's linear-programming solver, so they scale to hundreds of points only.

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Source: Villani 2003, Topics in Optimal Transportation, theorems 1.3 and 1.14; Peyre and Cuturi
2019 (arXiv:1803.00567), eq. 2.11 and section 6.1.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linprog
from torch import Tensor

from genlab.core.guards import as_real, require_between, require_rows


class Plan(NamedTuple):
    """A cheapest way to move one distribution onto another."""

    cost: float  # in the unit of the distances
    moved: Float[Tensor, " n m"]  # mass from point i to point j; rows sum to p, columns to q


class Prices(NamedTuple):
    """A 1-Lipschitz function that earns the most."""

    value: float  # in the unit of the distances
    f: Float[Tensor, " n"]  # at each point; f + constant earns the same


def transport_plan(
    cost: Float[Tensor, " n m"], p: Float[Tensor, " n"], q: Float[Tensor, " m"]
) -> Plan:
    r"""The primal: move p onto q as cheaply as possible.

    $$\min_{\gamma\ge0} \sum_{ij}\gamma_{ij} c_{ij}, \qquad
    \gamma\mathbf 1 = p, \quad \gamma^\top\mathbf 1 = q$$

    Args:
        cost: $c_{ij}$ of moving a unit of mass from i to j, `(n, m)`.
        p: mass at the n sources, sums to 1.
        q: mass at the m targets, sums to 1.

    Returns:
        The cost and one cheapest plan (there may be several).

    Raises:
        ValueError: negative mass, totals that differ, no points, or no finite answer.

    Example:
        >>> distance = (torch.tensor([[0.0], [2.0]]) - torch.tensor([[1.0, 3.0]])).abs()
        >>> half = torch.tensor([0.5, 0.5])
        >>> transport_plan(distance, half, half).cost
        1.0

    Source: Peyre and Cuturi 2019 (arXiv:1803.00567), eq. 2.11.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    n, m = cost.shape
    cost, p, q = (as_real(a.detach()) for a in (cost, p, q))
    _require_masses(p, q)
    rows = np.kron(np.eye(n), np.ones((1, m)))
    columns = np.kron(np.ones((1, n)), np.eye(m))
    solved = linprog(
        cost.double().flatten().numpy(),
        A_eq=np.vstack([rows, columns]),
        b_eq=torch.cat([p, q]).double().numpy(),
    )
    _require_solved(solved)
    return Plan(float(solved.fun), torch.from_numpy(solved.x).reshape(n, m).to(cost.dtype))


def transport_prices(
    distance: Float[Tensor, " n n"], p: Float[Tensor, " n"], q: Float[Tensor, " n"]
) -> Prices:
    r"""The dual: the 1-Lipschitz function with the largest gap between its two means.

    $$\max_f \sum_i f_i\,(p_i - q_i), \qquad f_i - f_j \le d_{ij}$$

    Args:
        distance: $d_{ij}$ between the points that carry either mass, `(n, n)`.
        p: mass at the n points, sums to 1.
        q: mass at the same points, sums to 1.

    Returns:
        The gap, and one such function, 0 at the first point.

    Raises:
        ValueError: a negative distance, or as for `transport_plan`.

    Example:
        >>> x = torch.tensor([0.0, 3.0])
        >>> here, there = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> transport_prices((x[:, None] - x).abs(), here, there)
        Prices(value=3.0, f=tensor([ 0., -3.]))

    Source: Villani 2003, theorem 1.14; Arjovsky et al. 2017 (arXiv:1701.07875), eq. 2.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    n = len(distance)
    distance, p, q = (as_real(a.detach()) for a in (distance, p, q))
    require_between(0, math.inf, distance=distance)
    _require_masses(p, q)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    differences = np.eye(n)[i] - np.eye(n)[j]
    solved = linprog(
        -(p - q).double().numpy(),
        A_ub=differences,
        b_ub=distance.double().numpy()[i, j],
        bounds=[(0, 0)] + [(None, None)] * (n - 1),
    )
    _require_solved(solved)
    return Prices(float(-solved.fun), torch.from_numpy(solved.x).to(distance.dtype))


def _require_masses(p: Tensor, q: Tensor) -> None:
    require_rows(p=p, q=q)
    require_between(0, math.inf, p=p, q=q)
    if abs(float(p.sum()) - float(q.sum())) > 1e-6:
        raise ValueError(f"total masses must agree, got {float(p.sum()):g} and {float(q.sum()):g}")


def _require_solved(solved: Any) -> None:
    if solved.status != 0:
        raise ValueError(f"expected a linear program with a solution, got: {solved.message}")
