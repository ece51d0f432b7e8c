"""The U-Net: sizes, conditions, what it refuses; frames that see each other or do not."""

import itertools

import pytest
import torch
from torch import nn

from genlab.nn.attention import CrossAttention, attention, join_heads, split_heads
from genlab.nn.layers import rope_angles, rotate
from genlab.nn.unet import (
    ROPE_BASE,
    ResBlock,
    SpatialAttention,
    TemporalAttention,
    UNet,
    UNetConfig,
    VideoUNet,
    VideoUNetConfig,
    attention_pairs,
)


def started(config):
    """A network whose zero-started layers are moved off zero, so that inputs matter."""
    torch.manual_seed(0)
    net = UNet(config)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


@pytest.mark.parametrize("size", [8, 16])
@pytest.mark.parametrize("mults", [(1,), (1, 2), (1, 2, 2)])
def test_the_output_has_the_size_of_the_input_and_is_zero_at_the_start(size, mults):
    net = UNet(UNetConfig(c_in=3, c_out=2, width=8, mults=mults, n_block=2))
    out = net(torch.randn(2, 3, size, size), torch.tensor([0, 7]))
    torch.testing.assert_close(out, net.conv_out.bias[:, None, None].expand(2, 2, size, size))


def test_the_time_matters_and_continuous_times_are_scaled():
    net = started(UNetConfig(width=8, time_scale=1000.0))
    other = started(UNetConfig(width=8))
    x = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(net(x, torch.tensor([0.05])), other(x, torch.tensor([50])))
    assert not torch.allclose(other(x, torch.tensor([1])), other(x, torch.tensor([50])))


@pytest.mark.parametrize("width", [8, 16])
def test_the_embedding_is_four_times_as_wide_as_the_network(width):
    """Ho et al. 2020, as in the code that its appendix B describes."""
    assert UNet(UNetConfig(width=width)).embedding(torch.zeros(3)).shape == (3, 4 * width)


@pytest.mark.parametrize(("n_levels", "multiple"), [(1, 1), (2, 2), (4, 8)])
def test_every_level_but_the_first_halves_both_sides(n_levels, multiple):
    net = UNet(UNetConfig(width=8, mults=(1,) * n_levels, n_head=2))
    seen = []
    net.attention.register_forward_hook(lambda _m, given, _out: seen.append(given[0].shape))
    net(torch.zeros(1, 1, 2 * multiple, 3 * multiple), torch.zeros(1))
    assert seen == [(1, 8, 2, 3)]
    for shape in ((multiple + 1, multiple), (multiple, multiple + 1)) if n_levels > 1 else ():
        with pytest.raises(ValueError, match=f"multiples of {multiple}"):
            net(torch.zeros(1, 1, *shape), torch.zeros(1))


def test_no_label_means_the_last_row_of_the_table():
    net = started(UNetConfig(width=8, n_classes=10))
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    torch.testing.assert_close(net(x, t), net(x, t, label=torch.tensor([10, 10])))
    assert not torch.allclose(net(x, t), net(x, t, label=torch.tensor([1, 2])))


@pytest.mark.parametrize(
    ("size", "given"),
    [
        ("n_classes", {"label": torch.tensor([1, 2])}),
        ("d_context", {"context": torch.ones(2, 5, 6)}),
    ],
)
def test_a_condition_matters_and_is_refused_where_it_was_not_built_for(size, given):
    given = {
        name: a.to(torch.get_default_dtype()) if a.ndim > 1 else a for name, a in given.items()
    }
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    net = started(UNetConfig(width=8, **{size: 6}))
    assert not torch.allclose(net(x, t, **given), net(x, t))
    with pytest.raises(ValueError, match=f"{size} is 0"):
        UNet(UNetConfig(width=8))(x, t, **given)
    with pytest.raises(ValueError, match="multiples of 2"):
        net(x[:, :, :7], t)


def test_images_of_a_batch_do_not_mix():
    net = started(UNetConfig(width=8, mults=(1, 2), n_classes=3))
    x, t, label = torch.randn(3, 1, 8, 8), torch.tensor([1, 2, 3]), torch.tensor([0, 1, 2])
    torch.testing.assert_close(net(x, t, label)[1:2], net(x[1:2], t[1:2], label[1:2]))


def test_every_parameter_is_used():
    net = started(UNetConfig(width=8, n_classes=3, d_context=4, n_block=2))
    label, context = torch.tensor([0, 1]), torch.randn(2, 3, 4)
    net(torch.randn(2, 1, 8, 8), torch.tensor([1, 2]), label, context).square().sum().backward()
    video = fresh()
    video(*videos()).square().sum().backward()
    parameters = [*net.named_parameters(), *video.named_parameters()]
    assert [name for name, p in parameters if p.grad is None] == []


def test_a_block_shifts_and_scales_what_it_has_normalised():
    block, x, emb = ResBlock(8, 8, 4), torch.randn(2, 8, 4, 4), torch.randn(2, 4)
    torch.nn.init.dirac_(block.conv_2.weight)
    torch.nn.init.zeros_(block.conv_2.bias)
    a = block.norm_2(block.conv_1(torch.nn.functional.silu(block.norm_1(x))))
    for scale, shift in ((0.0, 0.0), (1.0, 5.0)):
        torch.nn.init.zeros_(block.to_shift_scale.weight)
        block.to_shift_scale.bias.data = torch.tensor([shift] * 8 + [scale] * 8)
        wanted = x + torch.nn.functional.silu((1 + scale) * a + shift)
        torch.testing.assert_close(block(x, emb), wanted)


def test_everywhere_attends_and_reads_after_every_block_at_both_sizes(generator):
    config = UNetConfig(width=8, mults=(1, 2), n_head=2, d_context=4, everywhere=True, side=8)
    torch.manual_seed(0)
    net, seen = UNet(config), []
    for m in net.modules():
        if isinstance(m, CrossAttention):
            m.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    x, text = torch.randn(2, 1, 8, 8, generator=generator), torch.ones(2, 3, 4)
    assert net(x, torch.zeros(2), context=text).shape == x.shape
    assert seen == [64, 16, 16, 16, 64]  # down, down, the middle, up, up
    assert net.where.shape == (8, 8, 8)


def test_every_position_attends_to_all_others_and_a_blank_picture_stays_as_it_is(generator):
    layer = SpatialAttention(8, 2, d_context=0)
    torch.nn.init.normal_(layer.to_out.weight)
    torch.nn.init.zeros_(layer.to_out.bias)
    blank = torch.ones(1, 8, 3, 2)
    torch.testing.assert_close(layer(blank, None), blank)
    x = torch.randn(2, 8, 3, 2, generator=generator)
    places = layer.norm(x).flatten(2).mT
    q, k, v = (split_heads(a, 2) for a in layer.to_qkv(places).chunk(3, -1))
    seen = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    wanted = x + layer.to_out(join_heads(seen)).mT.reshape(x.shape)
    torch.testing.assert_close(layer(x, None), wanted)
    mirrored = layer(x.flip(2, 3), None)
    torch.testing.assert_close(mirrored, wanted.flip(2, 3))  # it does not know where a place is


IMAGE = UNetConfig(c_in=8, c_out=8, width=8, mults=(1, 2), n_head=2, d_context=4, side=4)


def fresh(*, moved=True, positions=True, image=IMAGE, patch=2):
    """A network, with its zero-started layers moved off zero if wanted."""
    torch.manual_seed(0)
    net = VideoUNet(VideoUNetConfig(image, patch, positions)).eval()
    with torch.no_grad():
        for name, p in net.named_parameters():
            if moved or name.startswith("image."):
                p.add_(0.1 * torch.randn_like(p))
    return net


def videos(n=2, f=3, c=2, size=8):
    x = torch.randn(n, c, f, size, size)
    return x, torch.rand(n), torch.randn(n, 5, 4)


def frame_by_frame(net, x, t, context):
    """The image network on every frame of every video, in a loop, blocks as channels."""
    out = torch.zeros_like(x)
    for i in range(len(x)):
        for f in range(x.shape[2]):
            frame = torch.nn.functional.pixel_unshuffle(x[i : i + 1, :, f], net.config.patch)
            seen = net.image(frame, t[i : i + 1], context=context[i : i + 1])
            out[i, :, f] = torch.nn.functional.pixel_shuffle(seen, net.config.patch)[0]
    return out


def test_a_fresh_video_network_is_the_image_network_on_every_frame():
    net, batch = fresh(moved=False), videos()
    torch.testing.assert_close(net(*batch), frame_by_frame(net, *batch))


def test_frames_that_are_not_joined_are_predicted_one_by_one_whatever_their_numbers():
    net, (x, t, context) = fresh(), videos(n=2, f=3)
    alone = torch.zeros(2, dtype=torch.bool)
    times = torch.tensor([[3.0, 0.0, 2.0], [1.0, 5.0, 0.0]])
    out = net(x, t, context, joined=alone, times=times)
    for k, f in itertools.product(range(2), range(3)):
        one = net(x[[k]][:, :, [f]], t[[k]], context[[k]], joined=alone[:1], times=times[k, [f]])
        torch.testing.assert_close(out[[k]][:, :, [f]], one)
    with pytest.raises(ValueError, match="numbered alike"):
        net(x, t, context, times=times)


def test_a_frame_reads_each_word_and_a_product_of_the_word_and_its_number():
    net, (_, _, words) = fresh(), videos(n=2)
    told = net.words(words, torch.tensor([0.0, 7.0])).reshape(2, 2, 5, 4) - words[:, None]
    told = (told - net.clock.bias) @ torch.linalg.inv(net.clock.weight).T
    numbers = told / net.word_told(words)[:, None]  # video, frame, word, channel
    torch.testing.assert_close(numbers, numbers[:1, :, :1].expand_as(numbers))  # of frames alone
    assert (numbers[0, 0] - numbers[0, 1]).abs().min() > 1e-4


def test_a_video_alone_does_not_depend_on_its_neighbours_in_the_batch_being_joined():
    net, batch = fresh(), videos(n=2)
    mixed = net(*batch, joined=torch.tensor([True, False]))
    torch.testing.assert_close(mixed[0], net(*batch)[0])
    alone = net(*batch, joined=torch.tensor([False, False]))
    torch.testing.assert_close(mixed[1], alone[1])


def test_what_places_know_of_themselves_is_added_behind_the_first_layer():
    net, batch = fresh(), videos()
    told = net(*batch)
    with torch.no_grad():
        net.image.stem.bias += 0.3
        net.image.where -= 0.3
    torch.testing.assert_close(net(*batch), told)


@pytest.mark.parametrize("shape", [(16, 16), (8, 16)])
def test_a_learned_map_fits_images_of_its_own_size(shape):
    net = UNet(UNetConfig(width=8, side=8))
    with pytest.raises(ValueError, match=rf"8 x 8, got {shape[0]} x {shape[1]}"):
        net(torch.zeros(1, 1, *shape), torch.zeros(1))
    assert net(torch.zeros(1, 1, 8, 8), torch.zeros(1)).shape == (1, 1, 8, 8)


def test_a_u_net_counts_its_way_up_before_its_middle_and_draws_it_after():
    torch.manual_seed(0)
    net = UNet(UNetConfig(width=8))
    counted = list(dict.fromkeys(n.split(".")[0] for n, _ in net.named_parameters()))
    assert counted == ["embed_time", "stem", "down", "up", "middle_1", "middle_2", "attention",
                       "norm_out", "conv_out"]  # fmt: skip
    torch.manual_seed(0)
    d = 4 * 8
    nn.Linear(8, d), nn.Linear(d, d), nn.Conv2d(1, 8, 3, padding=1)
    ResBlock(8, 8, d), ResBlock(8, 16, d)
    assert torch.equal(ResBlock(16, 16, d).conv_1.weight, net.middle_1.conv_1.weight)


def test_without_positions_a_video_backwards_gives_the_answer_backwards():
    x, *rest = videos(f=4)
    net = fresh(positions=False)
    torch.testing.assert_close(net(x.flip(2), *rest), net(x, *rest).flip(2))
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(net(x[:, :, order], *rest), net(x, *rest)[:, :, order])
    net = fresh()
    assert not torch.allclose(net(x.flip(2), *rest), net(x, *rest).flip(2), atol=1e-3)


def test_frames_may_be_named_in_any_order():
    x, *rest = videos(f=4)
    net, order = fresh(), torch.tensor([2, 0, 3, 1])
    shuffled = net(x[:, :, order], *rest, times=order.double())
    torch.testing.assert_close(shuffled, net(x, *rest)[:, :, order])


def test_temporal_attention_is_attention_over_the_frames_of_each_place():
    layer = TemporalAttention(8, n_head=2)
    torch.nn.init.normal_(layer.to_out.weight)
    x, times = torch.randn(2 * 3, 8, 2, 2), torch.arange(3.0)
    out = layer(x, times, None)
    h, angles = layer.norm(x), rope_angles(times.long(), 4, x, base=ROPE_BASE)
    for video, i, j in itertools.product(range(2), repeat=3):
        frames = slice(3 * video, 3 * video + 3)
        q, k, v = (split_heads(a, 2) for a in layer.to_qkv(h[None, frames, :, i, j]).chunk(3, -1))
        seen = attention(rotate(q, angles), rotate(k, angles), v)
        wanted = x[frames, :, i, j] + layer.to_out(join_heads(seen))[0]
        torch.testing.assert_close(out[frames, :, i, j], wanted)


def test_an_image_without_a_time_looks_at_itself_alone():
    layer = TemporalAttention(8, n_head=2)
    torch.nn.init.normal_(layer.to_out.weight)
    x = torch.randn(3, 8, 2, 2)
    torch.testing.assert_close(layer(x, None, None)[1:2], layer(x[1:2], None, None))
    assert not torch.allclose(layer(x, None, None, 3)[1:2], layer(x[1:2], None, None))


@pytest.mark.parametrize(("f", "n"), [(1, 4), (8, 64), (3, 5)])
def test_pairs_are_counted_one_by_one(f, n):
    tokens = [(frame, place) for frame in range(f) for place in range(n)]
    space = sum(a[0] == b[0] for a in tokens for b in tokens)
    time = sum(a[1] == b[1] for a in tokens for b in tokens)
    assert attention_pairs(f, n, factorised=True) == space + time
    assert attention_pairs(f, n, factorised=False) == len(tokens) ** 2
