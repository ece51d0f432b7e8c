"""The language of captions: what is written can be read, and nothing else."""

import itertools

import pytest
import torch

from genlab.data.captioned import COLOURS, DIGITS, SLANTS, Attributes, load_captioned
from genlab.data.captions import WORDS, Claims, decode, encode, read, write
from genlab.data.moving import MOTIONS


def test_what_is_written_is_read_back_for_every_combination():
    rows = torch.tensor([*itertools.product(range(10), range(6), range(3), range(3))])
    captions = write(Attributes(*rows.T))
    for (d, c, k, s), caption in zip(rows.tolist(), captions, strict=True):
        assert read(caption) == Claims(d, c, None if k == 1 else k, s)


def test_words_left_out_claim_nothing():
    attributes = load_captioned("test").attributes
    never = torch.zeros(1000, dtype=torch.bool)
    for caption in write(attributes, say_stroke=never, say_slant=never)[:50]:
        claims = read(caption)
        assert claims.stroke is None
        assert claims.slant is None


def test_encoding_is_undone_by_decoding():
    captions = write(load_captioned("test").attributes)
    assert decode(encode(captions)) == captions


def test_every_word_has_one_number():
    spoken = {"a", "thin", "bold", *COLOURS, *DIGITS, *" ".join(SLANTS).split()}
    spoken |= set(" ".join(MOTIONS).split())
    assert spoken == set(WORDS[1:])
    assert len(WORDS) == len(set(WORDS))


def test_a_reader_forgives_capitals_and_a_full_stop():
    assert read("A thin Red seven leaning right.") == read("a thin red seven leaning right")


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("", "'nothing' where one of a"),
        ("the red seven", "'the' where one of a"),
        ("a crimson seven", "'crimson' where one of red, green"),
        ("a red eleven", "'eleven' where one of zero, one"),
        ("a red seven sideways", "ends in 'sideways'"),
        ("a thin bold red seven", "'bold' where one of red"),
    ],
)
def test_what_is_not_a_caption_is_refused_with_the_word_and_the_options(caption, named):
    with pytest.raises(ValueError, match=named):
        read(caption)


@pytest.mark.parametrize(
    ("caption", "named"),
    [("a red cat", "unknown word 'cat'"), ("a red one a red one upright", "7 words")],
)
def test_what_cannot_be_encoded_is_named(caption, named):
    with pytest.raises(ValueError, match=named):
        encode([caption])
