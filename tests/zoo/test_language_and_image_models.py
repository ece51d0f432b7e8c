"""The recipe: seeded, whole, learning, and cut to what it says."""

import dataclasses

import pytest
import torch

from genlab.nn.transformer import Text
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.language_and_image import rows_of
from genlab.systems.text_diffusion import CaptionedPainter
from genlab.zoo.glide_models import TRAININGS as GLIDE
from genlab.zoo.language_and_image_models import (
    Recipe,
    begin_as,
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
    assert (model.painter.sigma_max, model.painter.skip) == (SMALL.sigma_max, False)
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


@pytest.fixture
def elder():
    """A painter of the same sizes who sees nothing beside its picture."""
    config = UNetConfig(
        c_in=12, c_out=12, width=8, mults=(1, 1), d_context=16, d_pooled=16, time_scale=250.0
    )
    elder = CaptionedPainter(
        UNet(config), None, event_shape=(3, 16, 16), sigma_data=0.5, patch=2, skip=False
    )
    with torch.no_grad():
        for p in elder.parameters():
            p.add_(0.1 * torch.randn_like(p))  # the zero-started layers, too
    return elder


def test_a_painter_that_begins_as_another_paints_as_it_does_whatever_stands_beside(elder):
    model = language_and_image(SMALL)
    before = model.lm.state_dict()
    begin_as(model.painter, elder)
    x, sigma = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 3.0])
    text = Text(torch.randn(2, 7, 16), torch.randn(2, 16))
    for told in (text, None):
        mine = model.painter.denoiser(told, beside=model.beside(2))(x, sigma)
        torch.testing.assert_close(mine, elder.denoiser(told)(x, sigma))
    assert all(torch.equal(v, before[name]) for name, v in model.lm.state_dict().items())


def test_what_stands_beside_can_be_learned_from_the_first_step_on(elder):
    model = language_and_image(SMALL)
    begin_as(model.painter, elder)
    x, generator = torch.randn(2, 3, 16, 16), torch.Generator().manual_seed(0)
    text = Text(torch.randn(2, 7, 16), torch.randn(2, 16))
    loss = model.painter.loss(x, cond=text, beside=model.beside(2), generator=generator)
    loss.backward()
    assert bool((model.painter.net.stem.weight.grad[:, 12:] != 0).any())


def test_the_painter_of_glide_has_the_sizes_of_this_one():
    torch.set_default_dtype(torch.float32)
    painter = language_and_image().painter
    elder = GLIDE[0].build(GLIDE[0].settings)
    begin_as(painter, elder)
    assert painter.sigma_max == elder.sigma_max
    assert torch.equal(painter.net.conv_out.weight, elder.net.conv_out.weight)


@pytest.mark.slow
def test_a_few_steps_learn_the_words():
    recipe = dataclasses.replace(SMALL, n_steps=120, lr=1e-2, decay=0.9, weight=1.0)
    model = language_and_image(recipe)
    rows = rows_of(["a red one", "a thin blue seven leaning left"])
    before = model.lm.log_prob(rows).mean()
    losses = [record.loss for record in train_language_and_image(model, recipe)]
    assert model.lm.log_prob(rows).mean() > before + 5.0
    assert losses[-1] < 0.7 * losses[0]
