"""The score models' figures: a bound that pays for its guess of the class, and grey levels."""

import math

import pytest
import torch
from genlab.zoo.digit_diffusion import Recipe, digit_diffusion
from genlab.zoo.digit_ebm import Recipe as EBMRecipe
from genlab.zoo.digit_ebm import digit_ebm
from genlab.zoo.score_models import draw_clean, draw_told, told_bits

from genlab.data.digits import load_digits
from genlab.metrics.features import load_classifier


class Table:
    """A 'model' whose bound depends on the class that it is told, and on nothing else."""

    def __init__(self, nats):
        self.nats = nats

    def elbo(self, x, *, cond, generator=None):
        return self.nats[cond].to(x)


def test_the_guess_of_the_class_costs_log_10():
    images = load_digits("test").images[:50]
    found = told_bits(Table(torch.full((10,), -64 * math.log(2))), images)
    assert found == pytest.approx(1 + math.log2(10) / 64, rel=1e-12)


def test_the_bound_is_that_of_the_guessed_class():
    images = load_digits("test").images[:50]
    nats = -10.0 * torch.arange(10)
    guess = load_classifier()(images).argmax(1)
    expected = (10.0 * guess).mean() + math.log(10)
    assert told_bits(Table(nats), images) == pytest.approx(float(expected) / 64 / math.log(2))


def test_every_class_is_drawn_equally_often_in_whole_grey_levels():
    model = digit_diffusion(Recipe(T=2, width=8))
    told = []
    model.eps_net.register_forward_pre_hook(lambda _, inputs: told.append(inputs[2]))
    images = draw_told(model, 20, torch.Generator().manual_seed(0))
    assert images.dtype == torch.int64
    assert images.shape == (20, 1, 8, 8)
    assert images.min() >= 0
    assert images.max() <= 16
    assert all(torch.equal(labels.bincount(), torch.full((10,), 2)) for labels in told)
    assert len(told) == 2
    assert next(model.parameters()).dtype == torch.float64  # a copy was drawn from


def test_chains_lose_the_noise_that_the_energy_was_trained_with():
    ebm = digit_ebm(EBMRecipe(width=8, n_chains=30, p_restart=0.0, chain_steps=1))
    images = draw_clean(ebm, 30, torch.Generator().manual_seed(0))
    assert images.shape == (30, 1, 8, 8)
    assert images.dtype == torch.int64
    with torch.no_grad():
        again = draw_clean(ebm, 30, torch.Generator().manual_seed(0))
    assert torch.equal(images, again)
