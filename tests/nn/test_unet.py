"""The small U-Net: sizes, what it is told, what it refuses."""

import pytest
import torch

from genlab.nn.unet import UNet, UNetConfig, modulate


def started(config):
    """A network whose zero-started layers are moved off zero, so that inputs matter."""
    torch.manual_seed(0)
    net = UNet(config)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("mults", [(1,), (1, 2), (1, 2, 2)])
def test_the_output_has_the_size_of_the_input(size, mults):
    net = UNet(UNetConfig(c_in=3, c_out=2, width=8, mults=mults, n_block=2))
    assert net(torch.randn(2, 3, size, size), torch.tensor([0, 7])).shape == (2, 2, size, size)


def test_a_fresh_network_predicts_zero():
    net = UNet(UNetConfig(width=8))
    out = net(torch.randn(2, 1, 8, 8), torch.tensor([0, 7]))
    assert out.abs().max() <= net.conv_out.bias.abs().max() + 1e-12


def test_the_time_matters():
    net = started(UNetConfig(width=8))
    x = torch.randn(1, 1, 8, 8)
    assert not torch.allclose(net(x, torch.tensor([1])), net(x, torch.tensor([50])))


def test_continuous_times_are_scaled():
    net = started(UNetConfig(width=8, time_scale=1000.0))
    other = started(UNetConfig(width=8))
    x = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(net(x, torch.tensor([0.05])), other(x, torch.tensor([50])))


def test_no_label_means_the_last_row_of_the_table():
    net = started(UNetConfig(width=8, n_classes=10))
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    torch.testing.assert_close(net(x, t), net(x, t, label=torch.tensor([10, 10])))
    assert not torch.allclose(net(x, t), net(x, t, label=torch.tensor([1, 2])))


def test_the_text_matters():
    net = started(UNetConfig(width=8, d_context=6))
    x, t, text = torch.randn(2, 1, 8, 8), torch.tensor([3, 4]), torch.randn(2, 5, 6)
    assert not torch.allclose(net(x, t, context=text), net(x, t))


def test_the_pooled_vector_matters():
    net = started(UNetConfig(width=8, d_pooled=6))
    x, t, pooled = torch.randn(2, 1, 8, 8), torch.tensor([3, 4]), torch.randn(2, 6)
    assert not torch.allclose(net(x, t, pooled=pooled), net(x, t))
    with pytest.raises(ValueError, match="d_pooled is 0"):
        UNet(UNetConfig(width=8))(x, t, pooled=pooled)


def test_images_of_a_batch_do_not_mix():
    net = started(UNetConfig(width=8, mults=(1, 2), n_classes=3))
    x, t, label = torch.randn(3, 1, 8, 8), torch.tensor([1, 2, 3]), torch.tensor([0, 1, 2])
    torch.testing.assert_close(net(x, t, label)[1:2], net(x[1:2], t[1:2], label[1:2]))


def test_every_parameter_is_used():
    net = started(UNetConfig(width=8, n_classes=3, d_context=4, n_block=2))
    label, context = torch.tensor([0, 1]), torch.randn(2, 3, 4)
    net(torch.randn(2, 1, 8, 8), torch.tensor([1, 2]), label, context).square().sum().backward()
    unused = [name for name, p in net.named_parameters() if p.grad is None]
    assert unused == []


def test_modulation_is_a_shift_and_a_scale():
    h = torch.randn(2, 3, 4, 4)
    out = modulate(h, torch.full((2, 3), 5.0), torch.full((2, 3), 1.0))
    torch.testing.assert_close(out, 2 * h + 5)


def test_what_the_network_was_not_built_for_is_refused():
    net, x, t = UNet(UNetConfig(width=8)), torch.zeros(1, 1, 8, 8), torch.tensor([0])
    with pytest.raises(ValueError, match="n_classes is 0"):
        net(x, t, label=torch.tensor([1]))
    with pytest.raises(ValueError, match="d_context is 0"):
        net(x, t, context=torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="multiples of 2"):
        net(torch.zeros(1, 1, 7, 8), t)
    with pytest.raises(ValueError, match="12"):
        UNet(UNetConfig(width=12))
