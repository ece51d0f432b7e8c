"""The plane and images, one value after the other: exact densities and masks."""

import math

import pytest
import torch

from genlab.autoregressive.images import GridAutoregressive, PixelCNN, RasterStack, TwoStacks
from genlab.core import last, likelihood_kind
from genlab.data.toys import plane
from genlab.nn.layers import MLP


def model(n_bins: int = 8) -> GridAutoregressive:
    torch.manual_seed(0)
    return GridAutoregressive(MLP(1 + n_bins, n_bins, width=16, depth=1), n_bins=n_bins, extent=2.0)


def test_it_has_an_exact_likelihood():
    m = model()
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


def test_samples_stay_inside_follow_their_seed_and_carry_no_gradient():
    a, b = (model().sample(500, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert a.abs().max() <= 2.0
    assert not a.requires_grad
    outside = torch.tensor([[2.1, 0.0], [0.0, -3.0]])
    assert model().log_prob(outside).tolist() == [-math.inf, -math.inf]


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


def test_the_offset_of_a_pixel_is_added_to_its_logits():
    model = PixelCNN(TwoStacks(1, 8, 3), 8)
    x = torch.randint(17, (2, 1, 8, 8))
    before = model.logits(x)
    with torch.no_grad():
        model.offset[3, 2, 5] = 0.5
    added = model.logits(x) - before
    assert added[:, 8 * 2 + 5, 3].tolist() == pytest.approx([0.5, 0.5])
    assert int((added.abs() > 1e-9).sum()) == 2
