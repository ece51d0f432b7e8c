"""The two loops: what they minimise, what they record, what they refuse."""

import pytest
import torch
from torch import nn

from genlab.train import cosine, fit, fit_adversarial, minibatches


class Mean(nn.Module):
    """Learns the mean of its data: the loss has its minimum there."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.zeros(2))

    def loss(self, x, *, cond=None, generator=None):
        return (x - self.m if cond is None else x - cond - self.m).square().sum(1).mean()


class Bilinear(nn.Module):
    """Critic w, generator v, value w * v: a game whose only solution is (0, 0)."""

    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def critic_loss(self, x, *, generator=None):
        return (-self.w * self.v.detach()).sum()

    def generator_loss(self, x, *, generator=None):
        return (self.w.detach() * self.v).sum()

    def critic_parameters(self):
        return [self.w]

    def generator_parameters(self):
        return [self.v]


def test_fit_reaches_the_minimum(generator):
    x = torch.randn(256, 2, generator=generator) + torch.tensor([1.0, -2.0])
    model = Mean()
    batches = minibatches(x, 256, generator=generator)
    records = list(fit(model, batches, n_steps=500, lr=cosine(0.1, 500)))
    torch.testing.assert_close(model.m.data, x.mean(0), atol=1e-3, rtol=0)  # Adam near its optimum
    assert records[-1].loss < records[0].loss
    assert [r.step for r in records] == list(range(1, 501))


def test_conditions_reach_the_loss(generator):
    x, cond = torch.zeros(64, 2), torch.ones(64, 2)
    model = Mean()
    batches = minibatches(x, 64, cond=cond, generator=generator)
    for _ in fit(model, batches, n_steps=400, lr=cosine(0.1, 400)):
        pass
    torch.testing.assert_close(model.m.data, -torch.ones(2), atol=1e-2, rtol=0)


def test_stopping_early_keeps_what_was_learned(generator):
    model = Mean()
    run = fit(model, minibatches(torch.ones(8, 2), 8, generator=generator), n_steps=100, lr=0.1)
    next(run)
    assert model.m.abs().sum() > 0


def test_the_gradient_norm_is_recorded_before_clipping(generator):
    model = Mean()
    batches = minibatches(torch.full((8, 2), 100.0), 8, generator=generator)
    record = next(fit(model, batches, n_steps=1, clip=1.0))
    expected = 200 * 2**0.5  # gradient of |100 - m|^2 at m = 0, two coordinates
    assert record.grad_norm == pytest.approx(expected)


def test_an_exploding_loss_stops_with_advice(generator):
    model = Mean()
    batches = minibatches(torch.full((8, 2), float("inf")), 8, generator=generator)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(fit(model, batches, n_steps=1))


@pytest.mark.parametrize(
    ("lr", "w", "v"),
    [((0.1, 0.0), 1.1, 1.0), ((0.0, 0.1), 1.0, 0.9)],  # Adam's first step is the learning rate
    ids=["critic", "generator"],
)
def test_each_player_moves_only_its_own_parameters(lr, w, v, generator):
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    record = next(fit_adversarial(model, batches, n_steps=1, lr=lr))
    assert (model.w.item(), model.v.item()) == pytest.approx((w, v))
    assert set(record.losses) == {"critic", "generator"}


class Attached(Bilinear):
    """The same game, with both players in both losses."""

    def critic_loss(self, x, *, generator=None):
        return (-self.w * self.v).sum()

    def generator_loss(self, x, *, generator=None):
        return (3 * self.w * self.v).sum()


def test_no_work_is_done_for_gradients_of_the_player_that_stands_still(generator):
    """The generator's step comes last: its gradient in w would be 3, on top of the critic's -1."""
    model = Attached()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    next(fit_adversarial(model, batches, n_steps=1, lr=0.0))
    assert (model.w.grad.item(), model.v.grad.item()) == (-1, 3)


def test_the_critic_takes_its_extra_steps(generator):
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    list(fit_adversarial(model, batches, n_steps=1, n_critic=3, lr=(0.1, 0.0)))
    assert model.w.item() == pytest.approx(1.3, abs=1e-6)  # constant gradient: Adam steps by lr


def test_each_player_may_have_a_rate_that_changes(generator):
    """Constant gradient: the steps of the critic's Adam are its rates, 0.3 and then 0.1."""
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    rates = (lambda step: 0.3 - 0.2 * step, lambda step: 0.0)
    list(fit_adversarial(model, batches, n_steps=2, lr=rates))
    assert (model.w.item(), model.v.item()) == pytest.approx((1.4, 1.0), abs=1e-6)


def test_players_that_share_parameters_are_refused():
    model = Bilinear()
    model.v = model.w
    with pytest.raises(ValueError, match="share parameters"):
        fit_adversarial(model, [], n_steps=1)
