"""Noise-contrastive estimation: the optimum is the density with its constant."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import softplus

from genlab.core.protocols import HasEnergy, Trainable, likelihood_kind
from genlab.oracles.gaussian import Gaussian
from genlab.score.nce import NCE, nce_logits, nce_loss

GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)
DX = 0.01
LOG_Q = -0.5 * (GRID / 1.5) ** 2 - math.log(1.5) - 0.5 * math.log(2 * math.pi)


class Quartic(nn.Module):
    def __init__(self, a=0.5, b=0.1):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([a, b]))

    def forward(self, x):
        return self.theta[0] * x**2 + self.theta[1] * x**4


def population_loss(log_model, log_data, ratio):
    g = nce_logits(log_model, LOG_Q, ratio=ratio)
    per_point = log_data.exp() * softplus(-g) + ratio * LOG_Q.exp() * softplus(g)
    return per_point.sum() * DX


@pytest.mark.parametrize("ratio", [1.0, 5.0])
def test_the_minimum_knows_the_constant(ratio):
    energy = lambda t: t[0] * GRID**2 + t[1] * GRID**4
    truth = torch.tensor([0.2, 0.3])
    log_z = torch.logsumexp(-energy(truth), 0) + math.log(DX)
    log_data = -energy(truth) - log_z
    guess = torch.tensor([0.5, 0.1, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [guess], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        loss = population_loss(-energy(guess) - guess[2], log_data, ratio)
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(guess[:2].detach(), truth, rtol=0, atol=1e-5)
    assert guess[2].item() == pytest.approx(log_z.item(), abs=1e-5)


@given(shift=st.floats(-1, 1).filter(lambda s: abs(s) > 0.05))
def test_a_wrong_constant_raises_the_loss(shift):
    log_data = -0.5 * GRID**2 - 0.5 * math.log(2 * math.pi)
    right = population_loss(log_data, log_data, 1.0)
    assert population_loss(log_data + shift, log_data, 1.0) > right


def test_the_optimal_logit_is_the_posterior_of_the_label():
    # Bayes: with nu noise draws for each example, P(data | x) = p / (p + nu q)
    p, q, nu = 0.3, 0.2, 4.0
    g = nce_logits(torch.tensor(p).log(), torch.tensor(q).log(), ratio=nu)
    assert g.sigmoid().item() == pytest.approx(p / (p + nu * q))


def test_one_example_pays_for_all_its_noise():
    g_data, g_noise = torch.randn(4), torch.randn(4, 3)
    labels = torch.cat([torch.ones(4, 1), torch.zeros(4, 3)], 1)
    logits = torch.cat([g_data[:, None], g_noise], 1)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1)
    torch.testing.assert_close(nce_loss(g_data, g_noise), loss)


def test_extreme_logits_stay_finite():
    big = torch.tensor([1000.0])
    assert nce_loss(-big, big[:, None]).item() == pytest.approx(2000.0)


def test_the_model_is_unnormalised_and_trainable():
    model = NCE(Quartic(), Gaussian(torch.zeros(1), torch.eye(1)))
    _: Trainable = model
    _e: HasEnergy = model
    assert likelihood_kind(model) == "unnormalised"


def test_its_loss_uses_fresh_noise_at_the_ratio(generator):
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    model = NCE(Quartic(), noise, ratio=3)
    x = torch.randn(5, 1, generator=generator)
    loss = model.loss(x, generator=torch.Generator().manual_seed(4))
    drawn = noise.sample(15, generator=torch.Generator().manual_seed(4))
    want = nce_loss(model.logits(x), model.logits(drawn).reshape(5, 3)).mean()
    torch.testing.assert_close(loss, want)


@pytest.mark.parametrize("ratio", [0.0, -1.0])
def test_ratios_that_mean_nothing_are_refused(ratio):
    with pytest.raises(ValueError, match="expected > 0"):
        nce_logits(torch.zeros(1), torch.zeros(1), ratio=ratio)


def test_models_refuse_no_noise_and_conditions():
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    with pytest.raises(ValueError, match="expected at least 1"):
        NCE(Quartic(), noise, ratio=0)
    with pytest.raises(ValueError, match="unconditional"):
        NCE(Quartic(), noise).loss(torch.zeros(1, 1), cond=torch.zeros(1))


@pytest.mark.slow
def test_training_recovers_log_z():
    from genlab.train import fit, minibatches

    g = torch.Generator().manual_seed(0)
    data = 0.8 * torch.randn(20_000, 1, generator=g)  # E = x^2 / 1.28, Z = .8 sqrt(2 pi)
    model = NCE(Quartic(0.4, 0.01), Gaussian(torch.zeros(1), 2.0 * torch.eye(1)), ratio=2)
    lr = lambda k: 0.03 * (1 - k / 600)
    for _ in fit(model, minibatches(data, 1000, generator=g), n_steps=600, lr=lr, generator=g):
        pass
    x = torch.linspace(-3, 3, 13)[:, None]
    log_p = (-model.energy(x) - model.log_z).detach()
    exact = torch.distributions.Normal(0.0, 0.8).log_prob(x).squeeze(1)
    near = x.squeeze(1).abs() < 2
    # 20,000 examples fix a log-density to a few hundredths in the bulk
    assert (log_p - exact)[near].abs().max() < 0.1
