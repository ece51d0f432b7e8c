"""The recipe of the energy: its quadratic, its denoiser, and that some steps help."""

import pytest
import torch

from genlab.core import last
from genlab.data.digits import load_digits, to_unit
from genlab.zoo import find
from genlab.zoo.energy import denoise

EBM = find("digit_ebm").but(width=32, n_chains=256, n_steps=3, chain_steps=3)


def test_denoising_is_exact_for_a_normal_distribution():
    # data N(0, 0.4^2) with noise 0.3: the energy of N(0, 0.25), and the best guess 0.64 x
    ebm = EBM.but(base_std=0.5).untrained()
    for parameter in ebm.parameters():
        parameter.data.zero_()
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(denoise(ebm, x, sigma=0.3), 0.64 * x)


def test_an_energy_without_its_quadratic_has_the_same_weights_and_chains():
    with_it, without = EBM.untrained(), EBM.but(base_std=None).untrained()
    x = torch.randn(5, 1, 8, 8)
    gap = with_it.energy(x) - without.energy(x)
    torch.testing.assert_close(gap, x.square().sum((1, 2, 3)) / (2 * 0.7**2))
    assert torch.equal(with_it.chains.states, without.chains.states)


@pytest.mark.slow
def test_training_lowers_the_energy_of_digits_below_that_of_scrambled_ones():
    row = EBM.but(n_steps=120, chain_steps=10, lr=2e-3)
    ebm = row.untrained()
    last(row.train(ebm))
    x = to_unit(load_digits("train").images[:500]) + 0.3 * torch.randn(500, 1, 8, 8)
    scrambled = x.flatten(1)[:, torch.randperm(64)].reshape(x.shape)
    assert (ebm.energy(x) < ebm.energy(scrambled)).double().mean() > 0.8
