"""Autoregressive recipes: that some steps help."""

import math

import pytest
import torch

from genlab.data.digits import load_digits
from genlab.data.text import load_text
from genlab.zoo import find
from genlab.zoo.texts import ALPHABET, windows
from tests.support.recipes import trained


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("digit_pixelcnn", {"width": 8, "n_layer": 2}),
        ("digit_transformer", {"d_model": 16, "n_layer": 1}),
        ("text_transformer", {"d_model": 16, "d_hidden": 16}),
    ],
)
def test_some_steps_beat_guessing_and_leave_evaluation_mode(name, changes):
    model = trained(find(name).but(n_steps=60, **changes))
    assert not model.training
    x, n = load_digits("val").images, 17
    if name == "text_transformer":
        x, n = windows(load_text("val"))[:200], len(ALPHABET)
    with torch.no_grad():
        nats = -model.log_prob(x).mean() / 64
    assert nats < math.log(n) - 0.5  # one of 17 levels, or of 96 characters, at random
