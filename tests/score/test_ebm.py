"""Energies: both gradients, and the model around them."""

import math

import pytest
import torch
from torch import nn

from genlab.core.protocols import (
    HasEnergy,
    NoLikelihoodError,
    Sampleable,
    Trainable,
    likelihood_kind,
    log_likelihood,
)
from genlab.oracles.mixture import GaussianMixture
from genlab.score.contrastive import PersistentChains
from genlab.score.ebm import EBM, contrastive_loss, score_from_energy
from genlab.score.partition import log_partition

GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)
DX = 0.01


def tiny(**options):
    defaults = {"event_shape": (2,), "step_size": 0.1, "n_steps": 3}
    return EBM(nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1)), **defaults | options)


_trainable: Trainable = tiny()
_sampleable: Sampleable = tiny()
_has_energy: HasEnergy = tiny()


# the gradient in x


def test_the_slope_is_that_of_the_normalised_density():
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.5], [1.0, 0.0]]), torch.tensor([0.6, 0.9])
    )
    x = torch.randn(20, 2)
    energy = lambda x: -p.log_prob(x) + 17.0  # an energy with an unknown constant
    torch.testing.assert_close(score_from_energy(energy, x), p.score(x))


def test_the_slope_can_itself_be_differentiated():
    x = torch.randn(5, 1, requires_grad=True)
    slope = score_from_energy(lambda x: (x**4).sum(1), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    torch.testing.assert_close(second, -12 * x.detach() ** 2)


def test_the_slope_leaves_no_trace():
    x = torch.randn(5, 1)
    with torch.no_grad():
        slope = score_from_energy(lambda x: (x**2).sum(1), x)
    assert not slope.requires_grad
    assert not x.requires_grad


# the gradient in theta


def test_the_two_phases_give_the_gradient_of_the_likelihood():
    # theta_1 x^2 + theta_2 x^4: the negative phase by weighting the grid with the model's density,
    # the likelihood's own gradient by differentiating through log Z
    theta = torch.tensor([0.3, 0.2], requires_grad=True)
    energy = lambda x: theta[0] * x**2 + theta[1] * x**4
    data = torch.tensor([-1.2, 0.4, 0.5, 2.0])
    nll = energy(data).mean() + log_partition(energy(GRID), math.log(DX))
    (exact,) = torch.autograd.grad(nll, theta)
    weights = (-energy(GRID)).softmax(0).detach()
    negative = (weights * energy(GRID)).sum()
    (phases,) = torch.autograd.grad(
        contrastive_loss(energy(data), negative.expand(4)).mean(), theta
    )
    torch.testing.assert_close(phases, exact)


def test_the_positive_phase_pushes_the_energy_of_the_data_down():
    e = torch.tensor([1.0], requires_grad=True)
    contrastive_loss(e, torch.zeros(1)).sum().backward()
    assert e.grad.item() == 1  # descending the loss lowers it


# the model


def test_it_has_an_energy_and_no_likelihood():
    ebm = tiny()
    assert likelihood_kind(ebm) == "unnormalised"
    assert not hasattr(ebm, "log_prob")
    with pytest.raises(NoLikelihoodError, match="log Z"):
        log_likelihood(ebm, torch.zeros(1, 2))


def test_the_quadratic_confines():
    ebm = tiny(base_std=0.5)
    x = torch.randn(7, 2)
    torch.testing.assert_close(ebm.energy(x), tiny_net(ebm, x) + 2 * x.square().sum(1))


def tiny_net(ebm, x):
    return ebm.energy_net(x).squeeze(1)


@pytest.mark.parametrize("persistent", [False, True])
def test_loss_and_samples_repeat_with_their_seed(persistent, generator):
    def run():
        torch.manual_seed(1)
        g = torch.Generator().manual_seed(2)
        pool = PersistentChains(20, (2,), generator=g) if persistent else None
        ebm = tiny(chains=pool, base_std=1.0)
        loss = ebm.loss(torch.ones(8, 2), generator=g)
        return loss, ebm.sample(5, generator=g)

    (loss_a, x_a), (loss_b, x_b) = run(), run()
    assert torch.equal(loss_a, loss_b)
    assert torch.equal(x_a, x_b)
    assert x_a.shape == (5, 2)
    assert not x_a.requires_grad


def test_negatives_are_held_still():
    # the gradient is that of the phases with the negatives as numbers, not through the chain
    torch.manual_seed(0)
    ebm = tiny(base_std=1.0, n_steps=5)
    x = torch.randn(6, 2)
    ebm.loss(x, generator=torch.Generator().manual_seed(3)).backward()
    got = [p.grad.clone() for p in ebm.parameters()]
    g = torch.Generator().manual_seed(3)
    torch.randn(x.shape, generator=g)  # the data's noise, whose weight is zero
    negatives = ebm.walk(x, 5, g)
    loss = (ebm.energy(x) - ebm.energy(negatives)).mean()
    for have, want in zip(got, torch.autograd.grad(loss, list(ebm.parameters())), strict=True):
        torch.testing.assert_close(have, want)


def test_chains_stay_where_they_arrived():
    pool = PersistentChains(8, (2,), generator=torch.Generator().manual_seed(0))
    ebm = tiny(chains=pool)
    before = pool.states.clone()
    ebm.loss(torch.zeros(8, 2), generator=torch.Generator().manual_seed(0))
    assert (pool.states != before).all()


def test_persistent_chains_go_on_from_where_they_were():
    pool = PersistentChains(8, (2,), generator=torch.Generator().manual_seed(0))
    pool.put(torch.arange(8), torch.full((8, 2), 50.0))
    tiny(chains=pool).loss(torch.zeros(8, 2), generator=torch.Generator().manual_seed(0))
    assert pool.states.min() > 40  # three steps of 0.1 do not bring them to the data


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="unconditional"):
        tiny().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="unconditional"):
        tiny().loss(torch.zeros(1, 2), cond=torch.zeros(1))


class Quadratic(nn.Module):
    """E = c/2 (x - m)^2: maximum likelihood has a closed form."""

    def __init__(self):
        super().__init__()
        self.m, self.log_c = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return 0.5 * self.log_c.exp() * (x - self.m) ** 2


@pytest.mark.slow
def test_persistent_chains_learn_mean_and_variance():
    from genlab.train import fit, minibatches

    g = torch.Generator().manual_seed(0)
    data = 1.5 + 0.7 * torch.randn(4000, 1, generator=g)
    pool = PersistentChains(1000, (1,), generator=g)
    ebm = EBM(Quadratic(), event_shape=(1,), step_size=0.05, n_steps=10, chains=pool)
    batches = minibatches(data, 500, generator=g)
    lr = lambda k: 0.05 * (1 - k / 400)
    for _ in fit(ebm, batches, n_steps=400, lr=lr, generator=g):
        pass
    # Monte Carlo noise of the phases, and the chain's own bias of eta c / 2 = 5 % in the variance
    assert abs(ebm.energy_net.m.item() - data.mean().item()) < 0.06
    assert abs(math.exp(-ebm.energy_net.log_c.item()) / data.var().item() - 0.95) < 0.1
