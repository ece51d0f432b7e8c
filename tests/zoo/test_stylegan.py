"""The recipe of StyleGAN: its penalty, its players and its data."""

import pytest
import torch

from genlab.zoo import find, recipe, stylegan
from tests.support.recipes import tiny


@pytest.fixture
def x(generator):
    return torch.randn(20, 1, 16, 16, generator=generator)


def test_the_penalty_is_paid_in_every_third_step(x):
    row, paid = tiny("stylegan", interval=3), []
    gan = row.untrained()
    penalty = gan.penalty
    gan.penalty = lambda x: paid.append(run.step) or penalty(x)
    run = row.train(gan, x)
    list(run)
    assert paid == [0, 3]


@pytest.mark.parametrize("betas", [(0.0, 0.99), (0.3, 0.9)])
def test_both_players_step_with_the_betas_of_the_row(x, betas, monkeypatch):
    asked = []
    game = recipe.fit_adversarial
    monkeypatch.setattr(recipe, "fit_adversarial", lambda *a, **k: asked.append(k) or game(*a, **k))
    row = tiny("stylegan", betas=betas)
    row.train(row.untrained(), x)
    assert [(k["betas"], k["n_critic"]) for k in asked] == [(betas, 1)]
    assert find("stylegan").settings["betas"] == (0.0, 0.99)


def test_no_generator_has_seen_the_classifiers_digits_nor_the_held_out():
    seen = {row.numpy().tobytes() for row in stylegan.grey_digits().flatten(1)}
    for part in ("judge", "test"):
        others = [row.numpy().tobytes() for row in stylegan.grey_digits(part).flatten(1)]
        assert sum(row in seen for row in others) == 0
    x = stylegan.grey_digits("test")
    assert (x.min(), x.max()) == (-1, pytest.approx(1, abs=0.02))
