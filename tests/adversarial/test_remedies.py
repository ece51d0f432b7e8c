"""Feature matching and minibatch statistics: what they see, and what they do not."""

import torch
from torch import nn

from genlab.adversarial import BatchAware, feature_matching_loss, with_spread


def test_equal_means_cost_nothing_whatever_else_differs(generator):
    real = torch.randn(50, 3, generator=generator)
    narrow = real.mean(0) + 0.1 * (real - real.mean(0))
    torch.testing.assert_close(feature_matching_loss(real, narrow), torch.zeros(3))
    torch.testing.assert_close(feature_matching_loss(real, real + 2), torch.full((3,), 4.0))


def test_spread_is_appended_and_shared_by_the_batch(generator):
    x = torch.randn(6, 2, generator=generator)
    out = with_spread(x)
    torch.testing.assert_close(out[:, :2], x)
    spread = ((x - x.mean(0)) ** 2).mean(0).sqrt()
    torch.testing.assert_close(out[:, 2:], spread.expand(6, 2))


def test_copies_have_no_spread_and_a_finite_gradient():
    x = torch.ones(4, 2, requires_grad=True)
    with_spread(x).sum().backward()
    assert with_spread(x).detach()[:, 2:].max() < 1e-5
    assert x.grad.isfinite().all()


def test_a_batch_aware_critic_tells_copies_from_a_spread_batch(generator):
    linear = nn.Linear(4, 1)
    nn.init.zeros_(linear.bias)
    linear.weight.data = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    critic = BatchAware(linear)
    assert critic(torch.randn(64, 2, generator=generator)).min() > 1
    assert critic(torch.ones(64, 2)).max() < 1e-4
