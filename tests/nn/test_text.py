"""The text encoder sees every word and its place, and hidden captions are all alike."""

import torch

from genlab.nn.text import NoCaption, TextEncoder


def encoder():
    torch.manual_seed(0)
    return TextEncoder(11, 3, d=8, n_layer=1, n_head=2).eval()


def test_order_matters_every_word_sees_every_other_one_and_captions_do_not_mix():
    net, rows = encoder(), torch.tensor([[1, 2, 3], [2, 1, 3], [1, 2, 4]])
    states = net(rows)
    assert not torch.allclose(states[0, 2], states[1, 2])
    assert not torch.allclose(states[0, 0], states[2, 0])  # a causal body would not see the last
    torch.testing.assert_close(states[:1], net(rows[:1]))


def test_a_word_and_its_position_are_added_and_zero_embeddings_give_zero():
    net, rows = encoder(), torch.tensor([[1, 2, 3]])
    net.positions.data.copy_(-net.words(rows[0]))
    assert torch.equal(net(rows), torch.zeros(1, 3, 8))  # no layer has a bias
    assert not torch.equal(net(rows.flip(1)), torch.zeros(1, 3, 8))


def test_an_encoders_inner_layer_is_twice_as_wide_as_its_stream():
    assert TextEncoder(11, 3, d=8).body.blocks[0].mlp.w_1.weight.shape == (16, 8)
    wide = TextEncoder(11, 3)
    assert (wide.d, len(wide.body.blocks), wide.body.config.n_head) == (64, 1, 4)


def test_hidden_captions_are_all_alike_and_the_others_are_left_alone():
    torch.manual_seed(0)
    states, nothing = torch.randn(3, 4, 8), NoCaption(8)
    torch.nn.init.normal_(nothing.state)
    seen = nothing(states, torch.tensor([True, False, True]))
    torch.testing.assert_close(seen[[0, 2]], nothing.state.expand(2, 4, 8))
    torch.testing.assert_close(seen[1], states[1])
