"""The digits' WGAN-GP: its seed, its critic steps, and that it learns."""

import dataclasses

import pytest
import torch
from genlab.zoo.digit_gan import to_unit
from genlab.zoo.digit_wgan import Recipe, digit_wgan, train_digit_wgan

from genlab.core import last
from genlab.data.digits import load_digits

SMALL = dataclasses.replace(Recipe(), width=32, n_steps=150, lr_generator=3e-3)


def test_the_same_recipe_gives_the_same_model_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    a, b = digit_wgan(SMALL), digit_wgan(SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for wgan in (a, b):
        run = train_digit_wgan(
            wgan, load_digits("train").images, dataclasses.replace(SMALL, n_steps=3)
        )
        assert len(list(run)) == 3
    x, y = (wgan.sample(4, generator=torch.Generator().manual_seed(0)) for wgan in (a, b))
    torch.testing.assert_close(x, y, rtol=0, atol=0)


def test_the_penalty_is_the_recipes():
    assert digit_wgan(dataclasses.replace(SMALL, penalty=0.5)).penalty == 0.5


@pytest.mark.slow
def test_training_brings_the_mean_image_nearer():
    images, wgan = load_digits("train").images, digit_wgan(SMALL)
    mean = to_unit(images).mean(0)

    def miss():
        made = wgan.sample(500, generator=torch.Generator().manual_seed(0))
        return (made.mean(0) - mean).norm().item()

    before = miss()
    last(train_digit_wgan(wgan, images, SMALL))
    assert miss() < before / 2


def test_the_critic_moves_more_often_than_the_generator():
    images = load_digits("train").images[:64]
    moved = {}
    for n_critic in (1, 3):
        wgan = digit_wgan(SMALL)
        before = torch.cat([p.detach().flatten() for p in wgan.critic.parameters()])
        recipe = dataclasses.replace(SMALL, n_steps=1, n_critic=n_critic, batch_size=32)
        last(train_digit_wgan(wgan, images, recipe))
        after = torch.cat([p.detach().flatten() for p in wgan.critic.parameters()])
        moved[n_critic] = (after - before).abs().max()
    # Adam moves a weight by about the rate in each of its first steps
    assert moved[1] < 1.5 * SMALL.lr_critic < moved[3]
