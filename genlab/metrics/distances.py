"""Distances between two samples: Fréchet, kernel, Wasserstein and energy; optimal transport."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Real
from scipy.optimize import linprog
from torch import Tensor

from genlab.core import Rng
from genlab.core.checked import check_public
from genlab.core.tensors import (
    as_real,
    require_between,
    require_finite,
    require_positive,
    require_rows,
)


def frechet_1d(
    mu1: Float[Tensor, " *b"],
    sigma1: Float[Tensor, " *b"],
    mu2: Float[Tensor, " *b"],
    sigma2: Float[Tensor, " *b"],
) -> Float[Tensor, " *b"]:
    r"""Squared distance of normal distributions on the line (Dowson and Landau 1982, eq. 4).

    $$d^2 = (\mu_1-\mu_2)^2 + (\sigma_1-\sigma_2)^2$$
    """
    require_between(0, math.inf, sigma1=sigma1, sigma2=sigma2)
    return (mu1 - mu2) ** 2 + (sigma1 - sigma2) ** 2


def sqrt_psd(a: Real[Tensor, " d d"]) -> Real[Tensor, " d d"]:
    r"""Symmetric root, $U\,\mathrm{diag}(\sqrt\lambda)\,U^\top$, of a semi-definite matrix."""
    values, vectors = eigh_psd(a)
    return (vectors * values.sqrt()) @ vectors.T


def frechet_gaussian(
    mu1: Float[Tensor, " d"],
    cov1: Real[Tensor, " d d"],
    mu2: Float[Tensor, " d"],
    cov2: Real[Tensor, " d d"],
) -> Float[Tensor, ""]:
    r"""Squared distance between two Gaussians in d dimensions.

    $$d^2 = \lVert\mu_1-\mu_2\rVert^2
    + \mathrm{Tr}\big(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\big)$$

    Zero exactly when means and covariances agree. Heusel et al. 2017 (arXiv:1706.08500), eq. 6.
    """
    root1 = sqrt_psd(cov1)
    inner, _ = eigh_psd(root1 @ cov2 @ root1)
    trace = cov1.trace() + cov2.trace() - 2 * inner.sqrt().sum()
    return ((mu1 - mu2) ** 2).sum() + trace.clamp(min=0)


def mean_and_cov(x: Real[Tensor, " n d"]) -> tuple[Float[Tensor, " d"], Real[Tensor, " d d"]]:
    r"""Sample mean and *unbiased* sample covariance.

    $$\hat\mu = \tfrac1n\sum_i x_i, \qquad
    \hat\Sigma = \tfrac1{n-1}\sum_i (x_i-\hat\mu)(x_i-\hat\mu)^\top$$
    """
    require_rows(2, x=x)
    x = as_real(x)
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def frechet_distance(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"]) -> Float[Tensor, ""]:
    """`frechet_gaussian` of two sets of features: the FID, biased upwards by about $c/n$."""
    return frechet_gaussian(*mean_and_cov(x), *mean_and_cov(y))


def eigh_psd(a: Real[Tensor, " d d"]) -> tuple[Float[Tensor, " d"], Real[Tensor, " d d"]]:
    """Eigenvalues (never negative) and eigenvectors of a positive semi-definite matrix."""
    a = as_real(a)
    require_rows(matrix=a)
    require_finite(matrix=a)
    scale = float(a.abs().max())
    gap = float((a - a.T).abs().max())
    tolerance = 100 * len(a) * torch.finfo(a.dtype).eps * scale
    if gap > tolerance:
        raise ValueError(f"matrix is not symmetric: {gap:.3g} is the largest difference to a.T")
    values, vectors = torch.linalg.eigh((a + a.T) / 2)
    if float(values.min()) < -tolerance:
        raise ValueError(f"smallest eigenvalue is {float(values.min()):.3g}, expected >= 0")
    return torch.where(values > tolerance / 100, values, 0.0), vectors


def frechet_by_size(
    x: Real[Tensor, " n d"],
    y: Real[Tensor, " m d"],
    sizes: Sequence[int],
    *,
    n_repeats: int = 10,
    generator: Rng = None,
) -> Float[Tensor, " s r"]:
    """Fréchet distance between random subsets of n rows of each side, for several n."""
    require_positive(n_repeats=n_repeats)
    limit = min(len(x), len(y))
    if min(sizes) < 2 or max(sizes) > limit:
        raise ValueError(f"sizes must be in 2..{limit}, got {list(sizes)}")

    def once(n: int) -> Tensor:
        a = torch.randperm(len(x), generator=generator)[:n]
        b = torch.randperm(len(y), generator=generator)[:n]
        return frechet_distance(x[a], y[b])

    return torch.stack([torch.stack([once(n) for _ in range(n_repeats)]) for n in sizes])


def extrapolate(sizes: Sequence[int], values: Float[Tensor, " s"]) -> Float[Tensor, " 2"]:
    r"""Least-squares line in $1/n$, read off at infinite n (Chong and Forsyth 2020, section 3).

    $$\widehat d^2_n \approx \widehat d^2_\infty + \frac cn$$
    """
    if len(set(sizes)) < 2 or len(sizes) != len(values):
        raise ValueError(f"need a value for each of two or more different sizes, got {list(sizes)}")
    require_finite(values=values)
    inverse = 1 / values.new_tensor(sizes)
    design = torch.stack([torch.ones_like(inverse), inverse], 1)
    return torch.linalg.lstsq(design, values[:, None]).solution[:, 0]


Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def cubic_kernel(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"]) -> Float[Tensor, " n m"]:
    r"""The polynomial kernel of KID (Binkowski et al. 2018 (arXiv:1801.01401), section 3.1).

    $$k(x, y) = \Big(\frac{x^\top y}{d} + 1\Big)^3$$
    """
    x = as_real(x)
    y = as_real(y)
    return torch.addmm(x.new_ones(1), x, y.T, alpha=1 / x.shape[1]) ** 3


def rbf_kernel(
    x: Real[Tensor, " n d"], y: Real[Tensor, " m d"], bandwidth: float = 1.0
) -> Float[Tensor, " n m"]:
    r"""The Gaussian kernel, which tells any two distributions apart (Gretton et al. 2012, 8.1).

    $$k(x, y) = \exp\Big(-\frac{\lVert x-y\rVert^2}{2h^2}\Big)$$
    """
    require_positive(bandwidth=bandwidth)
    return torch.exp(-(torch.cdist(as_real(x), as_real(y)) ** 2) / (2 * bandwidth**2))


def median_bandwidth(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"]) -> float:
    """The median distance between points of the pooled samples (Gretton et al. 2012, section 8)."""
    median = float(torch.pdist(as_real(torch.cat([x, y]))).median())
    if median == 0:
        raise ValueError("the median distance is 0: half of all pairs coincide")
    return median


def mmd2(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"], kernel: Kernel) -> Float[Tensor, ""]:
    r"""Unbiased estimate of the squared discrepancy (Gretton et al. 2012, eq. 3).

    $$\widehat{\mathrm{MMD}}^2 = \frac{\sum_{i\ne j}k(x_i,x_j)}{n(n-1)}
    + \frac{\sum_{i\ne j}k(y_i,y_j)}{m(m-1)} - \frac{2\sum_{ij}k(x_i,y_j)}{nm}$$
    """
    n = len(x)
    m = len(y)
    require_rows(2, x=x, y=y)
    within_x = kernel(x, x)
    within_y = kernel(y, y)
    off_x = (within_x.sum() - within_x.trace()) / (n * (n - 1))
    off_y = (within_y.sum() - within_y.trace()) / (m * (m - 1))
    return off_x + off_y - 2 * kernel(x, y).mean()


def kid(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"]) -> Float[Tensor, ""]:
    """Kernel inception distance: `mmd2` with the cubic kernel (Binkowski et al. 2018, 3.1)."""
    return mmd2(x, y, cubic_kernel)


def kid_blocks(
    x: Real[Tensor, " n d"],
    y: Real[Tensor, " m d"],
    *,
    size: int,
    n_blocks: int,
    generator: Rng = None,
) -> Float[Tensor, " k"]:
    """KID of random subsets, so that the value comes with its spread (Binkowski, section 4)."""
    limit = min(len(x), len(y))
    require_between(2, limit, size=size)
    require_between(1, 10_000, n_blocks=n_blocks)  # more would run for hours and say nothing new

    def once() -> Tensor:
        a = torch.randperm(len(x), generator=generator)[:size]
        b = torch.randperm(len(y), generator=generator)[:size]
        return kid(x[a], y[b])

    return torch.stack([once() for _ in range(n_blocks)])


def wasserstein_1d(
    x: Float[Tensor, " n"], y: Float[Tensor, " m"], p: float = 1.0
) -> Float[Tensor, ""]:
    r"""Wasserstein distance between two samples on the line, to the power p.

    $$W_p^p = \int_0^1 \lvert F_x^{-1}(u)-F_y^{-1}(u)\rvert^p\,du$$

    Villani 2003, Topics in Optimal Transportation, theorem 2.18 and remark 2.19.
    """
    if min(len(x), len(y)) == 0 or p < 1:
        raise ValueError(f"need values on both sides and p >= 1, got {len(x)}, {len(y)}, p={p}")
    n = len(x)
    m = len(y)
    # both quantile functions are constant between the steps i/n and j/m: integers, so no rounding
    i = torch.arange(n + 1, device=x.device)
    j = torch.arange(1, m, device=x.device)
    steps = _sorted(torch.cat([i * m, j * n]))
    left = steps[:-1]
    gaps: Tensor = (_sorted(x)[left // m] - _sorted(y)[left // n]).abs() ** p
    return (gaps * (steps[1:] - left)).sum() / (n * m)


def _sorted(x: Tensor) -> Tensor:
    """NumPy's sort takes a tenth of torch's, but knows no gradient."""
    plain = not x.requires_grad and x.device.type == "cpu"
    return torch.from_numpy(np.sort(x.cpu().numpy())) if plain else x.sort().values


def w1_by_cdf(x: Float[Tensor, " n"], y: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""The same for p = 1: the area between the distribution functions (Villani 2003, remark 2.19).

    $$W_1 = \int \lvert F_x(t)-F_y(t)\rvert\,dt$$
    """
    require_rows(x=x, y=y)
    t = torch.cat([x, y]).sort().values
    f = torch.searchsorted(x.sort().values, t[:-1], right=True).to(x) / len(x)
    g = torch.searchsorted(y.sort().values, t[:-1], right=True).to(x) / len(y)
    return ((f - g).abs() * t.diff()).sum()


def energy_distance(x: Real[Tensor, " n d"], y: Real[Tensor, " m d"]) -> Float[Tensor, ""]:
    r"""Energy distance (squared) between two samples (Szekely and Rizzo 2013, eq. 5).

    $$\mathcal E = 2\,\mathbb E\lVert x-y\rVert - \mathbb E\lVert x-x'\rVert
    - \mathbb E\lVert y-y'\rVert \ge 0$$
    """
    require_rows(x=x, y=y)
    x = as_real(x)
    y = as_real(y)
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
    cost: Real[Tensor, " n m"], p: Real[Tensor, " n"], q: Real[Tensor, " m"]
) -> Plan:
    r"""The primal: move p onto q as cheaply as possible (Peyre and Cuturi 2019, eq. 2.11).

    $$\min_{\gamma\ge0} \sum_{ij}\gamma_{ij} c_{ij}, \qquad
    \gamma\mathbf 1 = p, \quad \gamma^\top\mathbf 1 = q$$
    """
    n, m = cost.shape
    cost, p, q = (as_real(a.detach()) for a in (cost, p, q))
    _require_masses(p, q)
    rows = np.kron(np.eye(n), np.ones((1, m)))
    columns = np.kron(np.ones((1, n)), np.eye(m))
    solved = linprog(
        cost.double().flatten().cpu().numpy(),
        A_eq=np.vstack([rows, columns]),
        b_eq=torch.cat([p, q]).double().cpu().numpy(),
    )
    _require_solved(solved)
    return Plan(float(solved.fun), torch.from_numpy(solved.x).reshape(n, m).to(cost))


def transport_prices(
    distance: Real[Tensor, " n n"], p: Real[Tensor, " n"], q: Real[Tensor, " n"]
) -> Prices:
    r"""The dual: the 1-Lipschitz f with the largest gap of its means (Villani 2003, theorem 1.14).

    $$\max_f \sum_i f_i\,(p_i - q_i), \qquad f_i - f_j \le d_{ij}$$
    """
    n = len(distance)
    distance, p, q = (as_real(a.detach()) for a in (distance, p, q))
    require_between(0, math.inf, distance=distance)
    _require_masses(p, q)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    differences = np.eye(n)[i] - np.eye(n)[j]
    solved = linprog(
        -(p - q).double().cpu().numpy(),
        A_ub=differences,
        b_ub=distance.double().cpu().numpy()[i, j],
        bounds=[(0, 0)] + [(None, None)] * (n - 1),
    )
    _require_solved(solved)
    return Prices(float(-solved.fun), torch.from_numpy(solved.x).to(distance))


def _require_masses(p: Tensor, q: Tensor) -> None:
    require_rows(p=p, q=q)
    require_between(0, math.inf, p=p, q=q)
    if abs(float(p.sum()) - float(q.sum())) > 1e-6:
        raise ValueError(f"total masses must agree, got {float(p.sum()):g} and {float(q.sum()):g}")


def _require_solved(solved: Any) -> None:
    if solved.status != 0:
        raise ValueError(f"expected a linear program with a solution, got: {solved.message}")


check_public(__name__)
