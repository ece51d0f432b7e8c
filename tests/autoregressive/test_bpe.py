"""Byte pairs: Wikipedia's example, a recount by brute force, and that every text comes back."""

import random
from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.bpe import BPE, merge, train_bpe, words
from genlab.data.text import load_text

PROSE = load_text("val")[:4000]
MERGES = train_bpe(PROSE, 330)
TOKENIZER = BPE(MERGES)


def test_the_example_of_wikipedia_becomes_xdxac():
    merges = train_bpe("aaabdaaabac", 259)
    assert merges == ((97, 97), (97, 98), (256, 257))
    x, d, a, c = 258, ord("d"), ord("a"), ord("c")
    assert BPE(merges).encode("aaabdaaabac").tolist() == [x, d, x, a, c]


def test_the_words_of_sennrich_give_his_first_merges():
    """low x 5, lower x 2, newest x 6, widest x 3: es, est, then lo (9 times ...), as published."""
    text = " ".join(["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3)
    tokenizer = BPE(train_bpe(text, 260))
    pieces = [piece.decode().strip() for piece in tokenizer.pieces[256:]]
    assert {"es", "est"} <= set(pieces)
    assert "lo" in pieces or "low" in pieces


def test_every_merge_was_the_most_frequent_pair_when_it_was_made():
    """Recount everything from scratch before each merge: no bookkeeping to go wrong."""
    spelled = [list(w.encode()) for w in words(PROSE)]
    for k, best in enumerate(MERGES):
        counts = Counter(pair for word in spelled for pair in pairwise(word))
        top = max(counts.values())
        assert counts[best] == top
        assert best == min(pair for pair, n in counts.items() if n == top)
        spelled = [merge(word, best, 256 + k) for word in spelled]
    assert [t for word in spelled for t in word] == TOKENIZER.encode(PROSE).tolist()


@given(st.text(max_size=40))
def test_every_text_comes_back(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.text(max_size=40))
def test_words_joined_are_the_text(text):
    assert "".join(words(text)) == text


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Hello world", ["Hello", " world"]),
        ("don't", ["don", "'t"]),
        ("a1 22", ["a", "1", " 22"]),
        ("x = y_1;", ["x", " =", " y", "_", "1", ";"]),
        ("one\n\n   two", ["one", "\n\n  ", " two"]),
        ("end  ", ["end", "  "]),
    ],
)
def test_words_are_cut_as_gpt2_cuts_them(text, cut):
    assert words(text) == cut


def test_no_merge_crosses_a_border():
    tokenizer = BPE(train_bpe("ab ab ab ab", 300))
    assert all(b" " not in piece[1:] for piece in tokenizer.pieces)


@given(st.text(alphabet="abc \n'x", max_size=30), st.integers(0, 50))
def test_dropout_spells_the_same_text_in_smaller_pieces(text, seed):
    g = torch.Generator().manual_seed(seed)
    tokens = TOKENIZER.encode(text, drop=0.5, generator=g)
    assert TOKENIZER.decode(tokens) == text
    assert len(tokens) >= len(TOKENIZER.encode(text)) - 1  # greed is not always shortest


def test_dropout_of_one_gives_the_bytes_and_of_almost_nothing_the_usual_spelling():
    assert TOKENIZER.encode("the text", drop=1.0).tolist() == list(b"the text")
    usual = TOKENIZER.encode(PROSE)
    assert torch.equal(TOKENIZER.encode(PROSE, drop=1e-12), usual)


def test_dropout_overlooks_the_stated_share():
    """A word of two bytes and one merge stays apart with probability `drop`."""
    tokenizer = BPE(((97, 98),))
    noise = random.Random(0)
    n = 4000
    apart = sum(len(tokenizer.spell("ab", drop=0.3, noise=noise)) == 2 for _ in range(n))
    assert abs(apart / n - 0.3) < 5 * (0.21 / n) ** 0.5


def test_dropout_repeats_with_its_generator_and_differs_between_draws(generator):
    state = generator.get_state()
    first = TOKENIZER.encode(PROSE, drop=0.2, generator=generator)
    second = TOKENIZER.encode(PROSE, drop=0.2, generator=generator)
    generator.set_state(state)
    assert torch.equal(first, TOKENIZER.encode(PROSE, drop=0.2, generator=generator))
    assert first.shape != second.shape or not torch.equal(first, second)


def test_earlier_merges_come_first():
    tokenizer = BPE(((98, 99), (97, 98)))  # bc was learned before ab
    assert tokenizer.encode("abc").tolist() == [97, 256]


def test_learning_stops_when_every_word_is_one_token():
    assert train_bpe("ab", 300) == ((97, 98),)
    assert train_bpe("", 300) == ()


def test_too_small_a_vocabulary_and_odd_merges_are_refused():
    with pytest.raises(ValueError, match="255"):
        train_bpe("a", 255)
    with pytest.raises(ValueError, match="257"):
        BPE(((97, 257),))
    with pytest.raises(ValueError, match=r"1\.5"):
        TOKENIZER.encode("a", drop=1.5)


def test_half_a_character_becomes_a_mark():
    assert TOKENIZER.decode([195]) == "�"
