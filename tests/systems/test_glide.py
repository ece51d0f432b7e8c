"""Two stages: what the second one is shown, and what enlarging without a network does."""

import pytest
import torch
import torch.nn.functional as F

from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.glide import (
    KINDS,
    Glide,
    NoisyClassifier,
    Upsampler,
    classifier_guided,
    sharpen,
    shrink,
)
from genlab.systems.text_diffusion import TextDiffusion

CAPTIONS = ["a red one", "a thin blue seven leaning left"]


def denoiser(size, concatenated=0):
    net = UNet(UNetConfig(c_in=3 + concatenated, c_out=3, width=8, d_context=8))
    encoder = TextEncoder(28, 6, d=8, n_layer=1, n_head=2)
    model = TextDiffusion(net, encoder, event_shape=(3, size, size), sigma_data=0.5)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


@pytest.fixture
def glide():
    torch.manual_seed(0)
    return Glide(denoiser(4), Upsampler(denoiser(8, concatenated=4)).eval())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_network_sees_the_noisy_small_picture_and_how_noisy_it_is(glide):
    small, eps, s = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.tensor([0.0, 0.3])
    seen = glide.upsampler.condition(small, s, eps)
    torch.testing.assert_close(shrink(seen[:, :3]), small + s[:, None, None, None] * eps)
    torch.testing.assert_close(seen[:, 3].flatten(1), s[:, None].expand(2, 64))


def test_training_shows_small_pictures_with_noise_up_to_s_max(glide):
    seen = []
    loss = torch.zeros(())
    glide.upsampler.painter.loss = lambda x, *, concatenated, **_: seen.append(concatenated) or loss
    x, rows = torch.rand(400, 3, 8, 8), torch.zeros(400, 6, dtype=torch.int64)
    glide.upsampler.loss(x, cond=rows, generator=seeded())
    s = seen[0][:, 3, 0, 0]
    assert 0 <= s.min() < 0.02
    assert 0.48 < s.max() <= 0.5
    off = (shrink(seen[0][:, :3]) - shrink(x)).flatten(1).std(1)
    torch.testing.assert_close(off, s, rtol=0.4, atol=0.02)  # 48 draws each


def test_a_strength_that_no_training_has_shown_is_refused(glide):
    with pytest.raises(ValueError, match=r"s is 0.6"):
        glide.upsampler.draw(CAPTIONS, torch.zeros(2, 3, 4, 4), s=0.6)


def test_the_whole_draws_both_sizes_in_the_range_of_pixels(glide):
    small, large = glide.draw(CAPTIONS, n_steps=2, n_steps_up=2, generator=seeded())
    assert (small.shape, large.shape) == ((2, 3, 4, 4), (2, 3, 8, 8))
    assert min(small.min(), large.min()) >= 0
    assert max(small.max(), large.max()) <= 1
    again = glide.draw(CAPTIONS, n_steps=2, n_steps_up=2, generator=seeded())[1]
    torch.testing.assert_close(large, again)


def test_sharpening_is_a_convolution_by_hand():
    torch.manual_seed(0)
    x = 0.1 * torch.randn(1, 3, 8, 8)
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    blurred = F.conv2d(x.transpose(0, 1), kernel[None, None]).transpose(0, 1)
    inner = x[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(sharpen(x, 1.5)[:, :, 1:-1, 1:-1], inner + 1.5 * (inner - blurred))


def classifier():
    torch.manual_seed(0)
    net = NoisyClassifier(8)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval().requires_grad_(False)


def noisy():
    torch.manual_seed(1)
    return torch.randn(2, 3, 16, 16), torch.tensor([0.5, 2.0])


def test_each_kind_is_a_distribution_over_its_words():
    net, (x, sigma) = classifier(), noisy()
    none = torch.full((2, 4), -1)
    for kind, n in enumerate(KINDS):
        total = torch.zeros(2)
        for word in range(n):
            words = none.clone()
            words[:, kind] = word
            total += net.log_prob_of_words(x, sigma, words).exp()
        torch.testing.assert_close(total, torch.ones(2))


def test_the_classifier_learns_at_log_normal_noise_levels(monkeypatch):
    net, seen = classifier(), []
    words, x = torch.zeros(4000, 4, dtype=torch.int64), torch.zeros(4000, 3, 16, 16)
    answer = lambda x, sigma, words: seen.append((x, sigma)) or torch.zeros(len(x))
    monkeypatch.setattr(net, "log_prob_of_words", answer)
    net.loss(x, cond=words, generator=torch.Generator().manual_seed(0))
    (noisy, sigma), n = seen[0], len(x)
    levels = sigma.log()
    assert abs(float(levels.mean()) + 0.6) < 5 * 1.2 / n**0.5  # the mean -0.6 and the deviation 1.2
    assert abs(float(levels.std()) / 1.2 - 1) < 5 / (2 * n) ** 0.5
    assert ((noisy.flatten(1).std(1) / sigma - 1).abs() < 6 / (2 * 768) ** 0.5).all()


def test_kinds_add_up_and_words_that_are_not_said_count_nothing():
    net, (x, sigma) = classifier(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, 0, 1]])
    alone = [torch.where(torch.arange(4) == kind, words, -1) for kind in range(4)]
    parts = sum(net.log_prob_of_words(x, sigma, w) for w in alone)
    torch.testing.assert_close(net.log_prob_of_words(x, sigma, words), parts)
    assert net.log_prob_of_words(x, sigma, torch.full((2, 4), -1)).abs().max() == 0


def test_the_pull_is_sigma_squared_times_the_slope_by_finite_differences():
    net, (x, sigma) = classifier(), noisy()
    words = torch.tensor([[3, 1, 2, 0], [7, 5, -1, 1]])
    guided = classifier_guided(lambda x, s: 0 * x, net, words, guidance_scale=3.0)(x, sigma)
    torch.manual_seed(2)
    way = torch.randn_like(x)
    ahead, back = (net.log_prob_of_words(x + h * way, sigma, words) for h in (1e-5, -1e-5))
    along = (ahead - back) / 2e-5
    found = (guided * way).flatten(1).sum(1)
    torch.testing.assert_close(found, 3 * sigma**2 * along, rtol=1e-5, atol=1e-7)


def test_the_noise_is_a_condition_and_not_only_divided_out():
    net, (x, _) = classifier(), noisy()
    little, much = torch.full((2,), 0.5), torch.full((2,), 2.0)
    as_large = x * ((1 + much**2) / (1 + little**2)).sqrt()[:, None, None, None]  # scaled alike
    for a, b in zip(net(x, little), net(as_large, much), strict=True):
        assert (a - b).abs().max() > 1e-3
