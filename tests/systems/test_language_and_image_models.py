"""The recipe: seeded, whole, learning, and cut to what it says."""

import dataclasses

import pytest
import torch

from genlab.systems.caption_lm import rows_of
from genlab.systems.language_and_image_models import (
    Recipe,
    language_and_image,
    train_language_and_image,
)

SMALL = Recipe(
    d_model=16, n_layer=1, width=8, mults=(1, 1), n_steps=6, batch_size=16, clip=5.0, seed=2
)


def test_a_model_is_the_same_every_time_and_leaves_the_global_noise_alone():
    before = torch.get_rng_state()
    first, second = (language_and_image(SMALL).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_number_of_the_recipe_reaches_the_model():
    model = language_and_image(dataclasses.replace(SMALL, p_drop=0.3, p_alone=0.2, p_cross=0.1))
    assert (model.painter.p_drop, model.p_alone, model.p_cross) == (0.3, 0.2, 0.1)
    assert model.lm.net.config.d_model == model.painter.net.config.d_context == 16


def test_a_run_that_is_taken_up_again_takes_the_same_steps():
    whole = language_and_image(SMALL)
    list(train_language_and_image(whole, SMALL))
    half = language_and_image(SMALL)
    run = train_language_and_image(half, SMALL)
    for _ in range(3):
        next(run)
    state = run.state_dict()
    again = language_and_image(SMALL)
    rest = train_language_and_image(again, SMALL)
    rest.load_state_dict(state)
    list(rest)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_afterwards_the_model_is_its_average_in_evaluation_mode():
    model = language_and_image(SMALL)
    run = train_language_and_image(model, SMALL)
    assert model.training
    list(run)
    assert not model.training


@pytest.mark.slow
def test_a_few_steps_learn_the_words():
    recipe = dataclasses.replace(SMALL, n_steps=60, lr=1e-2, decay=0.9)
    model = language_and_image(recipe)
    rows = rows_of(["a red one", "a thin blue seven leaning left"])
    before = model.lm.log_prob(rows).mean()
    losses = [record.loss for record in train_language_and_image(model, recipe)]
    assert model.lm.log_prob(rows).mean() > before + 5.0
    assert losses[-1] < 0.7 * losses[0]
