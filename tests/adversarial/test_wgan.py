"""The Wasserstein game: its penalty where the answer is known, its critic against exact W1."""

import pytest
import torch
from torch import nn

from genlab.adversarial import GAN
from genlab.adversarial.penalties import gradient_penalty
from genlab.adversarial.wgan import WGAN, wgan_critic_loss, wgan_generator_loss
from genlab.core.protocols import Adversarial, NoLikelihoodError, Sampleable, log_likelihood
from genlab.metrics.wasserstein import wasserstein_1d
from genlab.nn.mlp import MLP
from genlab.train import fit_adversarial, minibatches


@pytest.mark.parametrize(("a", "expected"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (2.0, 1.0)])
def test_penalty_of_a_line_is_the_squared_distance_of_its_slope_from_one(a, expected, generator):
    real, fake = torch.randn(2, 7, 1, generator=generator)
    u = torch.rand(7, generator=generator)
    found = gradient_penalty(lambda x: a * x.squeeze(1), real, fake, u)
    torch.testing.assert_close(found, torch.full((7,), expected))


def test_penalty_takes_the_norm_over_the_whole_event():
    real, fake = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    found = gradient_penalty(lambda x: x.sum((1, 2, 3)), real, fake, torch.full((3,), 0.5))
    torch.testing.assert_close(found, torch.ones(3))  # slope (1,1,1,1) has norm 2


def test_penalty_is_taken_between_the_pair_at_its_own_place():
    real, fake = torch.full((3, 1), 3.0), torch.full((3, 1), -1.0)
    u = torch.tensor([0.0, 0.25, 1.0])
    # f = x^2 / 2 has slope x: -1 at the fake, 0 a quarter of the way, 3 at the real example
    found = gradient_penalty(lambda x: 0.5 * (x**2).squeeze(1), real, fake, u)
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 4.0]))


def test_penalty_sends_no_gradient_to_the_images():
    critic, u = nn.Linear(1, 1), torch.full((2,), 0.5)
    real, fake = torch.ones(2, 1, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    bend = lambda x: (critic(x) ** 2).squeeze(1)
    gradient_penalty(bend, real, fake, u).sum().backward()
    assert real.grad is None
    assert fake.grad is None
    assert critic.weight.grad is not None


def test_steep_and_flat_points_do_not_cancel():
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]])
    found = gradient_penalty(lambda x: 0.5 * (x**2).squeeze(1), real, fake, torch.zeros(2))
    torch.testing.assert_close(found.mean(), torch.tensor(1.0))  # mean slope is 1, penalty is not 0


def test_penalty_trains_the_critic():
    critic = nn.Linear(1, 1)
    with torch.no_grad():
        critic.weight.fill_(3.0)
    x = torch.ones(4, 1)
    gradient_penalty(lambda x: critic(x).squeeze(1), x, -x, torch.full((4,), 0.3)).mean().backward()
    torch.testing.assert_close(critic.weight.grad, torch.tensor([[4.0]]))  # d/dw (w - 1)^2 at 3


def test_a_flat_critic_has_a_finite_gradient():
    critic = nn.Linear(1, 1)
    nn.init.zeros_(critic.weight)
    x = torch.ones(2, 1)
    gradient_penalty(lambda x: critic(x).squeeze(1), x, -x, torch.zeros(2)).mean().backward()
    assert torch.isfinite(critic.weight.grad).all()


def test_a_weight_outside_the_segment_is_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match=r"expected a value in \[0, 1\]"):
        gradient_penalty(lambda x: x.squeeze(1), x, x, torch.tensor([1.2]))


def test_losses_of_point_masses():
    f = lambda x: x
    real, fake = torch.full((4,), 3.0), torch.zeros(4)
    torch.testing.assert_close(wgan_critic_loss(f(real), f(fake)), torch.full((4,), -3.0))
    torch.testing.assert_close(wgan_generator_loss(fake + 2), torch.full((4,), -2.0))


def make(**options):
    torch.manual_seed(0)
    return WGAN(MLP(1, 1, 8, 1), MLP(1, 1, 32, 2), latent_dim=1, event_shape=(1,), **options)


def test_no_likelihood_is_the_absence_of_the_method():
    wgan = make()
    _a: Adversarial = wgan
    _s: Sampleable = wgan
    assert not hasattr(wgan, "log_prob")
    with pytest.raises(NoLikelihoodError, match="Compare its samples"):
        log_likelihood(wgan, torch.zeros(1, 1))


def test_clipping_is_applied_before_the_loss():
    wgan = make(penalty=0.0, clip=0.01)
    wgan.critic_loss(torch.zeros(4, 1))
    assert max(float(p.detach().abs().max()) for p in wgan.critic_parameters()) <= 0.01


def test_the_critic_loss_leaves_the_generator_alone(generator):
    wgan = make()
    wgan.critic_loss(torch.randn(4, 1, generator=generator), generator=generator).backward()
    assert all(p.grad is None for p in wgan.generator_parameters())


def test_the_generator_steps_towards_the_data(generator):
    wgan = make()
    wgan.critic = nn.Linear(1, 1)
    with torch.no_grad():
        wgan.critic.weight.fill_(1.0)  # the critic says: larger is more real
    before = wgan.sample(1000, generator=torch.Generator().manual_seed(1)).mean()
    optimizer = torch.optim.SGD(wgan.generator_parameters(), lr=0.1)
    wgan.generator_loss(torch.zeros(256, 1), generator=generator).backward()
    optimizer.step()
    assert wgan.sample(1000, generator=torch.Generator().manual_seed(1)).mean() > before


def test_a_negative_penalty_and_a_condition_are_refused():
    with pytest.raises(ValueError, match="negative, got -1"):
        make(penalty=-1.0)
    with pytest.raises(ValueError, match="unconditional"):
        make().sample(2, cond=torch.zeros(2))


class _Fixed(nn.Module):
    """A generator that moves its noise by a constant and is not trained."""

    def __init__(self, shift):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, z):
        return z + self.shift


@pytest.mark.slow
def test_a_trained_critic_measures_the_distance(generator):
    shift = 2.0
    wgan = WGAN(_Fixed(shift), MLP(1, 1, 64, 2), latent_dim=1, event_shape=(1,))
    x = torch.randn(4096, 1, generator=generator)
    batches = minibatches(x, 256, generator=generator)
    for _ in fit_adversarial(
        wgan, batches, n_steps=150, n_critic=5, lr=(2e-3, 0.0), generator=generator
    ):
        pass
    fake = wgan.sample(4096, generator=generator)
    estimate = (wgan.f(x).mean() - wgan.f(fake).mean()).item()
    exact = wasserstein_1d(x.squeeze(1), fake.squeeze(1)).item()
    assert exact == pytest.approx(shift, abs=0.1)  # a translation moves everything by its length
    # the penalty is soft: slope 1 + W / (2 lambda) at best, so up to about 1 + 0.1 here
    assert 0.9 * exact < estimate < 1.25 * exact


def test_gan_and_wgan_offer_the_same_interface():
    gan = GAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3, event_shape=(2,))
    for name in ("critic_loss", "generator_loss", "critic_parameters", "sample"):
        assert callable(getattr(gan, name))
        assert callable(getattr(make(), name))
