"""GAN and WGAN: penalties in closed form, two losses that stay apart, Lipschitz layers, batches."""

import itertools
import math
from itertools import islice, pairwise

import pytest
import torch
from torch import nn

from genlab.adversarial import GAN, r1_penalty
from genlab.adversarial.gan import (
    WGAN,
    append_spread,
    discriminator_loss,
    gaussian_duel,
    gradient_penalty,
    lazy_weight,
    minimax_generator_loss,
    non_saturating_generator_loss,
    power_iteration,
    slopes,
    spectral_normalize,
    wgan_critic_loss,
    wgan_generator_loss,
)
from genlab.core import NoLikelihoodError, likelihood_kind, log_likelihood
from genlab.metrics.distances import wasserstein_1d
from genlab.nn.layers import MLP
from genlab.train import fit_adversarial, minibatches


def make(**options):
    torch.manual_seed(0)
    return WGAN(MLP(1, 1, 8, 1), MLP(1, 1, 32, 2), latent_dim=1, event_shape=(1,), **options)


def small_gan(gamma: float = 1.0) -> GAN:
    torch.manual_seed(0)
    return GAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3, event_shape=(2,), gamma=gamma)


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


@pytest.mark.parametrize(("build", "d"), [(small_gan, 2), (make, 1)], ids=["GAN", "WGAN"])
def test_each_player_moves_only_its_own_parameters(build, d, generator):
    model, x = build(), torch.ones(4, d)
    model.discriminator_loss(x, generator=generator).backward()
    assert all(p.grad is None for p in model.generator_parameters())
    # the bias of the last layer cancels in WGAN's difference, so only most have a gradient
    assert any(p.grad is not None for p in model.discriminator_parameters())
    model.zero_grad()
    model.generator_loss(x, generator=generator).backward()
    assert all(p.grad is not None for p in model.generator_parameters())


def test_penalty_takes_the_norm_over_the_whole_event():
    real, fake = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    found = gradient_penalty(lambda x: x.sum((1, 2, 3)), real, fake, torch.full((3,), 0.5))
    torch.testing.assert_close(found, torch.ones(3))  # slope (1,1,1,1) has norm 2


def test_losses_of_point_masses():
    real, fake = torch.full((4,), 3.0), torch.zeros(4)
    torch.testing.assert_close(wgan_critic_loss(real, fake), torch.full((4,), -3.0))
    torch.testing.assert_close(wgan_generator_loss(fake + 2), torch.full((4,), -2.0))


@pytest.mark.parametrize("build", [small_gan, make], ids=["GAN", "WGAN"])
def test_no_likelihood_is_the_absence_of_the_method(build):
    model = build()
    assert likelihood_kind(model) == "none"
    for name in ("log_prob", "elbo", "energy", "loss"):
        assert not hasattr(model, name)
    with pytest.raises(NoLikelihoodError, match=r"GAN has no likelihood.*Compare its samples"):
        log_likelihood(model, torch.zeros(1, 2))


def test_clipping_is_applied_before_the_loss():
    wgan = make(penalty=0.0, clip=0.01)
    wgan.discriminator_loss(torch.zeros(4, 1))
    assert max(float(p.detach().abs().max()) for p in wgan.discriminator_parameters()) <= 0.01


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


def test_a_normalised_layer_has_norm_one_after_its_weight_has_moved(generator):
    layer = spectral_normalize(nn.Linear(5, 3))
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(torch.rand(3, 5, generator=generator) + 1)
    for _ in range(300):
        layer(torch.zeros(1, 5))
    norm = torch.linalg.matrix_norm(layer.weight, 2)
    torch.testing.assert_close(norm, torch.ones_like(norm))


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


def test_slopes_agree_with_finite_differences(generator):
    net = MLP(1, 1, 16, 2)
    x = torch.randn(20, 1, generator=generator)
    h = 1e-6
    rise = (net(x + h) - net(x - h)).abs().squeeze(1) / (2 * h)
    found = slopes(lambda x: net(x).squeeze(1), x)
    torch.testing.assert_close(found, rise.detach(), atol=1e-7, rtol=1e-5)  # rounding over h


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: small_gan(gamma=-1.0), "gamma is -1"),
        (lambda: gradient_penalty(len, *torch.zeros(2, 1, 1), torch.full((1,), 1.2)), r"\[0, 1\]"),
        (lambda: r1_penalty(torch.zeros(1), torch.zeros(1, 2)), "requires_grad"),
        (lambda: spectral_normalize(nn.ReLU()), "no Linear"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_gradient_penalty_is_taken_between_the_pair_at_its_own_place_and_not_averaged_before():
    real, fake = torch.full((3, 1), 3.0), torch.full((3, 1), -1.0)
    u = torch.tensor([0.0, 0.25, 1.0])
    # f = x^2 / 2 has slope x: -1 at the fake, 0 a quarter of the way, 3 at the real example
    found = gradient_penalty(lambda x: 0.5 * (x**2).squeeze(1), real, fake, u)
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 4.0]))


@pytest.mark.parametrize(("slope", "gradient"), [(3.0, 4.0), (0.0, 0.0)])
def test_gradient_penalty_trains_the_critic_and_sends_no_gradient_to_the_images(slope, gradient):
    critic = nn.Linear(1, 1)
    nn.init.constant_(critic.weight, slope)
    real, fake = (torch.full((4, 1), x, requires_grad=True) for x in (1.0, -1.0))
    f = lambda x: critic(x).squeeze(1)
    gradient_penalty(f, real, fake, torch.full((4,), 0.3)).mean().backward()
    torch.testing.assert_close(critic.weight.grad, torch.tensor([[gradient]]))  # d/dw (w - 1)^2
    gradient_penalty(lambda x: f(x) ** 2, real, fake, torch.full((4,), 0.3)).mean().backward()
    assert real.grad is fake.grad is None


def test_the_generator_steps_towards_what_looks_real():
    wgan, g = make(), torch.Generator
    wgan.critic = nn.Linear(1, 1)
    nn.init.constant_(wgan.critic.weight, 1.0)  # the critic says: larger is more real
    gan = small_gan()
    for model, up in ((wgan, torch.ones(1)), (gan, gan.discriminator.weight[0].detach())):
        before = (model.sample(1000, generator=g().manual_seed(1)) @ up).mean()
        optimizer = torch.optim.SGD(model.generator_parameters(), lr=0.1)
        model.generator_loss(torch.zeros(256, len(up)), generator=g().manual_seed(0)).backward()
        optimizer.step()
        assert (model.sample(1000, generator=g().manual_seed(1)) @ up).mean() > before


def test_r1_is_the_squared_slope_at_each_example_and_trains_the_discriminator(generator):
    x = torch.randn(5, 2, 2, generator=generator).requires_grad_()
    logits = 0.5 * (x**2).sum((1, 2))
    torch.testing.assert_close(r1_penalty(logits, x), (x**2).sum((1, 2)).detach())
    linear, x = nn.Linear(2, 1), torch.ones(4, 2, requires_grad=True)
    r1_penalty(linear(x).squeeze(1), x).mean().backward()
    # d/dw of |w|^2 is 2 w: without create_graph there would be no gradient at all.
    torch.testing.assert_close(linear.weight.grad, 2 * linear.weight.detach())


def test_power_iteration_reaches_the_largest_singular_value_by_the_squared_ratio(generator):
    w = torch.randn(6, 4, generator=generator)
    *_, (sigma, _) = islice(power_iteration(w, torch.ones(4)), 200)
    torch.testing.assert_close(sigma, torch.linalg.svdvals(w)[0])
    w = torch.diag(torch.tensor([2.0, 1.0]))
    errors = [2 - float(s) for s, _ in islice(power_iteration(w, torch.ones(2)), 6)]
    # the value is quadratic in the vector, whose error shrinks by (1/2)^2: 1/16 for the value
    assert all(b / a == pytest.approx(1 / 16, rel=0.02) for a, b in pairwise(errors[2:]))


def test_losses_are_those_of_the_probability_itself_and_stay_finite(generator):
    logits = torch.cat([torch.tensor([-4.595]), torch.randn(20, generator=generator)])  # D = 0.01
    logits.requires_grad_()
    d = torch.sigmoid(logits)
    saturating, other = minimax_generator_loss(logits), non_saturating_generator_loss(logits)
    torch.testing.assert_close(saturating, (1 - d).log())
    torch.testing.assert_close(other, -d.log())
    real, fake = discriminator_loss(logits, 2 * logits), -(1 - torch.sigmoid(2 * logits)).log()
    torch.testing.assert_close(real, -d.log() + fake)
    for loss, slope in ((saturating, -d), (other, d - 1)):
        (found,) = torch.autograd.grad(loss.sum(), logits)
        torch.testing.assert_close(found, slope.detach())
    sure = torch.tensor([-1000.0])
    assert non_saturating_generator_loss(sure).item() == 1000
    assert discriminator_loss(sure, -sure).isfinite().all()


def test_spread_is_the_mean_standard_deviation_over_the_batch(generator):
    h = torch.randn(6, 3, 2, 2, generator=generator)
    extra = append_spread(h)
    torch.testing.assert_close(extra[:, :3], h)
    own = torch.stack([v.std(correction=0) for v in h.flatten(1).T]).mean()
    torch.testing.assert_close(extra[:, 3], torch.full((6, 2, 2), own.item()))
    assert append_spread(h[:1].expand(5, -1, -1, -1))[:, 3].abs().max() < 1e-3  # copies
    held = append_spread(h.requires_grad_(), hold=True)
    torch.testing.assert_close(held, extra)
    (slope,) = torch.autograd.grad(held[:, 3].sum(), h, retain_graph=True)
    assert not slope.any()
    (slope,) = torch.autograd.grad(append_spread(h)[:, 3].sum(), h)
    assert slope.any()  # unless it is asked to hold


def test_the_lazy_penalty_has_the_mean_gradient_of_the_full_one_and_is_computed_once():
    """Over one interval, and whatever step it begins at."""
    for start, interval in itertools.product((0, 3), (1, 4, 16)):
        weights = [lazy_weight(step, interval) for step in range(start, start + interval)]
        assert sum(weights) / interval == 1
        assert sum(weight > 0 for weight in weights) == 1


def test_the_best_discriminator_pushes_a_shifted_normal_by_both_losses_together_by_its_shift():
    """Of equal deviations the log-ratio is m^2 / 2 - m x, and D and 1 - D weigh its slope -m."""
    cells = torch.linspace(-12, 12, 4001)
    duel = gaussian_duel(1.5, 1.0, cells)
    assert duel.saturating + duel.non_saturating == pytest.approx(1.5)
    d = (1.5**2 / 2 - 1.5 * cells).sigmoid()
    torch.testing.assert_close(duel.d, d)
    width = 24 / 4000
    for density, mean in ((duel.p, 0.0), (duel.q, 1.5)):
        assert (density.sum() * width).item() == pytest.approx(1)
        assert (density * cells).sum().item() * width == pytest.approx(mean)
    assert duel.saturating == pytest.approx(1.5 * (duel.q * d).sum().item() * width)
    middle = (duel.p + duel.q) / 2  # JS: both divergences from the middle, halved
    halves = [(a * (a / middle).log()).sum().item() * width / 2 for a in (duel.p, duel.q)]
    assert duel.js == pytest.approx(sum(halves))


def test_against_itself_a_normal_is_at_rest():
    duel = gaussian_duel(0.0, 1.0, torch.linspace(-9, 9, 901))
    assert (duel.js, duel.saturating, duel.non_saturating) == pytest.approx((0, 0, 0), abs=1e-12)
    torch.testing.assert_close(duel.d, torch.full((901,), 0.5))


def test_a_sample_is_the_network_of_normal_noise_and_carries_no_gradient():
    gan = GAN(_Fixed(2.0), nn.Linear(3, 1), latent_dim=3, event_shape=(3,))
    x = gan.sample(5, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(x, 2 + noise)
    assert not x.requires_grad


def test_default_weights_of_penalties_are_those_of_their_papers():
    """R1 by gamma / 2 with gamma 1, the gradient penalty by 10 (arXiv:1704.00028, section 4)."""
    x = torch.full((4, 2), 3.0)

    def loss(model):
        return model.discriminator_loss(x, generator=torch.Generator().manual_seed(1)).item()

    steep = nn.Linear(2, 1)
    nn.init.constant_(steep.weight, 2.0)  # squared slope 8, norm sqrt(8)
    sizes = {"latent_dim": 2, "event_shape": (2,)}
    without = loss(GAN(_Fixed(0.0), steep, gamma=0.0, **sizes))
    assert loss(GAN(_Fixed(0.0), steep, **sizes)) - without == pytest.approx(8 / 2)
    without = loss(WGAN(_Fixed(0.0), steep, penalty=0.0, **sizes))
    gap = loss(WGAN(_Fixed(0.0), steep, **sizes)) - without
    assert gap == pytest.approx(10 * (math.sqrt(8) - 1) ** 2)
    for wrong in ({"penalty": -1.0}, {"clip": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            WGAN(_Fixed(0.0), steep, **sizes, **wrong)
    with pytest.raises(ValueError, match="gamma is -1"):
        GAN(_Fixed(0.0), steep, gamma=-1.0, **sizes)


def test_a_critic_without_a_penalty_draws_nothing_but_its_fakes(generator):
    make(penalty=0.0).discriminator_loss(torch.zeros(4, 1), generator=generator)
    alone = torch.Generator().manual_seed(0)
    torch.randn(4, 1, generator=alone)
    assert torch.equal(generator.get_state(), alone.get_state())


def test_slopes_leave_their_points_as_they_were():
    x = torch.randn(3, 2)
    torch.testing.assert_close(slopes(lambda x: 3 * x[:, 0], x), torch.full((3,), 3.0))
    assert not x.requires_grad
