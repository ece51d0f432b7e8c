"""PixelCNN: who sees whom, the blind spot, and drawing pixel by pixel."""

import pytest
import torch

from genlab.autoregressive.pixelcnn import PixelCNN, RasterStack, TwoStacks
from genlab.core import last


def seen_by(stack, row, column, size=8):
    """Pixels that the features at one place depend on, by autograd."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, size, size, requires_grad=True)
    stack(x)[0, :, row, column].sum().backward()
    return x.grad[0, 0] != 0


def before(row, column, size=8):
    """Pixels that come before one place in raster order."""
    return (torch.arange(size * size) < row * size + column).reshape(size, size)


@pytest.mark.parametrize("make", [RasterStack, TwoStacks])
@pytest.mark.parametrize("place", [(0, 0), (0, 5), (3, 0), (4, 4), (7, 7)])
def test_features_never_see_the_pixel_itself_or_a_later_one(make, place):
    torch.manual_seed(0)
    assert not (seen_by(make(1, 4, n_layer=8), *place) & ~before(*place)).any()


@pytest.mark.parametrize("place", [(0, 5), (4, 4), (7, 2), (7, 7)])
def test_two_stacks_see_everything_before(place):
    torch.manual_seed(0)
    assert torch.equal(seen_by(TwoStacks(1, 4, n_layer=8), *place), before(*place))


def test_a_raster_stack_is_blind_to_the_upper_right():
    torch.manual_seed(0)
    seen = seen_by(RasterStack(1, 4, n_layer=8), 4, 3)
    blind = before(4, 3) & ~seen
    # one step up buys one step right: row r of the past is seen up to column 3 + (4 - r)
    row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    assert torch.equal(blind, before(4, 3) & (column > 3 + (4 - row)))
    assert blind.any()


@pytest.mark.parametrize("n_layer", [1, 2, 3])
def test_the_reach_grows_by_one_pixel_a_layer(n_layer):
    torch.manual_seed(0)
    seen = seen_by(TwoStacks(1, 4, n_layer=n_layer), 7, 4, size=9)
    rows = seen.any(dim=1).nonzero().flatten().tolist()
    assert rows == list(range(7 - n_layer, 8))


def test_dropout_acts_in_training_only():
    stack = TwoStacks(1, 8, 3, dropout=0.5)
    x = torch.randn(1, 1, 8, 8)
    assert not torch.equal(stack(x), stack(x))
    stack.eval()
    assert torch.equal(stack(x), stack(x))


def test_completion_keeps_the_given_pixels_and_ignores_the_rest(generator):
    torch.manual_seed(0)
    model = PixelCNN(TwoStacks(1, 8, 3), 8)
    x = torch.randint(17, (3, 1, 8, 8))
    y = x.clone()
    y[:, :, 4:] = 0  # what is to be drawn anew must not matter
    draws = [torch.Generator().manual_seed(1) for _ in range(2)]
    a, b = (last(model.steps(z, 32, generator=g)) for z, g in zip((x, y), draws, strict=True))
    assert torch.equal(a, b)
    assert torch.equal(a[:, :, :4], x[:, :, :4])


def test_one_pass_per_pixel(generator):
    model = PixelCNN(TwoStacks(1, 8, 2), 8, n_levels=3, event_shape=(1, 2, 3))
    passes = []
    model.stack.register_forward_hook(lambda *_: passes.append(1))
    model.sample(5, generator=generator)
    assert len(passes) == 6
