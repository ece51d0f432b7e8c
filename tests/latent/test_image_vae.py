"""The VAE that compresses pictures: its loss is a bound in other units, its codes have a spread."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from genlab.core import HasElbo, Sampleable, Trainable, likelihood_kind
from genlab.core.stats import kl_diag_normal, normal_log_prob
from genlab.latent.image_vae import (
    ImageVAE,
    ImageVAEConfig,
    Residual,
    code_std,
    loss_constant,
    weighted_error,
)
from genlab.train import fit, minibatches

SMALL = ImageVAEConfig(size=8, width=8, latent_channels=2, pixel_std=0.1)


def small_vae(**changes):
    torch.manual_seed(3)
    return ImageVAE(dataclasses.replace(SMALL, **changes))


@pytest.fixture
def pictures(generator):
    return torch.rand(6, 3, 8, 8, generator=generator)


@pytest.mark.parametrize("s", [0.02, 0.5, 3.0])
def test_the_weighted_error_is_a_bound_in_other_units(s, pictures, generator):
    """-2 s^2 times (log-likelihood - KL), plus a constant that no parameter moves."""
    mean = torch.rand(pictures.shape, generator=generator)
    mu, log_var = torch.randn(2, 6, 2, 2, 2, generator=generator)
    bound = normal_log_prob(pictures, mean, s) - kl_diag_normal(mu, log_var)
    expected = -2 * s**2 * bound + loss_constant(3 * 8 * 8, s)
    found = weighted_error(pictures, mean, mu, log_var, pixel_std=s)
    torch.testing.assert_close(found, expected)


def test_the_loss_of_the_model_is_its_elbo_in_these_units(pictures):
    vae = small_vae()
    loss = vae.loss(pictures, generator=torch.Generator().manual_seed(5))
    elbo = vae.elbo(pictures, generator=torch.Generator().manual_seed(5)).mean()
    torch.testing.assert_close(loss, -2 * 0.01 * elbo + loss_constant(192, 0.1))


def test_the_error_is_summed_over_pixels_and_codes():
    x, code = torch.ones(2, 3, 4, 4), torch.zeros(2, 5)
    assert weighted_error(x, 0 * x, code, code, pixel_std=1.0).tolist() == [48, 48]
    only_kl = weighted_error(x, x, code + 1, code, pixel_std=0.1)  # 5 times 1/2 nat, times 0.02
    torch.testing.assert_close(only_kl, torch.full((2,), 0.05))


def test_the_spread_of_codes_is_that_of_their_draws(generator):
    mu = 2 * torch.randn(400, 3, 4, generator=generator) + 5
    log_var = torch.randn(400, 3, 4, generator=generator)
    draws = mu + (0.5 * log_var).exp() * torch.randn(200, 400, 3, 4, generator=generator)
    # Monte Carlo: 960,000 draws, nearly normal; 5 standard errors of a standard deviation
    error = 5 * draws.std() / math.sqrt(2 * draws.numel())
    assert abs(code_std(mu, log_var) - draws.std()) < error


def test_a_codes_spread_has_the_unit_of_the_code(generator):
    mu, log_var = torch.randn(2, 30, 4, generator=generator)
    torch.testing.assert_close(
        code_std(3 * mu, log_var + 2 * math.log(3)), 3 * code_std(mu, log_var)
    )


def test_the_scale_of_a_code_is_free(pictures, generator):
    """Codes c times as large and a decoder that divides by c: the same pictures."""
    vae, c = small_vae(), 7.0
    mu, log_var = vae.encode(pictures)
    before = vae.decode(mu)
    head, stem = vae.encoder[-1], vae.decoder[0]
    with torch.no_grad():
        head.weight[:2] *= c
        head.bias[:2] *= c
        head.bias[2:] += 2 * math.log(c)
        stem.weight /= c
    large, log_var_large = vae.encode(pictures)
    torch.testing.assert_close(large, c * mu)
    torch.testing.assert_close(log_var_large, log_var + 2 * math.log(c))
    torch.testing.assert_close(vae.decode(large), before)


def test_shapes_follow_the_configuration(pictures):
    vae = small_vae(latent_channels=3)
    mu, log_var = vae.encode(pictures)
    assert mu.shape == log_var.shape == (6, *vae.latent_shape) == (6, 3, 2, 2)
    assert vae.decode(mu).shape == pictures.shape
    assert vae.sample(5).shape == (5, *vae.event_shape)


def test_pixels_of_the_mean_lie_between_black_and_white(generator):
    z = 100 * torch.randn(4, 2, 2, 2, generator=generator)
    assert bool(((pixels := small_vae().decode(z)) >= 0).all() and (pixels <= 1).all())


def test_a_place_of_the_code_sees_its_own_part_of_the_picture(pictures):
    """Convolutions: the far corner's pixels change nothing but through the group norms."""
    vae = small_vae(size=32)
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = x.clone()
    y[..., -4:, -4:] = 1 - y[..., -4:, -4:]
    nn.init.zeros_(vae.encoder[3].conv_1.weight)
    vae.encoder[4] = nn.Identity()
    change = (vae.encode(x)[0] - vae.encode(y)[0]).abs().sum(1)[0]
    assert change[:6, :6].max() == 0
    assert change[-1, -1] > 0


def test_a_residual_starts_as_its_shortcut(generator):
    x = torch.randn(2, 8, 4, 4, generator=generator)
    block = Residual(8)
    bias = block.conv_2.bias[:, None, None]
    torch.testing.assert_close(block(x), x + bias)


def test_an_image_vae_has_a_bound_and_no_density():
    vae = small_vae()
    _: HasElbo = vae
    _s: Sampleable = vae
    _t: Trainable = vae
    assert likelihood_kind(vae) == "bound"
    assert not hasattr(vae, "log_prob")


def test_a_prior_draw_has_the_noise_of_its_pixels():
    """Decoder at a constant: what is left is the pixels' own spread."""
    vae = small_vae(pixel_std=0.2)
    nn.init.zeros_(vae.decoder[7].weight)
    nn.init.zeros_(vae.decoder[7].bias)
    x = vae.sample(200, generator=torch.Generator().manual_seed(0))
    assert abs(x.mean() - 0.5) < 0.01
    assert abs(x.std() - 0.2) < 0.01
    assert not x.requires_grad


def test_it_learns_to_give_pictures_back(generator):
    shade = torch.rand(64, 3, 1, 1, generator=generator)
    x = shade.expand(64, 3, 8, 8)
    vae = small_vae()
    batches = minibatches(x, 32, generator=generator)
    losses = [r.loss for r in fit(vae, batches, n_steps=120, lr=1e-2, generator=generator)]
    assert losses[-1] < 0.5 * losses[0]


def test_bad_sizes_conditions_and_weights_are_refused(pictures):
    with pytest.raises(ValueError, match="got 30, 8"):
        small_vae(size=30)
    with pytest.raises(ValueError, match="got 8, 12"):
        small_vae(width=12)
    with pytest.raises(ValueError, match="cond must be None"):
        small_vae().loss(pictures, cond=torch.zeros(6))
    with pytest.raises(ValueError, match="cond must be None"):
        small_vae().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="must be positive, got 0"):
        weighted_error(pictures, pictures, pictures, pictures, pixel_std=0.0)
    with pytest.raises(ValueError, match="1 pictures"):
        code_std(pictures[:1], pictures[:1])
