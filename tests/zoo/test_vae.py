"""Recipes of VAEs: that some steps help."""

import math

import torch

from genlab.data.digits import binarize, load_digits, load_mnist
from genlab.zoo import find
from tests.support.recipes import trained


def test_training_the_vae_beats_guessing_and_leaves_evaluation_mode():
    vae, images = trained(find("digit_vae").but(width=64, n_steps=80)), load_digits("train").images
    assert not vae.training
    with torch.no_grad():
        bound = vae.elbo(images[:200], generator=torch.Generator().manual_seed(0)).mean().item()
    assert bound > -64 * math.log(17) + 40  # nats; guessing among 17 levels


def test_some_steps_help_the_vae_of_mnist_and_end_in_evaluation_mode():
    row = find("mnist_vae").but(width=4, n_steps=60, batch_size=16, lr=0.01)
    vae, images = row.untrained(), binarize(load_mnist("val", size=16).images)
    losses = [record.loss for record in row.train(vae, images)]
    assert abs(losses[0] - 256 * math.log(2)) < 20  # it starts by guessing
    assert sum(losses[-5:]) / 5 < losses[0] - 40  # to about 110 nats
    assert not vae.training
