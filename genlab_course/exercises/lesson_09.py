"""Exercises of lesson 09: compute, derive, build, evaluate."""

import math
import tomllib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genlab.metrics.coverage import inception_score, precision_recall
from genlab.metrics.distances import extrapolate
from genlab_course.grading import Exercise, Mistake, bank


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum(-1)


_ANIMALS = torch.tensor(
    [[0.90, 0.05, 0.05], [0.05, 0.90, 0.05], [0.05, 0.05, 0.90], [0.90, 0.05, 0.05]],
    dtype=torch.float64,
)
_TILTED = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]], dtype=torch.float64)

INCEPTION = Exercise(
    id="09.inception-score",
    right=inception_score,
    cases=((_ANIMALS,), (_TILTED,)),
    mistakes=Mistake.pairs(
        lambda p: _kl(p, p.mean(0)).sum().exp(),
        "You added up the divergences of all samples; it is their mean that does not grow with n.",
        lambda p: (p * (p / p.mean(0)).log()).mean().exp(),
        "You averaged over the classes too: the terms are summed there, and averaged over samples.",
        lambda p: (-(p.mean(0) * p.mean(0).log()).sum()).exp(),
        "This is the exponential of the entropy of the average: it measures variety and "
        "does not ask whether the samples are certain.",
        lambda p: (-(p * p.log()).sum(-1)).mean().exp(),
        "This is the exponential of the samples' own uncertainty: it does not ask for variety.",
        lambda p: (_kl(p, p.mean(0)).mean() / math.log(2)).exp(),
        "Your divergence is in bits but you raised e to it; the base must match the logarithm.",
        lambda p: _kl(p.mean(0), p).mean().exp(),
        "You took the divergence the other way round: the average class distribution is "
        "in the first place. The expectation belongs under each sample's own probabilities.",
        lambda p: _kl(p, p.mean(0)).mean(),
        "You stopped at the mean divergence, in nats; the score is its exponential.",
        lambda p: _kl(p, p.mean(0)).exp().mean(),
        "You averaged after the exponential: too large (Jensen); the average comes first.",
    ),
)


def _diagonal(m1: Tensor, v1: Tensor, m2: Tensor, v2: Tensor) -> Tensor:
    return ((m1 - m2) ** 2 + (v1.sqrt() - v2.sqrt()) ** 2).sum()


_M1, _V1 = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([1.0, 4.0, 0.25]).double()
_M2, _V2 = torch.tensor([1.0, -1.0, 2.5]).double(), torch.tensor([2.25, 1.0, 0.04]).double()

DIAGONAL = Exercise(
    id="09.frechet-diagonal",
    right=_diagonal,
    cases=((_M1, _V1, _M2, _V2), (_M2, _V2, _M1, 4 * _V1)),
    mistakes=Mistake.pairs(
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2 + (v1 - v2) ** 2).sum(),
        "You compared variances. The distance is between standard deviations: the "
        "arguments are variances, so a root is missing.",
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2 + (v1.sqrt() - v2.sqrt()) ** 2).mean(),
        "You averaged over the dimensions; squared distance and trace are sums.",
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2 + (v1.sqrt() - v2.sqrt()) ** 2).sum().sqrt(),
        "You took the root at the end. That is the distance in the unit of the features; "
        "the number reported as FID is its square.",
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2 + v1 + v2 - (v1 * v2).sqrt()).sum(),
        "The trace's cross term lacks a factor: for equal distributions this is not zero.",
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2).sum(),
        "You compared the means only; variances differ too.",
        lambda m1, v1, m2, v2: ((v1.sqrt() - v2.sqrt()) ** 2).sum(),
        "You compared the variances only; the means differ too.",
        lambda m1, v1, m2, v2: ((m1 - m2) ** 2 + v1 + v2).sum(),
        "You left out the trace's cross term: for equal distributions this is not zero.",
    ),
)


def _line(x: Tensor, values: Tensor) -> Tensor:
    x = x.to(values)
    slope = ((x - x.mean()) * (values - values.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return torch.stack([values.mean() - slope * x.mean(), slope])


EXTRAPOLATE = Exercise(
    id="09.infinite-samples",
    right=lambda sizes, values: extrapolate(sizes, values)[0],
    cases=(
        ([500, 1000], torch.tensor([30.0, 20.0]).double()),
        ([100, 200, 400, 800], torch.tensor([9.1, 6.4, 5.3, 4.6]).double()),
        ([300, 200, 100], torch.tensor([2.7, 3.4, 5.3]).double()),  # in any order
    ),
    mistakes=Mistake.pairs(
        lambda sizes, values: _line(torch.tensor(sizes), values)[0],
        "You fitted a line in n. The distance is a straight line in 1/n; in n your "
        "intercept is the value at no samples at all.",
        lambda sizes, values: _line(1 / torch.tensor(sizes).double(), values)[1],
        "That is the slope, the constant of the bias. Infinite n is where 1/n is zero.",
        lambda sizes, values: values[sizes.index(max(sizes))],
        "You took the largest sample as if it were infinite; its bias is still in it.",
        lambda sizes, values: values[-1],
        "You took the last value of the list; every one of them has a bias in it.",
        lambda sizes, values: values.mean(),
        "You averaged values that all have a bias, each a different one.",
        lambda sizes, values: _line(1 / torch.tensor(sizes).double().sqrt(), values)[0],
        "You fitted a line in 1 / sqrt(n), as for a standard error; a bias falls like 1/n.",
    ),
)


def _right_pair(real: Tensor, fake: Tensor, k: int) -> Tensor:
    return torch.tensor(list(precision_recall(real, fake, k)))


_REAL = torch.tensor([[0.0, 0.0], [1.0, 0.3], [2.2, 0.0], [0.4, 1.5], [6.0, 6.0], [7.1, 6.3]])
_FAKE = torch.tensor([[0.2, 0.1], [0.9, 0.4], [0.5, 0.9], [0.1, 0.4], [3.5, 3.0], [12.0, 1.0]])
# No point lies on a ball's surface, or rounding would decide whether it is inside.
_REAL, _FAKE = _REAL.double(), _FAKE.double()


def exchanged_precision_and_recall(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= real_radius).any(1).double().mean()
    recall = (to_fake <= fake_radius).any(1).double().mean()
    return torch.stack([recall, precision])


def took_itself_for_a_neighbour(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k - 1]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k - 1]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= real_radius).any(1).double().mean()
    recall = (to_fake <= fake_radius).any(1).double().mean()
    return torch.stack([precision, recall])


def gave_coverage_for_recall(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    to_real = torch.cdist(fake, real)
    precision = (to_real <= real_radius).any(1).double().mean()
    recall = (to_real <= real_radius).any(0).double().mean()
    return torch.stack([precision, recall])


def asked_each_point_with_its_own_ball(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= fake_radius[:, None]).any(1).double().mean()
    recall = (to_fake <= real_radius[:, None]).any(1).double().mean()
    return torch.stack([precision, recall])


def gave_counts(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= real_radius).any(1).double().sum()
    recall = (to_fake <= fake_radius).any(1).double().sum()
    return torch.stack([precision, recall])


def asked_for_every_ball(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= real_radius).all(1).double().mean()
    recall = (to_fake <= fake_radius).all(1).double().mean()
    return torch.stack([precision, recall])


def counted_the_balls(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    to_real, to_fake = torch.cdist(fake, real), torch.cdist(real, fake)
    precision = (to_real <= real_radius).sum(1).double().mean() / k
    recall = (to_fake <= fake_radius).sum(1).double().mean() / k
    return torch.stack([precision, recall])


PRECISION = Exercise(
    id="09.precision-recall",
    right=_right_pair,
    cases=((_REAL, _FAKE, 1), (_REAL, _FAKE, 2), (_FAKE[:5], _REAL, 2)),
    mistakes=Mistake.pairs(
        exchanged_precision_and_recall,
        "In the wrong order: precision is about the samples, recall about the real points.",
        took_itself_for_a_neighbour,
        "Each point was its own nearest neighbour: your balls are one neighbour too small.",
        gave_coverage_for_recall,
        "For recall you used the real points' balls: that is coverage; take those of the samples.",
        asked_each_point_with_its_own_ball,
        "Each point was asked with its *own* ball; the balls are those of the other set.",
        gave_counts,
        "These are counts; fractions were asked for.",
        asked_for_every_ball,
        "You asked for points inside *every* ball; one ball is enough.",
        counted_the_balls,
        "You counted balls (that is density); asked is only whether there is at least one.",
    ),
)


_TOLD = Path(__file__).parents[1] / "data" / "which_metric.toml"
_REASONS = tomllib.loads(_TOLD.read_text("utf-8"))  # question: {wrong metric: what is said to it}
_IN_ORDER = ("bits", "memorisation", "precision", "recall", "two-sample", "frechet", "kid")
_RIGHT = dict(zip("abcdefg", _IN_ORDER, strict=True))
_OPTIONS = {*_IN_ORDER, "inception"}


def _judge(answer: Any) -> str:
    if not isinstance(answer, dict) or set(answer) != set(_RIGHT):
        return "Give a dictionary with one choice for each of the questions a, b, c, d, e, f, g."
    for question, right in _RIGHT.items():
        choice = str(answer[question]).strip().lower().replace("memoriz", "memoris")
        if choice not in _OPTIONS:
            return f"({question}) {choice!r} is not one of: {', '.join(sorted(_OPTIONS))}."
        if choice != right:
            return _REASONS[question].get(choice, _REASONS[question][""])
    return ""


DECIDE = Exercise(
    id="09.which-metric",
    right=_RIGHT,
    judge=_judge,
    mistakes=(
        Mistake(wrong={**_RIGHT, "b": "precision"}, says=_REASONS["b"]["precision"]),
        Mistake(wrong={**_RIGHT, "d": "inception"}, says=_REASONS["d"]["inception"]),
        Mistake(wrong={**_RIGHT, "e": "frechet"}, says=_REASONS["e"]["frechet"]),
        Mistake(wrong={**_RIGHT, "f": "bits"}, says=_REASONS["f"]["bits"]),
        Mistake(wrong={**_RIGHT, "g": "frechet"}, says=_REASONS["g"]["frechet"]),
    ),
)

EXERCISES = bank(globals())
