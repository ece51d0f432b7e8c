r"""Frechet distance between Gaussians: the squared Wasserstein-2 distance, in closed form.

$$d^2\big(\mathcal N(\mu_1,\Sigma_1), \mathcal N(\mu_2,\Sigma_2)\big) = \lVert\mu_1-\mu_2\rVert^2
+ \mathrm{Tr}\big(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\big)$$

The FID of the literature is this number for the features of two sets of images. It sees means
and covariances only, and from n samples it is too large by about $c/n$ (see
`genlab.metrics.distances`). The trace is written with the *symmetric* root, whose eigenvalues
are real and never negative; the root of $\Sigma_1\Sigma_2$ itself is not symmetric, and
numerically complex.

Lesson: notebooks/09_evaluation.ipynb
Sources: Dowson and Landau 1982, "The Frechet distance between multivariate normal
distributions", eq. 4; Heusel et al. 2017 (arXiv:1706.08500), eq. 6.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linprog
from torch import Tensor, nn

from genlab.core.tensors import as_real, require_alike, require_between, require_rows

Features = Float[Tensor, " n d"]
Covariance = Float[Tensor, " d d"]


def frechet_1d(
    mu1: Float[Tensor, " *b"],
    sigma1: Float[Tensor, " *b"],
    mu2: Float[Tensor, " *b"],
    sigma2: Float[Tensor, " *b"],
) -> Float[Tensor, " *b"]:
    r"""Squared distance between normal distributions on the line.

    $$d^2 = (\mu_1-\mu_2)^2 + (\sigma_1-\sigma_2)^2$$

    Zero exactly when both means and both standard deviations agree.

    Args:
        mu1: first mean.
        sigma1: first *standard deviation* (not variance), >= 0.
        mu2: second mean.
        sigma2: second standard deviation, >= 0.

    Returns:
        Like the arguments, in squared units of the data.

    Raises:
        ValueError: a standard deviation is negative, or the shapes differ.

    Example:
        >>> one = torch.tensor(1.0)
        >>> frechet_1d(0 * one, one, one, 1.5 * one)
        tensor(1.2500)

    Source: Dowson and Landau 1982, eq. 4 with d = 1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    require_alike(mu1=mu1, sigma1=sigma1, mu2=mu2, sigma2=sigma2)
    require_between(0, math.inf, sigma1=sigma1, sigma2=sigma2)
    return (mu1 - mu2) ** 2 + (sigma1 - sigma2) ** 2


def sqrt_psd(a: Covariance) -> Covariance:
    r"""Symmetric square root of a positive semi-definite matrix.

    $$A = U\,\mathrm{diag}(\lambda)\,U^\top \;\Rightarrow\;
    A^{1/2} = U\,\mathrm{diag}(\sqrt{\lambda})\,U^\top$$

    Eigenvalues that are zero up to rounding, negative ones included, count as zero; otherwise
    the root would turn noise of 1e-16 into noise of 1e-8.

    Args:
        a: symmetric, no eigenvalue below zero by more than rounding.

    Returns:
        The symmetric root: `root @ root` is `a`.

    Raises:
        ValueError: `a` is not symmetric, or has a clearly negative eigenvalue.

    Example:
        >>> sqrt_psd(torch.tensor([[4.0, 0.0], [0.0, 9.0]]))
        tensor([[2., 0.],
                [0., 3.]])

    Source: Higham 2008, Functions of Matrices, section 6.1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    values, vectors = eigh_psd(a)
    return (vectors * values.sqrt()) @ vectors.T


def frechet_gaussian(
    mu1: Float[Tensor, " d"], cov1: Covariance, mu2: Float[Tensor, " d"], cov2: Covariance
) -> Float[Tensor, ""]:
    r"""Squared distance between two Gaussians in d dimensions.

    $$d^2 = \lVert\mu_1-\mu_2\rVert^2
    + \mathrm{Tr}\big(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\big)$$

    Zero exactly when both means and both covariances agree; the infimum of
    $\mathbb E\lVert x-y\rVert^2$ over all joint laws with these two Gaussians as margins.

    Args:
        mu1: first mean, `(d,)`.
        cov1: first covariance, `(d, d)`.
        mu2: second mean.
        cov2: second covariance.

    Returns:
        A scalar >= 0, in squared units of the features.

    Raises:
        ValueError: a covariance is not symmetric, or not positive semi-definite.

    Example:
        >>> eye = torch.eye(3)
        >>> frechet_gaussian(torch.zeros(3), eye, torch.ones(3), 4 * eye)  # 3 * (1 + 1)
        tensor(6.)

    Source: Heusel et al. 2017 (arXiv:1706.08500), eq. 6, with the symmetric product.
    Lesson: notebooks/09_evaluation.ipynb
    """
    root1 = sqrt_psd(cov1)
    inner, _ = eigh_psd(root1 @ cov2 @ root1)
    trace = cov1.trace() + cov2.trace() - 2 * inner.sqrt().sum()
    return ((mu1 - mu2) ** 2).sum() + trace.clamp(min=0)


def mean_and_cov(x: Features) -> tuple[Float[Tensor, " d"], Covariance]:
    r"""Sample mean and *unbiased* sample covariance.

    $$\hat\mu = \tfrac1n\sum_i x_i, \qquad
    \hat\Sigma = \tfrac1{n-1}\sum_i (x_i-\hat\mu)(x_i-\hat\mu)^\top$$

    Args:
        x: features, one row an example, at least two rows.

    Returns:
        `(d,)` and `(d, d)`.

    Raises:
        ValueError: fewer than two rows.

    Example:
        >>> mean_and_cov(torch.tensor([[0.0], [2.0]]))
        (tensor([1.]), tensor([[2.]]))

    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(x) < 2:
        raise ValueError(f"a covariance needs at least 2 examples, got {len(x)}")
    x = as_real(x)
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def frechet_distance(x: Features, y: Float[Tensor, " m d"]) -> Float[Tensor, ""]:
    r"""Frechet distance between the Gaussians fitted to two sets of features.

    $$\widehat d^2 = d^2\big(\mathcal N(\hat\mu_x,\hat\Sigma_x),
    \mathcal N(\hat\mu_y,\hat\Sigma_y)\big)$$

    Biased upwards, see `frechet_bias.py`: two sets from one law have a positive distance. Compare
    only values with the same feature network *and* the same two sample sizes.

    Args:
        x: features of the reference, `(n, d)`.
        y: features of the samples, `(m, d)`.

    Returns:
        A scalar >= 0, in squared units of the features.

    Raises:
        ValueError: fewer than two rows on a side.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
        >>> frechet_distance(x, x + 3.0)
        tensor(18.)

    Source: Heusel et al. 2017 (arXiv:1706.08500), eq. 6.
    Lesson: notebooks/09_evaluation.ipynb
    """
    return frechet_gaussian(*mean_and_cov(x), *mean_and_cov(y))


def eigh_psd(a: Covariance) -> tuple[Float[Tensor, " d"], Covariance]:
    """Eigenvalues (never negative) and eigenvectors of a positive semi-definite matrix.

    Args:
        a: symmetric, no eigenvalue below zero by more than rounding.

    Returns:
        Eigenvalues, ascending, rounding noise set to zero, and eigenvectors in columns.

    Raises:
        ValueError: `a` is not symmetric, or has a clearly negative eigenvalue.
    """
    a = as_real(a)
    scale = float(a.abs().max())
    gap = float((a - a.T).abs().max())
    tolerance = 100 * len(a) * torch.finfo(a.dtype).eps * scale
    if gap > tolerance:
        raise ValueError(f"matrix is not symmetric: {gap:.3g} is the largest difference to a.T")
    values, vectors = torch.linalg.eigh((a + a.T) / 2)
    if float(values.min()) < -tolerance:
        raise ValueError(f"smallest eigenvalue is {float(values.min()):.3g}, expected >= 0")
    return torch.where(values > tolerance / 100, values, 0.0), vectors


def frechet_bias(cov: Covariance, n: int, m: int | None = None) -> Float[Tensor, ""]:
    r"""Leading term of the expected distance when both sets come from one Gaussian.

    $$\mathbb E\,\widehat d^2 \approx \Big(\frac1n+\frac1m\Big)\Big[\mathrm{Tr}\,\Sigma
    + \tfrac12\sum_{ij} \frac{\lambda_i\lambda_j(1+\delta_{ij})}{\lambda_i+\lambda_j}\Big]$$

    The first term is the error of the means, the second that of the covariances (second-order
    perturbation of the distance around equality). For $\Sigma = I$ the bracket is $d(d+5)/4$:
    the bias grows with the *square* of the number of features.

    Args:
        cov: covariance of the features, with eigenvalues $\lambda$, positive definite.
        n: samples on one side.
        m: samples on the other side; None when that side is known exactly.

    Returns:
        A scalar, in squared units of the features; the next term is of order $1/n^2$.

    Raises:
        ValueError: fewer than two samples, or a singular covariance.

    Example:
        >>> frechet_bias(torch.eye(16), n=1000)  # 16 * 21 / 4 / 1000
        tensor(0.0840)

    Source: our derivation, by $\mathbb E\,E_{ij}^2 = \lambda_i\lambda_j(1+\delta_{ij})/n$ for the
        error E of a sample covariance; Chong and Forsyth 2020 (arXiv:1911.07023) show the order.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if n < 2 or (m is not None and m < 2):
        raise ValueError(f"sample sizes must be at least 2, got n={n}, m={m}")
    lam, _ = eigh_psd(cov)
    if not float(lam.min()) > 0:
        raise ValueError(f"smallest eigenvalue is {float(lam.min())}, expected > 0")
    pairs = lam[:, None] * lam / (lam[:, None] + lam)
    bracket = lam.sum() + 0.5 * (pairs.sum() + pairs.diagonal().sum())
    return bracket * (1 / n + (0.0 if m is None else 1 / m))


def frechet_by_size(
    x: Features,
    y: Float[Tensor, " m d"],
    sizes: Sequence[int],
    *,
    n_repeats: int = 10,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " s r"]:
    r"""Distance between random subsets of n rows of each side, for several n.

    Args:
        x: features of the reference.
        y: features of the samples.
        sizes: n for *both* sides, each at least 2 and at most the shorter side.
        n_repeats: subsets drawn at each size.
        generator: source of randomness.

    Returns:
        One row a size, one column a repeat.

    Raises:
        ValueError: a size that cannot be drawn.

    Example:
        >>> frechet_by_size(torch.randn(50, 2), torch.randn(60, 2), (10, 50), n_repeats=3).shape
        torch.Size([2, 3])

    Lesson: notebooks/09_evaluation.ipynb
    """
    limit = min(len(x), len(y))
    if min(sizes) < 2 or max(sizes) > limit:
        raise ValueError(f"sizes must be in 2..{limit}, got {list(sizes)}")

    def once(n: int) -> Tensor:
        a = torch.randperm(len(x), generator=generator)[:n]
        b = torch.randperm(len(y), generator=generator)[:n]
        return frechet_distance(x[a], y[b])

    return torch.stack([torch.stack([once(n) for _ in range(n_repeats)]) for n in sizes])


def extrapolate(sizes: Sequence[int], values: Float[Tensor, " s"]) -> Float[Tensor, " 2"]:
    r"""Least-squares line in $1/n$, read off at infinite n.

    $$\widehat d^2_n \approx \widehat d^2_\infty + \frac cn$$

    Args:
        sizes: n of each value, at least two different ones.
        values: mean distance at each n.

    Returns:
        $(\widehat d^2_\infty, c)$: the intercept and the slope. Sampling error can make an
        intercept that should be 0 slightly negative.

    Raises:
        ValueError: fewer than two different sizes, or lengths that differ.

    Example:
        >>> intercept, slope = extrapolate([500, 1000], torch.tensor([30.0, 20.0]))
        >>> round(float(intercept), 2)
        10.0

    Source: Chong and Forsyth 2020 (arXiv:1911.07023), section 3.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(set(sizes)) < 2 or len(sizes) != len(values):
        raise ValueError(f"need a value for each of two or more different sizes, got {list(sizes)}")
    inverse = 1 / torch.tensor(sizes, dtype=values.dtype)
    design = torch.stack([torch.ones_like(inverse), inverse], 1)
    line: Tensor = torch.linalg.lstsq(design, values[:, None]).solution[:, 0]
    return line


def frechet_infinity(
    x: Features,
    y: Float[Tensor, " m d"],
    sizes: Sequence[int],
    *,
    n_repeats: int = 10,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Distance extrapolated to infinitely many samples on both sides.

    $$\widehat d^2_\infty = \text{intercept of } \widehat d^2_n \text{ against } 1/n$$

    Args:
        x: features of the reference.
        y: features of the samples.
        sizes: n for both sides; well above the number of features, so that $1/n$ is small.
        n_repeats: random subsets at each size.
        generator: source of randomness.

    Returns:
        A scalar; without the leading bias, but noisier than the plain distance.

    Raises:
        ValueError: as for `frechet_by_size` and `extrapolate`.

    Example:
        >>> x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
        >>> float(frechet_infinity(x, x, (100, 200, 400))) < 0.05
        True

    Source: Chong and Forsyth 2020 (arXiv:1911.07023), section 3 (there the reference is fixed).
    Lesson: notebooks/09_evaluation.ipynb
    """
    values = frechet_by_size(x, y, sizes, n_repeats=n_repeats, generator=generator).mean(1)
    return extrapolate(sizes, values)[0]


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
