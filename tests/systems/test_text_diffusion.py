"""The shell around U-Net and text encoder: conditions, dropped captions, sampling."""

import pytest
import torch

from genlab.data.captions import load_captioned, measure_colour
from genlab.data.language import Attributes, decode, encode, read_caption, write_captions
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.edm import edm_sample, edm_sigmas
from genlab.systems.text_diffusion import TextDiffusion, captioned_batch

CAPTIONS = ["a red one", "a thin blue seven leaning left"]


def small(*, encoder=True, concatenated=0, **settings):
    torch.manual_seed(0)
    net = UNet(UNetConfig(c_in=3 + concatenated, c_out=3, width=8, d_context=8))
    text = TextEncoder(28, 6, d=8, n_layer=1, n_head=2) if encoder else None
    model = TextDiffusion(net, text, event_shape=(3, 8, 8), sigma_data=0.5, **settings)
    with torch.no_grad():
        for p in model.parameters():  # move the zero-started layers
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def noisy():
    torch.manual_seed(1)
    return torch.randn(2, 3, 8, 8), torch.tensor([0.5, 2.0])


def test_the_guided_guess_lies_on_the_line_through_both_guesses():
    model, (x, sigma) = small(), noisy()
    given = model.denoiser(CAPTIONS)(x, sigma)
    free = model.denoiser(CAPTIONS, guidance_scale=0)(x, sigma)
    guided = model.denoiser(CAPTIONS, guidance_scale=3.5)(x, sigma)
    torch.testing.assert_close(guided, 3.5 * given - 2.5 * free)
    assert not torch.allclose(given, free)


def test_first_order_is_ddim_which_is_eulers_method_in_edms_terms():
    model = small(limit=None)
    found = model.draw(
        CAPTIONS, n_steps=5, order=1, guidance_scale=2.0, generator=torch.Generator().manual_seed(3)
    )
    sigmas = edm_sigmas(5, sigma_min=0.01, sigma_max=40.0)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    x = (1 + sigmas[0] ** 2).sqrt() * x
    denoiser = model.denoiser(CAPTIONS, guidance_scale=2.0)
    *_, wanted = edm_sample(denoiser, x, sigmas, order=1)
    torch.testing.assert_close(found, wanted)


def test_samples_are_clipped_where_a_limit_is_set():
    wild = small().draw(CAPTIONS, guidance_scale=50.0, n_steps=3)
    assert wild.abs().max() <= 1 + 1e-9
    assert small(limit=None).draw(CAPTIONS, guidance_scale=50.0, n_steps=3).abs().max() > 1


def test_training_drops_captions_and_evaluation_does_not():
    x, model = noisy()[0], small(p_drop=1.0).requires_grad_(False)
    losses = {}
    for mode in (True, False):
        model.train(mode)
        a, b = (
            float(model.loss(x, cond=c, generator=torch.Generator().manual_seed(0)))
            for c in (CAPTIONS, CAPTIONS[::-1])
        )
        losses[mode] = abs(a - b)
    assert losses[True] == 0
    assert losses[False] > 0


def test_what_is_concatenated_is_seen_in_both_halves_of_a_guided_pass():
    model, (x, sigma) = small(concatenated=4), noisy()
    one, other = torch.randn(2, 4, 8, 8), torch.ones(2, 4, 8, 8)
    free = model.denoiser(None, concatenated=one)(x, sigma)
    given = model.denoiser(CAPTIONS, concatenated=one)(x, sigma)
    guided = model.denoiser(CAPTIONS, concatenated=one, guidance_scale=2.0)(x, sigma)
    torch.testing.assert_close(guided, 2 * given - free)
    assert not torch.allclose(given, model.denoiser(CAPTIONS, concatenated=other)(x, sigma))


def test_texts_that_come_encoded_need_no_text_encoder():
    model = small(encoder=False)
    text = torch.randn(2, 4, 8)
    assert model.draw(text, n_steps=2, guidance_scale=2.0).shape == (2, 3, 8, 8)
    with pytest.raises(ValueError, match="no text encoder"):
        model.draw(CAPTIONS)


def test_a_network_that_reads_no_text_is_refused():
    with pytest.raises(ValueError, match="its d_context is 0"):
        TextDiffusion(UNet(UNetConfig(width=8)), None, event_shape=(1, 8, 8), sigma_data=1.0)


def test_patches_are_put_back_where_they_were_cut():
    torch.manual_seed(0)
    net = UNet(UNetConfig(c_in=12, c_out=12, width=8, d_context=8))
    model = TextDiffusion(net, None, event_shape=(3, 8, 8), sigma_data=0.5, patch=2).eval()
    net.forward = lambda x, t, context: x
    text = torch.zeros(2, 1, 8)
    x, sigma = noisy()
    torch.testing.assert_close(model.raw(text)(x, sigma), x)


def test_guidance_acts_between_the_ends_of_its_interval_alone():
    model, (x, _) = small(), noisy()
    plain = model.denoiser(CAPTIONS)
    everywhere = model.denoiser(CAPTIONS, guidance_scale=3.0)
    limited = model.denoiser(CAPTIONS, guidance_scale=3.0, interval=(0.4, 5.0))
    for level, wanted in ((0.39, plain), (0.4, everywhere), (5.0, everywhere), (5.1, plain)):
        sigma = torch.full((2,), level)
        torch.testing.assert_close(limited(x, sigma), wanted(x, sigma))
    with pytest.raises(ValueError, match="must rise"):
        model.denoiser(CAPTIONS, interval=(2.0, 1.0))


def test_the_interval_reaches_the_sampler():
    model = small()
    draws = [
        model.draw(CAPTIONS, guidance_scale=w, interval=(50.0, 60.0), n_steps=3,
                     generator=torch.Generator().manual_seed(0))
        for w in (1.0, 4.0)
    ]  # fmt: skip
    torch.testing.assert_close(*draws)


def test_a_network_without_skip_answers_the_picture_itself():
    model, (x, sigma) = small(skip=False), noisy()
    text = model.encode_captions(CAPTIONS)
    scale = (sigma**2 + 0.25).sqrt()[:, None, None, None]
    answer = model.raw(text)(x / scale, sigma.log() / 4)
    torch.testing.assert_close(model.denoiser(CAPTIONS)(x, sigma), answer)


def test_the_loss_without_skip_is_the_weighted_error_of_the_picture(monkeypatch):
    """An answer of zero: the mean of (1 / max(sigma, 0.14)^2 + 4) x^2 over the drawn levels."""
    model, x = small(skip=False), noisy()[0].repeat(200, 1, 1, 1)
    monkeypatch.setattr(model, "raw", lambda text, concatenated: lambda x, c: 0 * x)
    with torch.no_grad():
        rows = encode(CAPTIONS).repeat(200, 1)
        found = model.loss(x, cond=rows, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(400, generator=torch.Generator().manual_seed(0))
    sigma = (-1.2 + 1.2 * noise).exp().clamp(min=0.14)
    weight = 1 / sigma**2 + 1 / 0.25
    torch.testing.assert_close(found, (weight * x.square().mean((1, 2, 3))).mean())


def test_fresh_captions_are_true_of_the_fresh_pictures():
    grey, attributes = load_captioned("test", 16)
    grey, columns = grey[:200], torch.stack(attributes, 1)[:200]
    x, rows = captioned_batch(
        (grey, columns), torch.Generator().manual_seed(5), p_stroke=1.0, p_slant=1.0
    )
    assert x.min() == -1
    colour = measure_colour((x + 1) / 2)
    given = Attributes(columns[:, 0], colour, columns[:, 2], columns[:, 3])
    assert decode(rows) == write_captions(given)
    assert not torch.equal(colour, columns[:, 1])


def test_words_are_left_out_as_often_as_asked():
    grey, attributes = load_captioned("test", 16)
    batch = grey, torch.stack(attributes, 1)
    _, rows = captioned_batch(batch, torch.Generator().manual_seed(0), p_stroke=0.5, p_slant=0.8)
    claims = [read_caption(c) for c in decode(rows)]
    said_slant = sum(c.slant is not None for c in claims) / 1000
    strokes = sum(c.stroke is not None for c in claims) / 1000
    assert abs(said_slant - 0.8) < 0.04
    assert abs(strokes - 0.5 * float((attributes.stroke != 1).double().mean())) < 0.05
