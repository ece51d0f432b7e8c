"""The digits' GAN: its scale, its seed, and that some steps already help."""

import dataclasses

import pytest
import torch
from genlab.zoo.digit_gan import Recipe, digit_gan, to_grey, to_unit, train_digit_gan

from genlab.core import last
from genlab.data.digits import load_digits

SMALL = dataclasses.replace(Recipe(), width=32, n_steps=120)


def test_grey_levels_survive_the_scale():
    images = load_digits("test").images
    x = to_unit(images)
    assert (x.min().item(), x.max().item()) == (-1, 1)
    torch.testing.assert_close(to_grey(x), images.to(x), rtol=0, atol=0)


def test_the_same_recipe_gives_the_same_model_and_leaves_the_global_seed_alone():
    torch.manual_seed(3)
    a, drawn = digit_gan(SMALL), torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    b = digit_gan(SMALL)
    images = load_digits("train").images
    for gan in (a, b):
        last(train_digit_gan(gan, images, dataclasses.replace(SMALL, n_steps=3)))
    x, y = (gan.sample(4, generator=torch.Generator().manual_seed(0)) for gan in (a, b))
    torch.testing.assert_close(x, y, rtol=0, atol=0)


@pytest.mark.slow
def test_training_brings_the_mean_image_nearer():
    images, gan = load_digits("train").images, digit_gan(SMALL)
    mean = to_unit(images).mean(0)

    def miss():
        made = gan.sample(500, generator=torch.Generator().manual_seed(0))
        return (made.mean(0) - mean).norm().item()

    before = miss()
    last(train_digit_gan(gan, images, SMALL))
    assert miss() < before / 2
