"""The recipe of lesson 06: repeatable, and it learns."""

import math

import torch
from genlab.zoo.digit_vae import Recipe, digit_vae, train_digit_vae

from genlab.core import last
from genlab.data.digits import load_digits


def test_same_recipe_same_weights_and_no_trace_in_the_global_seed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two = digit_vae(), digit_vae()
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_training_beats_guessing_and_leaves_evaluation_mode():
    recipe = Recipe(width=64, n_steps=80)
    vae, images = digit_vae(recipe), load_digits("train").images
    last(train_digit_vae(vae, images, recipe))
    assert not vae.training
    with torch.no_grad():
        bound = vae.elbo(images[:200], generator=torch.Generator().manual_seed(0)).mean().item()
    assert bound > -64 * math.log(17) + 40  # nats; guessing among 17 levels


def test_the_weight_of_the_divergence_follows_the_recipe():
    recipe = Recipe(width=8, n_steps=6, n_warm=4, beta=2.0, floor=0.25)
    vae = digit_vae(recipe)
    seen = [vae.beta for _ in train_digit_vae(vae, load_digits("train").images[:64], recipe)]
    assert seen == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert vae.floor == 0.25
