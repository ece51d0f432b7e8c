"""The character transformer of Python's manual: its windows, and that it learns."""

import math

import pytest
import torch
from genlab.zoo.text_transformer import (
    ALPHABET,
    Recipe,
    text_transformer,
    train_text_transformer,
    windows,
)

from genlab.autoregressive.tokens import CharTokenizer
from genlab.core import last
from genlab.data.text import load_text

SMALL = Recipe(length=16, d_model=16, d_hidden=16, n_steps=60)


def test_windows_follow_one_another_and_drop_the_rest():
    tokens = windows("abcdefgh", 3)
    assert CharTokenizer(ALPHABET).decode(tokens.flatten()) == "abcdef"


def test_a_character_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="é"):
        windows("café", 2)


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, two = text_transformer(SMALL), text_transformer(SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_some_steps_beat_guessing_and_leave_evaluation_mode():
    model = text_transformer(SMALL)
    last(train_text_transformer(model, windows(load_text("train"), 16), SMALL))
    assert not model.training
    with torch.no_grad():
        nats = -model.log_prob(windows(load_text("val"), 16)).mean() / 16
    assert nats < math.log(len(ALPHABET)) - 0.5  # one of 96 characters at random
