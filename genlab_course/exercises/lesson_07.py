"""Exercises of lesson 07: GANs, the minimax game."""

import math

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]
Point = tuple[float, float]


# 07.best-critic: D* from the two probabilities
_P, _Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
_R, _S = np.array([0.5, 0.5]), np.array([0.7, 0.3])

BEST_CRITIC = Exercise(
    id="07.best-critic",
    right=lambda p, q: p / (p + q),
    cases=((_P, _Q), (_R, _S)),
    mistakes=Mistake.pairs(
        lambda p, q: q / (p + q),
        "You gave the probability of fake; D is the probability of real.",
        lambda p, q: p / q,
        "You gave the odds of real against fake; a probability lies between 0 and 1.",
        lambda p, q: np.log(p / q),
        "You gave the best logit; one function still turns it into a probability.",
        lambda p, q: 1 / (1 + np.exp(q - p)),
        "You squashed the difference of the probabilities; take that of their logs.",
        lambda p, q: 2 * p / (p + q),
        "You divided by the mixture (p + q) / 2: your numbers exceed 1.",
        lambda p, q: (p > q).astype(float),
        "You made the discriminator certain; where both have mass that costs infinitely.",
    ),
)


# 07.value: V(D*, G), from the divergence
def _kl(p: Array, q: Array) -> float:
    return float((p * np.log(p / q)).sum())


def _js(p: Array, q: Array) -> float:
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


VALUE = Exercise(
    id="07.value",
    right=lambda p, q: 2 * _js(p, q) - math.log(4),
    cases=((_P, _Q), (_R, _S), (_P, _P)),
    mistakes=Mistake.pairs(
        lambda p, q: 2 * _js(p, q),
        "You left out the constant: equal distributions do not give a game of value zero.",
        lambda p, q: _js(p, q) - math.log(4),
        "You counted the divergence once; both expectations contribute to it.",
        lambda p, q: math.log(4) - 2 * _js(p, q),
        "You gave the discriminator's loss; the value is what it maximises.",
        lambda p, q: -2 * _js(p, q) - math.log(4),
        "The divergence has the wrong sign: different distributions are easier to tell apart.",
        _js,
        "This is the divergence; the value of the game is twice that, with a constant.",
        lambda p, q: _kl(p, q) + _kl(q, p) - math.log(4),
        "You compared the two with each other; D* compares each with their mixture.",
        lambda p, q: 2 * _js(p, q) - math.log(2),
        "You pulled the factor 1/2 out of one logarithm only; there are two expectations.",
    ),
)


SLOPES = Exercise(
    id="07.slopes",
    right=lambda d: (-d, -(1 - d)),
    cases=((0.01,), (0.3,), (0.9,)),
    mistakes=Mistake.pairs(
        lambda d: (-(1 - d), -d),
        "You exchanged the two losses: which one is flat against a discriminator that is sure?",
        lambda d: (d, 1 - d),
        "The sizes fit and the signs do not: a more believable sample lowers both losses.",
        lambda d: (-1 / (1 - d), -1 / d),
        "You differentiated in D; the network's output is the logit, so the chain goes on.",
        lambda d: (-d, 1 - d),
        "The second loss has a minus in front: a larger logit lowers it.",
        lambda d: (d, -(1 - d)),
        "log(1 - D) falls when the logit grows; your first slope has the wrong sign.",
        lambda d: (-d * (1 - d), -d * (1 - d)),
        "You differentiated D itself and forgot the logarithm in front of it.",
    ),
)


# 07.look-ahead: one extragradient step of min_x max_y x y
def _look_ahead(x: float, y: float, lr: float) -> Point:
    x_ahead, y_ahead = x - lr * y, y + lr * x
    return x - lr * y_ahead, y + lr * x_ahead


def let_the_players_take_turns(x, y, lr):
    x = x - lr * y
    y = y + lr * x
    return x, y


def looked_ahead_for_one_player(x, y, lr):
    y_ahead = y + lr * x
    return x - lr * y_ahead, y + lr * x


def let_y_fall_after_looking_ahead(x, y, lr):
    x_ahead, y_ahead = x - lr * y, y + lr * x
    return x - lr * y_ahead, y - lr * x_ahead


def went_on_from_the_point_ahead(x, y, lr):
    x_ahead, y_ahead = x - lr * y, y + lr * x
    return x_ahead - lr * y_ahead, y_ahead + lr * x_ahead


def let_both_players_minimise(x, y, lr):
    x_ahead, y_ahead = x - lr * y, y - lr * x
    return x - lr * y_ahead, y - lr * x_ahead


LOOK_AHEAD = Exercise(
    id="07.look-ahead",
    right=_look_ahead,
    cases=((1.0, 0.5, 0.2), (-2.0, 1.0, 0.7), (0.3, 0.0, 0.1)),
    mistakes=Mistake.pairs(
        lambda x, y, lr: (x - lr * y, y + lr * x),
        "You took the plain simultaneous step: you never used the direction found ahead.",
        let_the_players_take_turns,
        "You let the players take turns; nobody looked ahead.",
        looked_ahead_for_one_player,
        "Only one of the players used the other's look-ahead point.",
        let_y_fall_after_looking_ahead,
        "You looked ahead, and then let y fall; y wants the value to rise.",
        went_on_from_the_point_ahead,
        "You went on from the point you only looked at: these are two plain steps.",
        let_both_players_minimise,
        "You let both players minimise; y wants the value to rise.",
    ),
)


# 07.mode-kl: how uneven the modes of a set of samples are
_CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
_LUMPS = np.repeat(_CENTRES, (5, 3, 1, 1), axis=0) + 0.1
_ONE_LOST = np.repeat(_CENTRES, (2, 2, 0, 4), axis=0) - 0.2
_LAST_LOST = np.repeat(_CENTRES, (3, 1, 2, 0), axis=0) + 0.3


def _fractions(x: Array, centres: Array) -> Array:
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    return np.bincount(nearest, minlength=len(centres)) / len(x)


def _mode_kl(x: Array, centres: Array) -> float:
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    fractions = np.bincount(nearest, minlength=len(centres)) / len(x)
    seen = fractions[fractions > 0]
    return float(math.log(len(centres)) + (seen * np.log(seen)).sum())


def gave_the_entropy(x, centres):
    fractions = _fractions(x, centres)
    seen = fractions[fractions > 0]
    return -(seen * np.log(seen)).sum()


def averaged_under_the_uniform(x, centres):
    fractions = _fractions(x, centres)
    fractions = np.maximum(fractions, 1e-12)
    return np.mean(np.log(1 / len(centres) / fractions))


def ended_with_the_last_mode_seen(x, centres):
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    fractions = np.bincount(nearest) / len(x)
    seen = fractions[fractions > 0]
    return math.log(len(fractions)) + (seen * np.log(seen)).sum()


def counted_the_modes_that_were_seen(x, centres):
    fractions = _fractions(x, centres)
    seen = fractions[fractions > 0]
    return math.log(len(seen)) + (seen * np.log(seen)).sum()


def left_out_the_uniform(x, centres):
    fractions = _fractions(x, centres)
    seen = fractions[fractions > 0]
    return (seen * np.log(seen)).sum()


def averaged_over_the_modes(x, centres):
    fractions = _fractions(x, centres)
    seen = fractions[fractions > 0]
    return (seen * np.log(len(centres) * seen)).sum() / len(centres)


def used_counts_for_fractions(x, centres):
    fractions = _fractions(x, centres)
    seen = fractions[fractions > 0]
    return (len(x) * seen * np.log(len(centres) * seen)).sum()


MODE_KL = Exercise(
    id="07.mode-kl",
    right=_mode_kl,
    cases=((_LUMPS, _CENTRES), (_ONE_LOST, _CENTRES), (_LAST_LOST, _CENTRES), (_CENTRES, _CENTRES)),
    mistakes=Mistake.pairs(
        gave_the_entropy,
        "You returned the entropy of the fractions; evenly used modes must give zero.",
        averaged_under_the_uniform,
        "You averaged under the uniform distribution: one lost mode then costs without bound.",
        ended_with_the_last_mode_seen,
        "Your list of fractions ends with the last mode seen; lost modes after it count, too.",
        counted_the_modes_that_were_seen,
        "Your uniform distribution covers the modes that were seen: losing one costs nothing.",
        left_out_the_uniform,
        "The uniform distribution is missing: evenly used modes must give zero.",
        averaged_over_the_modes,
        "You averaged over the modes; the terms are weighed by the fractions and summed.",
        used_counts_for_fractions,
        "You used counts where fractions belong: the answer grows with the sample size.",
    ),
)

EXERCISES = bank(globals())
