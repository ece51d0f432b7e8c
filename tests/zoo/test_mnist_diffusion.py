"""The recipe of the MNIST models: what it builds, and what its shipped weights can do."""

import pytest
import torch
from genlab.zoo.mnist_diffusion import (
    NO_CLASS,
    RECIPES,
    Recipe,
    load_mnist_diffusion,
    mnist_diffusion,
    scale,
    to_levels,
    train_mnist_diffusion,
    weights_path,
)

from genlab.core.weights import read_card
from genlab.data.digits import load_mnist
from genlab.train.fit import EMA


def test_scaling_is_undone_exactly():
    levels = torch.arange(256).reshape(256, 1, 1, 1)
    torch.testing.assert_close(to_levels(scale(levels)), levels)
    assert (scale(levels).min(), scale(levels).max()) == (-1, 1)


def test_levels_outside_the_range_are_cut_off():
    x = torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1)
    assert to_levels(x).flatten().tolist() == [0, 255]


@pytest.mark.parametrize("size", RECIPES)
def test_the_recipe_names_the_width_of_its_data(size):
    spread = scale(load_mnist("train", size).images).std().item()
    assert abs(spread - RECIPES[size].sigma_data) < 0.01


def test_building_leaves_the_global_noise_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    mnist_diffusion()
    torch.testing.assert_close(torch.rand(2), expected)


SHORT = Recipe(width=8, mults=(1, 2), n_steps=12, batch_size=16)


def test_training_ends_with_the_average_of_the_weights_and_not_with_the_last_ones():
    model = mnist_diffusion(SHORT)
    images, labels = load_mnist("val", 16)
    mine, moving, steps = EMA(model, SHORT.decay), {}, []
    for record in train_mnist_diffusion(model, images[:64], labels[:64], SHORT):
        mine.update(model)
        steps.append(record.step)
        moving = {name: w.clone() for name, w in model.state_dict().items()}
    assert steps == list(range(1, SHORT.n_steps + 1))
    final = model.state_dict()
    for name, mean in mine.average.state_dict().items():
        torch.testing.assert_close(final[name], mean)
    assert any((final[name] - w).abs().max() > 1e-4 for name, w in moving.items())
    assert not model.training


@pytest.mark.slow
def test_training_lowers_the_loss():
    recipe = Recipe(width=8, mults=(1, 2), n_steps=60, batch_size=32)
    model = mnist_diffusion(recipe)
    images, labels = load_mnist("val", 16)
    records = list(train_mnist_diffusion(model, images, labels, recipe))
    first, final = (sum(r.loss for r in part) / 5 for part in (records[:5], records[-5:]))
    assert final < 0.7 * first


def test_no_other_size_is_shipped():
    with pytest.raises(ValueError, match="size must be 16 or 28, got 32"):
        load_mnist_diffusion(32)


@pytest.mark.parametrize("size", RECIPES)
def test_shipped_model_draws_the_digit_that_it_is_told(size):
    model = load_mnist_diffusion(size).to(torch.float32)
    card = read_card(weights_path(size))
    assert card["metrics"]["recognised of 200 samples, guidance 2"] > 0.95
    assert weights_path(size).stat().st_size < 1.5e6
    # its guess from half noise is nearer to the digit when it is told which digit
    images, labels = load_mnist("test", size)
    x0 = scale(images[:64]).to(torch.float32)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    sigma = torch.full((64,), 1.5, dtype=torch.float32)
    with torch.no_grad():
        told, free, misled = (
            (model.denoiser(c)(x0 + 1.5 * noise, sigma) - x0).square().mean()
            for c in (labels[:64], torch.full((64,), NO_CLASS), (labels[:64] + 1) % 10)
        )
    assert told < free < misled
