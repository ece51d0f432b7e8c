"""The GAN as a model: what it can do, what it cannot, and that its two losses stay apart."""

import math

import pytest
import torch
from torch import nn

from genlab.adversarial import GAN
from genlab.core import Adversarial, NoLikelihoodError, Sampleable, likelihood_kind, log_likelihood
from genlab.train import fit_adversarial, minibatches


def small_gan(gamma: float = 1.0) -> GAN:
    torch.manual_seed(0)
    return GAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3, event_shape=(2,), gamma=gamma)


def test_a_gan_has_no_likelihood_of_any_kind():
    gan = small_gan()
    _: Adversarial = gan
    _s: Sampleable = gan
    assert likelihood_kind(gan) == "none"
    for name in ("log_prob", "elbo", "energy", "loss"):
        assert not hasattr(gan, name)
    with pytest.raises(NoLikelihoodError, match="GAN has no likelihood"):
        log_likelihood(gan, torch.zeros(1, 2))


def test_penalty_enters_with_half_its_weight():
    x, seed = torch.ones(6, 2), 4
    losses = [
        small_gan(gamma).critic_loss(x, generator=torch.Generator().manual_seed(seed)).item()
        for gamma in (0.0, 3.0)
    ]
    slope = small_gan().critic.weight.detach().square().sum().item()
    assert abs(losses[1] - losses[0] - 1.5 * slope) < 1e-12  # rounding


def test_penalty_is_taken_at_the_real_examples():
    class Bowl(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1.0))

        def forward(self, x):
            return self.scale * 0.5 * (x**2).sum(1, keepdim=True)

    x = torch.full((4, 2), 3.0)  # slope 3 in each coordinate: 18; the fakes sit near the origin

    def loss(gamma):
        torch.manual_seed(0)
        gan = GAN(nn.Linear(3, 2), Bowl(), latent_dim=3, event_shape=(2,), gamma=gamma)
        return gan.critic_loss(x, generator=torch.Generator().manual_seed(1)).item()

    assert abs(loss(2.0) - loss(0.0) - 18) < 1e-9


def test_each_player_moves_only_its_own_parameters(generator):
    gan, x = small_gan(), torch.ones(4, 2)
    gan.critic_loss(x, generator=generator).backward()
    assert all(p.grad is None for p in gan.generator_parameters())
    assert all(p.grad is not None for p in gan.critic_parameters())
    gan.zero_grad()
    gan.generator_loss(x, generator=generator).backward()
    assert all(p.grad is not None for p in gan.generator_parameters())


def test_generator_loss_falls_when_samples_look_more_real():
    gan = small_gan()
    before = gan.generator_loss(torch.ones(500, 2), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gan.generator_net.bias += 2 * gan.critic.weight[0]
    after = gan.generator_loss(torch.ones(500, 2), generator=torch.Generator().manual_seed(0))
    assert after < before


def test_training_moves_the_generator_onto_the_data(generator):
    data = torch.randn(2000, 2, generator=generator) * 0.5 + torch.tensor([2.0, -1.0])
    gan = small_gan()
    records = fit_adversarial(
        gan, minibatches(data, 200, generator=generator), n_steps=800, lr=0.02, generator=generator
    )
    *_, record = records
    mean = gan.sample(4000, generator=generator).mean(0)
    # A linear critic sees only means: at the equilibrium they agree and the game is undecided.
    assert (mean - torch.tensor([2.0, -1.0])).norm() < 0.3
    assert abs(record.losses["critic"] - math.log(4)) < 0.2


def test_samples_carry_no_gradient_and_follow_their_seed():
    gan = small_gan()
    a, b = (gan.sample(3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not a.requires_grad


def test_conditions_and_negative_penalties_are_refused():
    with pytest.raises(ValueError, match="cond must be None"):
        small_gan().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        small_gan(gamma=-1.0)
