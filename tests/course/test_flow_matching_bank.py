"""Slips of the notebook on flow matching, as a learner types them, and what they are told."""

import pytest
import torch

from genlab_course.grading import assess, find_exercise


def weights_that_add_up_over_the_walkers(x, t, points):
    distances = torch.cdist(x, (1 - t) * points)
    probabilities = torch.softmax(-(distances**2) / (2 * t**2), dim=0)
    return (x - probabilities @ points) / t


def cross_term(walk):
    n = len(walk) - 1
    chord = walk[0] - walk[-1]
    excess = n * (walk[:-1] - walk[1:]) - chord
    return 2 * (excess * chord).sum(-1).mean()


@pytest.mark.parametrize(
    ("id", "wrong", "told"),
    [
        ("fm.marginal-velocity", weights_that_add_up_over_the_walkers, "over the points"),
        # (5) with Var(x0 | x_t), and the 1/t of the arrow forgotten
        ("fm.floor", lambda t: t**2 / ((1 - t) ** 2 + t**2), "guess of x0"),
        ("fm.floor", lambda t: 2 - (2 * t - 1) / ((1 - t) ** 2 + t**2), "squared"),
        ("fm.bend", cross_term, "cross term"),
    ],
)  # fmt: skip
def test_a_slip_is_named(id, wrong, told):
    assert told in assess(find_exercise(id), wrong)
