"""The digits' score network: its recipe repeats, and what it learns is a denoiser of digits."""

import pytest
import torch
from genlab.zoo.digit_ncsn import Recipe, digit_ncsn, to_grey, to_unit, train_digit_ncsn

from genlab.data.digits import load_digits
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.oracles import Gaussian
from genlab.score.matching import ladder_overlap, x0_from_score


def test_grey_levels_survive_the_round_trip():
    images = load_digits("val").images
    x = to_unit(images)
    assert x.min() == -1
    assert x.max() == 1
    torch.testing.assert_close(to_grey(x), images.to(x.dtype))


def test_the_ladder_starts_at_the_widest_distance_and_its_rungs_overlap_by_half():
    x = to_unit(load_digits("train").images).flatten(1)
    recipe = Recipe()
    widest = torch.cdist(x, x).max().item()
    assert widest < recipe.sigma_max < 1.1 * widest
    ratio = (recipe.sigma_max / recipe.sigma_min) ** (1 / (recipe.n_levels - 1))
    assert 0.4 < ladder_overlap(ratio, 64) < 0.6


def test_weights_depend_on_the_seed_of_the_recipe_alone():
    torch.manual_seed(1)
    a = digit_ncsn(Recipe(width=8))
    torch.manual_seed(2)
    b = digit_ncsn(Recipe(width=8))
    assert torch.equal(a.net.inp.weight, b.net.inp.weight)


def test_training_repeats():
    recipe = Recipe(width=8, depth=1, n_steps=3)
    images = load_digits("val").images
    losses = [
        [r.loss for r in train_digit_ncsn(digit_ncsn(recipe), images, recipe)] for _ in range(2)
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3


@pytest.mark.slow
def test_trained_it_denoises_held_out_digits_better_than_a_normal_and_paints_digits():
    torch.set_default_dtype(torch.float32)
    train, held_out = load_digits("train").images, to_unit(load_digits("val").images)
    recipe = Recipe(n_steps=1200)
    model = digit_ncsn(recipe)
    for _ in train_digit_ncsn(model, train, recipe):
        pass
    flat = to_unit(train).flatten(1).double()
    cov = torch.cov(flat.T) + 1e-6 * torch.eye(64, dtype=torch.float64)
    normal = Gaussian(flat.mean(0), cov)
    noise = torch.randn(held_out.shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.full((len(held_out),), 0.5)
    x_t = held_out + 0.5 * noise
    with torch.no_grad():
        guess = x0_from_score(x_t, model.score(x_t, sigma), torch.ones_like(sigma), sigma)
    linear = normal.denoiser(x_t.flatten(1).double(), 1.0, 0.5)
    error = (guess - held_out).square().mean()
    assert error < 0.95 * (linear - held_out.flatten(1)).square().mean()
    judge = load_classifier()
    samples = model.sample(500, generator=torch.Generator().manual_seed(0))
    distance = frechet_distance(judge.features(train), judge.features(to_grey(samples)))
    assert distance < 1.0  # noise is at about 9; after the full recipe about 0.2
