"""The law at time T: its density, its samples, and its moments against those of noised data."""

import math

import torch
from torch.testing import assert_close

from genlab.core import std_normal_log_prob
from genlab.score.priors import NormalPrior, Prior


def test_standard_prior_is_the_standard_normal():
    x = torch.randn(5, 1, 2, 2)
    prior = NormalPrior.standard((1, 2, 2))
    assert_close(prior.log_prob(x), std_normal_log_prob(x))
    assert isinstance(prior, Prior)


def test_noised_prior_has_the_moments_of_noised_data(generator):
    x0 = 2 + 3 * torch.rand(20_000, 2, generator=generator)
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    prior = NormalPrior.of_noised(x0, alpha, sigma)
    x_T = alpha * x0 + sigma * torch.randn(x0.shape, generator=generator)
    error = prior.std / math.sqrt(len(x0))  # of a mean, and about that of a deviation
    assert bool(((x_T.mean(0) - prior.mean).abs() < 5 * error).all())
    assert bool(((x_T.std(0) - prior.std).abs() < 5 * error).all())


def test_samples_have_the_stated_moments(generator):
    prior = NormalPrior(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0]))
    x = prior.sample(20_000, generator=generator)
    error = prior.std / math.sqrt(len(x))
    assert bool(((x.mean(0) - prior.mean).abs() < 5 * error).all())
    assert bool(((x.std(0) - prior.std).abs() < 5 * error).all())
