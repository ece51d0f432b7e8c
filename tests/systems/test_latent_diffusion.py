"""The composition: codes are scaled for the denoiser, and unscaled for the decoder."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from genlab.core.tensors import last
from genlab.data.captions import WORDS, encode
from genlab.latent.vae import ImageVAE, ImageVAEConfig
from genlab.metrics.cost import network_passes
from genlab.nn.transformer import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.latent_diffusion import LatentDiffusion
from genlab.systems.text_diffusion import TextDiffusion

CAPTIONS = ["a red one", "a bold blue two upright", "a thin cyan nine"]


def stirred(module, seed=0):
    """Random weights, so that no layer is zero."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = 0.3 * torch.randn(p.shape, generator=g)
    return module


def small_denoiser(shape=(2, 4, 4), sigma_data=0.5):
    k = shape[0]
    net = UNet(UNetConfig(c_in=k, c_out=k, width=8, d_context=8, d_pooled=8, time_scale=250.0))
    encoder = TextEncoder(len(WORDS), d=8, n_layer=1, n_head=2)
    return TextDiffusion(net, encoder, event_shape=shape, sigma_data=sigma_data, limit=None)


@pytest.fixture
def model():
    torch.manual_seed(0)
    vae = ImageVAE(ImageVAEConfig(size=16, width=8, latent_channels=2))
    system = LatentDiffusion(stirred(vae), stirred(small_denoiser(), 1)).eval()
    system.shift.copy_(torch.tensor([0.3, -2.0])[:, None, None])
    system.spread.fill_(5.5)
    return system


def test_codes_of_pictures_have_the_spread_of_the_training_and_no_mean(model, generator):
    x = torch.rand(64, 3, 16, 16, generator=generator)
    model.set_scale(x)
    codes = model.encode(x)
    assert codes.std(correction=0).item() == pytest.approx(0.5)
    assert codes.mean((0, 2, 3)).abs().max() < 1e-12


def test_decoding_reads_unscaled_codes(model, generator):
    z = torch.randn(3, 2, 4, 4, generator=generator)
    torch.testing.assert_close(model.decode(model.scaled(z)), model.vae.decode(z))


def test_the_sampler_is_ddim(model):
    """Euler's method on EDM's equation in scaled codes, written out: DDIM in other coordinates."""
    from genlab.score.edm import edm_sigmas

    painter, n = model.painter, 5
    levels = edm_sigmas(n, sigma_min=painter.SIGMA_MIN, sigma_max=painter.sigma_max)
    denoise = painter.denoiser(CAPTIONS, guidance_scale=2.0)
    noise = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(2))
    x = noise * (1 + levels[0] ** 2).sqrt()
    with torch.no_grad():
        for sigma, lower in pairwise(levels):
            guess = denoise(x, sigma.expand(3))
            x = guess + (lower / sigma) * (x - guess)
        found = last(
            model.codes(CAPTIONS, 3, guidance_scale=2.0, n_steps=n,
                        generator=torch.Generator().manual_seed(2))
        )  # fmt: skip
    torch.testing.assert_close(found, x)


def test_the_decoder_runs_once_and_the_encoder_never(model):
    def draw():
        model.draw(CAPTIONS, guidance_scale=2.0, n_steps=6)

    assert network_passes(model.painter.net, draw) == 6
    assert network_passes(model.vae.decoder, draw) == 1
    assert network_passes(model.vae.encoder, draw) == 0


def test_the_vae_is_not_trained(model, generator):
    loss = model.loss(torch.randn(3, 2, 4, 4, generator=generator), cond=encode(CAPTIONS))
    loss.backward()
    assert not any(p.requires_grad for p in model.vae.parameters())
    assert any(p.grad is not None for p in model.painter.parameters())


def test_a_denoiser_that_answers_zero_has_loss_one_on_scaled_codes(generator):
    vae = ImageVAE(ImageVAEConfig(size=16, width=8, latent_channels=2))
    system = LatentDiffusion(vae, small_denoiser())
    nn.init.zeros_(system.painter.net.conv_out.weight)
    nn.init.zeros_(system.painter.net.conv_out.bias)
    z = 0.5 * torch.randn(4000, 2, 4, 4, generator=generator)
    rows = encode(CAPTIONS[:1]).expand(4000, -1)
    loss = system.loss(z, cond=rows, generator=generator)
    assert abs(loss.item() - 1) < 0.02  # Monte Carlo over 128,000 numbers


def test_a_denoiser_of_another_shape_is_refused():
    vae = ImageVAE(ImageVAEConfig(size=16, width=8, latent_channels=2))
    with pytest.raises(ValueError, match=r"codes are \(2, 4, 4\), the denoiser's \(2, 8, 8\)"):
        LatentDiffusion(vae, small_denoiser((2, 8, 8)))
