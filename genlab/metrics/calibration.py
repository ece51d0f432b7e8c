r"""Counting people and probabilities: how sure is a share, and does 80 % mean 80 %?

$$\text{real or fake? } k \text{ of } n \text{ right}
\;\Rightarrow\; \text{an interval for the rate, not a point}$$

A human test is a measurement with two errors: too few answers (the binomial interval) and too
few *people* (answers of one reviewer resemble each other, and n answers are worth fewer).

Lesson: notebooks/09_evaluation.ipynb
Sources: Clopper and Pearson 1934, "The use of confidence or fiducial limits"; Wilson 1927,
"Probable inference", eq. 4; Kish 1965, Survey Sampling, eq. 5.4.1; Naeini et al. 2015,
"Obtaining well calibrated probabilities using Bayesian binning", section 2.
"""

import math
from typing import NamedTuple

import scipy  # its parts load when they are used
import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Interval(NamedTuple):
    """An estimate between two limits."""

    low: float
    estimate: float
    high: float


class Reliability(NamedTuple):
    """One row for each bin of confidence that holds a prediction."""

    confidence: Float[Tensor, " k"]  # mean stated probability
    accuracy: Float[Tensor, " k"]  # share that was right
    n_predictions: Float[Tensor, " k"]  # in the bin


def binomial_interval(k: int, n: int, level: float = 0.95) -> Interval:
    r"""Exact interval for a rate, k successes in n independent trials.

    $$P(X \ge k \mid p_{\text{low}}) = P(X \le k \mid p_{\text{high}}) = \frac{1-\text{level}}2$$

    Covers the true rate at least as often as `level` says, at every n.

    Args:
        k: successes, 0..n.
        n: trials, at least 1.
        level: coverage, in (0, 1).

    Returns:
        Limits and k/n.

    Raises:
        ValueError: k, n or level out of range.

    Example:
        >>> [round(value, 4) for value in binomial_interval(60, 100)]
        [0.4972, 0.6, 0.6967]

    Source: Clopper and Pearson 1934, by quantiles of the beta distribution.
    Lesson: notebooks/09_evaluation.ipynb
    """
    _require_counts(k, n, level)
    tail = (1 - level) / 2
    low = float(scipy.stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(scipy.stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return Interval(low, k / n, high)


def wilson_interval(k: int, n: int, level: float = 0.95) -> Interval:
    r"""Interval for a rate from the normal approximation, solved for the rate.

    $$\lvert k/n - p\rvert = z\sqrt{p(1-p)/n} \text{ at both limits}$$

    Shorter than the exact one and right on average; never leaves [0, 1].

    Args:
        k: successes, 0..n.
        n: trials, at least 1.
        level: coverage, in (0, 1).

    Returns:
        Limits and k/n.

    Raises:
        ValueError: k, n or level out of range.

    Example:
        >>> [round(value, 4) for value in wilson_interval(60, 100)]
        [0.502, 0.6, 0.6906]

    Source: Wilson 1927, eq. 4.
    Lesson: notebooks/09_evaluation.ipynb
    """
    _require_counts(k, n, level)
    z2 = float(scipy.stats.norm.ppf((1 + level) / 2)) ** 2
    centre = (k + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    return Interval(max(0.0, centre - half), k / n, min(1.0, centre + half))


def design_effect(answers_each: int, correlation: float) -> float:
    r"""By what factor the variance grows when each reviewer gives several answers.

    $$1 + (m-1)\,\rho$$

    Args:
        answers_each: $m$, answers of one reviewer, at least 1.
        correlation: $\rho$ between two answers of one reviewer, in [0, 1].

    Returns:
        A factor >= 1; divide the number of answers by it for the effective number.

    Raises:
        ValueError: no answers, or a correlation outside [0, 1].

    Example:
        >>> design_effect(20, 0.1)
        2.9000000000000004

    Source: Kish 1965, eq. 5.4.1.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if answers_each < 1 or not 0 <= correlation <= 1:
        raise ValueError(f"expected m >= 1 and rho in [0, 1], got {answers_each}, {correlation}")
    return 1 + (answers_each - 1) * correlation


def reviewer_interval(right: Bool[Tensor, " r m"], level: float = 0.95) -> Interval:
    r"""Interval for a rate that treats the *reviewer*, not the answer, as the unit.

    $$\bar a \pm t_{r-1}\,\frac{s}{\sqrt r}, \qquad
    a_i = \text{share of right answers of reviewer } i$$

    Args:
        right: one row a reviewer, one column a question: was the answer right?
        level: coverage, in (0, 1).

    Returns:
        Limits and the mean rate. Valid however strongly the answers of one reviewer resemble
        each other, as long as the reviewers are independent.

    Raises:
        ValueError: fewer than two reviewers, or level out of range.

    Example:
        >>> reviewer_interval(torch.tensor([[True, True], [True, False]])).estimate
        0.75

    Source: Kish 1965, section 5.4 (ultimate clusters), with Student's t.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(right) < 2 or not 0 < level < 1:
        raise ValueError(f"need 2 reviewers and level in (0, 1), got {len(right)}, {level}")
    rates = right.double().mean(1)
    mean = float(rates.mean())
    half = float(
        scipy.stats.t.ppf((1 + level) / 2, len(rates) - 1) * rates.std() / math.sqrt(len(rates))
    )
    return Interval(mean - half, mean, mean + half)


def reliability(
    confidence: Float[Tensor, " n"], right: Bool[Tensor, " n"], n_bins: int = 10
) -> Reliability:
    r"""Group predictions by stated confidence; compare with how often they were right.

    Args:
        confidence: stated probability of being right, in [0, 1].
        right: whether it was.
        n_bins: bins of equal width over [0, 1]; a bin includes its upper edge.

    Returns:
        Mean confidence, accuracy and number of predictions of every bin that is not empty.

    Raises:
        ValueError: no predictions, or a confidence outside [0, 1].

    Example:
        >>> reliability(torch.tensor([0.9, 0.9]), torch.tensor([True, False])).accuracy
        tensor([0.5000])

    Source: Naeini et al. 2015, section 2.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(confidence) == 0 or float(confidence.min()) < 0 or float(confidence.max()) > 1:
        raise ValueError("expected at least one confidence, all of them in [0, 1]")
    bins = (confidence * n_bins).ceil().long().clamp(1, n_bins) - 1
    count = torch.bincount(bins, minlength=n_bins).to(confidence)
    full = count > 0
    stated = torch.bincount(bins, confidence, minlength=n_bins).to(confidence)
    hits = torch.bincount(bins, right.to(confidence), minlength=n_bins).to(confidence)
    return Reliability(stated[full] / count[full], hits[full] / count[full], count[full])


def expected_calibration_error(
    confidence: Float[Tensor, " n"], right: Bool[Tensor, " n"], n_bins: int = 10
) -> Float[Tensor, ""]:
    r"""Mean gap between stated confidence and accuracy, weighted by the bins' counts.

    $$\mathrm{ECE} = \sum_b \frac{n_b}{n}\,\lvert \text{accuracy}_b-\text{confidence}_b\rvert$$

    Args:
        confidence: stated probability of being right, in [0, 1].
        right: whether it was.
        n_bins: bins of equal width over [0, 1].

    Returns:
        A scalar in [0, 1]; biased upwards when bins hold few predictions.

    Raises:
        ValueError: as for `reliability`.

    Example:
        >>> expected_calibration_error(torch.tensor([0.75, 0.75]), torch.tensor([True, False]))
        tensor(0.2500)

    Source: Naeini et al. 2015, section 2.
    Lesson: notebooks/09_evaluation.ipynb
    """
    table = reliability(confidence, right, n_bins)
    return (table.n_predictions * (table.accuracy - table.confidence).abs()).sum() / len(confidence)


def _require_counts(k: int, n: int, level: float) -> None:
    if not 0 <= k <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"expected 0 <= k <= n, n >= 1, 0 < level < 1, got {k}, {n}, {level}")
