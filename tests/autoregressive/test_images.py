"""The plane and images, one value after the other: exact densities, masks, orders."""

import math

import pytest
import torch
from torch import nn

from genlab.autoregressive.images import (
    GridAutoregressive,
    ImageTransformer,
    PixelCNN,
    RasterStack,
    TwoStacks,
)
from genlab.core import HasLogProb, Sampleable, Trainable, last, likelihood_kind
from genlab.data.toys import plane
from genlab.nn.layers import MLP
from genlab.nn.transformer import TransformerConfig


def model(n_bins: int = 8) -> GridAutoregressive:
    torch.manual_seed(0)
    return GridAutoregressive(MLP(1 + n_bins, n_bins, width=16, depth=1), n_bins=n_bins, extent=2.0)


def test_it_has_an_exact_likelihood():
    m = model()
    _: HasLogProb = m
    _s: Sampleable = m
    _t: Trainable = m
    assert likelihood_kind(m) == "exact"
    x = torch.tensor([[0.1, 0.2], [-1.0, 1.5]])
    torch.testing.assert_close(m.loss(x), -m.log_prob(x).mean())


def test_density_sums_to_one_over_the_cells():
    points, area = plane(2.0, 8)  # the middle of each cell, and the density is constant inside
    total = (model().log_prob(points).exp().sum() * area).item()
    assert abs(total - 1) < 1e-12  # rounding


def test_samples_fall_into_the_cells_as_often_as_the_density_says(generator):
    m, n = model(), 40_000
    points, area = plane(2.0, 8)
    expected = n * (m.log_prob(points).exp() * area).reshape(8, 8)
    cell = m.cells(m.sample(n, generator=generator))
    counts = torch.zeros(8, 8).index_put_((cell[:, 1], cell[:, 0]), torch.ones(n), accumulate=True)
    chi2 = ((counts - expected) ** 2 / expected).sum().item()
    assert abs(chi2 - 63) < 5 * math.sqrt(2 * 63)  # Monte Carlo: chi-square with 63 degrees


def test_the_second_coordinate_depends_on_the_first_and_not_the_other_way_round():
    m = model()
    x = torch.tensor([[-1.9, 0.3], [1.9, 0.3]])
    assert m.log_p_second(m.cells(x)[:, 0]).diff(dim=0).abs().max() > 1e-3
    torch.testing.assert_close(m.log_p_first(2)[0], m.log_p_first(2)[1])


def test_samples_stay_inside_follow_their_seed_and_carry_no_gradient():
    a, b = (model().sample(500, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert a.abs().max() <= 2.0
    assert not a.requires_grad
    outside = torch.tensor([[2.1, 0.0], [0.0, -3.0]])
    assert model().log_prob(outside).tolist() == [-math.inf, -math.inf]


def test_impossible_models_are_refused():
    with pytest.raises(ValueError, match="got 1 and"):
        GridAutoregressive(nn.Linear(2, 1), n_bins=1, extent=1.0)


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
    assert torch.equal(seen_by(TwoStacks(1, 4, n_layer=8), *place), before(*place))


def test_a_raster_stack_is_blind_to_the_upper_right():
    torch.manual_seed(0)
    seen = seen_by(RasterStack(1, 4, n_layer=8), 4, 3)
    blind = before(4, 3) & ~seen
    # one step up buys one step right: row r of the past is seen up to column 3 + (4 - r)
    row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    assert torch.equal(blind, before(4, 3) & (column > 3 + (4 - row)))
    assert blind.any()


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


TINY = TransformerConfig(d_model=8, n_layer=2, n_head=2, n_kv_head=1, d_hidden=12)
ORDER = [5, 0, 3, 1, 4, 2]


def make(order=ORDER):
    torch.manual_seed(0)
    return ImageTransformer(17, (1, 2, 3), TINY, order=order)


def test_image_undoes_sequence():
    x = torch.randint(17, (4, 1, 2, 3))
    assert torch.equal(make().image(make().sequence(x)), x)
    assert make().sequence(torch.arange(6).reshape(1, 1, 2, 3))[0].tolist() == ORDER


def test_a_turn_depends_on_earlier_turns_only():
    model = make()
    x = torch.randint(17, (1, 1, 2, 3))
    for turn, pixel in enumerate(ORDER):
        y = x.flatten(1).clone()
        y[0, pixel] = (y[0, pixel] + 5) % 17
        changed = (model.logits(y.reshape(x.shape)) - model.logits(x))[0].abs().amax(-1) > 0
        assert changed.tolist() == [i > turn for i in range(6)]


def test_extending_with_the_cache_gives_the_same_logits():
    model = make()
    tokens = torch.tensor([[17, 3, 16, 0, 8, 8]])
    first, cache = model.extend(tokens[:, :2])
    rest, _ = model.extend(tokens[:, 2:], cache)
    # other order of summation: rounding
    torch.testing.assert_close(
        torch.cat([first, rest], dim=1), model.extend(tokens)[0], atol=1e-12, rtol=1e-12
    )


def test_an_order_must_be_a_permutation():
    with pytest.raises(ValueError, match="permutation"):
        make(order=[0, 0, 1, 2, 3, 4])
