"""Exercises of lesson 09: evaluation.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, bank

REAL = Prediction("09.predict-real", choices=tuple("ABCDEFGHIJ"))
NOISE = Prediction("09.predict-noise", choices=("0.1", "1", "10"), unit="bits")
STATIC = Prediction("09.predict-static", choices=("0.1", "1", "3"))


# 09.three-boxes: the Inception score by hand
THREE_BOXES = Exercise(
    id="09.three-boxes",
    right=(10.0, 1.0, 10**0.5),
    mistakes=Mistake.pairs(
        (10.0, 10.0, 10**0.5),
        "the second box holds one kind only: the average over the box is as sure as each picture.",
        (1.0, 1.0, 10**0.5),
        "the score never asks whether two pictures are the same; it sees their classes only.",
        (10.0, 1.0, 5.5),
        "for the third box you averaged the two scores; the mean comes before the exponential.",
        (10.0, 1.0, 5.0),
        "for the third box you halved the score; half of the divergence, before the exponential.",
        (10.0, 1.0, 10.0),
        "in the third box the half that the classifier cannot name has divergence 0.",
        (10.0, 1.0, 1.0),
        "in the third box half of the pictures are named with certainty: they still count.",
        (2.302585, 0.0, 1.151293),
        "these are the mean divergences, in nats; the score is their exponential.",
    ),
)


# 09.cheapest: two normals on a line
def cheapest(mu1, sigma1, mu2, sigma2):
    return (mu1 - mu2) ** 2 + (sigma1 - sigma2) ** 2


CHEAPEST = Exercise(
    id="09.cheapest",
    right=cheapest,
    cases=((1.0, 1.0, 4.0, 3.0), (0.0, 2.0, 0.5, 0.3), (-1.0, 0.6, 2.0, 0.6)),
    mistakes=Mistake.pairs(
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2 + sigma1**2 + sigma2**2,
        "this is the cost of independent pairs; a better pairing has a covariance.",
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2 + (sigma1 + sigma2) ** 2,
        "this is the dearest pairing: the largest goes with the smallest.",
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2 + (sigma1**2 - sigma2**2) ** 2,
        "you compared variances; the largest covariance is the product of the standard deviations.",
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2 + abs(sigma1**2 - sigma2**2),
        "the standard deviations are subtracted first and squared then.",
        lambda mu1, sigma1, mu2, sigma2: ((mu1 - mu2) ** 2 + (sigma1 - sigma2) ** 2) ** 0.5,
        "you took a root at the end; (4) is a squared distance, and stays one.",
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2 + sigma1**2 + sigma2**2 - sigma1 * sigma2,
        "the covariance is subtracted twice in (4).",
        lambda mu1, sigma1, mu2, sigma2: (mu1 - mu2) ** 2,
        "right only for equal spreads: what does it cost to make one as wide as the other?",
        lambda mu1, sigma1, mu2, sigma2: (sigma1 - sigma2) ** 2,
        "the difference of the means is missing.",
    ),
)


# 09.frechet: from two matrices of features
def frechet(x: Tensor, y: Tensor) -> Tensor:
    """Squared Fréchet distance of the normals fitted to features x (n, d) and y (m, d)."""
    cov_x, cov_y = torch.cov(x.T), torch.cov(y.T)  # (d, d), over n - 1
    eigenvalues = torch.linalg.eigvals(cov_x @ cov_y).real  # (d,), none below 0 but by rounding
    cross = eigenvalues.clamp(min=0).sqrt().sum()
    means = (x.mean(0) - y.mean(0)).square().sum()
    return means + cov_x.trace() + cov_y.trace() - 2 * cross


def _features(seed: int, n: int, m: int, d: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=g, dtype=torch.float64)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    y = torch.randn(m, d, generator=g, dtype=torch.float64) @ mix + 0.5
    return x.requires_grad_(), y.requires_grad_()


def _roots(x: Tensor, y: Tensor) -> Tensor:
    product = torch.cov(x.T) @ torch.cov(y.T)
    return torch.linalg.eigvals(product).real.clamp(min=0).sqrt().sum()


def _means(x: Tensor, y: Tensor) -> Tensor:
    return (x.mean(0) - y.mean(0)).square().sum()


def eigenvalues_without_their_roots(x, y):
    cov_x, cov_y = torch.cov(x.T), torch.cov(y.T)
    cross = torch.linalg.eigvals(cov_x @ cov_y).real.sum()
    return _means(x, y) + cov_x.trace() + cov_y.trace() - 2 * cross


def covariance_over_n(x, y):
    cov_x, cov_y = torch.cov(x.T, correction=0), torch.cov(y.T, correction=0)
    cross = torch.linalg.eigvals(cov_x @ cov_y).real.clamp(min=0).sqrt().sum()
    return _means(x, y) + cov_x.trace() + cov_y.trace() - 2 * cross


def root_of_each_entry(x, y):
    cov_x, cov_y = torch.cov(x.T), torch.cov(y.T)
    cross = (cov_x @ cov_y).trace().sqrt()
    return _means(x, y) + cov_x.trace() + cov_y.trace() - 2 * cross


def only_the_diagonals(x, y):
    return _means(x, y) + (x.std(0) - y.std(0)).square().sum()


def eigenvalues_one_by_one(x, y):
    first = torch.linalg.eigvalsh(torch.cov(x.T)).sqrt()
    second = torch.linalg.eigvalsh(torch.cov(y.T)).sqrt()
    return _means(x, y) + (first - second).square().sum()


FRECHET = Exercise(
    id="09.frechet",
    right=frechet,
    cases=(_features(0, 40, 30, 3), _features(1, 12, 60, 5)),
    mistakes=Mistake.pairs(
        eigenvalues_without_their_roots,
        "you summed the eigenvalues; they are squares of the singular values, so take their roots.",
        covariance_over_n,
        "your covariances divide by n; (6) is used with the unbiased ones, over n - 1.",
        root_of_each_entry,
        "this is the root of the sum of the eigenvalues; the roots come first, then the sum.",
        only_the_diagonals,
        "you compared the standard deviations of single features; their correlations count too.",
        eigenvalues_one_by_one,
        "you paired the eigenvalues of the two covariances. That is right only if both have the "
        "same axes: take those of the product.",
        lambda x, y: torch.cov(x.T).trace() + torch.cov(y.T).trace() - 2 * _roots(x, y),
        "the difference of the means is missing.",
        lambda x, y: (
            _means(x, y) + torch.cov(x.T).trace() + torch.cov(y.T).trace() - _roots(x, y)
        ),
        "the cross term counts twice: for two equal sets your result is not 0.",
        lambda x, y: _means(x, y),
        "you compared the means only.",
        lambda x, y: (x.mean(0) - y.mean(0)).norm()
        + torch.cov(x.T).trace() + torch.cov(y.T).trace() - 2 * _roots(x, y),
        "the distance of the means is squared in (6).",
        lambda x, y: ((x.mean(0) - y.mean(0)).square().sum() + torch.cov(x.T).trace()
                      + torch.cov(y.T).trace() - 2 * _roots(x, y)).sqrt(),
        "you took a root at the end; what is reported is the squared distance.",
    ),
)  # fmt: skip


# 09.attack: tune pictures until a loss likes them
def attack(images: Tensor, loss: Callable[[Tensor], Tensor], n_steps: int) -> Tensor:
    """Grey levels after `n_steps` of Adam on the pixels, rate 1, kept in 0..16."""
    x = images.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=1.0)
    for _ in range(n_steps):
        value = loss(x)
        adam.zero_grad()
        value.backward()
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 16)
    return x.detach().round()


def _loop(
    images: Tensor, loss: Callable[[Tensor], Tensor], n_steps: int, *,
    sign: float = 1.0, clear: bool = True, inside: bool = True,
) -> Tensor:  # fmt: skip
    x = images.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=1.0)
    for _ in range(n_steps):
        value = sign * loss(x)
        if clear:
            adam.zero_grad()
        value.backward()
        adam.step()
        if inside:
            with torch.no_grad():
                x.clamp_(0, 16)
    return x.detach()


def never_rounded(images, loss, n_steps):
    return _loop(images, loss, n_steps)


def never_clamped(images, loss, n_steps):
    return _loop(images, loss, n_steps, inside=False).round()


def neither_rounded_nor_clamped(images, loss, n_steps):
    return _loop(images, loss, n_steps, inside=False)


def clamped_at_the_end_only(images, loss, n_steps):
    return _loop(images, loss, n_steps, inside=False).round().clamp(0, 16)


def never_cleared(images, loss, n_steps):
    return _loop(images, loss, n_steps, clear=False).round()


def uphill(images, loss, n_steps):
    return _loop(images, loss, n_steps, sign=-1.0).round()


def rounded_in_every_step(images, loss, n_steps):
    x = images.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=1.0)
    for _ in range(n_steps):
        value = loss(x)
        adam.zero_grad()
        value.backward()
        adam.step()
        with torch.no_grad():
            x.copy_(x.round().clamp(0, 16))
    return x.detach()


def _target() -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Static, and a smooth loss that wants some pixels outside of the grey levels."""
    g = torch.Generator().manual_seed(0)
    start = torch.randint(0, 17, (6, 1, 8, 8), generator=g).double()
    wish = 8 + 7 * torch.randn(6, 1, 8, 8, generator=g, dtype=torch.float64)
    mix = torch.randn(64, 64, generator=g, dtype=torch.float64) / 8

    def loss(x: Tensor) -> Tensor:
        return (torch.tanh((x - wish) / 8).flatten(1) @ mix).square().mean()

    return start, loss


_WRONG_LOOPS = (
    (never_rounded, "round at the end: a box holds whole grey levels, and static with a hidden "
     "decimal part would be no picture of it."),
    (never_clamped, "some of your pixels lie outside 0..16, where no picture can be: clamp them "
     "after each step."),
    (neither_rounded_nor_clamped, "some of your pixels lie outside 0..16 and none is whole: clamp "
     "after each step, round at the end."),
    (clamped_at_the_end_only, "you clamp only at the end, which undoes part of what was tuned: "
     "clamp after each step."),
    (never_cleared, "gradients add up until they are cleared: zero_grad() is missing."),
    (uphill, "your loop makes the loss larger: a loss is stepped down."),
    (rounded_in_every_step, "you round in every step: then changes of less than half a grey level "
     "are lost each time. Round once, at the end."),
)  # fmt: skip


def _judge_attack(answer: Callable[..., Any]) -> str:
    start, loss = _target()
    kept = start.clone()
    found = answer(start, loss, 40)
    if not torch.equal(start, kept):
        return "your loop changes the images that it is given: work on a .clone()."
    if not isinstance(found, Tensor) or found.shape != start.shape:
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        return f"return pictures like those that came in, {tuple(start.shape)}; this is {what}."
    if found.requires_grad:
        return "your pictures still carry a graph: return them with .detach()."
    return _judge_tuned(found.double())


def _judge_tuned(found: Tensor) -> str:
    start, loss = _target()
    aim = attack(start, loss, 40)
    if torch.allclose(found, aim, atol=1e-6):
        return ""
    for wrong, says in _WRONG_LOOPS:
        if torch.allclose(found, wrong(start, loss, 40), atol=1e-6):
            return says
    if not torch.equal(found, found.round()) or found.min() < 0 or found.max() > 16:
        return "a box holds whole grey levels, 0 to 16: clamp after each step, round at the end."
    for steps in (39, 41):
        if torch.allclose(found, attack(start, loss, steps), atol=1e-6):
            return f"your loop makes {steps} steps where 40 are asked for."
    begun, reached, best = (float(loss(x)) for x in (start, found, aim))
    if reached <= begun - 0.9 * (begun - best):
        return ""
    return (
        f"from {begun:.3f} your loop brings a test loss to {reached:.3f}, and {best:.3f} can be "
        "reached: 40 steps of Adam with lr=1.0 on the pixels, clamped after each."
    )


ATTACK = Exercise(
    id="09.attack",
    right=attack,
    judge=_judge_attack,
    mistakes=tuple(Mistake(wrong, says) for wrong, says in _WRONG_LOOPS),
)


# 09.infinite-samples: what is left at infinite n
def at_infinity(sizes: list[int], values: Tensor) -> Tensor:
    """Intercept of the least-squares line through the values, against 1/n."""
    x = 1 / torch.as_tensor(sizes).to(values)
    slope = ((x - x.mean()) * (values - values.mean())).sum() / (x - x.mean()).square().sum()
    return values.mean() - slope * x.mean()


def _line(x: Tensor, values: Tensor) -> Tensor:
    x = x.to(values)
    slope = ((x - x.mean()) * (values - values.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return torch.stack([values.mean() - slope * x.mean(), slope])


EXTRAPOLATE = Exercise(
    id="09.infinite-samples",
    right=at_infinity,
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


# 09.precision-recall: two fractions
def precision_recall(real: Tensor, fake: Tensor, k: int) -> Tensor:
    """(precision, recall) of samples (m, d) against real points (n, d)."""

    def inside(query: Tensor, centres: Tensor) -> Tensor:
        radius = torch.cdist(centres, centres).sort(1).values[:, k]  # column 0 is the point itself
        return (torch.cdist(query, centres) <= radius).any(1).double().mean()

    return torch.stack([inside(fake, real), inside(real, fake)])


_REAL = torch.tensor([[0.0, 0.0], [1.0, 0.3], [2.2, 0.0], [0.4, 1.5], [6.0, 6.0], [7.1, 6.3]])
_FAKE = torch.tensor([[0.2, 0.1], [0.9, 0.4], [0.5, 0.9], [0.1, 0.4], [3.5, 3.0], [12.0, 1.0]])
# No point lies on a ball's surface, or rounding would decide whether it is inside.
_REAL, _FAKE = _REAL.double(), _FAKE.double()


def exchanged_precision_and_recall(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    precision = (torch.cdist(fake, real) <= real_radius).any(1).double().mean()
    recall = (torch.cdist(real, fake) <= fake_radius).any(1).double().mean()
    return torch.stack([recall, precision])


def took_itself_for_a_neighbour(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k - 1]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k - 1]
    precision = (torch.cdist(fake, real) <= real_radius).any(1).double().mean()
    recall = (torch.cdist(real, fake) <= fake_radius).any(1).double().mean()
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
    precision = (torch.cdist(fake, real) <= fake_radius[:, None]).any(1).double().mean()
    recall = (torch.cdist(real, fake) <= real_radius[:, None]).any(1).double().mean()
    return torch.stack([precision, recall])


def gave_counts(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    good = (torch.cdist(fake, real) <= real_radius).any(1).double().sum()
    reached = (torch.cdist(real, fake) <= fake_radius).any(1).double().sum()
    return torch.stack([good, reached])


def asked_for_every_ball(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    precision = (torch.cdist(fake, real) <= real_radius).all(1).double().mean()
    recall = (torch.cdist(real, fake) <= fake_radius).all(1).double().mean()
    return torch.stack([precision, recall])


def counted_the_balls(real, fake, k):
    real_radius = torch.cdist(real, real).sort(1).values[:, k]
    fake_radius = torch.cdist(fake, fake).sort(1).values[:, k]
    precision = (torch.cdist(fake, real) <= real_radius).sum(1).double().mean() / k
    recall = (torch.cdist(real, fake) <= fake_radius).sum(1).double().mean() / k
    return torch.stack([precision, recall])


PRECISION = Exercise(
    id="09.precision-recall",
    right=precision_recall,
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


# 09.shifts: repair a probe that a shift evades
def shifted(images: Tensor, dx: int, dy: int) -> Tensor:
    """Move pictures (n, 1, 8, 8) by dx pixels to the right and dy down; white comes in."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return torch.roll(padded, (dy, dx), (2, 3))[:, :, 1:-1, 1:-1]


MOVES = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))


def _to(box: Tensor, others: Tensor) -> Tensor:
    """Distance of each picture to the nearest of the others, (n,)."""
    return torch.cdist(box.flatten(1).double(), others.flatten(1).double()).amin(1)


def nearer_to_training(box: Tensor, train: Tensor, held_out: Tensor) -> Tensor:
    """Fraction of the box whose nearest picture, over nine shifts, is a training picture."""

    def nearest(others: Tensor) -> Tensor:  # (n,)
        distances = [
            torch.cdist(shifted(box, dx, dy).flatten(1).double(), others.flatten(1).double())
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        ]
        return torch.stack(distances).amin((0, 2))

    return (nearest(train) < nearest(held_out)).double().mean()


def only_the_training_side(box, train, held_out):
    moved = torch.stack([_to(shifted(box, *move), train) for move in MOVES]).amin(0)
    return (moved < _to(box, held_out)).double().mean()


def without_shifts(box, train, held_out):
    return (_to(box, train) < _to(box, held_out)).double().mean()


def mean_over_the_shifts(box, train, held_out):
    sides = [
        torch.stack([_to(shifted(box, *move), others) for move in MOVES]).mean(0)
        for others in (train, held_out)
    ]
    return (sides[0] < sides[1]).double().mean()


def vote_over_the_shifts(box, train, held_out):
    votes = [_to(shifted(box, *move), train) < _to(shifted(box, *move), held_out) for move in MOVES]
    return torch.stack(votes).double().mean()


def any_of_the_shifts(box, train, held_out):
    votes = [_to(shifted(box, *move), train) < _to(shifted(box, *move), held_out) for move in MOVES]
    return torch.stack(votes).any(0).double().mean()


def only_to_the_left(box, train, held_out):
    moves = ((0, 0), (-1, 0))
    sides = [
        torch.stack([_to(shifted(box, *move), others) for move in moves]).amin(0)
        for others in (train, held_out)
    ]
    return (sides[0] < sides[1]).double().mean()


def nearer_to_held_out(box, train, held_out):
    moved = [shifted(box, *move) for move in MOVES]
    to_train = torch.stack([_to(x, train) for x in moved]).amin(0)
    to_held_out = torch.stack([_to(x, held_out) for x in moved]).amin(0)
    return (to_held_out <= to_train).double().mean()


def _pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Box, training and held-out pictures of random strokes; most of the box is shifted copies."""
    g = torch.Generator().manual_seed(3)
    strokes = torch.randint(0, 17, (24, 1, 8, 8), generator=g).double()
    strokes = torch.nn.functional.avg_pool2d(strokes, 3, stride=1, padding=1).round()
    train, held_out = strokes[:12], strokes[12:]
    stolen = [shifted(train[i : i + 1], *MOVES[i]) for i in range(9)]
    noise = 2 * torch.randn(3, 1, 8, 8, generator=g, dtype=torch.float64)
    others = [shifted(held_out[i : i + 1], *MOVES[2 * i]) for i in range(3)]
    return torch.cat([*stolen, torch.cat(others) + noise]), train, held_out


def _more_pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Unrelated smooth pictures, where rules that are right for copies differ."""
    g = torch.Generator().manual_seed(9)
    drawn = torch.randint(0, 17, (60, 1, 8, 8), generator=g).double()
    drawn = torch.nn.functional.avg_pool2d(drawn, 3, stride=1, padding=1)
    return drawn[:30], drawn[30:46], drawn[46:]


SHIFTS = Exercise(
    id="09.shifts",
    right=nearer_to_training,
    cases=(_pictures(), _more_pictures()),
    mistakes=Mistake.pairs(
        without_shifts,
        "this is the probe as it was: a copy that has moved by one pixel passes.",
        only_the_training_side,
        "you shift back only towards the training pictures: that accuses honest boxes too. Give "
        "the held-out pictures the same nine chances.",
        mean_over_the_shifts,
        "you averaged over the shifts; a copy fits in one of them, so take the smallest distance.",
        vote_over_the_shifts,
        "you counted shifts; first find the smallest distance over all nine, on each side.",
        any_of_the_shifts,
        "you accuse a picture if any one shift does; compare the two smallest distances instead.",
        only_to_the_left,
        "you undo one direction only; the thief may have moved his copy in any of eight.",
        nearer_to_held_out,
        "this is the fraction that is nearer to the held-out pictures.",
    ),
)


# 09.votes: the log-odds of two generators (Going further)
def strengths(wins: Tensor, n_steps: int) -> Tensor:
    """Bradley-Terry strengths, sum 0, that maximise the likelihood of the votes."""
    s = torch.zeros(len(wins), dtype=wins.dtype)
    for _ in range(n_steps):
        p = torch.sigmoid(s[:, None] - s)  # (k, k): i beats j
        votes = wins + wins.T
        slope = (wins - votes * p).sum(1)
        s = s + 2 * slope / votes.sum(1)
    return s - s.mean()


_WINS = torch.tensor([[0.0, 30.0, 45.0], [20.0, 0.0, 28.0], [5.0, 22.0, 0.0]]).double()
_MORE = torch.tensor(
    [[0.0, 9.0, 4.0, 7.0], [3.0, 0.0, 6.0, 2.0], [8.0, 6.0, 0.0, 5.0], [2.0, 4.0, 3.0, 0.0]]
).double()


def exchanged_the_votes(wins, n_steps):
    s = torch.zeros(len(wins), dtype=wins.dtype)
    votes = wins + wins.T
    for _ in range(n_steps):
        slope = (wins - votes * torch.sigmoid(s[:, None] - s)).sum(1)
        s = s + 2 * slope / votes.sum(1)
    return s.mean() - s


def win_rate(wins, n_steps):
    return wins.sum(1) / (wins + wins.T).sum(1)


def log_odds_of_the_rate(wins, n_steps):
    rate = wins.sum(1) / (wins + wins.T).sum(1)
    return torch.logit(rate) - torch.logit(rate).mean()


def odds_not_logs(wins, n_steps):
    s = torch.zeros(len(wins), dtype=wins.dtype)
    votes = wins + wins.T
    for _ in range(n_steps):
        slope = (wins - votes * torch.sigmoid(s[:, None] - s)).sum(1)
        s = s + 2 * slope / votes.sum(1)
    return (s - s.mean()).exp()


def started_at_the_first(wins, n_steps):
    s = torch.zeros(len(wins), dtype=wins.dtype)
    votes = wins + wins.T
    for _ in range(n_steps):
        slope = (wins - votes * torch.sigmoid(s[:, None] - s)).sum(1)
        s = s + 2 * slope / votes.sum(1)
    return s - s[0]


STRENGTHS = Exercise(
    id="09.votes",
    right=strengths,
    cases=((_WINS, 300), (_MORE, 300)),
    rtol=1e-3,
    mistakes=Mistake.pairs(
        exchanged_the_votes,
        "the signs are turned round: wins[i, j] counts the votes for i.",
        win_rate,
        "these are fractions of votes won; they depend on who met whom, a strength does not.",
        log_odds_of_the_rate,
        "the log-odds of a win rate ignore the strength of the opponents.",
        odds_not_logs,
        "these are the exponentials of the strengths; the strengths themselves sum to 0.",
        started_at_the_first,
        "only differences count, so one number is free; here the strengths sum to 0.",
    ),
)

EXERCISES = bank(globals())
