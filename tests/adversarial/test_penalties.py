"""The R1 penalty: exact on critics whose slope is known, and trainable through."""

import pytest
import torch
from torch import nn

from genlab.adversarial import r1_penalty
from genlab.adversarial.penalties import lazy_weight


def test_linear_critic_is_penalised_by_its_squared_weights(generator):
    x = torch.randn(5, 3, generator=generator).requires_grad_()
    w = torch.tensor([1.0, -2.0, 0.5])
    torch.testing.assert_close(r1_penalty(x @ w, x), torch.full((5,), 5.25))


def test_quadratic_critic_has_a_slope_that_depends_on_the_example(generator):
    x = torch.randn(5, 2, 2, generator=generator).requires_grad_()
    logits = 0.5 * (x**2).sum((1, 2))
    torch.testing.assert_close(r1_penalty(logits, x), (x**2).sum((1, 2)).detach())


def test_penalty_trains_the_critic():
    critic, x = nn.Linear(2, 1), torch.ones(4, 2, requires_grad=True)
    r1_penalty(critic(x).squeeze(1), x).mean().backward()
    # d/dw of |w|^2 is 2 w: without create_graph there would be no gradient at all.
    torch.testing.assert_close(critic.weight.grad, 2 * critic.weight.detach())


def test_data_without_a_gradient_are_refused():
    with pytest.raises(ValueError, match="requires_grad"):
        r1_penalty(torch.zeros(1), torch.zeros(1, 2))


@pytest.mark.parametrize("interval", [1, 3, 16])
def test_a_lazy_penalty_has_weight_one_on_average(interval):
    weights = [lazy_weight(step, interval) for step in range(4 * interval)]
    assert sum(weights) / len(weights) == 1
    assert sum(weight > 0 for weight in weights) == 4
