"""What a painter is told: states, their sum, the image token's alone, and where each pixel is."""

import math

import pytest
import torch

from genlab.nn.attention import CrossAttention
from genlab.systems.caption_lm import LENGTH, rows_of
from genlab.systems.told import context, only_last, waves

CAPTIONS = ["a red one", "a thin blue seven leaning left", "a bold cyan two"]
ROWS = rows_of(CAPTIONS)  # with the image token: 4, 7 and 5 tokens
N_TOKENS = (4, 7, 5)


@pytest.fixture
def states():
    return torch.randn(3, 7, 16) * (ROWS != 0)[:, :, None]


def test_states_go_through_unchanged_and_their_sum_is_scaled_by_the_root_of_their_number(states):
    text = context(states)
    assert torch.equal(text.states, states)
    for row, n in enumerate(N_TOKENS):
        by_hand = sum(states[row, j] for j in range(n)) / math.sqrt(n)
        torch.testing.assert_close(text.pooled[row], by_hand)


def test_the_sum_of_independent_states_varies_as_much_as_one_whatever_their_number():
    states = torch.randn(4000, 7, 8)
    for n in (1, 3, 7):
        pooled = context(states[:, :n]).pooled
        assert pooled.var().item() == pytest.approx(1.0, abs=0.05)


def test_without_any_state_the_sum_is_zero_and_no_number_is_missing():
    text = context(torch.zeros(2, 7, 16))
    assert torch.equal(text.pooled, torch.zeros(2, 16))
    assert torch.equal(text.states, torch.zeros(2, 7, 16))


def test_shorter_texts_are_filled_up_with_zeros_to_the_length_of_the_training(states):
    text = context(states[:1, :4])
    assert text.states.shape == (1, LENGTH, 16)
    assert torch.equal(text.states[:, :4], states[:1, :4])
    assert bool((text.states[:, 4:] == 0).all())
    torch.testing.assert_close(text.pooled, context(states[:1]).pooled)


def test_cross_attention_alone_is_a_sum_of_zero_beside_all_states(states):
    text = context(states, pooled=False)
    assert torch.equal(text.states, states)
    assert torch.equal(text.pooled, torch.zeros(3, 16))


@pytest.mark.parametrize("n_zero", [1, 5])
def test_zero_states_take_the_share_of_attention_that_the_docstring_says(states, n_zero):
    """One head, by hand: the words' values, times Z / (Z + n0)."""
    layer = CrossAttention(8, 16, n_head=1)
    x, words = torch.randn(1, 3, 8), states[:1, :4]
    scores = layer.w_q(x)[0] @ layer.w_k(words)[0].T / math.sqrt(8)
    z = scores.exp()
    wanted = layer.w_o(z @ layer.w_v(words)[0] / (z.sum(1, keepdim=True) + n_zero))
    found = layer(x, context(words, 4 + n_zero).states)[0]
    torch.testing.assert_close(found, wanted)


def test_the_gradient_reaches_every_state(states):
    leaf = states.clone().requires_grad_(True)
    (context(leaf).pooled ** 2).sum().backward()
    assert bool((leaf.grad != 0).any(-1)[ROWS != 0].all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(states, dtype):
    text = context(states.to(dtype))
    assert text.states.dtype == text.pooled.dtype == dtype


def test_more_states_than_the_painter_knows_are_refused():
    with pytest.raises(ValueError, match="8 states, but the painter was trained with 7"):
        context(torch.zeros(1, 8, 16))


def test_only_the_image_tokens_state_is_kept(states):
    kept = only_last(states, ROWS)
    for row, n in enumerate(N_TOKENS):
        assert torch.equal(kept[row, n - 1], states[row, n - 1])
        assert bool((kept[row, : n - 1] == 0).all())
        assert bool((kept[row, n:] == 0).all())


def test_a_text_without_an_image_token_keeps_nothing(states):
    assert bool((only_last(states, torch.ones_like(ROWS)) == 0).all())


def test_no_two_pixels_are_told_the_same():
    assert waves(16, 2).flatten(1).unique(dim=1).shape[1] == 256


@pytest.mark.parametrize(("size", "n"), [(16, 2), (8, 3), (2, 1)])
def test_waves_are_sines_and_cosines_of_the_middle_of_each_pixel(size, n):
    found = waves(size, n)
    assert found.shape == (4 * n, size, size)
    for k in range(1, n + 1):
        for i in range(size):
            angle = math.pi * k / 2 * ((2 * i + 1) / size - 1)
            across = found[:, 0, i], found[:, size - 1, i]  # the same in every row
            for column in across:
                assert column[k - 1].item() == pytest.approx(math.sin(angle), abs=1e-12)
                assert column[n + k - 1].item() == pytest.approx(math.cos(angle), abs=1e-12)
    torch.testing.assert_close(found[2 * n :], found[: 2 * n].mT)  # down: across, turned
