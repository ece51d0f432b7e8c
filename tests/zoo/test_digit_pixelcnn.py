"""The digits' PixelCNN: repeatable, and it learns."""

import math

import pytest
import torch
from genlab.zoo.digit_pixelcnn import Recipe, digit_pixelcnn, train_digit_pixelcnn

from genlab.core import last
from genlab.data.digits import load_digits

SMALL = Recipe(width=8, n_layer=2, n_steps=60)


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, two = digit_pixelcnn(SMALL), digit_pixelcnn(SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_some_steps_beat_guessing_and_leave_evaluation_mode():
    model, images = digit_pixelcnn(SMALL), load_digits("train").images
    last(train_digit_pixelcnn(model, images, SMALL))
    assert not model.training
    with torch.no_grad():
        nats = -model.log_prob(load_digits("val").images).mean() / 64
    assert nats < math.log(17) - 0.5  # one of 17 levels at random


def test_nothing_is_trained_before_a_record_is_asked_for():
    model = digit_pixelcnn(SMALL)
    before = model.offset.clone()
    run = train_digit_pixelcnn(model, load_digits("train").images, SMALL)
    torch.testing.assert_close(model.offset, before, rtol=0, atol=0)
    assert next(run).loss == pytest.approx(math.log(17), abs=0.3)  # untrained: nearly uniform
