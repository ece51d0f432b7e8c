"""Noise of videos, and what Gaussian videos lose when their frames are made one by one."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from genlab.core.tensors import make_generator
from genlab.data.language import decode, read_moving
from genlab.data.moving import measure_motion, small_digits
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig, VideoUNet, VideoUNetConfig
from genlab.systems.text_diffusion import TextDiffusion
from genlab.systems.text_to_video import (
    TextToVideo,
    frame_error,
    inflate,
    mixed_noise,
    to_colours,
    total_correlation_of_frames,
    video_batch,
)


def correlations(rho, n):
    return (1 - rho) * torch.eye(n) + rho * torch.ones(n, n)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_mixed_noise_has_unit_variance_and_the_stated_correlation(correlation, generator):
    n, f = 20_000, 3
    common = torch.randn(n, 1, 1, generator=generator)
    own = torch.randn(n, 1, f, generator=generator)
    eps = mixed_noise(common, own, correlation=correlation)[:, 0]
    # entries of a covariance have a standard error below sqrt(2 / n)
    torch.testing.assert_close(eps.T @ eps / n, correlations(correlation, f), atol=5 * 0.01, rtol=0)


@pytest.mark.parametrize(("rho", "n"), [(0.5, 2), (0.9, 8), (-0.2, 3), (0.7, 1)])
def test_total_correlation_is_the_divergence_from_independent_frames(rho, n):
    joint = MultivariateNormal(torch.zeros(n), correlations(rho, n))
    alone = MultivariateNormal(torch.zeros(n), torch.eye(n))
    assert total_correlation_of_frames(rho, n) == pytest.approx(
        kl_divergence(joint, alone).item(), abs=1e-12
    )


@pytest.mark.parametrize(("rho", "n"), [(1.0, 3), (-0.5, 3), (1.5, 2), (0.5, 0)])
def test_frames_that_no_normal_distribution_has_are_refused(rho, n):
    """At both ends of the correlations the covariance is singular: the divergence is infinite."""
    with pytest.raises(ValueError, match=f"no {n} frames have the correlation {rho}"):
        total_correlation_of_frames(rho, n)


@pytest.mark.parametrize(("rho", "sigma", "n"), [(0.8, 0.5, 3), (0.0, 2.0, 4), (0.99, 1.0, 8)])
def test_the_error_is_that_of_the_posterior_mean(rho, sigma, n):
    r = correlations(rho, n)
    posterior = r - r @ torch.linalg.inv(r + sigma**2 * torch.eye(n)) @ r
    assert frame_error(rho, sigma, n) == pytest.approx(posterior.diag().mean().item(), abs=1e-12)


CAPTIONS = ["a red seven moving left", "a blue two turning"]
IMAGE = UNetConfig(c_in=12, c_out=12, width=8, n_head=2, d_context=8, time_scale=250.0)


def fresh(**options):
    torch.manual_seed(0)
    net = VideoUNet(VideoUNetConfig(IMAGE, patch=2))
    encoder = TextEncoder(28, 6, d=8, n_layer=1, n_head=2)
    return TextToVideo(net, encoder, size=(3, 8, 8), **options).eval()


def stirred(model, spread=0.05):
    """The model with its zero-started layers moved off zero."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(spread * torch.randn_like(p))
    return model


def small(**options):
    return stirred(fresh(**options))


def noise(n=2, f=3):
    return torch.randn(n, 3, f, 8, 8, generator=make_generator(1))


def test_the_loss_is_the_weighted_error_of_the_predicted_noise():
    model, x = small(p_mean=0.4, p_std=0.0, shift=0.3), noise()
    loss = model.loss(x, cond=CAPTIONS, generator=make_generator(2))
    g = make_generator(2)
    torch.randn(2, generator=g)
    eps = torch.randn(x.shape, generator=g)
    sigma = torch.full((2,), 0.7).exp()
    noisy = x + sigma[0] * eps
    eps_hat = (noisy - model.denoiser(CAPTIONS)(noisy, sigma)) / sigma[0]
    weight = sigma[0] ** 2 * (1 / sigma[0] ** 2 + 4)
    torch.testing.assert_close(loss, weight * (eps_hat - eps).square().mean())


def test_the_loss_of_stills_is_the_mean_of_those_of_its_frames():
    model, x = small(p_mean=0.4, p_std=0.0, shift=0.3), noise()
    first, second = 1, 2  # frames that seed 1 draws
    loss = model.still_loss(x, cond=CAPTIONS, generator=make_generator(1))
    g = make_generator(1)
    assert torch.randint(3, (2, 1), generator=g).tolist() == [[first], [second]]
    torch.randn(2, generator=g)
    eps, sigma = torch.randn(2, 3, 1, 8, 8, generator=g), torch.full((1,), 0.4).exp()
    errors = []
    for k, frame in enumerate((first, second)):
        clean = x[[k], :, [frame]][:, :, None]
        times = torch.tensor([float(frame)])
        denoiser = model.denoiser([CAPTIONS[k]], joined=False, times=times)
        errors.append((denoiser(clean + sigma * eps[[k]], sigma) - clean).square().mean())
    wanted = (4 + 1 / sigma[0] ** 2) * torch.stack(errors).mean()
    torch.testing.assert_close(loss, wanted)


def test_captions_and_links_are_dropped_in_training_only():
    x = noise()
    hidden, alone = small(p_drop=1.0, p_alone=0.0), small(p_drop=0.0, p_alone=1.0)
    plain = small(p_drop=0.0, p_alone=0.0)

    def losses(model):
        given = model.loss(x, cond=CAPTIONS, generator=make_generator(3))
        return given, model.loss(x, cond=CAPTIONS[::-1], generator=make_generator(3))

    for model in (hidden, alone):
        torch.testing.assert_close(losses(model), losses(plain))
        model.train()
    one, other = losses(hidden)
    torch.testing.assert_close(one, other)
    one, other = losses(alone)
    assert not torch.isclose(one, other)
    assert not torch.isclose(one, losses(plain)[0])


def test_frames_alone_do_not_see_each_other():
    model, x = small(), noise()
    other = x.clone()
    other[:, :, 1] += 1
    sigma = torch.ones(2)
    for joined in (True, False):
        guess = model.denoiser(CAPTIONS, joined=joined)
        moved = (guess(x, sigma) - guess(other, sigma)).abs().amax((0, 1, 3, 4)) > 1e-9
        assert moved.tolist() == ([True] * 3 if joined else [False, True, False])


def test_guidance_continues_the_line_from_unconditional_to_conditional():
    model, x, sigma = small(), noise(), torch.tensor([1.5, 3.0])
    free, given, guided = (
        model.denoiser(CAPTIONS, guidance_scale=w)(x, sigma) for w in (0.0, 1.0, 3.0)
    )
    torch.testing.assert_close(guided, free + 3 * (given - free))
    other = model.denoiser(CAPTIONS[::-1], guidance_scale=0.0)(x, sigma)
    torch.testing.assert_close(free, other)
    assert not torch.allclose(given, free)


def test_videos_are_guided_in_much_noise_only():
    model, x = small(), noise()
    for level, same in ((0.39, True), (0.41, False)):
        sigma = torch.full((2,), level)
        given, guided = (model.denoiser(CAPTIONS, guidance_scale=w)(x, sigma) for w in (1.0, 3.0))
        assert torch.allclose(given, guided) is same


def test_a_video_is_made_of_its_noise_alone():
    model = small()
    one = model.draw(CAPTIONS, n_steps=3, noise=noise())
    torch.testing.assert_close(one, model.draw(CAPTIONS, n_steps=3, noise=noise()))
    drawn = model.draw(CAPTIONS, n_steps=3, generator=make_generator(4))
    assert drawn.shape == one.shape
    assert not torch.allclose(drawn, one)
    assert 0 <= float(one.min()) <= float(one.max()) <= 1


# Captions, and the image model that it starts from


def test_captions_of_a_minibatch_tell_the_truth():
    grey, digit = small_digits("painter")
    videos, rows = video_batch((grey[:20], digit[:20]), make_generator(0))
    claims = [read_moving(c) for c in decode(rows)]
    assert [c[0] for c in claims] == digit[:20].tolist()
    assert [c[2] for c in claims] == measure_motion(to_colours(videos).amax(1)).tolist()
    assert len({c[1:] for c in claims}) > 8


def test_an_inflated_model_draws_each_frame_as_the_image_model_draws_a_picture():
    model = fresh()
    options = {"event_shape": (3, 8, 8), "sigma_data": 0.5, "patch": 2, "skip": False}
    encoder = TextEncoder(28, 6, d=8, n_layer=1, n_head=2)
    pretrained = stirred(TextDiffusion(UNet(IMAGE), encoder, **options).eval(), 0.1)
    inflate(model, pretrained)
    x, sigma = noise(), torch.tensor([0.5, 3.0])
    for w in (0.0, 1.0):
        video = model.denoiser(CAPTIONS, guidance_scale=w)(x, sigma)
        for f in (0, 2):
            alone = pretrained.denoiser(CAPTIONS, guidance_scale=w)(x[:, :, f], sigma)
            torch.testing.assert_close(video[:, :, f], alone)
    with pytest.raises(ValueError, match="no text encoder"):
        inflate(model, TextDiffusion(UNet(IMAGE), None, **options))
