"""The networks: equal speed of all layers, styles layer by layer, a critic that reads the batch."""

import math

import pytest
import torch

from genlab.adversarial.stylegan import mix_styles, modulated_weight
from genlab.adversarial.stylegan_nets import (
    Conv,
    Dense,
    StyleCritic,
    StyledLayer,
    StyleGenerator,
    bend,
)


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


def test_a_slow_layer_moves_less_for_the_same_step_of_adam(generator):
    """Adam moves every stored number by its rate, whatever the gradient's size."""
    x = torch.randn(50, 20, generator=generator)
    moved = []
    for rate in (1.0, 0.1):
        layer = Dense(20, 10, rate=rate)
        before = layer(x).detach()
        adam = torch.optim.Adam(layer.parameters(), lr=1e-3)
        layer(x).sum().backward()
        adam.step()
        moved.append((layer(x) - before).abs().mean().item())
    assert moved[1] == pytest.approx(0.1 * moved[0], rel=1e-2)


def test_bends_keep_unit_size_on_normal_input(generator):
    """E[bend^2] = 2 (1 + 0.04) / 2 = 1.04."""
    h = bend(torch.randn(100_000, generator=generator))
    assert h.square().mean().item() == pytest.approx(1.04, rel=0.02)


def test_convolutions_keep_their_size_and_strides_halve_the_picture(generator):
    h = torch.randn(20, 30, 16, 16, generator=generator.manual_seed(1))
    out = Conv(30, 40, stride=2)(h)
    assert out.shape == (20, 40, 8, 8)
    inner = out[:, :, 1:-1, 1:-1]  # the border sees zeros
    assert inner.square().mean().item() == pytest.approx(1.04, rel=0.1)


def test_styles_are_drawn_from_the_direction_of_z_alone(net, generator):
    z = torch.randn(4, 8, generator=generator)
    torch.testing.assert_close(net.mapping(5 * z), net.mapping(z), rtol=1e-6, atol=1e-6)


def test_the_bottom_is_a_constant_and_only_styles_and_noise_decide(net, generator):
    w = net.mapping(torch.randn(1, 8, generator=generator)).expand(3, -1)
    quiet = net.synthesis(net.every_layer(w), net.no_noise(3))
    torch.testing.assert_close(quiet[0], quiet[1])
    loud = net.synthesis(net.every_layer(w), net.draw_noise(3, generator))
    assert (loud[0] - loud[1]).abs().max() > 1e-3


def test_noise_begins_switched_off(generator):
    net = StyleGenerator(4, 4, 1, (2, 2, 2))
    styles = net.every_layer(net.mapping(torch.randn(2, 4, generator=generator)))
    quiet, loud = (net.synthesis(styles, n) for n in (net.no_noise(2), net.draw_noise(2)))
    torch.testing.assert_close(quiet, loud)


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


def test_crossover_at_the_ends_gives_pictures_of_one_style(net, generator):
    w = net.mapping(torch.randn(2, 8, generator=generator))
    for crossover, own in ((0, w[1:]), (6, w[:1])):
        mixed = mix_styles(w[:1], w[1:], torch.tensor([crossover]), 6)
        torch.testing.assert_close(
            net.synthesis(mixed, net.no_noise(1)),
            net.synthesis(net.every_layer(own), net.no_noise(1)),
        )


def test_noise_pictures_have_the_size_of_each_layers_output(net, generator):
    seen = []
    for module in net.layers:
        module.register_forward_hook(lambda _m, _i, out: seen.append(out.shape[-1]))
    net.synthesis(net.every_layer(torch.randn(1, 6)), net.draw_noise(1, generator))
    assert tuple(seen) == net.sides


def test_the_critic_sees_a_batch_of_copies(generator):
    """The same picture has another logit among copies than among others."""
    critic = StyleCritic((4, 4, 4), 8)
    x = torch.randn(4, 1, 16, 16, generator=generator)
    among_others, among_copies = critic(x)[0], critic(x[:1].expand(4, -1, -1, -1))[0]
    assert (among_others - among_copies).abs() > 1e-3


@pytest.mark.parametrize(("hold", "reaches"), [(False, True), (True, False)])
def test_a_held_spread_makes_each_logit_a_function_of_its_own_example(hold, reaches, generator):
    critic = StyleCritic((4, 4, 4), 8)
    x = torch.randn(3, 1, 16, 16, generator=generator).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(x, hold=hold)[0, 0], x)
    assert bool(slope[1:].abs().max() > 0) is reaches
