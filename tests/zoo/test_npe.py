"""Recipes of neural posterior estimation: where they start, and what they measure."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from genlab.data.simulators import LinearGaussian
from genlab.systems.npe import simulated
from genlab.zoo import npe


@pytest.mark.parametrize("row", npe.RECIPES, ids=lambda row: row.name)
def test_an_untrained_estimator_scores_as_the_prior_does(row, generator):
    """Its mean NLL is the prior's entropy: log 4 on the square, a normal's on the line."""
    simulator, model = row.build.args[0], row.untrained()
    theta, x = simulated(simulator, 2000, generator)
    nll = -model.log_prob(theta, cond=x)
    std = torch.tensor(getattr(simulator, "prior_std", (1.0, 1.0)))
    normal = math.log(2 * math.pi * math.e) + std.log().sum().item()
    entropy = math.log(4) if row.settings["box"] else normal
    # a pilot of 2,000 sets the scales: errors of 1/sqrt(4000) in two logarithms, then Monte Carlo
    assert abs(nll.mean().item() - entropy) < 5 * (0.03 + nll.std().item() / math.sqrt(2000))
    seen = model.standardise(x)
    assert bool((seen.mean(0).abs() < 0.2).all())
    assert bool(((seen.std(0) - 1).abs() < 0.2).all())


def test_the_kl_of_the_card_is_that_of_the_distributions():
    """A stand-in whose posterior is 1.3 times too wide: KL = 2 log 1.3 + 1/1.69 - 1, exactly."""

    class Wide:
        def log_prob(self, theta, *, cond):
            mean, cov = LinearGaussian().posterior(cond)
            return MultivariateNormal(mean, 1.69 * cov).log_prob(theta)

    found = npe._measure_linear_gaussian(LinearGaussian(), Wide())
    kl = 2 * math.log(1.3) + 1 / 1.69 - 1
    assert abs(found["kl_nats"] - kl) < 5 * found["kl_error"]
