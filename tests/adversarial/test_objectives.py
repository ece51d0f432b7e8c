"""The game's losses against closed forms, enumeration and the course's worked numbers."""

import math

import pytest
import torch

from genlab.adversarial import (
    critic_loss,
    jensen_shannon,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_logits,
)

PAIRS = [([0.5, 0.5], [0.7, 0.3]), ([0.5, 0.3, 0.2], [0.2, 0.5, 0.3])]
each_pair = pytest.mark.parametrize(("p", "q"), PAIRS)


def value(logits, p, q):
    """The game by enumeration, with the probability D itself instead of softplus."""
    d = torch.sigmoid(logits)
    return (p * d.log() + q * (1 - d).log()).sum()


def test_best_critic_of_the_worked_examples():
    d = [optimal_logits(torch.tensor(p).log(), torch.tensor(q).log()).sigmoid() for p, q in PAIRS]
    torch.testing.assert_close(d[0], torch.tensor([0.4166667, 0.625]), rtol=0, atol=1e-7)
    torch.testing.assert_close(d[1], torch.tensor([0.7142857, 0.375, 0.4]), rtol=0, atol=1e-7)


def test_divergences_of_the_worked_examples():
    values = [jensen_shannon(torch.tensor(p), torch.tensor(q)).item() for p, q in PAIRS]
    assert abs(values[0] - 0.0210059) < 1e-7
    assert abs(values[1] - 0.0508746) < 1e-7


@each_pair
def test_critic_loss_at_the_best_critic_is_log_4_minus_twice_the_divergence(p, q):
    p, q = torch.tensor(p), torch.tensor(q)
    logits = optimal_logits(p.log(), q.log())
    # Expectation by enumeration: softplus(-l) under p plus softplus(l) under q.
    zero = torch.full_like(logits, -1e9)
    expected = (p * critic_loss(logits, zero)).sum() + (q * critic_loss(-zero, logits)).sum()
    torch.testing.assert_close(expected, math.log(4) - 2 * jensen_shannon(p, q))
    torch.testing.assert_close(expected, -value(logits, p, q))


@each_pair
def test_no_other_critic_does_better(p, q, generator):
    p, q = torch.tensor(p), torch.tensor(q)
    best = optimal_logits(p.log(), q.log())
    for _ in range(20):
        other = best + 0.3 * torch.randn(best.shape, generator=generator)
        assert value(other, p, q) < value(best, p, q)


def test_divergence_lies_between_zero_and_log_2_and_is_symmetric(generator):
    p = torch.rand(50, 4, generator=generator).softmax(1)
    q = (5 * torch.rand(50, 4, generator=generator)).softmax(1)
    js = jensen_shannon(p, q)
    assert (js > 0).all()
    assert (js < math.log(2)).all()
    torch.testing.assert_close(js, jensen_shannon(q, p))
    assert jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])).item() == (
        pytest.approx(math.log(2), abs=1e-12)
    )


def test_slopes_of_the_two_generator_losses_against_a_sure_critic():
    logits = torch.tensor([math.log(0.01 / 0.99)], requires_grad=True)  # D = 0.01
    (saturating,) = torch.autograd.grad(minimax_generator_loss(logits).sum(), logits)
    (other,) = torch.autograd.grad(non_saturating_generator_loss(logits).sum(), logits)
    assert abs(saturating.item() + 0.01) < 1e-12
    assert abs(other.item() + 0.99) < 1e-12


def test_losses_are_those_of_the_probability_itself(generator):
    logits = torch.randn(20, generator=generator)
    d = torch.sigmoid(logits)
    torch.testing.assert_close(minimax_generator_loss(logits), (1 - d).log())
    torch.testing.assert_close(non_saturating_generator_loss(logits), -d.log())
    torch.testing.assert_close(critic_loss(logits, 2 * logits),
                               -d.log() - (1 - torch.sigmoid(2 * logits)).log())  # fmt: skip


def test_losses_stay_finite_for_a_very_sure_critic():
    sure = torch.tensor([-1000.0])
    assert non_saturating_generator_loss(sure).item() == 1000
    assert critic_loss(sure, -sure).isfinite().all()
