"""Styles: closed forms for modulation, mixing and truncation, and the lazy penalty's mean."""

import itertools
import math

import pytest
import torch
from torch.func import vmap
from torch.nn.functional import conv2d

from genlab.adversarial.penalties import lazy_weight, r1_penalty
from genlab.adversarial.remedies import append_spread
from genlab.adversarial.stylegan import (
    add_noise,
    mix_styles,
    modulated_conv,
    modulated_weight,
    pixel_norm,
    truncate,
)


@pytest.fixture
def parts(generator):
    """Input of 3 examples and 4 channels, weights to 5 channels, styles far from 1."""
    x = torch.randn(3, 4, 6, 7, generator=generator)
    weight = torch.randn(5, 4, 3, 3, generator=generator)
    style = torch.randn(3, 4, generator=generator).exp()
    return x, weight, style


def test_pixel_norm_keeps_the_direction_and_nothing_else(generator):
    z = torch.randn(6, 9, generator=generator)
    y = pixel_norm(z)
    torch.testing.assert_close(y.norm(dim=1), torch.full((6,), 3.0), rtol=1e-7, atol=0)
    torch.testing.assert_close(torch.cosine_similarity(y, z), torch.ones(6), rtol=0, atol=1e-12)
    torch.testing.assert_close(pixel_norm(100 * z), y, rtol=1e-6, atol=0)


def test_zero_has_no_direction_and_stays_zero():
    assert pixel_norm(torch.zeros(1, 4)).abs().max() == 0


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_a_convolution_of_its_own_for_each_example(parts, demodulate):
    """Independent route: make each example's weights, and loop."""
    x, weight, style = parts
    own = modulated_weight(weight, style, demodulate=demodulate)
    loop = torch.cat([conv2d(x[i : i + 1], own[i], padding=1) for i in range(3)])
    found = modulated_conv(x, weight, style, demodulate=demodulate)
    torch.testing.assert_close(found, loop, rtol=1e-10, atol=1e-10)


def test_grouped_convolution_of_the_reference_gives_the_same(parts):
    """The published implementation folds the batch into groups."""
    x, weight, style = parts
    own = modulated_weight(weight, style).flatten(0, 1)
    grouped = conv2d(x.reshape(1, 12, 6, 7), own, padding=1, groups=3).reshape(3, 5, 6, 7)
    torch.testing.assert_close(modulated_conv(x, weight, style), grouped, rtol=1e-10, atol=1e-10)


def test_without_demodulation_the_style_scales_the_input(parts):
    x, weight, style = parts
    scaled = conv2d(x * style[:, :, None, None], weight, padding=1)
    torch.testing.assert_close(modulated_conv(x, weight, style, demodulate=False), scaled)


def test_demodulated_weights_have_unit_norm_for_each_output(parts):
    _, weight, style = parts
    norm = modulated_weight(weight, style).square().sum((2, 3, 4))
    torch.testing.assert_close(norm, torch.ones(3, 5), rtol=1e-7, atol=0)


def test_unit_noise_comes_out_with_unit_variance_whatever_the_style(generator):
    style = torch.tensor([[0.01, 1.0, 30.0]])
    weight = torch.randn(4, 3, 3, 3, generator=generator)
    x = torch.randn(1, 3, 160, 160, generator=generator)
    out = modulated_conv(x, weight, style)[0, :, 1:-1, 1:-1].flatten(1)
    # 158^2 correlated values: with a kernel of 9 at most 9 lags share, so n_eff >= n / 9
    error = math.sqrt(2 * 9 / out.shape[1])
    assert bool(((out.var(1) - 1).abs() < 5 * error).all())


def test_loudness_of_a_style_is_forgotten(parts):
    x, weight, style = parts
    found = modulated_conv(x, weight, 100 * style)
    torch.testing.assert_close(found, modulated_conv(x, weight, style), rtol=1e-7, atol=1e-7)


def test_a_style_reaches_its_own_example_alone(parts):
    x, weight, style = parts
    other = style.clone()
    other[1] = other[1].flip(0)
    before, after = (modulated_conv(x, weight, s) for s in (style, other))
    changed = (before - after).flatten(1).abs().amax(1)
    assert changed[0] == changed[2] == 0 < changed[1]


def test_mixing_takes_each_layer_from_its_side():
    coarse, fine = torch.ones(4, 2), torch.zeros(4, 2)
    mixed = mix_styles(coarse, fine, torch.tensor([0, 1, 2, 3]), 3)
    assert mixed[..., 0].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("crossover", [-1, 4])
def test_a_crossover_must_be_a_layer(crossover):
    with pytest.raises(ValueError, match=r"crossover must lie in 0\.\.3"):
        mix_styles(torch.ones(1, 2), torch.ones(1, 2), torch.tensor([crossover]), 3)


def test_truncation_scales_deviations_and_keeps_the_mean(generator):
    w = torch.randn(50, 3, generator=generator) + torch.tensor([1.0, -2.0, 5.0])
    mean = w.mean(0)
    for psi in (0.0, 0.5, 1.0, 1.5):
        t = truncate(w, mean, psi)
        torch.testing.assert_close(t.mean(0), mean)
        torch.testing.assert_close(t.std(0), psi * w.std(0))


def test_half_the_truncation_twice_is_a_quarter(generator):
    w, mean = torch.randn(5, 3, generator=generator), torch.randn(3, generator=generator)
    twice = truncate(truncate(w, mean, 0.5), mean, 0.5)
    torch.testing.assert_close(twice, truncate(w, mean, 0.25))


def test_spread_is_the_mean_standard_deviation_over_the_batch(generator):
    h = torch.randn(6, 3, 2, 2, generator=generator)
    extra = append_spread(h)
    torch.testing.assert_close(extra[:, :3], h)
    own = torch.stack([v.std(correction=0) for v in h.flatten(1).T]).mean()
    torch.testing.assert_close(extra[:, 3], torch.full((6, 2, 2), own.item()))


def test_copies_have_no_spread(generator):
    h = torch.randn(1, 3, 2, 2, generator=generator).expand(5, -1, -1, -1)
    assert append_spread(h)[:, 3].abs().max() < 1e-3


@pytest.mark.parametrize(("hold", "reaches"), [(False, True), (True, False)])
def test_a_held_spread_lets_no_example_touch_anothers_logit(hold, reaches, generator):
    h = torch.randn(4, 2, 2, 2, generator=generator).requires_grad_(True)
    logit = append_spread(h, hold=hold)[0].sum()  # of the first example
    (slope,) = torch.autograd.grad(logit, h)
    assert bool(slope[1:].abs().max() > 0) is reaches


def test_the_lazy_penalty_has_the_mean_gradient_of_the_full_one(generator):
    """Over one interval, and whatever step it begins at."""
    weight = torch.randn(5, generator=generator).requires_grad_(True)
    x = torch.randn(8, 5, generator=generator).requires_grad_(True)
    penalty = r1_penalty((x @ weight).tanh(), x).mean()
    (full,) = torch.autograd.grad(penalty, weight)
    for start, interval in itertools.product((0, 3), (1, 4, 16)):
        steps = range(start, start + interval)
        lazy = sum(lazy_weight(step, interval) * full for step in steps) / interval
        torch.testing.assert_close(lazy, full)


def test_the_lazy_penalty_is_computed_once_in_an_interval():
    assert [lazy_weight(step, 8) > 0 for step in range(16)] == ([True] + [False] * 7) * 2


def test_an_interval_is_at_least_one():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        lazy_weight(3, 0)


def test_noise_is_the_same_in_every_channel_of_an_example(generator):
    noise = torch.randn(2, 1, 3, 3, generator=generator)
    out = add_noise(torch.zeros(2, 4, 3, 3), noise, torch.tensor(0.5))
    torch.testing.assert_close(out, 0.5 * noise.expand(-1, 4, -1, -1))


def test_gradients_of_both_forms_of_the_convolution_agree(parts):
    x, weight, style = (t.requires_grad_(True) for t in parts)
    target = torch.linspace(-1, 1, 3 * 5 * 6 * 7).reshape(3, 5, 6, 7)
    fast = (modulated_conv(x, weight, style) * target).sum()
    own = modulated_weight(weight, style)
    slow = vmap(lambda x, w: conv2d(x[None], w, padding=1)[0])(x, own)
    pairs = zip(
        torch.autograd.grad(fast, (x, weight, style)),
        torch.autograd.grad((slow * target).sum(), (x, weight, style)),
        strict=True,
    )
    for left, right in pairs:
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-8)
