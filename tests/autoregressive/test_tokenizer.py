"""Text as integers and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.tokenizer import ByteTokenizer, CharTokenizer


@given(st.text(max_size=40))
def test_bytes_spell_any_text(text):
    tokens = ByteTokenizer().encode(text)
    assert ByteTokenizer().decode(tokens) == text
    assert len(tokens) == len(text.encode())


@given(st.text(min_size=1, max_size=40))
def test_characters_spell_any_text_of_their_alphabet(text):
    tokenizer = CharTokenizer.of(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.n_tokens == len(set(text))


def test_half_a_character_becomes_a_mark():
    assert ByteTokenizer().decode(torch.tensor([195])) == "�"


def test_a_stranger_is_named():
    with pytest.raises(ValueError, match="'z'"):
        CharTokenizer("abc").encode("az")


@pytest.mark.parametrize("alphabet", ["", "aba"])
def test_an_alphabet_must_be_distinct_characters(alphabet):
    with pytest.raises(ValueError, match="distinct"):
        CharTokenizer(alphabet)
