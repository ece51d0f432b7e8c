r"""Memorisation: are the samples closer to the training images than unseen real images are?

$$d(y, S) = \min_{s\in S}\lVert y-s\rVert, \qquad
\text{honest: } P\big(d(y,\text{train}) < d(y,\text{held-out})\big) = \frac{n}{n+m}$$

with n training and m held-out examples.

Sample quality metrics cannot see copying, since copies of real images are real. Distances can:
a generator that has learned the law, and not the list, is as close to data that it was never
shown as to data that it was.

Lesson: notebooks/09_evaluation.ipynb
Source: Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in
generative models" (arXiv:2004.05675), definition 1 and eq. 2.
"""

from typing import NamedTuple

import scipy  # its parts load when they are used
import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real, require_finite

Points = Float[Tensor, " n d"]


class CopyProbe(NamedTuple):
    """What the two comparisons of distances say."""

    share_closer_to_train: float  # of the samples; 1 when everything is copied
    honest_share: float  # what to expect when nothing is copied: n / (n + m)
    p_share: float  # P(a share this large | nothing is copied), for independent samples
    z_copy: float  # normal score: very negative = samples hug the training set
    p_copy: float  # P(a score this low | nothing is copied)


def nearest_distance(x: Points, to: Float[Tensor, " m d"]) -> Float[Tensor, " n"]:
    r"""Distance of each point to the nearest point of another set.

    $$d(x_i, S) = \min_{s\in S}\lVert x_i - s\rVert$$

    Args:
        x: `(n, d)`.
        to: the set S, `(m, d)`; a copy has distance exactly 0.

    Returns:
        `(n,)`, in the unit of the data.

    Raises:
        ValueError: the set is empty.

    Example:
        >>> nearest_distance(torch.tensor([[0.0], [5.0]]), torch.tensor([[1.0], [5.0]]))
        tensor([1., 0.])

    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(to) == 0:
        raise ValueError("the set to measure the distance to is empty")
    x, to = as_real(x), as_real(to)
    return torch.cdist(x, to, compute_mode="donot_use_mm_for_euclid_dist").min(1).values


def memorization_probe(
    fake: Float[Tensor, " m d"],
    train: Points,
    heldout: Float[Tensor, " k d"],
) -> CopyProbe:
    r"""Compare the samples' distance to the training set with two honest distances.

    $$\text{share} = \tfrac1m\sum_j \mathbb 1\big[d(y_j,\text{train}) <
    d(y_j,\text{held-out})\big], \qquad
    U = \#\{(j,i): d(y_j,\text{train}) > d(h_i,\text{train})\}$$

    The share asks which set holds a sample's nearest neighbour; if training and held-out set
    are alike to the generator, each of the n + m examples is equally likely to be the nearest.
    Its p-value takes the samples for independent; blurred samples share a few neighbours, and
    then the share scatters more than the binomial law says.
    Ties count half. The second comparison
    asks whether samples are nearer to the training set than held-out *images* are, by the
    Mann-Whitney statistic. Blur or noise moves a copy away from both sets at once: the share
    still sees it, the second comparison no longer does.

    Args:
        fake: samples, or features of samples.
        train: what the generator was trained on.
        heldout: real examples that it was not trained on.

    Returns:
        Share, score and their one-sided p-values.

    Raises:
        ValueError: one of the three sets is empty or holds a number that is not finite.

    Example:
        >>> train, heldout = torch.arange(0.0, 20, 2)[:, None], torch.arange(1.0, 20, 2)[:, None]
        >>> memorization_probe(train.clone(), train, heldout)[:2]
        (1.0, 0.5)

    Source: Meehan, Chaudhuri and Dasgupta 2020 (arXiv:2004.05675), eq. 2, without its cells.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if min(len(fake), len(train), len(heldout)) == 0:
        raise ValueError(f"a set is empty: {len(fake)}, {len(train)}, {len(heldout)} rows")
    require_finite(fake=fake, train=train, heldout=heldout)  # NaN would be far from everything
    fake, train, heldout = fake.detach(), train.detach(), heldout.detach()
    to_train, to_heldout = nearest_distance(fake, train), nearest_distance(fake, heldout)
    closer = int((to_train < to_heldout).sum()) + 0.5 * int((to_train == to_heldout).sum())
    n, m = len(heldout), len(fake)
    share = len(train) / (len(train) + n)
    unseen = nearest_distance(heldout, train)
    test = scipy.stats.mannwhitneyu(
        to_train.cpu(), unseen.cpu(), alternative="less", method="asymptotic"
    )
    spread = (n * m * (n + m + 1) / 12) ** 0.5
    return CopyProbe(
        closer / m,
        share,
        float(scipy.stats.binom.sf(int(closer + 0.5) - 1, m, share)),
        (float(test.statistic) - n * m / 2) / spread,
        float(test.pvalue),
    )
