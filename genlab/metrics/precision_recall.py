r"""Precision, recall, density and coverage: quality and variety as two numbers instead of one.

Around every point of a set draw the ball that just reaches its k-th nearest neighbour in the
same set. The union of the balls stands for the region that the set occupies:

$$\text{precision} = P(\text{sample} \in \text{real region}), \qquad
\text{recall} = P(\text{real} \in \text{sample region}).$$

One real outlier has a huge ball and makes precision generous; density counts *how many* balls
a sample is in, coverage how many real balls hold a sample, and both keep to the real balls.

Lesson: notebooks/09_evaluation.ipynb
Sources: Kynkaanniemi et al. 2019 (arXiv:1904.06991), eqs. 1-3; Naeem et al. 2020
(arXiv:2002.09797), eqs. 3-5 and appendix C.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genlab.core.guards import as_real, require_finite

Features = Float[Tensor, " n d"]


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]."""

    precision: float  # of the samples, how many look real
    recall: float  # of the real examples, how many could have been sampled


class DensityCoverage(NamedTuple):
    """Density is 1 in expectation for equal laws, and may exceed it; coverage is in [0, 1]."""

    density: float  # real balls that hold a sample, on average, divided by k
    coverage: float  # of the real balls, how many hold at least one sample


def knn_radius(x: Features, k: int) -> Float[Tensor, " n"]:
    r"""Distance of each point to its k-th nearest neighbour in the same set.

    $$r_k(x_i) = \lVert x_i - \mathrm{NN}_k(x_i) \rVert, \qquad \text{itself not counted}$$

    Args:
        x: `(n, d)`.
        k: 1 for the nearest other point, at most n - 1.

    Returns:
        `(n,)`, in the unit of the features.

    Raises:
        ValueError: k is outside 1..n-1.

    Example:
        >>> knn_radius(torch.tensor([[0.0], [1.0], [3.0]]), k=1)
        tensor([1., 1., 2.])

    Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991), eq. 1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if not 1 <= k < len(x):
        raise ValueError(f"k must be in 1..{len(x) - 1} (one less than the points), got {k}")
    distance = _distances(x, x)
    distance.fill_diagonal_(-1.0)  # itself comes first, even among copies
    return distance.kthvalue(k + 1, dim=1).values


def inside_balls(
    query: Float[Tensor, " m d"], centres: Features, radii: Float[Tensor, " n"]
) -> Bool[Tensor, " m n"]:
    r"""Which query lies in which ball, the surface included: $\lVert q_i-c_j\rVert \le r_j$.

    Args:
        query: `(m, d)`.
        centres: `(n, d)`.
        radii: `(n,)`.

    Returns:
        `(m, n)`.

    Example:
        >>> one = torch.ones(1, 1)
        >>> inside_balls(one, torch.tensor([[0.0], [0.5]]), torch.tensor([0.9, 0.9]))
        tensor([[False,  True]])

    Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991), eq. 1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    return _distances(query, centres) <= radii


def precision_recall(real: Features, fake: Float[Tensor, " m d"], k: int = 3) -> PrecisionRecall:
    r"""Improved precision and recall.

    $$\text{precision} = \tfrac1m\sum_j \mathbb 1\Big[y_j \in \bigcup_i
    B\big(x_i, r_k(x_i)\big)\Big], \quad
    \text{recall} = \tfrac1n\sum_i \mathbb 1\Big[x_i \in \bigcup_j B\big(y_j, r_k(y_j)\big)\Big]$$

    Args:
        real: features of real examples, $x$.
        fake: features of samples, $y$.
        k: neighbours that set the radius.

    Returns:
        Two shares. Neither is 1 for two sets from one law: the region is built from points.

    Raises:
        ValueError: k does not fit one of the sets.

    Example:
        >>> real, fake = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[0.1], [0.2], [0.3]])
        >>> precision_recall(real, fake, k=1)  # every sample looks real; only 0.0 is reached
        PrecisionRecall(precision=1.0, recall=0.3333333333333333)

    Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991), eqs. 2 and 3.
    Lesson: notebooks/09_evaluation.ipynb
    """
    looks_real = inside_balls(fake, real, knn_radius(real, k)).any(1)
    reached = inside_balls(real, fake, knn_radius(fake, k)).any(1)
    return PrecisionRecall(_share(looks_real), _share(reached))


def density_coverage(real: Features, fake: Float[Tensor, " m d"], k: int = 5) -> DensityCoverage:
    r"""Density and coverage, both measured with the balls of the real examples.

    $$\text{density} = \tfrac1{km}\sum_{ij}\mathbb 1\big[y_j\in B(x_i,r_k(x_i))\big],\quad
    \text{coverage} = \tfrac1n\sum_i \mathbb 1\big[\exists j: y_j\in B(x_i,r_k(x_i))\big]$$

    Args:
        real: features of real examples, $x$.
        fake: features of samples, $y$.
        k: neighbours that set the radius.

    Returns:
        The two numbers; for two sets from one law the expected density is 1, and the expected
        coverage is `expected_coverage(n, m, k)`.

    Raises:
        ValueError: k does not fit the real set.

    Example:
        >>> real, fake = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[0.1], [0.2], [0.3]])
        >>> density_coverage(real, fake, k=1)
        DensityCoverage(density=2.0, coverage=0.6666666666666666)

    Source: Naeem et al. 2020 (arXiv:2002.09797), eqs. 4 and 5.
    Lesson: notebooks/09_evaluation.ipynb
    """
    inside = inside_balls(fake, real, knn_radius(real, k))
    return DensityCoverage(float(inside.double().sum(1).mean()) / k, _share(inside.any(0)))


def expected_coverage(n: int, m: int, k: int) -> float:
    r"""Expected coverage when real examples and samples come from one continuous law.

    $$\mathbb E\,\text{coverage} = 1 - \prod_{j=1}^{k} \frac{n-j}{n+m-j}
    \quad\longrightarrow\quad 1 - 2^{-k} \text{ for } n = m \to \infty$$

    The ball of $x_i$ holds no sample exactly when the k nearest of the other n + m - 1 points
    are all real; whatever the law and the dimension, that is a draw without replacement.

    Args:
        n: real examples.
        m: samples.
        k: neighbours that set the radius, at most n - 1.

    Returns:
        A share.

    Raises:
        ValueError: k is outside 1..n-1, or there is no sample.

    Example:
        >>> round(expected_coverage(400, 400, 5), 4)
        0.9693

    Source: Naeem et al. 2020 (arXiv:2002.09797), lemma 2.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if not 1 <= k < n or m < 1:
        raise ValueError(f"expected 1 <= k < n and m >= 1, got n={n}, m={m}, k={k}")
    return 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    require_finite(features=x)  # NaN lies in no ball and has none, which looks like a bad sample
    require_finite(features=y)
    x, y = as_real(x), as_real(y)
    # exact differences, not ||x||^2 - 2xy + ||y||^2: copies must have distance exactly 0
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _share(flags: Tensor) -> float:
    return float(flags.double().mean())
