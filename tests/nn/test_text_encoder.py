"""The text encoder: order matters, padding leaves the mean alone, the hidden tell nothing."""

import torch

from genlab.nn.attention import CrossAttention
from genlab.nn.text_encoder import NoCaption, Text, TextEncoder


def encoder(**sizes):
    torch.manual_seed(0)
    return TextEncoder(11, d=8, n_layer=1, n_head=2, **sizes).eval()


def test_the_order_of_the_words_matters():
    text = encoder()(torch.tensor([[1, 2, 3], [2, 1, 3]]))
    assert not torch.allclose(text.pooled[0], text.pooled[1])


def test_every_word_sees_every_other_one():
    net = encoder()
    one, other = net(torch.tensor([[1, 2, 3], [1, 2, 4]])).states
    assert not torch.allclose(one[0], other[0])  # a causal body would not see the last word


def test_the_pooled_vector_is_the_mean_over_the_words_alone():
    text = encoder()(torch.tensor([[1, 2, 0, 0]]))
    torch.testing.assert_close(text.pooled[0], (text.states[0, 0] + text.states[0, 1]) / 2)


def test_an_empty_caption_is_read_without_dividing_by_zero():
    text = encoder()(torch.zeros(1, 4, dtype=torch.int64))
    assert text.pooled.abs().max() == 0
    assert text.states.isfinite().all()


def test_captions_of_a_batch_do_not_mix():
    net, rows = encoder(), torch.tensor([[1, 2, 0], [5, 6, 7]])
    torch.testing.assert_close(net(rows).states[:1], net(rows[:1]).states)


def test_hidden_captions_are_all_alike_and_the_others_are_left_alone():
    torch.manual_seed(0)
    text, nothing = Text(torch.randn(3, 4, 8), torch.randn(3, 8)), NoCaption(8)
    torch.nn.init.normal_(nothing.state)
    torch.nn.init.normal_(nothing.pooled)
    told = nothing(text, torch.tensor([True, False, True]))
    torch.testing.assert_close(told.states[0], told.states[2])
    torch.testing.assert_close(told.states[0, 0], nothing.state)
    torch.testing.assert_close(told.pooled[2], nothing.pooled)
    torch.testing.assert_close(told.states[1], text.states[1])
    torch.testing.assert_close(told.pooled[1], text.pooled[1])


def test_attention_over_hidden_states_does_not_depend_on_their_number():
    torch.manual_seed(0)
    layer, x, state = CrossAttention(8, 8, 2), torch.randn(1, 5, 8), torch.randn(8)
    torch.testing.assert_close(
        layer(x, state.expand(1, 1, 8)), layer(x, state.expand(1, 6, 8).clone())
    )


def test_every_parameter_is_used():
    net = TextEncoder(11, d=8, n_layer=2, n_head=2)
    text = net(torch.tensor([[1, 2, 0]]))
    (text.states.square().sum() + text.pooled.sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
