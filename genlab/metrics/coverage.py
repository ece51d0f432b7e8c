"""Precision, recall, density and coverage: quality and variety as two numbers instead of one.

Also probes for copied training data, the Inception score, and frequencies of grey levels.
"""

import math
from typing import NamedTuple

import scipy  # its parts load when they are used
import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.stats import kl_categorical
from genlab.core.tensors import as_real, require_finite, require_positive, require_rows


class PrecisionRecall(NamedTuple):
    """Two proportions in [0, 1]."""

    precision: float  # of the samples, how many look real
    recall: float  # of the real examples, how many could have been sampled


class DensityCoverage(NamedTuple):
    """Density, 1 in expectation for equal distributions, may exceed 1; coverage is in [0, 1]."""

    density: float  # real balls that hold a sample, on average, divided by k
    coverage: float  # of the real balls, how many hold at least one sample


def knn_radius(x: Real[Tensor, " n d"], k: int) -> Float[Tensor, " n"]:
    r"""Distance of each point to its k-th nearest neighbour (Kynkaanniemi et al. 2019, eq. 1).

    $$r_k(x_i) = \lVert x_i - \mathrm{NN}_k(x_i) \rVert, \qquad \text{itself not counted}$$
    """
    if not 1 <= k < len(x):
        raise ValueError(f"k must be in 1..{len(x) - 1} (one less than the points), got {k}")
    distance = _distances(x, x)
    distance.fill_diagonal_(-1.0)  # itself comes first, even among copies
    return distance.topk(k + 1, dim=1, largest=False).values[:, -1]


def inside_balls(
    query: Real[Tensor, " m d"], centres: Real[Tensor, " n d"], radii: Float[Tensor, " n"]
) -> Bool[Tensor, " m n"]:
    r"""Which query lies in which ball, the surface included: $\lVert q_i-c_j\rVert \le r_j$."""
    require_finite(radii=radii)
    return _distances(query, centres) <= radii


def precision_recall(
    real: Real[Tensor, " n d"], fake: Real[Tensor, " m d"], k: int = 3
) -> PrecisionRecall:
    r"""Improved precision and recall (Kynkaanniemi et al. 2019 (arXiv:1904.06991), eqs. 2 and 3).

    $$\text{precision} = \tfrac1m\sum_j \mathbb 1\Big[y_j \in \bigcup_i
    B\big(x_i, r_k(x_i)\big)\Big], \quad
    \text{recall} = \tfrac1n\sum_i \mathbb 1\Big[x_i \in \bigcup_j B\big(y_j, r_k(y_j)\big)\Big]$$
    """
    across = _distances(fake, real)
    looks_real = (across <= knn_radius(real, k)).any(1)
    reached = (across <= knn_radius(fake, k)[:, None]).any(0)
    return PrecisionRecall(_share(looks_real), _share(reached))


def density_coverage(
    real: Real[Tensor, " n d"], fake: Real[Tensor, " m d"], k: int = 5
) -> DensityCoverage:
    r"""Density and coverage in the real balls (Naeem et al. 2020, arXiv:2002.09797, eqs. 4, 5).

    $$\text{density} = \tfrac1{km}\sum_{ij}\mathbb 1\big[y_j\in B(x_i,r_k(x_i))\big],\quad
    \text{coverage} = \tfrac1n\sum_i \mathbb 1\big[\exists j: y_j\in B(x_i,r_k(x_i))\big]$$
    """
    inside = inside_balls(fake, real, knn_radius(real, k))
    return DensityCoverage(float(inside.double().sum(1).mean()) / k, _share(inside.any(0)))


def expected_coverage(n: int, m: int, k: int) -> float:
    r"""Expected coverage of samples from the real distribution (Naeem et al. 2020, lemma 2).

    $$\mathbb E\,\text{coverage} = 1 - \prod_{j=1}^{k} \frac{n-j}{n+m-j}
    \quad\longrightarrow\quad 1 - 2^{-k} \text{ for } n = m \to \infty$$
    """
    if not 1 <= k < n or m < 1:
        raise ValueError(f"expected 1 <= k < n and m >= 1, got n={n}, m={m}, k={k}")
    return 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    require_finite(features=x)  # NaN lies in no ball and has none, which looks like a bad sample
    require_finite(features=y)
    x = as_real(x)
    y = as_real(y)
    # exact differences, not ||x||^2 - 2xy + ||y||^2: copies must have distance exactly 0
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _share(flags: Tensor) -> float:
    return float(flags.double().mean())


class CopyProbe(NamedTuple):
    """What the two comparisons of distances say."""

    share_closer_to_train: float  # of the samples; 1 when everything is copied
    honest_share: float  # what to expect when nothing is copied: n / (n + m)
    p_share: float  # P(a proportion this large | nothing is copied), for independent samples
    z_copy: float  # normal score: very negative = samples hug the training set
    p_copy: float  # P(a score this low | nothing is copied)


def nearest_distance(x: Real[Tensor, " n d"], to: Real[Tensor, " m d"]) -> Float[Tensor, " n"]:
    r"""Distance of each point to the nearest point of another set, $\min_s\lVert x_i - s\rVert$."""
    require_rows(to=to)
    x = as_real(x)
    to = as_real(to)
    return torch.cdist(x, to, compute_mode="donot_use_mm_for_euclid_dist").min(1).values


def memorization_probe(
    fake: Real[Tensor, " m d"], train: Real[Tensor, " n d"], heldout: Real[Tensor, " k d"]
) -> CopyProbe:
    r"""Compare the samples' distance to the training set with two honest distances.

    $$\text{share} = \tfrac1m\sum_j \mathbb 1\big[d(y_j,\text{train}) <
    d(y_j,\text{held-out})\big], \qquad
    U = \#\{(j,i): d(y_j,\text{train}) > d(h_i,\text{train})\}$$

    Ties count half; U is the Mann-Whitney statistic (Meehan et al. 2020, arXiv:2004.05675, eq. 2).
    """
    require_rows(fake=fake, train=train, heldout=heldout)
    require_finite(fake=fake, train=train, heldout=heldout)  # NaN would be far from everything
    fake = fake.detach()
    train = train.detach()
    heldout = heldout.detach()
    to_train = nearest_distance(fake, train)
    to_heldout = nearest_distance(fake, heldout)
    closer = int((to_train < to_heldout).sum()) + 0.5 * int((to_train == to_heldout).sum())
    n = len(heldout)
    m = len(fake)
    share = len(train) / (len(train) + n)
    unseen = nearest_distance(heldout, train)
    test = scipy.stats.mannwhitneyu(
        to_train.cpu(), unseen.cpu(), alternative="less", method="asymptotic"
    )
    spread = (n * m * (n + m + 1) / 12) ** 0.5
    return CopyProbe(
        closer / m,
        share,
        float(scipy.stats.binom.sf(math.ceil(closer) - 1, m, share)),
        (float(test.statistic) - n * m / 2) / spread,
        float(test.pvalue),
    )


def inception_kl(probs: Float[Tensor, " n k"]) -> Float[Tensor, " n"]:
    r"""How far each sample's class probabilities are from their average $\hat p$, nats.

    $$\mathrm{KL}\big(p(y\mid x_i)\,\|\,\hat p(y)\big)$$
    """
    require_rows(probs=probs)
    probs = as_real(probs)
    return kl_categorical(probs, probs.mean(0).expand_as(probs))


def inception_score(probs: Float[Tensor, " n k"]) -> Float[Tensor, ""]:
    r"""Exponential of the mean `inception_kl` (Salimans et al. 2016, arXiv:1606.03498, section 4).

    $$\mathrm{IS} = \exp\Big(\tfrac1n\sum_i
    \mathrm{KL}\big(p(y\mid x_i)\,\|\,\hat p(y)\big)\Big) \in [1, k]$$
    """
    return inception_kl(probs).mean().exp()


def histogram_log_probs(
    x: Int[Tensor, " n *event"], n_levels: int, pseudo_count: float
) -> Float[Tensor, " d k"]:
    r"""Log-frequencies of every pixel's grey levels, smoothed, nats.

    $$\log p_j(v) = \log \frac{N_{jv} + \alpha}{n + \alpha L}$$
    """
    require_positive(pseudo_count=pseudo_count)
    counts = torch.nn.functional.one_hot(x.flatten(1), n_levels).sum(0) + pseudo_count
    return (counts / counts.sum(-1, keepdim=True)).log()


check_public(__name__)
