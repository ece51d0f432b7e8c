"""The digits' transformer: repeatable, and it learns."""

import math

import torch
from genlab.zoo.digit_transformer import Recipe, digit_transformer, train_digit_transformer

from genlab.core import last
from genlab.data.digits import load_digits

SMALL = Recipe(d_model=16, n_layer=1, n_steps=60)


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, two = digit_transformer(SMALL), digit_transformer(SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_some_steps_beat_guessing_and_leave_evaluation_mode():
    model, images = digit_transformer(SMALL), load_digits("train").images
    last(train_digit_transformer(model, images, SMALL))
    assert not model.training
    with torch.no_grad():
        nats = -model.log_prob(load_digits("val").images).mean() / 64
    assert nats < math.log(17) - 0.5  # one of 17 levels at random
