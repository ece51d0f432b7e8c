"""Counting people and probabilities: how sure is a proportion, and does 80 % mean 80 %?"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts load when they are used
import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Rng, as_real, drawn, require_between, require_finite, require_rows
from genlab.metrics.distances import Kernel


class Interval(NamedTuple):
    """An estimate between two limits."""

    low: float
    estimate: float
    high: float


def binomial_interval(k: int, n: int, level: float = 0.95) -> Interval:
    r"""Exact interval for a rate, k successes in n trials (Clopper and Pearson 1934).

    $$P(X \ge k \mid p_{\text{low}}) = P(X \le k \mid p_{\text{high}}) = \frac{1-\text{level}}2$$

    Covers the true rate at least as often as `level` says, at every n.
    """
    if not 0 <= k <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"expected 0 <= k <= n, n >= 1, 0 < level < 1, got {k}, {n}, {level}")
    tail = (1 - level) / 2
    low = float(scipy.stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(scipy.stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return Interval(low, k / n, high)


def design_effect(answers_each: int, correlation: float) -> float:
    r"""Growth of the variance with m answers a reviewer: $1 + (m-1)\rho$ (Kish 1965, eq. 5.4.1)."""
    if answers_each < 1 or not 0 <= correlation <= 1:
        raise ValueError(f"expected m >= 1 and rho in [0, 1], got {answers_each}, {correlation}")
    return 1 + (answers_each - 1) * correlation


def reviewer_interval(right: Bool[Tensor, " r m"], level: float = 0.95) -> Interval:
    r"""Interval for a rate, its unit the *reviewer* (Kish 1965, section 5.4), by Student's t.

    $$\bar a \pm t_{r-1}\,\frac{s}{\sqrt r}, \qquad
    a_i = \text{proportion of right answers of reviewer } i$$
    """
    if len(right) < 2 or not 0 < level < 1:
        raise ValueError(f"need 2 reviewers and level in (0, 1), got {len(right)}, {level}")
    rates = right.double().mean(1)
    mean = float(rates.mean())
    half = float(
        scipy.stats.t.ppf((1 + level) / 2, len(rates) - 1) * rates.std() / math.sqrt(len(rates))
    )
    return Interval(mean - half, mean, mean + half)


def expected_calibration_error(
    confidence: Float[Tensor, " n"], right: Bool[Tensor, " n"], n_bins: int = 10
) -> Float[Tensor, ""]:
    r"""Mean gap between confidence and accuracy, by bins (Naeini et al. 2015, section 2).

    $$\mathrm{ECE} = \sum_b \frac{n_b}{n}\,\lvert \text{accuracy}_b-\text{confidence}_b\rvert$$
    """
    require_rows(confidence=confidence)
    require_between(1, math.inf, n_bins=n_bins)
    require_between(0, 1, confidence=confidence)
    bins = (confidence * n_bins).ceil().long().clamp(min=1) - 1
    gap = torch.bincount(bins, right.to(confidence) - confidence)  # n_b (accuracy - confidence)
    return gap.to(confidence).abs().sum() / len(confidence)


class TwoSampleResult(NamedTuple):
    """A statistic and how surprising it is if nothing is going on."""

    statistic: float
    p_value: float  # probability, under the null hypothesis, of one at least as large


Classifier = Any  # of scikit-learn: `fit` and `predict`


def mmd_permutation_test(
    x: Real[Tensor, " n d"],
    y: Real[Tensor, " m d"],
    kernel: Kernel,
    *,
    n_permutations: int = 200,
    generator: Rng = None,
) -> TwoSampleResult:
    r"""Is the discrepancy larger than chance? Shuffle who belongs to which side and look.

    $$p = \frac{1 + \#\{b : \mathrm{MMD}^2_{\pi_b} \ge \mathrm{MMD}^2\}}{1 + B}$$

    $P(p \le \alpha) \le \alpha$ at every size. Gretton et al. 2012, section 3; Phipson and Smyth
    2010, eq. 2.
    """
    n = len(x)
    m = len(y)
    if min(n, m) < 2 or n_permutations < 1:
        raise ValueError(f"need 2 examples a side and B >= 1, got {n}, {m}, {n_permutations}")
    pool = torch.cat([x, y]).detach()
    gram = kernel(pool, pool)
    gram = gram - gram.diagonal().diag()
    here: dict[str, Any] = {"device": gram.device, "generator": generator}
    orders = [drawn(torch.randperm, n + m, **here) for _ in range(n_permutations)]
    sides = gram.new_zeros(n_permutations + 1, n + m)
    sides[0, :n] = 1
    for row, order in zip(sides[1:], orders, strict=True):
        row[order[:n]] = 1
    first = sides @ gram
    second = (1 - sides) @ gram
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
    x: Real[Tensor, " n d"],
    y: Real[Tensor, " m d"],
    classifier: Classifier,
    *,
    generator: Rng = None,
) -> TwoSampleResult:
    r"""Train a classifier on half of the pool; count how often it is right on the other half.

    $$\text{accuracy} = \frac hn, \qquad p = P\big(\mathrm{Binomial}(n, \tfrac12) \ge h\big)$$

    Half of *each* set is held out. Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3.
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


class Accuracy(NamedTuple):
    """Proportion of right guesses on examples that were held out, and its standard error."""

    value: float
    error: float


def sbc_ranks(theta: Float[Tensor, " n p"], draws: Float[Tensor, " n l p"]) -> Int[Tensor, " n p"]:
    r"""Where the parameter that made the data stands among draws from its posterior.

    $$r_{ij} = \#\{l : \theta_{ilj} < \theta^*_{ij}\}$$

    Talts et al. 2018 (arXiv:1804.06788), algorithm 1.
    """
    require_finite(theta=theta, draws=draws)  # nothing is below NaN: its rank would be 0
    return (draws < theta[:, None]).sum(1)


def chi_square_test(ranks: Int[Tensor, " n"], n_draws: int, *, n_bins: int = 20) -> TwoSampleResult:
    r"""Are the ranks of one parameter uniform? Pearson's test (Talts et al. 2018, section 4).

    $$\chi^2 = \sum_b \frac{(n_b - n/B)^2}{n/B} \;\sim\; \chi^2_{B-1} \text{ if uniform}$$
    """
    _require_ranks(ranks, n_draws)
    if n_bins < 2 or (n_draws + 1) % n_bins or len(ranks) < 5 * n_bins:
        raise ValueError(
            f"{len(ranks)} ranks of 0..{n_draws} in {n_bins} bins: expected L + 1 to be a multiple "
            "of the bins, at least 2, and 5 ranks or more for each"
        )
    counts = torch.bincount(ranks * n_bins // (n_draws + 1), minlength=n_bins)
    return TwoSampleResult(*map(float, scipy.stats.chisquare(counts.cpu().numpy())))


def kolmogorov_smirnov_test(
    ranks: Int[Tensor, " n"], n_draws: int, *, generator: Rng = None
) -> TwoSampleResult:
    r"""The same question without bins: the largest distance between two distribution functions.

    $$D = \sup_u |\hat F(u) - u|, \qquad u_i = \frac{r_i + v_i}{L+1},\ v_i \sim U(0,1)$$
    """
    _require_ranks(ranks, n_draws)
    here: dict[str, Any] = {"device": ranks.device, "generator": generator}
    v = drawn(torch.rand, len(ranks), dtype=torch.float64, **here)
    found = scipy.stats.kstest(((ranks + v) / (n_draws + 1)).cpu().numpy(), "uniform")
    return TwoSampleResult(float(found.statistic), float(found.pvalue))


def rank_band(n: int, n_bins: int, *, level: float = 0.99) -> tuple[float, float]:
    """Counts between which a bar stays, Binomial(n, 1/B) (Talts et al. 2018, section 4.1)."""
    require_between(1, math.inf, n_bins=n_bins)
    low, high = scipy.stats.binom.interval(level, n, 1 / n_bins)
    return float(low), float(high)


def c2st(
    x: Real[Tensor, " n d"],
    y: Real[Tensor, " m d"],
    classifier: Classifier | None = None,
    *,
    n_folds: int = 5,
    generator: Rng = None,
) -> Accuracy:
    r"""Classifier two-sample test: how often can a network tell x from y, on points held out?

    $$\text{accuracy} \to \tfrac12\big(1 + \mathrm{TV}(p_x, p_y)\big)
    \text{ for the best classifier of all}$$

    Network and folds as in Lueckmann et al. 2021 (arXiv:2101.04653), appendix.
    """
    if len(x) != len(y) or len(x) < n_folds:
        raise ValueError(f"need two sets of one size >= {n_folds}, got {len(x)} and {len(y)} rows")
    x = as_real(x.detach())
    y = as_real(y.detach())
    points = ((torch.cat([x, y]) - x.mean(0)) / x.std(0)).cpu().numpy()
    side = np.repeat([0, 1], len(x))
    seed = int(torch.randint(2**31, (), generator=generator))
    units = 10 * x.shape[1]
    from sklearn.model_selection import StratifiedKFold  # here: it takes a second to import
    from sklearn.neural_network import MLPClassifier

    model = classifier or MLPClassifier((units, units), max_iter=1000, random_state=seed)
    hits = 0
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(
        points, side
    ):
        model.fit(points[train], side[train])
        hits += int((model.predict(points[test]) == side[test]).sum())
    value = hits / len(side)
    return Accuracy(value, float(np.sqrt(value * (1 - value) / len(side))))


def _require_ranks(ranks: Int[Tensor, " n"], n_draws: int) -> None:
    if not len(ranks) or int(ranks.min()) < 0 or int(ranks.max()) > n_draws:
        raise ValueError(f"expected ranks in 0..{n_draws}, got {ranks.tolist()[:8]}")


check_public(__name__)
