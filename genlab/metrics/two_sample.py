r"""Are these two sets of samples from one law? Two tests whose answer is a p-value.

$$p = P(\text{a statistic at least as large} \mid \text{both sets come from one law})$$

A small p-value says that the sets differ, never how much; a large one says that *this* test, at
*this* sample size, saw nothing. Either shuffle who belongs to which set (exact at every size),
or train a classifier to tell them apart and count its hits on examples that it has not seen.

Lesson: notebooks/09_evaluation.ipynb
Sources: Gretton et al. 2012, "A kernel two-sample test", JMLR 13, section 3; Phipson and Smyth
2010, eq. 2; Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import scipy  # its parts load when they are used
import torch
from jaxtyping import Float
from torch import Tensor

from genlab.metrics.kernel import Features, Kernel


class TwoSampleResult(NamedTuple):
    """A statistic and how surprising it is if nothing is going on."""

    statistic: float
    p_value: float  # share of draws under the null hypothesis that are at least as large


@runtime_checkable
class Classifier(Protocol):
    """What a scikit-learn classifier offers."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from examples and labels."""

    def predict(self, X: Any) -> Any:
        """Labels of new examples."""


def mmd_permutation_test(
    x: Features,
    y: Float[Tensor, " m d"],
    kernel: Kernel,
    *,
    n_permutations: int = 200,
    generator: torch.Generator | None = None,
) -> TwoSampleResult:
    r"""Is the discrepancy larger than chance? Shuffle who belongs to which side and look.

    $$p = \frac{1 + \#\{b : \mathrm{MMD}^2_{\pi_b} \ge \mathrm{MMD}^2\}}{1 + B}$$

    If both sides come from one law, every split of the pool is equally likely, and the p-value
    is valid at every sample size: $P(p \le \alpha) \le \alpha$.

    Args:
        x: `(n, d)`.
        y: `(m, d)`.
        kernel: must not depend on which side a point is on (fix its bandwidth on the pool).
        n_permutations: $B$; the smallest possible p-value is $1/(B+1)$.
        generator: source of randomness.

    Returns:
        The discrepancy of the actual split, and its p-value.

    Raises:
        ValueError: fewer than two rows on a side, or no permutations.

    Example:
        >>> from genlab.metrics.kernel import rbf_kernel
        >>> x = torch.arange(8.0)[:, None]
        >>> mmd_permutation_test(x, x + 20, rbf_kernel, n_permutations=99).p_value
        0.01

    Source: Gretton et al. 2012, section 3; the two ones: Phipson and Smyth 2010, eq. 2.
    Lesson: notebooks/09_evaluation.ipynb
    """
    n, m = len(x), len(y)
    if min(n, m) < 2 or n_permutations < 1:
        raise ValueError(f"need 2 examples a side and B >= 1, got {n}, {m}, {n_permutations}")
    pool = torch.cat([x, y]).detach()
    gram = kernel(pool, pool)
    gram = gram - gram.diagonal().diag()
    orders = [torch.randperm(n + m, generator=generator) for _ in range(n_permutations)]
    sides = torch.zeros(n_permutations + 1, n + m, dtype=gram.dtype)
    sides[0, :n] = 1
    for row, order in zip(sides[1:], orders, strict=True):
        row[order[:n]] = 1
    first, second = sides @ gram, (1 - sides) @ gram
    values = (
        (first * sides).sum(1) / (n * (n - 1))
        + (second * (1 - sides)).sum(1) / (m * (m - 1))
        - 2 * (first * (1 - sides)).sum(1) / (n * m)
    )
    # a shuffle that only exchanges equal points repeats the value up to rounding: count it
    slack = 1e-12 * float(gram.abs().max())
    reached = int((values[1:] >= values[0] - slack).sum())
    return TwoSampleResult(float(values[0]), (1 + reached) / (1 + n_permutations))


def classifier_two_sample_test(
    x: Features,
    y: Float[Tensor, " m d"],
    classifier: Classifier,
    *,
    generator: torch.Generator | None = None,
) -> TwoSampleResult:
    r"""Train a classifier on half of the pool; count how often it is right on the other half.

    $$\text{accuracy} = \frac hn, \qquad
    p = P\big(\mathrm{Binomial}(n, \tfrac12) \ge h\big)$$

    Half of *each* set is held out, so that guessing is right half of the time. The examples
    must be independent: copies on both sides of the split are recognised, not classified.

    Args:
        x: `(n, d)`, an even number of rows.
        y: as many rows.
        classifier: has `fit` and `predict` (scikit-learn); fitted in place.
        generator: decides the split.

    Returns:
        The accuracy on the n held-out examples (1/2 = cannot tell), and its p-value.

    Raises:
        ValueError: sets of different size, fewer than 4 rows, or an odd number of rows.

    Example:
        >>> from sklearn.neighbors import KNeighborsClassifier
        >>> x = torch.arange(20.0)[:, None]
        >>> classifier_two_sample_test(x, x + 100, KNeighborsClassifier(3)).statistic
        1.0

    Source: Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3, with the exact binomial
        law in place of its normal approximation.
    Lesson: notebooks/09_evaluation.ipynb
    """
    n = len(x)
    if len(y) != n or n < 4 or n % 2:
        raise ValueError(f"need two sets of one even size >= 4, got {n} and {len(y)} rows")
    order_x, order_y = (torch.randperm(n, generator=generator) for _ in range(2))
    half = n // 2
    side = np.repeat([0, 1], half)
    train = torch.cat([x[order_x[:half]], y[order_y[:half]]]).detach().cpu().numpy()
    test = torch.cat([x[order_x[half:]], y[order_y[half:]]]).detach().cpu().numpy()
    classifier.fit(train, side)
    hits = int((classifier.predict(test) == side).sum())
    return TwoSampleResult(hits / n, float(scipy.stats.binom.sf(hits - 1, n, 0.5)))
