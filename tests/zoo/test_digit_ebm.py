"""The digits' energy model: its seed, its chains, and that some updates already help."""

import dataclasses

import pytest
import torch
from genlab.zoo.digit_diffusion import scale
from genlab.zoo.digit_ebm import Recipe, denoise, digit_ebm, fading, fresh_samples, train_digit_ebm

from genlab.core import last
from genlab.data.digits import load_digits

SMALL = dataclasses.replace(Recipe(), width=32, n_chains=256, n_steps=3, chain_steps=3)


def test_the_same_recipe_gives_the_same_model_and_leaves_the_global_seed_alone():
    torch.manual_seed(3)
    a, drawn = digit_ebm(SMALL), torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    b = digit_ebm(SMALL)
    images = load_digits("train").images
    for ebm in (a, b):
        last(train_digit_ebm(ebm, images, SMALL))
    x = scale(images[:5])
    torch.testing.assert_close(a.energy(x), b.energy(x), rtol=0, atol=0)
    torch.testing.assert_close(a.chains.states, b.chains.states, rtol=0, atol=0)


def test_the_chains_begin_in_noise_of_the_base():
    states = digit_ebm().chains.states
    assert states.shape == (1024, 1, 8, 8)
    assert abs(states.std() / Recipe().base_std - 1) < 5 * (0.5 / states.numel()) ** 0.5


def test_the_rate_holds_and_then_fades_to_nothing():
    rate = fading(1.0, 100)
    assert [rate(0), rate(40), rate(70), rate(100)] == pytest.approx([1, 1, 0.5, 0])


def test_denoising_is_exact_for_a_normal_law():
    # data N(0, 0.4^2) with noise 0.3: the energy of N(0, 0.25), and the best guess 0.64 x
    ebm = digit_ebm(SMALL)
    ebm.base_std = 0.5
    for parameter in ebm.parameters():
        parameter.data.zero_()
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(denoise(ebm, x, sigma=0.3), 0.64 * x)


def test_fresh_chains_repeat_with_their_seed_and_leave_the_pool_alone(generator):
    ebm = digit_ebm(SMALL)
    before = ebm.chains.states.clone()
    a, b = (
        fresh_samples(ebm, 3, n_steps=4, generator=torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert torch.equal(a, b)
    assert a.shape == (3, 1, 8, 8)
    assert torch.equal(ebm.chains.states, before)


@pytest.mark.slow
def test_training_lowers_the_energy_of_digits_below_that_of_scrambled_ones():
    images = load_digits("train").images
    recipe = dataclasses.replace(SMALL, n_steps=120, chain_steps=10, lr=2e-3)
    ebm = digit_ebm(recipe)
    last(train_digit_ebm(ebm, images, recipe))
    x = scale(images[:500]) + 0.3 * torch.randn(500, 1, 8, 8)
    scrambled = x.flatten(1)[:, torch.randperm(64)].reshape(x.shape)
    assert (ebm.energy(x) < ebm.energy(scrambled)).double().mean() > 0.8
