r"""Three honest baselines for discrete images: what a model must beat before it means anything.

A histogram of every pixel knows nothing about neighbours; it is a discrete model, so its
likelihood is exact. scikit-learn's kernel density and Gaussian mixture are *densities*: the grey
levels $0..L-1$ are first spread evenly over their bins, $y = (x + u) / L$, and

$$\text{bits per dimension} = -\frac{\log p(y)}{D \log 2} + \log_2 L .$$

The constant $\log_2 L$ (4.087 bits for 17 levels) is the change of unit from a bin of width $1/L$
to one of width 1; forget it and every density looks 4 bits too good. By Jensen's inequality the
result is, on average over $u$, an *upper bound* on the bits of the discrete model that the density
implies.

All hyperparameters are chosen on the validation part; the test part is used once.

Lesson: notebooks/02_autoregressive.ipynb, 03_maximum_likelihood_and_kl.ipynb,
    04_normalizing_flows.ipynb, 15_four_paradigm_landscape.ipynb
Sources: Theis, van den Oord and Bethge 2015 (arXiv:1511.01844), section 3.1; scikit-learn's user
    guide, sections "Density estimation" and "Gaussian mixture models".
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]
from torch import Generator, Tensor

from genlab.core import bits_per_dim, dequantize


class Baseline(NamedTuple):
    """One row of the table."""

    name: str
    setting: str  # the hyperparameters that the validation part chose
    kind: str  # "exact" or "bound"
    val: float  # bits per dimension
    test: float  # bits per dimension


def histogram_log_probs(
    x: Int[Tensor, " n *event"], n_levels: int, pseudo_count: float
) -> Float[Tensor, " d k"]:
    r"""Log-frequencies of every pixel's grey levels, smoothed.

    $$\log p_j(v) = \log \frac{N_{jv} + \alpha}{n + \alpha L}$$

    Args:
        x: training images, integers in 0..n_levels-1.
        n_levels: $L$.
        pseudo_count: $\alpha > 0$, imagined sightings of every level.

    Returns:
        `(d, n_levels)`, each row the log of a distribution, nats.

    Raises:
        ValueError: the pseudo-count is not positive (an unseen level would cost infinitely much).

    Example:
        >>> histogram_log_probs(torch.tensor([[0], [0], [1]]), 2, 1.0).exp()
        tensor([[0.6000, 0.4000]])
    """
    if not pseudo_count > 0:
        raise ValueError(f"pseudo_count must be positive, got {pseudo_count}")
    counts = torch.nn.functional.one_hot(x.flatten(1), n_levels).sum(0) + pseudo_count
    return (counts / counts.sum(-1, keepdim=True)).log()


def pixel_histogram(
    train: Tensor,
    val: Tensor,
    test: Tensor,
    *,
    n_levels: int = 17,
    pseudo_counts: Sequence[float] = (0.03, 0.1, 0.3, 1.0),
) -> Baseline:
    """Independent pixels, each with the frequencies of its grey levels.

    Args:
        train: images to count, integers in 0..n_levels-1.
        val: images that choose the pseudo-count.
        test: images to report on.
        n_levels: grey levels.
        pseudo_counts: what to try.

    Returns:
        The row of the best pseudo-count; exact.
    """
    pixel = torch.arange(train[0].numel())

    def bits(log_p: Tensor, x: Tensor) -> float:
        nll = -log_p[pixel, x.flatten(1)].sum(1)
        return float(bits_per_dim(nll, len(pixel)).mean())

    tables = [(a, histogram_log_probs(train, n_levels, a)) for a in pseudo_counts]
    best, log_p = min(tables, key=lambda row: bits(row[1], val))
    setting = f"pseudo-count {best:g}"
    return Baseline("pixel histogram", setting, "exact", bits(log_p, val), bits(log_p, test))


def _best_density(
    name: str,
    models: Sequence[tuple[str, Any]],
    parts: Sequence[Tensor],
    n_levels: int,
    generator: Generator | None,
) -> Baseline:
    """Fit every model to the dequantised training part and keep the best on the validation part."""
    train, val, test = (
        dequantize(x.flatten(1), n_levels, generator=generator).double().numpy() for x in parts
    )

    def bits(model: Any, y: Any) -> float:
        nll = -torch.from_numpy(model.score_samples(y))
        return float(bits_per_dim(nll, y.shape[1], levels=n_levels).mean())

    # Problems this small are slower when threads wait for each other, and sums would change.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = [(setting, model.fit(train)) for setting, model in models]
        setting, best = min(fitted, key=lambda row: bits(row[1], val))
        return Baseline(name, setting, "bound", bits(best, val), bits(best, test))


def kernel_density(
    train: Tensor,
    val: Tensor,
    test: Tensor,
    *,
    n_levels: int = 17,
    bandwidths: Sequence[float] = (0.07, 0.085, 0.1, 0.12),
    generator: Generator | None = None,
) -> Baseline:
    r"""scikit-learn's `KernelDensity`: a small Gaussian around every training image.

    Args:
        train: integers in 0..n_levels-1; dequantised like the other two parts.
        val: chooses the bandwidth.
        test: reported on.
        n_levels: grey levels $L$; $\log_2 L$ is added.
        bandwidths: standard deviations to try, in the unit of images scaled to [0, 1].
        generator: source of the dequantisation noise.

    Returns:
        The row of the best bandwidth; an upper bound on bits.
    """
    models = [(f"bandwidth {h:g}", KernelDensity(bandwidth=h)) for h in bandwidths]
    return _best_density("kernel density", models, (train, val, test), n_levels, generator)


def gaussian_mixture(
    train: Tensor,
    val: Tensor,
    test: Tensor,
    *,
    n_levels: int = 17,
    shapes: Sequence[tuple[str, int]] = (("diag", 40), ("diag", 80), ("diag", 120), ("full", 5)),
    floors: Sequence[float] = (1e-4, 3e-4),
    generator: Generator | None = None,
) -> Baseline:
    r"""scikit-learn's `GaussianMixture`, fitted by expectation maximisation.

    Args:
        train: integers in 0..n_levels-1; dequantised like the other two parts.
        val: chooses covariance type, number of components and floor.
        test: reported on.
        n_levels: grey levels $L$; $\log_2 L$ is added.
        shapes: (covariance type, number of components) to try.
        floors: what to add to every variance.
        generator: source of the dequantisation noise.

    Returns:
        The row of the best setting; an upper bound on bits.
    """
    models = [
        (
            f"{k} components, {cov}, floor {floor:g}",
            GaussianMixture(k, covariance_type=cov, reg_covar=floor, random_state=0),
        )
        for cov, k in shapes
        for floor in floors
    ]
    return _best_density("Gaussian mixture", models, (train, val, test), n_levels, generator)
