"""Our byte pairs beside the `tokenizers` library: the same merges, the same text to learn from."""

import pytest

from genlab.autoregressive.bpe import BPE, train_bpe, words
from genlab.data.text import load_text

pytestmark = pytest.mark.reference
tokenizers = pytest.importorskip("tokenizers")

TEXT = load_text("val")
OURS = BPE(train_bpe(TEXT, 700))


def letters():
    """The printable letter that GPT-2's files write for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in kept]
    return {b: chr(b) for b in kept} | {b: chr(256 + k) for k, b in enumerate(others)}


def theirs():
    """Their tokenizer with our merges and our numbers."""
    letter = letters()
    names = ["".join(letter[b] for b in piece) for piece in OURS.pieces]
    model = tokenizers.models.BPE(
        vocab={name: k for k, name in enumerate(names)},
        merges=[(names[a], names[b]) for a, b in OURS.merges],
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


@pytest.mark.parametrize(
    "text", [TEXT, load_text("test"), "naïve café – “quotes” 東京\t\r\n  don't WE'LL x_y2 ..."]
)
def test_tokens_equal_those_of_the_library(text):
    assert OURS.encode(text).tolist() == theirs().encode(text).ids


def test_words_are_cut_as_the_library_cuts_them():
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    cut = [(begin, end) for _, (begin, end) in byte_level.pre_tokenize_str(TEXT)]
    assert words(TEXT) == [TEXT[begin:end] for begin, end in cut]


def test_the_merges_learned_are_those_that_the_library_learns():
    """Equally frequent pairs may be taken in another order, so a few pieces may differ."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([TEXT], trainer)
    letter = letters()
    names = {"".join(letter[b] for b in piece) for piece in OURS.pieces}
    assert len(names & set(tokenizer.get_vocab())) >= 690
    ours, found = len(OURS.encode(TEXT)), len(tokenizer.encode(TEXT).ids)
    assert abs(ours - found) <= 0.002 * found
