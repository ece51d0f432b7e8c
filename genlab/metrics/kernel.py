r"""Maximum mean discrepancy: compare two sets of samples through a kernel, without bias.

$$\mathrm{MMD}^2(P, Q) = \mathbb E\,k(x, x') + \mathbb E\,k(y, y') - 2\,\mathbb E\,k(x, y)$$

With the cubic polynomial kernel on features this is the kernel inception distance (KID). It
compares moments up to the third, so it too can be 0 for different laws; with the Gaussian
kernel the discrepancy is 0 only for equal ones. `genlab.metrics.two_sample` turns either into
a test with a p-value.

Lesson: notebooks/09_evaluation.ipynb
Sources: Gretton et al. 2012, "A kernel two-sample test", JMLR 13, eqs. 2, 3, 5; Binkowski et al.
2018 (arXiv:1801.01401), section 3.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real

Features = Float[Tensor, " n d"]
Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def cubic_kernel(x: Features, y: Float[Tensor, " m d"]) -> Float[Tensor, " n m"]:
    r"""The polynomial kernel of KID.

    $$k(x, y) = \Big(\frac{x^\top y}{d} + 1\Big)^3$$

    Args:
        x: features, `(n, d)`.
        y: features, `(m, d)`.

    Returns:
        `(n, m)`; no unit that means anything, it depends on the scale of the features.

    Example:
        >>> cubic_kernel(torch.ones(1, 2), torch.ones(1, 2))
        tensor([[8.]])

    Source: Binkowski et al. 2018 (arXiv:1801.01401), section 3.1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    x, y = as_real(x), as_real(y)
    return (x @ y.T / x.shape[1] + 1) ** 3


def rbf_kernel(
    x: Features, y: Float[Tensor, " m d"], bandwidth: float = 1.0
) -> Float[Tensor, " n m"]:
    r"""The Gaussian kernel; characteristic: it tells any two laws apart.

    $$k(x, y) = \exp\Big(-\frac{\lVert x-y\rVert^2}{2h^2}\Big)$$

    Args:
        x: `(n, d)`.
        y: `(m, d)`.
        bandwidth: $h$, positive, in the unit of the data; see `median_bandwidth`.

    Returns:
        `(n, m)`, in (0, 1].

    Raises:
        ValueError: the bandwidth is not positive.

    Example:
        >>> rbf_kernel(torch.zeros(1, 1), torch.ones(1, 1))  # exp(-1/2)
        tensor([[0.6065]])

    Source: Gretton et al. 2012, section 8.1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth}, expected > 0")
    return torch.exp(-(torch.cdist(as_real(x), as_real(y)) ** 2) / (2 * bandwidth**2))


def median_bandwidth(x: Features, y: Float[Tensor, " m d"]) -> float:
    r"""The median distance between different points of the pooled samples.

    Args:
        x: `(n, d)`.
        y: `(m, d)`.

    Returns:
        A usual choice of $h$ for `rbf_kernel`; it does not depend on which side a point is on.

    Raises:
        ValueError: half of all pairs coincide, so that the median distance is 0.

    Example:
        >>> median_bandwidth(torch.zeros(1, 1), torch.tensor([[1.0], [3.0]]))
        2.0

    Source: Gretton et al. 2012, section 8.
    Lesson: notebooks/09_evaluation.ipynb
    """
    median = float(torch.pdist(as_real(torch.cat([x, y]))).median())
    if median == 0:
        raise ValueError("the median distance is 0: half of all pairs coincide")
    return median


def mmd2(x: Features, y: Float[Tensor, " m d"], kernel: Kernel) -> Float[Tensor, ""]:
    r"""Unbiased estimate of the squared discrepancy.

    $$\widehat{\mathrm{MMD}}^2 = \frac{\sum_{i\ne j}k(x_i,x_j)}{n(n-1)}
    + \frac{\sum_{i\ne j}k(y_i,y_j)}{m(m-1)} - \frac{2\sum_{ij}k(x_i,y_j)}{nm}$$

    Leaving out the diagonal makes the expectation exact at every sample size; the price is that
    the estimate can be negative.

    Args:
        x: `(n, d)`, at least two rows.
        y: `(m, d)`, at least two rows.
        kernel: maps `(n, d), (m, d)` to `(n, m)`.

    Returns:
        A scalar; zero in expectation when the laws are equal.

    Raises:
        ValueError: fewer than two rows on a side.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> mmd2(x, x, cubic_kernel)  # 1 + 1 - (1 + 1 + 1 + 8) / 2
        tensor(-3.5000)

    Source: Gretton et al. 2012, eq. 3.
    Lesson: notebooks/09_evaluation.ipynb
    """
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"need at least 2 examples a side, got {n} and {m}")
    within_x, within_y = kernel(x, x), kernel(y, y)
    off_x = (within_x.sum() - within_x.trace()) / (n * (n - 1))
    off_y = (within_y.sum() - within_y.trace()) / (m * (m - 1))
    return off_x + off_y - 2 * kernel(x, y).mean()


def kid(x: Features, y: Float[Tensor, " m d"]) -> Float[Tensor, ""]:
    r"""Kernel inception distance: the unbiased discrepancy with the cubic kernel.

    $$\mathrm{KID} = \widehat{\mathrm{MMD}}^2 \quad\text{with}\quad k(x,y) = (x^\top y/d+1)^3$$

    Args:
        x: features of the reference.
        y: features of the samples.

    Returns:
        A scalar, zero in expectation when the first three moments agree.

    Raises:
        ValueError: fewer than two rows on a side.

    Example:
        >>> float(kid(torch.zeros(4, 2), torch.ones(4, 2)))  # 1 + 8 - 2
        7.0

    Source: Binkowski et al. 2018 (arXiv:1801.01401), section 3.1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    return mmd2(x, y, cubic_kernel)


def kid_blocks(
    x: Features,
    y: Float[Tensor, " m d"],
    *,
    size: int,
    n_blocks: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " k"]:
    r"""KID of random subsets, so that the value comes with its spread.

    Args:
        x: features of the reference.
        y: features of the samples.
        size: rows drawn from each side without replacement.
        n_blocks: number of estimates.
        generator: source of randomness.

    Returns:
        `(n_blocks,)` estimates; subsets overlap, so their spread is a little too small.

    Raises:
        ValueError: a subset that cannot be drawn.

    Example:
        >>> kid_blocks(torch.randn(20, 2), torch.randn(20, 2), size=10, n_blocks=5).shape
        torch.Size([5])

    Source: Binkowski et al. 2018 (arXiv:1801.01401), section 4.
    Lesson: notebooks/09_evaluation.ipynb
    """
    limit = min(len(x), len(y))
    if not 2 <= size <= limit or n_blocks < 1:
        raise ValueError(f"size must be in 2..{limit} and n_blocks >= 1, got {size}, {n_blocks}")

    def once() -> Tensor:
        a = torch.randperm(len(x), generator=generator)[:size]
        b = torch.randperm(len(y), generator=generator)[:size]
        return kid(x[a], y[b])

    return torch.stack([once() for _ in range(n_blocks)])
