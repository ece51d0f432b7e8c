r"""Distances that move mass: Wasserstein on the line, sliced, and the energy distance.

$$W_p^p(P, Q) = \inf_\gamma \mathbb E\lVert x-y\rVert^p
\;\overset{d=1}{=}\; \int_0^1 \lvert F^{-1}(u)-G^{-1}(u)\rvert^p\,du$$

On the line the best plan keeps the order, so sorting solves it. In more dimensions, average
the line's answer over directions (sliced), or compare pairwise distances (energy).

Lesson: notebooks/09_evaluation.ipynb
Sources: Villani 2003, Topics in Optimal Transportation, theorem 2.18; Bonneel et al. 2015,
"Sliced and Radon Wasserstein barycenters of measures"; Szekely and Rizzo 2013, "Energy
statistics", J. Stat. Plan. Inference 143, eq. 5.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.guards import as_real

Sample = Float[Tensor, " n"]
Points = Float[Tensor, " n d"]


def wasserstein_1d(x: Sample, y: Float[Tensor, " m"], p: float = 1.0) -> Float[Tensor, ""]:
    r"""Wasserstein distance between two samples on the line, to the power p.

    $$W_p^p = \int_0^1 \lvert F_x^{-1}(u)-F_y^{-1}(u)\rvert^p\,du$$

    For equal sizes this is the mean of $\lvert x_{(i)}-y_{(i)}\rvert^p$ over the sorted values.

    Args:
        x: `(n,)`, any order.
        y: `(m,)`.
        p: 1 or more.

    Returns:
        $W_p^p$, a scalar in the unit of the data to the power p; take the p-th root for $W_p$.

    Raises:
        ValueError: an empty sample, or p < 1.

    Example:
        >>> wasserstein_1d(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0]))
        tensor(1.)

    Source: Villani 2003, theorem 2.18 and remark 2.19.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if min(len(x), len(y)) == 0 or p < 1:
        raise ValueError(f"need values on both sides and p >= 1, got {len(x)}, {len(y)}, p={p}")
    n, m = len(x), len(y)
    # both quantile functions are constant between the steps i/n and j/m: integers, so no rounding
    steps = torch.unique(torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]))
    left = steps[:-1]
    gaps: Tensor = (x.sort().values[left // m] - y.sort().values[left // n]).abs() ** p
    total: Tensor = (gaps * (steps[1:] - left)).sum() / (n * m)
    return total


def w1_by_cdf(x: Sample, y: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""The same distance for p = 1, as the area between the two distribution functions.

    $$W_1 = \int \lvert F_x(t)-F_y(t)\rvert\,dt$$

    Args:
        x: `(n,)`, any order.
        y: `(m,)`.

    Returns:
        A scalar, in the unit of the data.

    Raises:
        ValueError: an empty sample.

    Example:
        >>> w1_by_cdf(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0]))
        tensor(1.)

    Source: Villani 2003, remark 2.19 (iii).
    Lesson: notebooks/09_evaluation.ipynb
    """
    if min(len(x), len(y)) == 0:
        raise ValueError(f"need values on both sides, got {len(x)} and {len(y)}")
    t = torch.cat([x, y]).sort().values
    f = torch.searchsorted(x.sort().values, t[:-1], right=True).to(x) / len(x)
    g = torch.searchsorted(y.sort().values, t[:-1], right=True).to(x) / len(y)
    return ((f - g).abs() * t.diff()).sum()


def sliced_wasserstein(
    x: Points, y: Float[Tensor, " m d"], directions: Float[Tensor, " l d"], p: float = 2.0
) -> Float[Tensor, ""]:
    r"""Mean of the line's distance over given directions.

    $$\mathrm{SW}_p^p = \frac1L\sum_\ell W_p^p\big(\theta_\ell^\top x, \theta_\ell^\top y\big)$$

    Never more than $W_p^p$; for two points it is $\lVert x-y\rVert^2/d$ at p = 2 on average.

    Args:
        x: `(n, d)`.
        y: `(m, d)`.
        directions: unit vectors; draw them with `random_directions`.
        p: 1 or more.

    Returns:
        A scalar in the unit of the data to the power p.

    Raises:
        ValueError: a direction is not of length 1, or as for `wasserstein_1d`.

    Example:
        >>> x = torch.tensor([[0.0, 0.0]])
        >>> sliced_wasserstein(x, x + 3.0, torch.eye(2))
        tensor(9.)

    Source: Bonneel et al. 2015, definition 1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    worst = float((directions.norm(dim=1) - 1).abs().max())
    if worst > 1e-4:
        raise ValueError(f"a direction's length is off by {worst:.3g}, expected unit vectors")
    lines = [wasserstein_1d(x @ theta, y @ theta, p) for theta in directions]
    return torch.stack(lines).mean()


def random_directions(
    n_directions: int, d: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, " l d"]:
    """Unit vectors, uniform on the sphere.

    Args:
        n_directions: how many.
        d: dimension of the space.
        generator: source of randomness.

    Returns:
        `(n_directions, d)`, torch's default dtype.

    Example:
        >>> random_directions(3, 2).shape
        torch.Size([3, 2])

    Lesson: notebooks/09_evaluation.ipynb
    """
    draws = torch.randn(n_directions, d, generator=generator)
    return nn.functional.normalize(draws, dim=1)


def energy_distance(x: Points, y: Float[Tensor, " m d"]) -> Float[Tensor, ""]:
    r"""Energy distance (squared) between two samples.

    $$\mathcal E = 2\,\mathbb E\lVert x-y\rVert - \mathbb E\lVert x-x'\rVert
    - \mathbb E\lVert y-y'\rVert$$

    Zero only for equal laws; on the line it is $2\int (F-G)^2$. The expectations run over the
    two samples as they are, pairs of a point with itself included, so it is never negative.

    Args:
        x: `(n, d)`.
        y: `(m, d)`.

    Returns:
        A scalar in the unit of the data. Some libraries return its square root.

    Raises:
        ValueError: an empty sample.

    Example:
        >>> energy_distance(torch.tensor([[0.0]]), torch.tensor([[3.0]]))
        tensor(6.)

    Source: Szekely and Rizzo 2013, eq. 5.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if min(len(x), len(y)) == 0:
        raise ValueError(f"need points on both sides, got {len(x)} and {len(y)}")
    x, y = as_real(x), as_real(y)
    across = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").mean()
    within = 2 * (torch.pdist(x).sum() / len(x) ** 2 + torch.pdist(y).sum() / len(y) ** 2)
    return 2 * across - within
