"""Recipes of games: what their loop refuses, and that some steps help."""

import math
from dataclasses import replace

import pytest
import torch

from genlab.core import last
from genlab.data.digits import load_digits, to_unit
from genlab.zoo import find


@pytest.mark.parametrize(
    ("name", "value"),
    [("clip", 1.0), ("warmup", 10), ("weight_decay", 0.1), ("bfloat16", True), ("loss", math.dist)],
)
def test_a_game_refuses_the_settings_that_its_loop_does_not_take(name, value):
    row = find("digit_gan").but(n_steps=1)
    row = replace(row, plan=replace(row.plan, **{name: value}))
    with pytest.raises(ValueError, match=f"a game takes no {name}"):
        row.train(row.untrained())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [("digit_gan", {"n_steps": 120}), ("digit_wgan", {"n_steps": 150, "lr": (1e-3, 3e-3)})],
)
def test_a_game_brings_the_mean_image_nearer(name, changes):
    row = find(name).but(width=32, **changes)
    gan, mean = row.untrained(), to_unit(load_digits("train").images).mean(0)

    def miss():
        made = gan.sample(500, generator=torch.Generator().manual_seed(0))
        return (made.mean(0) - mean).norm().item()

    before = miss()
    last(row.train(gan))
    assert miss() < before / 2
