"""The system: a game with a lazy penalty, averaged weights, truncation, and no likelihood."""

import copy
import math

import pytest
import torch

from genlab.adversarial.gan import r1_penalty
from genlab.adversarial.stylegan import StyleDiscriminator, StyleGenerator
from genlab.systems.stylegan import StyleGAN


@pytest.fixture
def gan():
    return StyleGAN(
        StyleGenerator(6, 5, 2, (4, 3, 2)), StyleDiscriminator((2, 3, 4), 6), interval=4
    )


@pytest.fixture
def x(generator):
    return torch.randn(6, 1, 16, 16, generator=generator)


def seeded():
    return torch.Generator().manual_seed(5)


def test_the_discriminator_pays_every_fourth_step_four_times_the_penalty(gan, x):
    gan.at_step(1)
    without = gan.discriminator_loss(x, generator=seeded())
    gan.at_step(4)
    due = gan.discriminator_loss(x, generator=seeded()) - without
    torch.testing.assert_close(due, 4 * 0.5 * gan.gamma * gan.penalty(x).mean())


def test_the_penalty_is_the_slope_at_real_pictures_with_the_batch_held(gan, x):
    """Each example's own slope, from a Jacobian of all logits: what the others do is left out."""
    spread = gan.discriminator.body(x).var(0, correction=0).clamp_min(1e-8).sqrt().mean()

    def alone(x):
        h = gan.discriminator.body(x)
        h = gan.discriminator.join(torch.cat([h, spread.expand(len(h), 1, 4, 4)], 1))
        hidden = gan.discriminator.hidden(h.flatten(1))
        return gan.discriminator.head(torch.where(hidden > 0, hidden, 0.2 * hidden) * 2**0.5)[:, 0]

    x = x.requires_grad_(True)
    torch.testing.assert_close(gan.penalty(x), r1_penalty(alone(x), x), rtol=1e-6, atol=1e-9)


def test_each_player_moves_its_own_weights(gan, x):
    gan.discriminator_loss(x, generator=seeded()).backward()
    assert all(p.grad is None for p in gan.generator_net.parameters())
    assert all(p.grad is not None for p in gan.discriminator_parameters())
    gan.zero_grad()
    gan.generator_loss(x, generator=seeded()).backward()
    assert all(p.grad is not None for p in gan.generator_parameters())


@pytest.mark.parametrize("logit", [-10.0, 0.0, 10.0])
def test_the_generators_loss_is_large_where_the_discriminator_is_sure_of_a_fake(gan, x, logit):
    """log(1 + exp(-l)) at a discriminator that gives every picture the same logit."""
    with torch.no_grad():
        gan.discriminator.head.weight.zero_()
        gan.discriminator.head.bias.fill_(logit)
    expected = torch.tensor(math.log1p(math.exp(-logit)))
    torch.testing.assert_close(gan.generator_loss(x, generator=seeded()), expected)


def test_truncation_zero_draws_the_mean_style_alone(gan):
    gan.set_mean_style(seeded())
    pictures = gan.sample(4, generator=seeded(), truncation=0.0)  # noise is switched off at first
    torch.testing.assert_close(pictures, pictures[:1].expand(4, -1, -1, -1))
    w = gan.generator_net.mean_style[None]
    net = gan.generator_net
    torch.testing.assert_close(pictures[:1], net.synthesis(net.every_layer(w), net.no_noise(1)))


def test_the_mean_style_is_the_mean_of_styles(gan):
    gan.set_mean_style(seeded())
    w = gan.styles(10_000, seeded())
    torch.testing.assert_close(gan.generator_net.mean_style, w.mean(0))


def styles_of_training(gan, mixing, n=200):
    """What `_fake` hands to the synthesis."""
    gan, seen = copy.deepcopy(gan), []
    gan.mixing = mixing
    synthesis = gan.generator_net.synthesis
    gan.generator_net.synthesis = lambda styles, noise: (
        seen.append(styles) or synthesis(styles, noise)
    )
    gan.generator_loss(torch.zeros(n, 1, 16, 16), generator=seeded())
    return seen[0].detach()


def test_with_mixing_a_fraction_of_pictures_has_two(gan):
    for mixing, n in ((1.0, 300), (0.5, 300)):
        styles = styles_of_training(gan, mixing, n)
        changes = (styles[:, 1:] - styles[:, :-1]).abs().amax(2) > 1e-12
        assert int(changes.sum(1).max()) == 1  # one crossover
        share = changes.any(1).double().mean().item()
        assert share == pytest.approx(mixing, abs=5 * 0.5 / n**0.5)
        if mixing == 1.0:
            assert bool(changes.any(0).all())  # anywhere between two layers


@pytest.mark.parametrize("wrong", [{"gamma": -1.0}, {"mixing": 1.5}, {"interval": 0}])
def test_wrong_settings_are_refused(gan, wrong):
    with pytest.raises(ValueError, match=r"expected gamma|at least 1"):
        StyleGAN(gan.generator_net, gan.discriminator, **wrong)
