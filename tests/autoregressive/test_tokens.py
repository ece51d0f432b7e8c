"""Text as integers and back."""

import math
import random
from collections import Counter
from itertools import accumulate, pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.autoregressive.tokens import (
    BPE,
    CharTokenizer,
    NGram,
    merge,
    train_bpe,
    windowed_log_probs,
    words,
)
from genlab.data.text import load_text


@given(st.text(min_size=1, max_size=40))
def test_characters_spell_any_text_of_their_alphabet(text):
    tokenizer = CharTokenizer.of(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.n_tokens == len(set(text))


def test_a_stranger_is_named():
    with pytest.raises(ValueError, match="'z'"):
        CharTokenizer("abc").encode("az")


@pytest.mark.parametrize("alphabet", ["", "aba"])
def test_an_alphabet_holds_characters_each_once(alphabet):
    with pytest.raises(ValueError, match="distinct characters"):
        CharTokenizer(alphabet)


def test_training_stops_without_pairs_or_free_tokens():
    """A pair that occurs once is a pair; a text of single letters has none."""
    assert train_bpe("ab", 300) == ((97, 98),)
    assert train_bpe("abc", 300) == ((97, 98), (256, 99))
    assert train_bpe("a", 300) == train_bpe("", 300) == train_bpe("abab", 256) == ()
    assert len(train_bpe("abcdefgh", 259)) == 3
    with pytest.raises(ValueError, match="at least 256, the bytes, got 255"):
        train_bpe("ab", 255)


PROSE = load_text("val")[:4000]
MERGES = train_bpe(PROSE, 330)
TOKENIZER = BPE(MERGES)


def test_the_example_of_wikipedia_becomes_xdxac():
    merges = train_bpe("aaabdaaabac", 259)
    assert merges == ((97, 97), (97, 98), (256, 257))
    x, d, a, c = 258, ord("d"), ord("a"), ord("c")
    assert BPE(merges).encode("aaabdaaabac").tolist() == [x, d, x, a, c]


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


@given(st.text(alphabet="abc \n'x", max_size=30), st.integers(0, 50))
def test_dropout_spells_the_same_text_in_smaller_pieces(text, seed):
    g = torch.Generator().manual_seed(seed)
    tokens = TOKENIZER.encode(text, drop=0.5, generator=g)
    assert TOKENIZER.decode(tokens) == text
    assert len(tokens) >= len(TOKENIZER.encode(text)) - 1  # greed is not always shortest
    g.manual_seed(seed)
    assert torch.equal(tokens, TOKENIZER.encode(text, drop=0.5, generator=g))


def test_dropout_overlooks_the_stated_proportion():
    """A word of two bytes and one merge stays apart with probability `drop`."""
    tokenizer = BPE(((97, 98),))
    noise = random.Random(0)
    n = 4000
    apart = sum(len(tokenizer.spell("ab", drop=0.3, noise=noise)) == 2 for _ in range(n))
    assert abs(apart / n - 0.3) < 5 * (0.21 / n) ** 0.5


def test_each_seed_has_its_own_spelling():
    def spelled(seed):
        g = torch.Generator().manual_seed(seed)
        return tuple(TOKENIZER.encode(PROSE[:60], drop=0.5, generator=g).tolist())

    assert len({spelled(seed) for seed in range(200)}) > 190
    assert TOKENIZER.encode("the", drop=1.0).tolist() == [*b"the"]


class Zeros(random.Random):
    def random(self):
        return 0.0


def test_dropout_skips_merges_only_if_drop_is_positive():
    assert BPE(((97, 98),)).spell("ab", drop=0.0, noise=Zeros()) == [256]
    assert BPE(((97, 98),)).spell("ab", drop=1e-9, noise=Zeros()) == [97, 98]


def test_a_merge_of_tokens_that_are_not_yet_there_is_refused():
    with pytest.raises(ValueError, match="257"):
        BPE(((97, 257),))


def counted(stream, n_tokens, order, text, i):
    """The probability of token i of a text, by Witten and Bell, counting through the stream."""
    p = 1 / n_tokens
    for k in range(min(order, i) + 1):
        before = [stream[j] for j in range(k, len(stream)) if stream[j - k : j] == text[i - k : i]]
        if before:
            kinds = len(set(before))
            p = (before.count(text[i]) + kinds * p) / (len(before) + kinds)
    return p


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [2, 9])
def test_an_ngram_mixes_what_a_plain_count_finds(n, order, generator):
    stream = torch.randint(4, (40,), generator=generator)
    text = torch.randint(5, (n,), generator=generator)  # token 4 was never seen
    wanted = [counted(stream.tolist(), 6, order, text.tolist(), i) for i in range(n)]
    found = NGram(stream, 6, order).token_log_probs(text).exp()
    assert found.tolist() == pytest.approx(wanted, rel=1e-12)


def test_contexts_are_numbered_with_63_bits_and_no_more():
    ones = torch.ones(66, dtype=torch.int64)
    p = NGram(ones, 2, 62).token_log_probs(ones).exp()
    assert p[-1].item() == pytest.approx(counted(ones.tolist(), 2, 62, ones.tolist(), 65))
    for n_tokens, order in ((2, 63), (3, 40)):
        with pytest.raises(ValueError, match="do not fit in 63 bits"):
            NGram(ones, n_tokens, order)


@pytest.mark.parametrize("order", [-1, 3])
def test_an_order_is_a_length_that_the_stream_has(order):
    with pytest.raises(ValueError, match=r"order must be in 0\.\.2"):
        NGram(torch.zeros(3, dtype=torch.int64), 2, order)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_probabilities_of_all_texts_sum_to_one(order, generator):
    stream = torch.randint(3, (60,), generator=generator)
    model = NGram(stream, n_tokens=4, order=order)  # token 3 was never seen
    total = sum(
        math.exp(model.token_log_probs(torch.tensor(x)).sum()) for x in product(range(4), repeat=4)
    )
    assert total == pytest.approx(1, abs=1e-12)


def test_an_unseen_context_uses_the_shorter_one():
    stream = torch.tensor([0, 1, 0, 1, 0, 2])
    long, short = NGram(stream, 4, 2), NGram(stream, 4, 0)
    text = torch.tensor([3, 3, 0])  # neither (3, 3) nor (3,) was ever seen
    assert long.token_log_probs(text)[2].item() == pytest.approx(
        short.token_log_probs(text)[2].item()
    )


def test_worked_example():
    # after 0: three times 1, nothing else, so N = 3, T = 1; unigram (3 + 2 / 2) / (7 + 2) = 4 / 9
    model = NGram(torch.tensor([0, 1, 0, 1, 0, 1, 0]), n_tokens=2, order=1)
    p = model.token_log_probs(torch.tensor([0, 1]))[1].exp().item()
    assert p == pytest.approx((3 + 1 * 4 / 9) / (3 + 1), abs=1e-14)


def test_order_one_reaches_the_entropy_rate_of_a_chain_and_order_zero_is_blind(generator):
    table = torch.tensor([[0.9, 0.1], [0.3, 0.7]])  # stationary: 3/4, 1/4
    u = torch.rand(2, 4000, generator=generator).tolist()
    p_one = table[:, 1].tolist()
    step = lambda state, u: int(u < p_one[state])
    train, test = (torch.tensor([*accumulate(row, step, initial=0)]) for row in u)
    nll = -NGram(train, 2, 1).token_log_probs(test)
    rate = -(torch.tensor([[0.75], [0.25]]) * table * table.log()).sum()
    # Monte Carlo: 5 standard errors (successive surprises are correlated, hence the factor 2),
    # plus the cost of estimating two parameters from 4,000 tokens, of order 5e-4
    assert (nll.mean() - rate).abs() < 2 * 5 * nll.std() / 4000**0.5 + 3e-3
    counts = NGram(train, 2, 0)
    a, b = (counts.token_log_probs(torch.tensor(x)).sum() for x in ([0, 0, 1], [1, 0, 0]))
    torch.testing.assert_close(a, b)


sizes = st.tuples(st.integers(1, 40), st.integers(1, 12)).flatmap(
    lambda s: st.tuples(st.just(s[0]), st.just(s[1]), st.integers(1, s[1]))
)


@given(sizes)
def test_each_token_is_scored_once_in_a_window_that_fits(size):
    n, context, stride = size
    seen = []

    def logits_of(window):
        """Certain of each token, and noting which tokens stand in the window."""
        seen.append(window[0].tolist())
        return 200.0 * torch.nn.functional.one_hot(window, 40)

    found = windowed_log_probs(logits_of, torch.arange(n), context, stride)
    torch.testing.assert_close(found, torch.zeros(n))
    assert sorted({x for window in seen for x in window}) == list(range(n))
    last_scored = 0
    for window in seen:
        assert window == list(range(window[0], window[-1] + 1))
        assert len(window) <= context
        new = range(last_scored, window[-1] + 1)
        assert last_scored == 0 or (window[0] <= new[0] - (context - stride) and len(new) <= stride)
        last_scored = window[-1] + 1


def markov(x):
    """Logits of each token given the one before; uniform for the first of a window."""
    table = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    logits = torch.zeros(*x.shape, 5)
    logits[:, 1:] = table[x[:, :-1]]
    return logits


def test_a_model_with_a_memory_of_one_needs_an_overlap_of_one(generator):
    x = torch.randint(5, (28,), generator=generator)
    whole = sequence_log_prob(markov(x[None]), x[None])[0]
    for context, stride in ((2, 1), (7, 6), (7, 3), (28, 28), (50, 10)):
        torch.testing.assert_close(windowed_log_probs(markov, x, context, stride).sum(), whole)
    blocks = windowed_log_probs(markov, x, 7, 7)  # the first of every block sees nothing
    torch.testing.assert_close(blocks[::7], torch.full((4,), -math.log(5)))


@pytest.mark.parametrize(("n", "context", "stride"), [(5, 3, 0), (5, 3, 4), (0, 3, 3)])
def test_a_window_that_stands_still_or_leaps_and_an_empty_text_are_refused(n, context, stride):
    with pytest.raises(ValueError, match="expected 1 <= stride"):
        windowed_log_probs(pytest.fail, torch.zeros(n, dtype=torch.int64), context, stride)
