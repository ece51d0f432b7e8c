r"""Frechet distance between Gaussians: the squared Wasserstein-2 distance, in closed form.

$$d^2\big(\mathcal N(\mu_1,\Sigma_1), \mathcal N(\mu_2,\Sigma_2)\big) = \lVert\mu_1-\mu_2\rVert^2
+ \mathrm{Tr}\big(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\big)$$

The FID of the literature is this number for the features of two sets of images. It sees means
and covariances only, and from n samples it is too large by about $c/n$ (see
`genlab.metrics.frechet_bias`). The trace is written with the *symmetric* root, whose eigenvalues
are real and never negative; the root of $\Sigma_1\Sigma_2$ itself is not symmetric, and
numerically complex.

Lesson: notebooks/09_evaluation.ipynb
Sources: Dowson and Landau 1982, "The Frechet distance between multivariate normal
distributions", eq. 4; Heusel et al. 2017 (arXiv:1706.08500), eq. 6.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real, require_alike, require_between

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
