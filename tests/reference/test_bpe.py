"""Our byte pairs beside the `tokenizers` library: the same merges, the same text to learn from."""

import json

import pytest

from genlab.autoregressive.tokens import BPE, train_bpe
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


def learned_by_the_library():
    """Their tokenizer, trained on the same text, and its merges as the bytes of both parts."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([TEXT], trainer)
    byte = {name: b for b, name in letters().items()}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return tokenizer, [tuple(bytes(byte[c] for c in part) for part in pair) for pair in merges]


def test_the_library_learns_merges_by_the_same_rule():
    """Equally frequent pairs may be taken in another order, so the lists need not be equal."""
    tokenizer, theirs = learned_by_the_library()
    ours = {(OURS.pieces[a], OURS.pieces[b]) for a, b in OURS.merges}
    assert len(ours) == len(theirs)
    assert len(ours & set(theirs)) > 0.95 * len(ours)
    n_ours, n_theirs = len(OURS.encode(TEXT)), len(tokenizer.encode(TEXT).ids)
    assert abs(n_ours - n_theirs) <= 0.01 * n_theirs
