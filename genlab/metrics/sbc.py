r"""Is a posterior honest? Two judges that need no likelihood: ranks, and a classifier.

Draw parameters from the prior, simulate data, draw from the estimated posterior of these data. If
the estimate is right, the true parameter is one more draw of the same law, so its place among
the others is a fair lottery:

$$\mathrm{rank} = \#\{l : \theta_l < \theta^*\} \sim \mathrm{Uniform}\{0, \dots, L\}.$$

Too narrow a posterior puts the truth at the ends (a U), too wide a one in the middle (a hill), a
shifted one to one side (a slope). Uniform ranks are necessary, not sufficient: the prior itself,
which ignores the data, has them too. Where exact draws exist, a classifier that tries to tell
them from the estimate's is the sharper judge: 1/2 means that it cannot.

Lesson: notebooks/systems/flow_density_estimator.ipynb
Sources: Cook, Gelman and Rubin 2006, section 2; Talts et al. 2018 (arXiv:1804.06788), theorem 1 and
    algorithm 1; Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3; Lueckmann et al. 2021
    (arXiv:2101.04653), section 3.
"""

from typing import NamedTuple

import numpy as np
import scipy  # its parts load when they are used
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.guards import as_real, require_finite
from genlab.metrics.two_sample import Classifier


class Uniformity(NamedTuple):
    """A statistic, and how surprising it is if the ranks are uniform."""

    statistic: float
    p_value: float


class Accuracy(NamedTuple):
    """Share of right guesses on examples that were held out, and its standard error."""

    value: float
    error: float


def sbc_ranks(theta: Float[Tensor, " n p"], draws: Float[Tensor, " n l p"]) -> Int[Tensor, " n p"]:
    r"""Where the parameter that made the data stands among draws from its posterior.

    $$r_{ij} = \#\{l : \theta_{ilj} < \theta^*_{ij}\}$$

    Args:
        theta: $\theta^*$, drawn from the prior, one row for each simulated data set.
        draws: L draws from the estimated posterior of each data set.

    Returns:
        `(n, p)`, whole numbers 0..L; uniform for each parameter if the estimate is exact.

    Example:
        >>> sbc_ranks(torch.tensor([[0.5]]), torch.tensor([[[0.1], [0.2], [0.9]]]))
        tensor([[2]])

    Source: Talts et al. 2018 (arXiv:1804.06788), algorithm 1.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    require_finite(theta=theta, draws=draws)  # nothing is below NaN: its rank would be 0
    return (draws < theta[:, None]).sum(1)


def chi_square_test(ranks: Int[Tensor, " n"], n_draws: int, *, n_bins: int = 20) -> Uniformity:
    r"""Are the ranks of one parameter uniform? Count them in bins and add up the surprises.

    $$\chi^2 = \sum_b \frac{(n_b - n/B)^2}{n/B} \;\sim\; \chi^2_{B-1} \text{ if uniform}$$

    Args:
        ranks: 0..L.
        n_draws: L; L + 1 must be a multiple of the number of bins, or some bins hold more ranks.
        n_bins: B, at least 2; n / B of 5 or more keeps the law of the statistic close.

    Returns:
        Statistic and p-value; a small p-value says that the estimate is not calibrated.

    Raises:
        ValueError: a rank outside 0..L, bins that cannot be equal, or fewer than 5 ranks a bin.

    Example:
        >>> chi_square_test(torch.arange(20).repeat(10), 19, n_bins=4).statistic
        0.0

    Source: Talts et al. 2018 (arXiv:1804.06788), section 4; Pearson 1900.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    _require_ranks(ranks, n_draws)
    if n_bins < 2 or (n_draws + 1) % n_bins or len(ranks) < 5 * n_bins:
        raise ValueError(
            f"{len(ranks)} ranks of 0..{n_draws} in {n_bins} bins: expected L + 1 to be a multiple "
            "of the bins, at least 2, and 5 ranks or more for each"
        )
    counts = torch.bincount(ranks * n_bins // (n_draws + 1), minlength=n_bins)
    return Uniformity(*map(float, scipy.stats.chisquare(counts.numpy())))


def kolmogorov_smirnov_test(
    ranks: Int[Tensor, " n"], n_draws: int, *, generator: Generator | None = None
) -> Uniformity:
    r"""The same question without bins: the largest distance between two distribution functions.

    $$D = \sup_u |\hat F(u) - u|, \qquad u_i = \frac{r_i + v_i}{L+1},\ v_i \sim U(0,1)$$

    The noise $v$ turns uniform whole numbers into exactly uniform real ones.

    Args:
        ranks: 0..L.
        n_draws: L.
        generator: source of $v$.

    Returns:
        Statistic and p-value, exact at every n.

    Raises:
        ValueError: a rank outside 0..L.

    Example:
        >>> low = torch.zeros(50, dtype=torch.int64)
        >>> kolmogorov_smirnov_test(low, 99).p_value < 1e-9
        True

    Source: Kolmogorov 1933, by `scipy.stats.kstest`.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    _require_ranks(ranks, n_draws)
    v = torch.rand(len(ranks), generator=generator, dtype=torch.float64)
    found = scipy.stats.kstest(((ranks + v) / (n_draws + 1)).numpy(), "uniform")
    return Uniformity(float(found.statistic), float(found.pvalue))


def rank_band(n: int, n_bins: int, *, level: float = 0.99) -> tuple[float, float]:
    r"""Between which counts one bar of the histogram stays if the ranks are uniform.

    $$n_b \sim \mathrm{Binomial}(n, 1/B)$$

    Args:
        n: ranks.
        n_bins: B.
        level: probability of staying within.

    Returns:
        Lowest and highest count, both included.

    Example:
        >>> rank_band(1000, 20)
        (33.0, 69.0)

    Source: Talts et al. 2018 (arXiv:1804.06788), section 4.1.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    low, high = scipy.stats.binom.interval(level, n, 1 / n_bins)
    return float(low), float(high)


def c2st(
    x: Float[Tensor, " n d"],
    y: Float[Tensor, " m d"],
    classifier: Classifier | None = None,
    *,
    n_folds: int = 5,
    generator: Generator | None = None,
) -> Accuracy:
    r"""Classifier two-sample test: how often can a network tell x from y, on points held out?

    $$\text{accuracy} \to \tfrac12\big(1 + \mathrm{TV}(p_x, p_y)\big)
    \text{ for the best classifier of all}$$

    Args:
        x: samples.
        y: as many.
        classifier: has `fit` and `predict`; by default a network of two layers of 10 d units.
        n_folds: parts; each is guessed by a classifier that was trained on the others.
        generator: decides the parts.

    Returns:
        Accuracy, 1/2 if the two cannot be told apart, and its binomial standard error.

    Raises:
        ValueError: sets of different size, or fewer than `n_folds` rows.

    Example:
        >>> from sklearn.neighbors import KNeighborsClassifier
        >>> x = torch.arange(20.0)[:, None]
        >>> c2st(x, x + 100, KNeighborsClassifier(3)).value
        1.0

    Source: Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3; the network and the folds as in
        Lueckmann et al. 2021 (arXiv:2101.04653), appendix.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    if len(x) != len(y) or len(x) < n_folds:
        raise ValueError(f"need two sets of one size >= {n_folds}, got {len(x)} and {len(y)} rows")
    x, y = as_real(x.detach()), as_real(y.detach())
    points = ((torch.cat([x, y]) - x.mean(0)) / x.std(0)).cpu().numpy()
    side = np.repeat([0, 1], len(x))
    seed = int(torch.randint(2**31, (), generator=generator))
    units = 10 * x.shape[1]
    from sklearn.model_selection import StratifiedKFold  # here: it takes a second to import
    from sklearn.neural_network import MLPClassifier

    judge = classifier or MLPClassifier((units, units), max_iter=1000, random_state=seed)
    hits = 0
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(
        points, side
    ):
        judge.fit(points[train], side[train])
        hits += int((judge.predict(points[test]) == side[test]).sum())
    value = hits / len(side)
    return Accuracy(value, float(np.sqrt(value * (1 - value) / len(side))))


def _require_ranks(ranks: Int[Tensor, " n"], n_draws: int) -> None:
    if not len(ranks) or int(ranks.min()) < 0 or int(ranks.max()) > n_draws:
        raise ValueError(f"expected ranks in 0..{n_draws}, got {ranks.tolist()[:8]}")
