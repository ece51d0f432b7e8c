"""Styles: closed forms for modulation, mixing and truncation, and the lazy penalty's mean."""

import math

import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch.nn.functional import conv2d

from genlab.adversarial.stylegan import (
    Conv,
    Dense,
    StyleDiscriminator,
    StyledLayer,
    StyleGenerator,
    attribute_direction,
    followed,
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
    torch.testing.assert_close(y.norm(dim=1), torch.full((6,), 3.0), rtol=1e-5, atol=0)
    torch.testing.assert_close(torch.cosine_similarity(y, z), torch.ones(6), rtol=0, atol=1e-12)
    assert pixel_norm(torch.zeros(1, 4)).abs().max() == 0


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_a_convolution_of_its_own_for_each_example(parts, demodulate):
    """Independent route: make each example's weights, and loop; gradients agree too."""
    inputs = [t.requires_grad_(True) for t in parts]
    x, weight, style = inputs
    own = modulated_weight(weight, style, demodulate=demodulate)
    loop = torch.cat([conv2d(x[i : i + 1], own[i], padding=1) for i in range(3)])
    found = modulated_conv(x, weight, style, demodulate=demodulate)
    torch.testing.assert_close(found, loop, rtol=1e-10, atol=1e-10)
    target = torch.linspace(-1, 1, found.numel()).reshape(found.shape)
    slopes = [torch.autograd.grad((out * target).sum(), inputs) for out in (found, loop)]
    for left, right in zip(*slopes, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-8)


def test_mixing_takes_each_layer_from_its_side():
    coarse, fine = torch.ones(4, 2), torch.zeros(4, 2)
    mixed = mix_styles(coarse, fine, torch.tensor([0, 1, 2, 3]), 3)
    assert mixed[..., 0].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert mix_styles(coarse[:0], fine[:0], torch.zeros(0, dtype=torch.int64), 3).shape == (0, 3, 2)


def test_truncation_scales_deviations_and_keeps_the_mean(generator):
    w = torch.randn(50, 3, generator=generator) + torch.tensor([1.0, -2.0, 5.0])
    for psi in (0.0, 0.5, 1.5):
        t = truncate(w, w.mean(0), psi)
        torch.testing.assert_close(t.mean(0), w.mean(0))
        torch.testing.assert_close(t.std(0), psi * w.std(0))
    half = truncate(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 2.0]), 0.5)
    assert half.tolist() == [2.0, 1.5]  # half way to the mean, on the same side of it


@pytest.fixture
def net():
    """A small generator whose noise has been switched on."""
    net = StyleGenerator(8, 6, 2, (5, 4, 3))
    for layer in net.layers[:-1]:
        layer.strength.data.fill_(0.3)
    return net


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_dense_layer_starts_with_unit_variance_at_any_rate(rate, generator):
    layer = Dense(400, 300, rate=rate, bias=2.0)
    y = layer(torch.randn(200, 400, generator=generator.manual_seed(1)))  # not the weights' seed
    assert y.mean().item() == pytest.approx(2.0, abs=0.1)
    assert y.var().item() == pytest.approx(1.0, rel=0.05)  # 300 draws of a variance of weights


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_last_layer_starts_with_unit_variance_and_grows_with_its_style(kernel, generator):
    """Of a style of ones, far from the border; nothing demodulates it, and it hears no noise."""
    layer = StyledLayer(200, 300, 4, kernel=kernel, last=True)
    h = torch.randn(8, 200, 6, 6, generator=generator.manual_seed(1))
    w, noise = torch.zeros(8, 4), torch.randn(8, 1, 6, 6, generator=generator)
    y = layer(h, w, noise)
    # over 60 seeds it varied by 0.014
    assert y[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1.0, rel=0.1)
    layer.affine.bias.data.fill_(3.0)
    layer.strength.data.fill_(1.0)
    torch.testing.assert_close(layer(h, w, noise), 3 * y)


@pytest.mark.parametrize("c_in", [20, 200])
def test_a_convolution_of_the_discriminator_starts_with_unit_variance(c_in, generator):
    """A leaky ReLU times the root of 2 takes a normal's mean square 1 to 1 + 0.2^2."""
    x = torch.randn(16, c_in, 6, 6, generator=generator.manual_seed(1))
    y = Conv(c_in, 400)(x)[:, :, 1:-1, 1:-1]  # over 60 seeds its square varied by 0.019
    assert y.square().mean().item() == pytest.approx(1.04, rel=0.1)
    assert Conv(c_in, 2, stride=2)(x).shape == (16, 2, 3, 3)


def test_fresh_layers_add_nothing_of_their_own(generator):
    """No bias and no noise: black goes to black, whatever the style."""
    w, noise = torch.randn(2, 4), torch.randn(2, 1, 4, 4, generator=generator)
    black = torch.zeros(2, 3, 4, 4)
    for last in (False, True):
        layer = StyledLayer(3, 5, 4, last=last)
        assert not layer(black, w, noise).any()
        assert layer.strength.requires_grad is not last  # the last one never hears its noise
    assert not Conv(3, 5)(black).any()
    assert not Dense(4, 5)(torch.zeros(2, 4)).any()


def test_pictures_of_a_batch_do_not_mix_and_only_the_direction_of_a_latent_counts(net, generator):
    z, noise = torch.randn(2, 8, generator=generator), net.draw_noise(2, generator)
    both = net.synthesis(net.every_layer(net.mapping(z)), noise)
    assert both.shape == (2, 1, 16, 16)
    one = net.synthesis(net.every_layer(net.mapping(7 * z[1:])), [n[1:] for n in noise])
    # the root of pixel_norm holds 1e-8, so the scale of the latent matters
    torch.testing.assert_close(both[1:], one, rtol=1e-5, atol=1e-7)
    assert not any(n.any() for n in net.no_noise(2))


def test_the_mapping_learns_at_a_hundredth_of_the_rate():
    """Karras et al. 2019 (arXiv:1812.04948), appendix C."""
    assert [layer.rate for layer in StyleGenerator(8, 6, 2, (5, 4, 3)).map] == [0.01, 0.01]
    fast, slow = Dense(2, 1), Dense(2, 1, rate=0.01)
    slow.weight.data.copy_(fast.weight.data / 0.01)
    x = torch.randn(1, 2)
    torch.testing.assert_close(slow(x), fast(x))
    slopes = [torch.autograd.grad(layer(x).sum(), [*layer.parameters()]) for layer in (fast, slow)]
    for a, b in zip(*slopes, strict=True):
        torch.testing.assert_close(b, 0.01 * a)


@pytest.mark.parametrize("layer", range(6))
def test_each_layer_listens_to_its_own_style(net, layer, generator):
    """The style of one layer changes the picture, and no feature before that layer."""
    styles = net.every_layer(net.mapping(torch.randn(1, 8, generator=generator))).clone()
    seen = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: seen.append(out)) for module in net.layers
    ]
    net.synthesis(styles, net.no_noise(1))
    styles[:, layer] = net.mapping(torch.randn(1, 8, generator=generator))
    net.synthesis(styles, net.no_noise(1))
    for hook in hooks:
        hook.remove()
    for k in range(6):
        same = torch.equal(seen[k], seen[6 + k])
        assert same is (k < layer)


def test_a_layer_is_the_published_order_of_operations(generator):
    """Double, convolve with demodulated weights, noise, bias, bend: by hand for one example."""
    layer = StyledLayer(3, 2, 4, up=True)
    layer.strength.data.fill_(0.7)
    layer.bias.data.copy_(torch.tensor([0.2, -0.1]))
    h, w = torch.randn(1, 3, 4, 4, generator=generator), torch.randn(1, 4, generator=generator)
    noise = torch.randn(1, 1, 8, 8, generator=generator)
    own = modulated_weight(layer.weight, layer.affine(w))[0]
    large = torch.nn.Upsample(scale_factor=2, mode="bilinear")(h)
    by_hand = torch.nn.functional.conv2d(large, own, padding=1) + 0.7 * noise
    by_hand = by_hand + layer.bias[:, None, None]
    by_hand = torch.where(by_hand > 0, by_hand, 0.2 * by_hand) * math.sqrt(2)
    torch.testing.assert_close(layer(h, w, noise), by_hand, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("hold", "reaches"), [(False, True), (True, False)])
def test_a_held_spread_makes_each_logit_a_function_of_its_own_example(hold, reaches, generator):
    discriminator = StyleDiscriminator((2, 3, 4), 8)
    x = torch.randn(3, 1, 16, 16, generator=generator).requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(x, hold=hold)[0, 0], x)
    assert bool(slope[1:].abs().max() > 0) is reaches
    (slope,) = torch.autograd.grad(discriminator(x)[0, 0], x)
    assert slope[1:].abs().max() > 0  # unless it is asked to hold


@pytest.fixture
def styles(generator):
    """Normal styles with a covariance that is no multiple of the identity, and an attribute."""
    root = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, 0.3, 0.1]])
    weights = torch.tensor([0.0, 1.0, -2.0])
    w = torch.randn(200_000, 3, generator=generator) @ root.T + torch.tensor([5.0, 0.0, -1.0])
    return w, w @ weights + 3.0, root @ root.T, weights


def test_the_direction_is_the_conditional_mean_of_a_normal(styles):
    w, a, cov, weights = styles
    exact = cov @ weights / (weights @ cov @ weights).sqrt()
    found = attribute_direction(w, a)
    error = w.std(0) * (2 / len(w)) ** 0.5  # of a covariance with a standardised attribute
    assert bool(((found - exact).abs() < 5 * error).all())


def test_one_step_along_it_moves_a_linear_attribute_by_one_standard_deviation(styles):
    w, a, _, weights = styles
    found = attribute_direction(w, a)
    moved = (w + found) @ weights + 3.0
    torch.testing.assert_close((moved - a).mean(), a.std(correction=0))
    torch.testing.assert_close(attribute_direction(w, 10 * a - 4), found)


def test_an_attribute_that_varies_by_a_thousandth_has_a_direction_and_a_constant_has_none():
    w = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    torch.testing.assert_close(
        attribute_direction(w, torch.tensor([2.0, 2.001])), torch.tensor([1.0, 0.0])
    )
    with pytest.raises(ValueError, match="2 everywhere"):
        attribute_direction(w, torch.tensor([2.0, 2.0]))


def test_weights_are_those_of_another_regression(generator):
    mixed, coarse, fine = torch.randn(3, 50, generator=generator)
    mixed = mixed + 0.8 * coarse - 0.1 * fine + 2
    theirs = LinearRegression().fit(torch.stack([coarse, fine], 1).numpy(), mixed.numpy())
    torch.testing.assert_close(followed(mixed, coarse, fine), torch.from_numpy(theirs.coef_))


def test_demodulated_weights_have_unit_norm_for_each_output_and_forget_the_loudness(parts):
    x, weight, style = parts
    norm = modulated_weight(weight, style).square().sum((2, 3, 4))
    torch.testing.assert_close(norm, torch.ones(3, 5), rtol=1e-5, atol=0)
    found = modulated_conv(x, weight, 100 * style)
    torch.testing.assert_close(found, modulated_conv(x, weight, style), rtol=1e-5, atol=1e-7)
