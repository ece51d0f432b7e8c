"""The diffusion transformer: its block by hand, its start at zero, what the text does."""

import pytest
import torch
import torch.nn.functional as F

from genlab.nn.dit import DiT, DiTBlock, DiTConfig, modulate
from genlab.nn.layers import time_embedding

SMALL = DiTConfig(c_in=2, c_out=2, side=4, patch=2, width=16, n_layer=2, n_head=2, d_context=6)


def stirred(module, seed=0):
    """Random weights, so that no gate is closed."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = 0.3 * torch.randn(p.shape, generator=g)
    return module


@pytest.fixture
def inputs(generator):
    x = torch.randn(3, 2, 4, 4, generator=generator)
    return x, torch.rand(3, generator=generator), torch.randn(3, 5, 6, generator=generator)


def test_one_shift_and_one_scale_for_all_tokens_of_an_example():
    x = torch.ones(2, 3, 1)
    shift, scale = torch.tensor([[0.5], [0.0]]), torch.tensor([[0.0], [2.0]])
    assert modulate(x, shift, scale)[:, 0, 0].tolist() == [1.5, 3.0]


def test_a_block_starts_as_the_identity(generator):
    torch.manual_seed(0)
    h, emb, text = (torch.randn(2, *s, generator=generator) for s in ((5, 16), (16,), (3, 6)))
    assert torch.equal(DiTBlock(SMALL)(h, emb, text), h)


def test_the_network_starts_at_zero_and_keeps_the_shape(inputs):
    x, t, text = inputs
    out = DiT(SMALL)(x, t, context=text)
    assert out.shape == x.shape
    assert out.abs().max() == 0


def test_a_block_is_the_published_formula(generator):
    d, config = 16, DiTConfig(width=16, n_head=2, d_context=0)
    block = stirred(DiTBlock(config))
    h, emb = torch.randn(2, 5, d, generator=generator), torch.randn(2, d, generator=generator)
    b1, g1, a1, b2, g2, a2 = F.linear(emb, *block.to_modulation.parameters()).split(d, 1)

    def norm(x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    y = norm(h) * (1 + g1)[:, None] + b1[:, None]
    q, k, v = (y @ block.to_qkv.weight.T + block.to_qkv.bias).split(d, -1)
    heads = []
    for s in (slice(0, 8), slice(8, 16)):
        weights = (q[..., s] @ k[..., s].mT / 8**0.5).softmax(-1)
        heads.append(weights @ v[..., s])
    out = torch.cat(heads, -1) @ block.to_out.weight.T + block.to_out.bias
    by_hand = h + a1[:, None] * out
    y = norm(by_hand) * (1 + g2)[:, None] + b2[:, None]
    inner = F.gelu(F.linear(y, *block.mlp_in.parameters()), approximate="tanh")
    by_hand = by_hand + a2[:, None] * F.linear(inner, *block.mlp_out.parameters())
    torch.testing.assert_close(block(h, emb, None), by_hand)


def test_a_text_is_read_and_the_order_of_its_states_is_not(inputs):
    x, t, text = inputs
    net = stirred(DiT(SMALL))
    out = net(x, t, context=text)
    torch.testing.assert_close(net(x, t, context=text.flip(1)), out)
    assert (net(x, t, context=text.flip(0)) - out).abs().max() > 1e-3
    assert (net(x, t) - out).abs().max() > 1e-3


def test_a_place_knows_where_it_is(inputs):
    """By whole patches: without positions the answer would only move along."""
    x, t, text = inputs
    net = stirred(DiT(SMALL))

    def change():
        moved = net(x.roll(2, 3), t, context=text).roll(-2, 3)
        return (moved - net(x, t, context=text)).abs().max()

    assert change() > 1e-3
    net.where.data.zero_()
    assert change() < 1e-10


def test_the_time_is_read(inputs):
    x, t, text = inputs
    net = stirred(DiT(SMALL))
    assert (net(x, t.flip(0), context=text) - net(x, t, context=text)).abs().max() > 1e-3


def test_a_token_answers_for_its_own_square(inputs):
    """Without attention a pixel moves the answer in its own square only."""
    x, t, text = inputs
    net = stirred(DiT(SMALL))
    for block in net.blocks:
        block.to_out.weight.data.zero_()
    moved = x.clone()
    moved[:, :, 0, 3] += 1
    change = (net(moved, t, context=text) - net(x, t, context=text)).abs().amax((0, 1))
    assert change[:2, 2:].min() > 1e-6
    change[:2, 2:] = 0
    assert change.max() < 1e-12


def test_examples_of_a_batch_do_not_meet(inputs):
    x, t, text = inputs
    net = stirred(DiT(SMALL))
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1], context=text[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(net(x, t, context=text), alone)


def test_sizes_that_do_not_fit_are_refused(inputs):
    with pytest.raises(ValueError, match="patches of 3 do not divide a side of 8"):
        DiT(DiTConfig(patch=3))
    with pytest.raises(ValueError, match="built for 8 x 8"):
        DiT(DiTConfig(c_in=2))(*inputs[:2])


def test_the_modulation_is_that_of_diffusers(generator):
    norms = pytest.importorskip("diffusers.models.normalization")
    theirs = norms.AdaLayerNormZero(16, None, norm_type="layer_norm", bias=True).double()
    block = DiTBlock(DiTConfig(width=16, n_head=2, d_context=0))
    h, emb = torch.randn(2, 5, 16, generator=generator), torch.randn(2, 16, generator=generator)
    stirred(theirs)
    block.to_modulation.load_state_dict(theirs.linear.state_dict())
    y, *others = theirs(h, emb=emb)
    shift, scale, *ours = block.to_modulation(F.silu(emb)).chunk(6, 1)
    torch.testing.assert_close(modulate(block.norm_1(h), shift, scale), y)
    for a, b in zip((ours[0], *ours[1:]), others, strict=True):
        torch.testing.assert_close(a, b)


def test_the_last_modulation_shifts_first_and_scales_second(inputs):
    """One layer that does nothing: the output is the normed patches, scaled, shifted, projected."""
    x, t, _ = inputs
    config = DiTConfig(c_in=2, c_out=2, side=4, patch=2, width=16, n_layer=1, n_head=2)
    net = stirred(DiT(config))
    for p in net.blocks[0].to_modulation.parameters():
        p.data.zero_()
    h = net.embed_patch(F.pixel_unshuffle(x, 2).flatten(2).mT) + net.where
    h = F.layer_norm(h, (16,), eps=1e-6)
    shift, scale = net.to_modulation(net.embed_time(time_embedding(t, 16, scale=1000.0))).chunk(
        2, 1
    )
    out = net.project(h * (1 + scale[:, None]) + shift[:, None])
    expected = F.pixel_shuffle(out.mT.reshape(3, 8, 2, 2), 2)
    torch.testing.assert_close(net(x, t), expected)
