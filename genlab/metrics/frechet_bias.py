r"""The Frechet distance of finite samples is too large: by how much, and how to remove it.

$$\mathbb E\,\widehat d^2_n = d^2 + \frac cn + O(n^{-2})$$

Two sets from one law have a positive distance, and a generator judged on fewer samples looks
worse. The constant $c$ depends on the law, so no table corrects it; a straight line in $1/n$
does.

Lesson: notebooks/09_evaluation.ipynb
Source: Chong and Forsyth 2020 (arXiv:1911.07023), section 3.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.metrics.frechet import Covariance, Features, eigh_psd, frechet_distance


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
