"""Exercises of the lab that predicts a large run: plan, budget, law, bet and shards."""

import numpy as np
import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, bank


def plan(width: int) -> tuple[int, int, int, float]:
    """Weights in the matrices, characters to read, steps of 64 of them, and the learning rate."""
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n // 64, 0.8 / width


def plan_as_it_stood(width):
    n = 5 * width**2 + 120 * width
    return n, 20 * n, 20 * n, 0.00625


def counted_the_embeddings(width):
    n = 5 * width**2 + 120 * width
    return n, 20 * n, 20 * n // 64, 0.8 / width


def read_one_character_a_step(width):
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n, 0.8 / width


def did_not_round(width):
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n / 64, 0.8 / width


def rounded_to_the_nearest(width):
    n = 5 * width**2 + 96 * width
    return n, 20 * n, round(20 * n / 64), 0.8 / width


def counted_the_context(width):
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n // (64 * 16), 0.8 / width


def kept_the_rate(width):
    n = 5 * width**2 + 96 * width
    return n, 20 * n, 20 * n // 64, 0.00625


PLAN = Exercise(
    id="large.plan",
    right=plan,
    cases=((17,), (128,)),
    mistakes=Mistake.pairs(
        plan_as_it_stood,
        "All three faults are there.",
        counted_the_embeddings,
        "Two faults are mended. Looking up an embedding multiplies nothing: which weights count?",
        read_one_character_a_step,
        "One step reads a whole batch.",
        did_not_round,
        "The number of steps is a whole number, rounded down: use //.",
        kept_the_rate,
        "Two faults are mended. What must the rate depend on?",
        rounded_to_the_nearest,
        "The number of steps is rounded down, not to the nearest: use //.",
        counted_the_context,
        "Each of the 64 examples predicts one character: do not count the 16 before it.",
    ),
)

EPOCHS = Exercise(
    id="large.epochs",
    right=plan(128)[1] / 338_045,
    mistakes=Mistake.pairs(
        plan(128)[0] / 338_045,
        "Those are its weights over the characters. It reads 20 characters for each weight.",
        plan(128)[2] / 338_045,
        "Those are its steps. Each step reads 64 characters.",
        338_045 / plan(128)[1],
        "Turn the fraction round: what it reads, over what there is.",
        plan(48)[1] / 338_045,
        "That is the largest of the small runs. Ask your plan for width 128.",
    ),
)


def best_split(c: float, a: float, b: float, alpha: float, beta: float) -> tuple[float, float]:
    """The N and D with 6 N D = c that make a / N^alpha + b / D^beta least."""
    n = (alpha * a / (beta * b) * (c / 6) ** beta) ** (1 / (alpha + beta))
    return n, c / (6 * n)


def exchanged_the_exponents(c, a, b, alpha, beta):
    n = (beta * a / (alpha * b) * (c / 6) ** alpha) ** (1 / (alpha + beta))
    return n, c / (6 * n)


def forgot_the_six(c, a, b, alpha, beta):
    n = (alpha * a / (beta * b) * c**beta) ** (1 / (alpha + beta))
    return n, c / n


def turned_the_ratio_round(c, a, b, alpha, beta):
    n = (beta * b / (alpha * a) * (c / 6) ** beta) ** (1 / (alpha + beta))
    return n, c / (6 * n)


def made_the_errors_equal(c, a, b, alpha, beta):
    n = (a / b * (c / 6) ** beta) ** (1 / (alpha + beta))
    return n, c / (6 * n)


def split_evenly(c, a, b, alpha, beta):
    return (c / 6) ** 0.5, (c / 6) ** 0.5


SPLIT = Exercise(
    id="large.split",
    right=best_split,
    mistakes=Mistake.pairs(
        exchanged_the_exponents,
        "The exponents alpha and beta are exchanged.",
        forgot_the_six,
        "A weight costs 6 operations a character.",
        turned_the_ratio_round,
        "Invert alpha A / (beta B).",
        made_the_errors_equal,
        "You made the two errors equal; it is their slopes, times alpha and beta, that balance.",
        split_evenly,
        "You made N and D equal; the factors and exponents decide how they differ.",
    ),
    cases=((6e9, 400.0, 410.0, 0.34, 0.28), (1e15, 2.0, 3.0, 0.5, 0.25)),
)


def fit_at(gamma: float, c: Tensor, loss: Tensor, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Floor (not below 0) and k of the best law floor + k c^-gamma, and its chi squared."""
    x = c**-gamma
    design = torch.stack([torch.ones_like(x), x], 1) / error[:, None]
    floor, k = torch.linalg.lstsq(design, loss / error).solution
    if floor < 0:
        floor, k = floor.clamp(min=0), (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


_C, _ERR, _A, _B = torch.tensor(
    [[1, 4, 16, 64], [0.03, 0.02, 0.02, 0.01], [2.6, 2, 1.8, 1.7], [3, 2.6, 2, 1]]
).double()


def let_the_floor_fall_below_zero(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error)
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def did_not_fit_k_again(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error)
    floor = max(floor, 0.0)
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def gave_k_first(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error)
    if floor < 0:
        floor, k = 0.0, (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return k, floor, (((loss - floor - k * x) / error) ** 2).sum()


def ignored_the_errors(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1)
    if floor < 0:
        floor, k = 0.0, (x * loss).sum() / (x**2).sum()
    return floor, k, ((loss - floor - k * x) ** 2).sum()


def weighted_by_squares(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error**2)
    if floor < 0:
        floor, k = 0.0, (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def left_the_losses_undivided(gamma, c, loss, error):
    x = c**-gamma
    floor, k = torch.linalg.lstsq(torch.stack([1 / error, x / error], 1), loss).solution
    if floor < 0:
        floor, k = floor.clamp(min=0), (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def summed_squares_without_errors(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error)
    if floor < 0:
        floor, k = 0.0, (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, ((loss - floor - k * x) ** 2).sum()


FIT = Exercise(
    id="large.fit",
    right=fit_at,
    mistakes=Mistake.pairs(
        let_the_floor_fall_below_zero,
        "A loss is never below 0, so neither is its floor.",
        did_not_fit_k_again,
        "When the floor is held at 0, k has to be found once more.",
        gave_k_first,
        "The order is E, k, chi squared.",
        ignored_the_errors,
        "Each run counts by its error: divide by it.",
        weighted_by_squares,
        "Each equation is divided by its error once (in polyfit w is 1 / error, not 1 / error**2).",
        left_the_losses_undivided,
        "You divided the left-hand side alone. The losses are divided by their errors, too.",
        summed_squares_without_errors,
        "E and k are right. In chi squared each distance is divided by its error, too.",
    ),
    cases=((0.1, _C, _A, _ERR), (0.1, _C, _B, _ERR)),
)


def local_exponent(loss: Tensor, floor: float, gamma: float) -> Tensor:
    """Minus d log L / d log C of L = floor + k C^-gamma."""
    return gamma * (1 - floor / loss)


def gave_the_exponent_above_the_floor(loss, floor, gamma):
    return gamma + 0 * loss


def forgot_to_divide_by_the_loss(loss, floor, gamma):
    return gamma * (loss - floor)


def turned_the_fraction_round(loss, floor, gamma):
    return gamma * loss / (loss - floor)


def kept_the_minus(loss, floor, gamma):
    return -gamma * (1 - floor / loss)


def took_the_part_of_the_floor(loss, floor, gamma):
    return gamma * floor / loss


EXPONENT = Exercise(
    id="large.local-exponent",
    right=local_exponent,
    mistakes=Mistake.pairs(
        gave_the_exponent_above_the_floor,
        "That is the exponent of L - E. The logarithm is of L, with its floor.",
        forgot_to_divide_by_the_loss,
        "That is - dL / d log C. The derivative of log L divides by L.",
        turned_the_fraction_round,
        "The fraction is upside down: near the floor the curve is flat, not steep.",
        kept_the_minus,
        "The minus stands before the derivative already: the loss falls, so this is positive.",
        took_the_part_of_the_floor,
        "That is the part of the loss that does not fall. Which part does?",
    ),
    cases=(
        (torch.tensor(2.6).double(), 1.0, 0.1646),
        (torch.tensor(1.9).double(), 0.7, 0.15),
        (torch.tensor(2.0).double(), 0.0, 0.1),
    ),
)


def average(chi2: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the predictions, weighted by exp(-chi2 / 2)."""
    weight = torch.softmax(-chi2.flatten() / 2, 0).view_as(chi2)
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


def forgot_the_half(chi2, predicted):
    weight = torch.exp(-chi2) / torch.exp(-chi2).sum()
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


def counted_all_alike(chi2, predicted):
    return predicted.mean(), predicted.std(correction=0)


def turned_the_sign_round(chi2, predicted):
    weight = torch.exp(chi2 / 2) / torch.exp(chi2 / 2).sum()
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


def weighted_by_one_over_chi_squared(chi2, predicted):
    weight = (1 / chi2) / (1 / chi2).sum()
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


def gave_the_variance(chi2, predicted):
    weight = torch.exp(-chi2 / 2) / torch.exp(-chi2 / 2).sum()
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum()


def took_the_best_law_only(chi2, predicted):
    return predicted.flatten()[chi2.argmin()], torch.tensor(0.0).double()


def did_not_normalise(chi2, predicted):
    weight = torch.exp(-chi2 / 2)
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


def normalised_each_row(chi2, predicted):
    weight = torch.softmax(-chi2 / 2, -1)
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


AVERAGE = Exercise(
    id="large.average",
    right=average,
    mistakes=Mistake.pairs(
        forgot_the_half,
        "The likelihood is exp(-chi2 / 2): the half is missing.",
        counted_all_alike,
        "All laws count alike here. Weight each by its likelihood.",
        turned_the_sign_round,
        "The worst laws count most: check the sign.",
        weighted_by_one_over_chi_squared,
        "The weight is exp(-chi2 / 2), not 1 / chi2.",
        gave_the_variance,
        "The mean is right. Take the root of the variance.",
        took_the_best_law_only,
        "That is the best law alone. The others count as well.",
        did_not_normalise,
        "Divide the weights by their sum.",
        normalised_each_row,
        "The weights of the whole table sum to 1, not those of each row.",
    ),
    cases=(
        (torch.tensor([[2.0, 3.0, 7.0], [2.5, 4.0, 2.2]]).double(),
         torch.tensor([[1.2, 1.6, 1.5], [1.3, 1.4, 1.7]]).double()),
        (torch.tensor([[2.0, 4.2]]).double(), torch.tensor([[1.2, 1.6]]).double()),
    ),
)  # fmt: skip


TWO_ERRORS = Exercise(
    id="large.two-errors",
    right=1.466 - 0.135 - 1.405,
    rtol=0.02,
    mistakes=Mistake.pairs(
        1.405 + 0.135 - 1.466,
        "Outcome minus forecast: which of the two is higher on new text?",
        1.466 - 1.405,
        "That is the whole miss, with the price of repetition still in it.",
        1.466 + 0.135 - 1.405,
        "Repetition made the loss higher. On new text it would have been lower.",
    ),
)

BYTES = Exercise(
    id="large.bytes",
    right=56.875,
    mistakes=Mistake.pairs(
        112,
        "That is one process without sharding.",
        1.75,
        "Only the moments are cut, not the rest.",
        56,
        "Each process still keeps its part of the moments.",
        28.875,
        "Gradients are missing.",
        29.3125,
        "You cut the gradients, too; that is stage 2.",
    ),
)

SPLIT_GUESS = Prediction("large.predict-split", choices=("1", "1.4", "2"), unit="times")
MISS_GUESS = Prediction("large.predict-miss", choices=("0.01", "0.05", "0.2"), unit="nats")
RATE_GUESS = Prediction("large.predict-shift", choices=("lower", "higher", "the same"))
BET = Prediction("large.predict-bet", between=(0, 5), unit="nats")

EXERCISES = bank(globals())
