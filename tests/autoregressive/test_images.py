"""The plane and images, one value after the other: exact densities and masks."""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2, norm
from torch import nn

from genlab.autoregressive.images import (
    GridAutoregressive,
    ImageTransformer,
    PixelCNN,
    RasterStack,
    TwoStacks,
)
from genlab.autoregressive.likelihood import bits_per_byte
from genlab.core import last, likelihood_kind
from genlab.data.toys import plane
from genlab.nn.layers import MLP
from genlab.nn.transformer import TransformerConfig


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
    assert a.shape == (500, *model().event_shape)
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert a.abs().max() <= 2.0
    assert not a.requires_grad
    outside = torch.tensor([[2.1, 0.0], [0.0, -3.0]])
    assert model().log_prob(outside).tolist() == [-math.inf, -math.inf]


def test_the_first_bin_is_encoded_as_a_normal_bump_and_its_absence_as_a_flag():
    """The bump is 1.5 bins wide; the flag in front says that no bin is known yet."""
    seen, net = [], MLP(1 + 9, 9, depth=0)
    net.register_forward_hook(lambda _m, given, _out: seen.append(given[0]))
    m = GridAutoregressive(net, n_bins=9, extent=2.0)
    m.log_p_second(torch.tensor([0, 3]))
    m.log_p_first(1)
    for bump, bin_ in zip(seen[0].numpy(), (0, 3), strict=True):
        density = norm(bin_, 1.5).pdf(range(9))
        assert bump.tolist() == pytest.approx([0.0, *(density / density.max())])
    assert seen[1].tolist() == [[1.0] + [0.0] * 9]


def test_a_network_of_zeros_is_uniform_on_the_square_and_its_edge_belongs_to_it():
    net = MLP(1 + 8, 8, depth=0)
    for p in net.parameters():
        nn.init.zeros_(p)
    m = GridAutoregressive(net, n_bins=8, extent=2.0)
    x = torch.tensor([[-2.0, 2.0], [0.3, 1.9]])
    torch.testing.assert_close(m.log_prob(x), torch.full((2,), -math.log(16)))
    assert m.cells(torch.tensor([[-2.0, 2.0], [-1.5, 0.49]])).tolist() == [[0, 7], [1, 4]]


@pytest.mark.parametrize("sizes", [{"n_bins": 1, "extent": 1.0}, {"n_bins": 2, "extent": 0.0}])
def test_a_grid_without_bins_or_area_is_refused(sizes):
    with pytest.raises(ValueError, match=r"n_bins >= 2 and extent > 0"):
        GridAutoregressive(MLP(3, 2, depth=0), **sizes)
    GridAutoregressive(MLP(3, 2, depth=0), n_bins=2, extent=0.5)


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


def test_a_block_of_two_stacks_adds_to_both_and_tells_the_horizontal_of_the_vertical(generator):
    """van den Oord et al. 2016 (arXiv:1606.05328), figure 2, for one block."""
    x = torch.randn(2, 1, 5, 5, generator=generator)
    stacks = TwoStacks(1, 4, n_layer=2)
    (vertical,), (horizontal,), (across,) = stacks.vertical, stacks.horizontal, stacks.across
    v, u = stacks.first_v(x), stacks.first_u(x) + stacks.first_v(x)
    new_v = v + vertical(v * v.sigmoid())
    new_u = u + horizontal(u * u.sigmoid()) + across(new_v * new_v.sigmoid())
    torch.testing.assert_close(stacks(x), new_u)
    raster = RasterStack(1, 4, n_layer=2)
    (layer,), h = raster.rest, raster.first(x)
    torch.testing.assert_close(raster(x), h + layer(h * h.sigmoid()))


def test_a_stack_of_one_layer_is_one_layer():
    assert not len(RasterStack(1, 4, n_layer=1).rest)
    assert not len(TwoStacks(1, 4, n_layer=1).vertical)


def test_dropout_falls_on_what_a_layer_adds_and_only_in_training(generator):
    stacks, x = TwoStacks(1, 4, 3, dropout=0.5), torch.randn(1, 1, 4, 4, generator=generator)
    assert not torch.equal(stacks(x), stacks(x))
    assert torch.equal(stacks.eval()(x), stacks(x))
    stacks.dropout.p = 1.0
    torch.testing.assert_close(stacks.train()(x), stacks.first_u(x) + stacks.first_v(x))


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


def test_a_fresh_pixelcnn_treats_all_places_alike():
    model = PixelCNN(RasterStack(1, 4, 1), 4, event_shape=(1, 5, 5))
    logits = model.logits(torch.full((1, 1, 5, 5), 8)).reshape(5, 5, 17)
    torch.testing.assert_close(logits[1:4, 1:4], logits[2, 2].expand(3, 3, 17))  # off the border
    assert not model.place.any()


def test_the_offset_of_a_pixel_is_added_to_its_logits():
    model = PixelCNN(TwoStacks(1, 8, 3), 8)
    x = torch.randint(17, (2, 1, 8, 8))
    before = model.logits(x)
    with torch.no_grad():
        model.offset[3, 2, 5] = 0.5
    added = model.logits(x) - before
    assert added[:, 8 * 2 + 5, 3].tolist() == pytest.approx([0.5, 0.5])
    assert int((added.abs() > 1e-9).sum()) == 2


def test_levels_enter_a_pixelcnn_evenly_from_minus_one_to_one():
    model, seen = PixelCNN(nn.Identity(), 1, n_levels=5, event_shape=(1, 1, 5)), []
    model.stack.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model.logits(torch.arange(5).reshape(1, 1, 1, 5))
    assert seen[0].flatten().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


TINY = TransformerConfig(d_model=8, n_layer=2, n_head=2, n_kv_head=2, d_hidden=8)
ORDER = (4, 0, 5, 2, 1, 3)


def transformer(n_levels=4, event_shape=(1, 2, 3), order=ORDER):
    """A small model with large weights, so that every input matters."""
    torch.manual_seed(0)
    net = ImageTransformer(n_levels, event_shape, TINY, order)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return net.eval()


def test_a_model_whose_last_layer_is_zero_pays_the_same_bits_for_every_pixel():
    """Four levels are two bits, 17 levels log2(17)."""
    two = PixelCNN(TwoStacks(1, 4, 2), 4, event_shape=(1, 2, 3))
    for model, last_layer, n in ((transformer(), "head", 4), (two, "head.3", 17)):
        for p in model.get_submodule(last_layer).parameters():
            nn.init.zeros_(p)
        nn.init.zeros_(model.offset)
        x = torch.randint(n, (5, 1, 2, 3))
        bits = bits_per_byte(model.log_prob(x), 6)
        torch.testing.assert_close(bits, torch.full((5,), math.log2(n)))
        assert model.loss(x).item() == pytest.approx(math.log(n))


@pytest.mark.parametrize("order", [None, (2, 0, 3, 1)])
def test_probabilities_of_all_small_images_sum_to_one(order):
    every = torch.tensor([*itertools.product(range(3), repeat=4)]).reshape(81, 1, 2, 2)
    for model in (
        transformer(3, (1, 2, 2), order),
        PixelCNN(TwoStacks(1, 4, 2), 4, n_levels=3, event_shape=(1, 2, 2)),
    ):
        assert model.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-12)
        loss = -model.log_prob(every[:7]).mean() / 4  # nats per pixel
        torch.testing.assert_close(model.loss(every[:7]), loss)


def test_an_image_transformer_sees_exactly_the_pixels_that_it_has_visited():
    net, x = transformer(), torch.randint(4, (1, 1, 2, 3))
    for turn, pixel in enumerate(ORDER):
        y = x.clone()
        y.flatten()[pixel] = (y.flatten()[pixel] + 1) % 4
        change = (net.logits(x) - net.logits(y))[0].abs().amax(-1)
        assert torch.equal(change[: turn + 1], torch.zeros(turn + 1))
        assert (change[turn + 1 :] > 1e-6).all()


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5), (1, 4), (2, 3)])
def test_pixels_read_in_pieces_with_a_cache_give_the_logits_of_the_whole(cuts):
    net, x = transformer(), torch.randint(4, (3, 1, 2, 3))
    tokens, cache, parts = torch.cat([net.begin(3), net.sequence(x)[:, :-1]], 1), (), []
    for piece in torch.tensor_split(tokens, cuts, dim=1):
        logits, cache = net.extend(piece, cache)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), net.logits(x))


def test_pixels_are_visited_in_their_order_and_put_back():
    x = torch.tensor([[[[10, 11, 12], [13, 14, 15]]]])
    net = transformer(n_levels=16)
    assert net.sequence(x).tolist() == [[14, 10, 15, 12, 11, 13]]
    assert torch.equal(net.image(net.sequence(x)), x)
    assert transformer(n_levels=16, order=None).sequence(x).tolist() == [[*range(10, 16)]]


def test_each_step_reads_its_position_and_the_previous_level_from_minus_one_to_one():
    net, seen = transformer(n_levels=5), []
    net.body.register_forward_hook(lambda _m, given, _out: seen.append(given[0][0]))
    x = torch.tensor([[[[1, 4, 3], [0, 0, 2]]]])  # 0 1 2 3 4 0 in their order
    nn.init.zeros_(net.embedding.weight)
    net.logits(x)
    levels = (seen[0] - net.place[[*ORDER]])[1:] / net.brightness
    wanted = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
    torch.testing.assert_close(levels, wanted[:, None].expand(5, 8))
    nn.init.normal_(net.embedding.weight)
    net.logits(x)
    first = net.embedding.weight[[5, 0, 1, 2, 3, 4]]  # 5 is the begin token
    torch.testing.assert_close(seen[1], seen[0] + first)


@pytest.mark.parametrize("kind", ["transformer", "pixelcnn"])
def test_an_offset_of_probability_one_decides_its_pixel(kind):
    x = torch.tensor([[[[3, 1, 2], [0, 2, 1]]]])
    two = PixelCNN(TwoStacks(1, 4, 2), 4, n_levels=4, event_shape=(1, 2, 3))
    model = transformer() if kind == "transformer" else two
    certain = 900.0 * nn.functional.one_hot(x.flatten(), 4).to(torch.get_default_dtype())
    if kind == "pixelcnn":
        certain = certain.T.reshape(4, 2, 3)
    model.offset.data.copy_(certain)
    assert torch.equal(model.sample(3), x.expand(3, 1, 2, 3))
    torch.testing.assert_close(model.log_prob(x), torch.zeros(1))


def test_an_image_transformer_draws_with_the_probabilities_that_it_states(generator):
    net, n = transformer(2, (1, 1, 3), (1, 2, 0)), 4000
    every = torch.tensor([*itertools.product(range(2), repeat=3)]).reshape(8, 1, 1, 3)
    expected = n * net.log_prob(every).exp()
    number = (net.sample(n, generator=generator).flatten(1) * torch.tensor([4, 2, 1])).sum(1)
    assert expected.min() >= 5  # the usual condition of Pearson's test
    found = ((number.bincount(minlength=8) - expected).square() / expected).sum().item()
    assert found < chi2.isf(1e-6, 7)


def test_each_step_of_either_model_draws_one_pixel_more(generator):
    tokens = [*transformer().steps(2, generator=generator)]
    assert [t.shape for t in tokens] == [(2, k) for k in range(2, 8)]
    assert all(torch.equal(t[:, 0], torch.full((2,), 4)) for t in tokens)  # "begin"
    blank = torch.full((20, 1, 2, 3), 99)
    model = PixelCNN(TwoStacks(1, 4, 2), 4, event_shape=(1, 2, 3))
    for k, x in enumerate(model.steps(blank, generator=generator)):
        drawn = (x.flatten(1) != 99).all(0)
        assert drawn.tolist() == [pixel <= k for pixel in range(6)]
    assert k == 5


def test_an_order_that_leaves_a_pixel_out_and_a_level_too_many_are_refused():
    with pytest.raises(ValueError, match=r"permutation of 0\.\.5"):
        ImageTransformer(4, (1, 2, 3), TINY, (0, 1, 2, 3, 4, 4))
    with pytest.raises(ValueError, match="x holds 4"):
        transformer().log_prob(torch.full((1, 1, 2, 3), 4))
    assert transformer().log_prob(torch.zeros(0, 1, 2, 3, dtype=torch.int64)).shape == (0,)


@pytest.mark.parametrize("n_layer", [2, 4])
def test_a_later_layer_reads_the_place_that_it_writes(n_layer):
    """Type B after the first layer (van den Oord et al. 2016): its own tap is alive."""
    for layer in RasterStack(1, 4, n_layer).rest:
        h = torch.zeros(1, 4, 3, 3)
        moved = h.clone()
        moved[..., 1, 1] = 1.0
        change = (layer(moved) - layer(h))[0]
        assert (change[:, 1, 1].abs() > 1e-6).all()
        assert (change[:, 1, 0] == 0).all()  # left of it: not to be seen from there
