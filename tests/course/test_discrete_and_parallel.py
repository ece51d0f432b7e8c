"""The exercises of the notebook on parallel tokens: what a learner types, and what is said."""

import math

import numpy as np
import pytest
import torch

from genlab_course.exercises import frontier_discrete_and_parallel as bank
from genlab_course.grading import assess


def in_arrays(logits, x, hidden, t):
    logits, x, hidden, t = (np.asarray(a) for a in (logits, x, hidden, t))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    right = np.take_along_axis(log_p, x[..., None], -1)[..., 0]
    return -(right * hidden).sum(1) / t[:, 0]


def in_numbers(logits, x, hidden, t):
    log_p, out = logits.log_softmax(-1), []
    for b in range(len(x)):
        gaps = [i for i in range(x.shape[1]) if hidden[b, i]]
        out.append(-sum(log_p[b, i, x[b, i]].item() for i in gaps) / t[b, 0].item())
    return torch.tensor(out)


def in_rows(logits, x, hidden, t):
    log_p = logits.log_softmax(-1)
    rows = zip(log_p, x, hidden, strict=True)
    return torch.stack([-p[h].gather(1, y[h, None]).sum() for p, y, h in rows]) / t[:, 0]


def with_cross_entropy(logits, x, hidden, t):
    nats = torch.nn.functional.cross_entropy(logits.mT, x, reduction="none")
    return (nats * hidden / t).sum(1)


@pytest.mark.parametrize("loss", [in_arrays, in_numbers])
def test_a_loss_that_training_cannot_follow_is_told_so_before_the_training_cell(loss):
    assert "training cannot follow it" in assess(bank.LOSS, loss)


@pytest.mark.parametrize("loss", [in_rows, with_cross_entropy])
def test_a_right_loss_is_right_in_any_idiom(loss):
    assert assess(bank.LOSS, loss) == "right"


@pytest.mark.parametrize("answer", [2.47, 2.4695, 2.469])
def test_the_largest_speed_up_is_right_to_three_digits(answer):
    assert assess(bank.SPEED_UP, answer) == "right"


@pytest.mark.parametrize(
    ("answer", "says"),
    [(2.46, "k = 5"), (2.4595, "k = 5"), (2.45, "k = 7"), (6, "how many"), (3.36, "number of")],
)
def test_a_speed_up_at_another_number_of_tokens_is_told_which(answer, says):
    rate = (1 - 0.8**7) / (1 - 0.8) / 1.6  # k = 6
    assert rate == pytest.approx(2.4696, abs=1e-4)
    assert says in assess(bank.SPEED_UP, answer)


def one_by_one(h, hidden, bits):
    out = torch.zeros_like(hidden)
    for b in range(len(h)):
        gaps = [i for i in range(h.shape[1]) if hidden[b, i]]
        gaps.sort(key=lambda i: h[b, i].item())
        if gaps:
            out[b, gaps.pop()] = True
        spent = 0.0
        for i in gaps:
            spent += h[b, i].item()
            if spent > bits:
                break
            out[b, i] = True
    return out


def with_infinities(h, hidden, bits):
    h = torch.where(hidden, h, -torch.inf)
    least = h == h.max(1, keepdim=True).values
    rest = torch.where(hidden & ~least, h, torch.inf)
    at_most = torch.where(rest[:, None] <= rest[:, :, None], rest[:, None], 0).sum(-1)
    return (least | (at_most <= bits)) & hidden


@pytest.mark.parametrize("rule", [one_by_one, with_infinities])
def test_a_right_budget_is_right_in_any_idiom(rule):
    assert assess(bank.BUDGET, rule) == "right"


def test_what_the_budget_lets_through_costs_no_more_than_it_whatever_the_joint_distribution():
    g = torch.Generator().manual_seed(2)
    joint = (3 * torch.randn(200, 3, 3, 3, generator=g, dtype=torch.float64)).flatten(1)
    joint = joint.softmax(1).reshape(200, 3, 3, 3)
    bits = lambda p: -torch.special.xlogy(p, p).flatten(1).sum(1) / math.log(2)
    alone = torch.stack([bits(joint.sum(axes)) for axes in ((2, 3), (1, 3), (1, 2))], 1)
    seen = set()
    for budget in (0.0, 0.5, 1.0, 2.0):
        appear = bank.within_budget(alone, torch.ones(200, 3, dtype=torch.bool), budget)
        for group in {tuple(row) for row in appear.tolist()}:
            rows = (appear == torch.tensor(group)).all(1)
            left_out = [i + 1 for i in range(3) if not group[i]]
            together = bits(joint[rows].sum(left_out) if left_out else joint[rows])
            price = alone[rows][:, list(group)].sum(1) - together
            assert (price <= budget + 1e-9).all()
            seen.add(sum(group))
    assert seen == {1, 2, 3}  # each size of a group was tried
