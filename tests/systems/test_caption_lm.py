"""The language model that writes captions and reads pictures: exact, causal, cached."""

import itertools

import pytest
import torch

from genlab.autoregressive.decoding import keep_top_k
from genlab.core import HasLogProb, last
from genlab.data.captions import WORDS, encode
from genlab.nn.transformer import TransformerConfig
from genlab.systems.caption_lm import (
    END,
    FILL,
    IMAGE,
    VOCABULARY,
    CaptionLM,
    rows_of,
    words_of,
)

CAPTIONS = ["a red one", "a thin blue seven leaning left", "a bold cyan two"]


@pytest.fixture
def lm():
    model = CaptionLM(TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2))
    for p in model.parameters():
        p.data += 0.2 * torch.randn_like(p)
    return model.eval().requires_grad_(False)


@pytest.fixture
def images(generator):
    return torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1


# Rows and patches


def test_rows_hold_the_words_the_end_and_padding():
    assert words_of(rows_of(CAPTIONS, END)) == [c + " <end>" for c in CAPTIONS]
    assert rows_of(["a red one"])[0].tolist() == [
        WORDS.index("a"), WORDS.index("red"), WORDS.index("one"), IMAGE, FILL, FILL, FILL,
    ]  # fmt: skip


def test_rows_of_numbers_are_rows_of_their_words():
    assert torch.equal(rows_of(encode(CAPTIONS)), rows_of(CAPTIONS))


def test_the_eye_looks_row_by_row(lm, images):
    """A change in the upper right corner moves vector 3 and not vector 12, the lower left one."""
    other = images.clone()
    other[:, :, 0, 15] += 1.0
    moved = (lm.see(other) - lm.see(images)).abs().sum((0, 2)) > 0
    assert bool(moved[3])
    assert not bool(moved[12])


# Writing: an exact law


def test_the_probability_is_the_product_of_next_word_probabilities(lm):
    rows = rows_of(CAPTIONS)
    for row, log_p in zip(rows, lm.log_prob(rows), strict=True):
        n = int((row == IMAGE).nonzero()) + 1
        total = 0.0
        for i in range(n):
            read = torch.cat([torch.tensor([lm.begin]), row[:i]])[None]
            total += lm.head(lm.read(read)[0][:, -1]).log_softmax(-1)[0, row[i]].item()
        assert log_p.item() == pytest.approx(total)


def test_all_texts_of_two_tokens_and_those_that_ended_before_have_probability_one(lm):
    n = len(VOCABULARY)
    ended = torch.tensor([[IMAGE, FILL]])
    others = [pair for pair in itertools.product(range(n), range(n)) if pair[0] != IMAGE]
    rows = torch.cat([ended, torch.tensor(others)])
    assert lm.log_prob(rows).exp().sum().item() == pytest.approx(1.0)


def test_padding_costs_nothing(lm):
    short, long = rows_of(["a red one"])[:, :4], rows_of(["a red one"])
    torch.testing.assert_close(lm.log_prob(short), lm.log_prob(long))


def test_it_has_an_exact_likelihood(lm):
    assert isinstance(lm, HasLogProb)


# States


def test_states_have_read_their_word_and_nothing_after(lm):
    rows = rows_of(["a thin blue seven leaning left", "a thin blue nine upright"])
    states = lm.states(rows)
    torch.testing.assert_close(states[0, :3], states[1, :3])
    assert not torch.allclose(states[0, 3], states[1, 3])


def test_states_are_zero_at_the_padding_and_only_there(lm):
    norm = lm.states(rows_of(CAPTIONS)).norm(dim=-1)
    assert ((norm > 0).sum(1)).tolist() == [4, 7, 5]


def test_one_pass_gives_states_and_probabilities(lm):
    rows = rows_of(CAPTIONS)
    states, log_p = lm.states_and_log_probs(rows)
    torch.testing.assert_close(states, lm.states(rows))
    torch.testing.assert_close(log_p.sum(1), lm.log_prob(rows))
    assert (log_p < 0).sum(1).tolist() == [4, 7, 5]


def test_the_states_of_writing_are_those_of_reading_the_finished_text(lm, generator):
    written = last(lm.write(["a red"] * 6, generator=generator))
    assert written.tokens[:, :2].tolist() == [[WORDS.index("a"), WORDS.index("red")]] * 6
    whole = lm.states(written.tokens)
    torch.testing.assert_close(written.states, whole)


def test_no_prompt_is_a_prompt(lm, generator):
    written = last(lm.write(["", ""], generator=generator))
    assert written.tokens.shape[1] == written.states.shape[1] <= 7


def test_prompts_of_different_lengths_are_refused(lm):
    with pytest.raises(ValueError, match=r"equally many words, got \[1, 2\]"):
        next(lm.write(["a", "a red"]))


# Reading pictures


def test_the_probability_of_a_description_sees_the_picture_and_the_words_before(lm, images):
    rows = rows_of(CAPTIONS, END)
    log_p = lm.log_prob_given(images, rows)
    seen, _ = lm.look(images)
    by_hand = lm.head(seen[:, -1]).log_softmax(-1)[torch.arange(3), rows[:, 0]]
    one_word = lm.log_prob_given(images, rows[:, :1])
    torch.testing.assert_close(one_word, by_hand)
    assert not torch.allclose(log_p, lm.log_prob_given(images.flip(0), rows))


def test_reading_is_exact_too(lm, images):
    n = len(VOCABULARY)
    ended = torch.tensor([[END, FILL]])
    others = [pair for pair in itertools.product(range(n), range(n)) if pair[0] != END]
    rows = torch.cat([ended, torch.tensor(others)])
    picture = images[:1].expand(len(rows), -1, -1, -1)
    assert lm.log_prob_given(picture, rows).exp().sum().item() == pytest.approx(1.0)


def test_greedy_descriptions_take_the_likeliest_word_each_time(lm, images):
    found = lm.describe(images, reshape=lambda logits: keep_top_k(logits, 1))
    for picture, row in zip(images, found, strict=True):
        for i, token in enumerate(row.tolist()):
            if token == FILL and i and END in row[:i].tolist():
                break
            seen, cache = lm.look(picture[None])
            after = lm.read(row[None, :i], cache)[0][:, -1] if i else seen[:, -1]
            assert token == lm.head(after).argmax().item()


def test_every_corner_matters(lm, images):
    rows = rows_of(CAPTIONS, END)
    before = lm.log_prob_given(images, rows)
    for corner in ((0, 0), (15, 15)):
        other = images.clone()
        other[:, :, corner[0], corner[1]] += 1.0
        assert bool((lm.log_prob_given(other, rows) != before).all())


def test_a_picture_that_has_moved_is_another_picture(lm, images):
    moved = images.roll(4, 3)
    assert not torch.allclose(lm.look(images)[0][:, -1], lm.look(moved)[0][:, -1])
