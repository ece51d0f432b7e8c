"""The game's losses and divergences beside SciPy's and PyTorch's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import parametrizations

from genlab.adversarial import discriminator_loss, non_saturating_generator_loss, spectral_normalize

pytestmark = pytest.mark.reference


def test_losses_are_binary_cross_entropies(generator):
    real, fake = 3 * torch.randn(2, 50, generator=generator)
    ones, zeros = torch.ones(50), torch.zeros(50)

    def bce(logits, target):
        return binary_cross_entropy_with_logits(logits, target, reduction="none")

    torch.testing.assert_close(discriminator_loss(real, fake), bce(real, ones) + bce(fake, zeros))
    torch.testing.assert_close(non_saturating_generator_loss(fake), bce(fake, ones))


def test_normalised_weights_agree_with_pytorchs_spectral_norm(generator):
    weight = torch.randn(6, 4, generator=generator)
    ours, theirs = nn.Linear(4, 6), nn.Linear(4, 6)
    for layer in (ours, theirs):
        layer.weight.data = weight.clone()
    spectral_normalize(ours)
    parametrizations.spectral_norm(theirs, n_power_iterations=300)
    theirs.train()(torch.zeros(1, 4))
    np.testing.assert_allclose(ours.weight.detach(), theirs.weight.detach(), atol=1e-9)


def test_gradients_through_the_norm_agree_with_pytorchs_spectral_norm(generator):
    """The norm depends on the weight: held fixed, the gradient of this one is 40 % off."""
    weight, pull = torch.randn(2, 5, 4, generator=generator)
    ours, theirs = nn.Linear(4, 5), nn.Linear(4, 5)
    for layer in (ours, theirs):
        layer.weight.data = weight.clone()
    spectral_normalize(ours)
    parametrizations.spectral_norm(theirs, n_power_iterations=300)
    theirs.train()(torch.zeros(1, 4))
    gradients = []
    for layer in (ours, theirs):
        (layer.weight * pull).sum().backward()
        gradients.append(layer.parametrizations.weight.original.grad)
    torch.testing.assert_close(*gradients, atol=1e-9, rtol=0)
