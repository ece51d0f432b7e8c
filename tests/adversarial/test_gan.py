"""The GAN as a model: what it can do, what it cannot, and that its two losses stay apart."""

import math
from itertools import islice, pairwise

import pytest
import torch
from torch import nn

from genlab.adversarial import GAN, BatchAware, feature_matching_loss, r1_penalty, with_spread
from genlab.adversarial.gan import (
    WGAN,
    clip_weights,
    gradient_penalty,
    lazy_weight,
    power_iteration,
    slopes,
    spectral_normalize,
    wgan_critic_loss,
    wgan_generator_loss,
)
from genlab.core import Adversarial, NoLikelihoodError, Sampleable, likelihood_kind, log_likelihood
from genlab.metrics.distances import wasserstein_1d
from genlab.nn.layers import MLP
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
        small_gan(gamma).discriminator_loss(x, generator=torch.Generator().manual_seed(seed)).item()
        for gamma in (0.0, 3.0)
    ]
    slope = small_gan().discriminator.weight.detach().square().sum().item()
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
        return gan.discriminator_loss(x, generator=torch.Generator().manual_seed(1)).item()

    assert abs(loss(2.0) - loss(0.0) - 18) < 1e-9


def test_each_player_moves_only_its_own_parameters(generator):
    gan, x = small_gan(), torch.ones(4, 2)
    gan.discriminator_loss(x, generator=generator).backward()
    assert all(p.grad is None for p in gan.generator_parameters())
    assert all(p.grad is not None for p in gan.discriminator_parameters())
    gan.zero_grad()
    gan.generator_loss(x, generator=generator).backward()
    assert all(p.grad is not None for p in gan.generator_parameters())


def test_generator_loss_falls_when_samples_look_more_real():
    gan = small_gan()
    before = gan.generator_loss(torch.ones(500, 2), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gan.generator_net.bias += 2 * gan.discriminator.weight[0]
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
    assert abs(record.losses["discriminator"] - math.log(4)) < 0.2


def test_samples_carry_no_gradient_and_follow_their_seed():
    gan = small_gan()
    a, b = (gan.sample(3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not a.requires_grad


def test_negative_penalties_are_refused():
    with pytest.raises(ValueError, match="gamma is -1"):
        small_gan(gamma=-1.0)
    with pytest.raises(ValueError, match="penalty is -1"):
        make(penalty=-1.0)


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
    wgan.discriminator_loss(torch.zeros(4, 1))
    assert max(float(p.detach().abs().max()) for p in wgan.discriminator_parameters()) <= 0.01


def test_the_critic_loss_leaves_the_generator_alone(generator):
    wgan = make()
    wgan.discriminator_loss(torch.randn(4, 1, generator=generator), generator=generator).backward()
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
    for name in ("discriminator_loss", "generator_loss", "discriminator_parameters", "sample"):
        assert callable(getattr(gan, name))
        assert callable(getattr(make(), name))


def test_linear_critic_is_penalised_by_its_squared_weights(generator):
    x = torch.randn(5, 3, generator=generator).requires_grad_()
    w = torch.tensor([1.0, -2.0, 0.5])
    torch.testing.assert_close(r1_penalty(x @ w, x), torch.full((5,), 5.25))


def test_quadratic_critic_has_a_slope_that_depends_on_the_example(generator):
    x = torch.randn(5, 2, 2, generator=generator).requires_grad_()
    logits = 0.5 * (x**2).sum((1, 2))
    torch.testing.assert_close(r1_penalty(logits, x), (x**2).sum((1, 2)).detach())


def test_penalty_trains_the_critic_penalties():
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


def test_clipping_moves_only_what_is_outside():
    w = nn.Parameter(torch.tensor([-2.0, -0.1, 0.3, 5.0]))
    clip_weights([w], 0.3)
    torch.testing.assert_close(w.data, torch.tensor([-0.3, -0.1, 0.3, 0.3]))


def test_an_empty_box_is_refused():
    with pytest.raises(ValueError, match="c is 0"):
        clip_weights([], 0)


def test_power_iteration_reaches_the_largest_singular_value(generator):
    w = torch.randn(6, 4, generator=generator)
    *_, (sigma, _) = islice(power_iteration(w, torch.ones(4)), 200)
    torch.testing.assert_close(sigma, torch.linalg.svdvals(w)[0])


def test_power_iteration_gains_the_squared_ratio_at_each_step():
    w = torch.diag(torch.tensor([2.0, 1.0]))
    errors = [2 - float(s) for s, _ in islice(power_iteration(w, torch.ones(2)), 6)]
    ratios = [b / a for a, b in pairwise(errors[2:])]
    # the value is quadratic in the vector, whose error shrinks by (1/2)^2: 1/16 for the value
    assert all(r == pytest.approx(1 / 16, rel=0.02) for r in ratios)


def test_a_normalised_layer_has_norm_one_after_its_weight_has_moved(generator):
    layer = spectral_normalize(nn.Linear(5, 3))
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(torch.rand(3, 5, generator=generator) + 1)
    for _ in range(300):
        layer(torch.zeros(1, 5))
    norm = torch.linalg.matrix_norm(layer.weight, 2)
    torch.testing.assert_close(norm, torch.ones_like(norm))


def test_a_normalised_network_is_one_lipschitz(generator):
    net = spectral_normalize(MLP(2, 1, 32, 3)).eval()
    x, y = 3 * torch.randn(2, 500, 2, generator=generator)
    rise = (net(x) - net(y)).abs().squeeze(1)
    assert bool((rise <= (x - y).norm(dim=1) * (1 + 1e-9)).all())  # rounding


def test_training_reaches_the_weight_through_the_division():
    layer = spectral_normalize(nn.Linear(2, 1, bias=False))
    layer(torch.tensor([[1.0, 0.0]])).sum().backward()
    gradient = layer.parametrizations.weight.original.grad
    # w / |w| does not change when w grows: the gradient has no part along w
    original = layer.parametrizations.weight.original
    torch.testing.assert_close((gradient * original).sum(), torch.zeros(()))
    assert gradient.abs().sum() > 0


def test_a_normalised_critic_trains_for_more_than_one_step(generator):
    critic = spectral_normalize(MLP(2, 1, 8, 2))
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    x, values = torch.randn(64, 2, generator=generator), []
    for _ in range(3):  # a step that kept the graph of the one before it would fail here
        loss = critic(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[2] < values[1] < values[0]


def test_a_network_without_linear_layers_is_refused():
    with pytest.raises(ValueError, match="no Linear"):
        spectral_normalize(nn.ReLU())


def test_slopes_agree_with_finite_differences(generator):
    net = MLP(1, 1, 16, 2)
    x = torch.randn(20, 1, generator=generator)
    h = 1e-6
    rise = (net(x + h) - net(x - h)).abs().squeeze(1) / (2 * h)
    found = slopes(lambda x: net(x).squeeze(1), x)
    torch.testing.assert_close(found, rise.detach(), atol=1e-7, rtol=1e-5)  # rounding over h


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
