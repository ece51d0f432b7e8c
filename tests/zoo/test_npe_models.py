"""The recipes of the posterior estimators: seeded, started as the prior, judged on new draws."""

import dataclasses
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.metrics.calibration import chi_square_test
from genlab.zoo import npe_models
from genlab.zoo.npe_models import (
    TRAININGS,
    Recipe,
    calibration_ranks,
    posterior_estimator,
    simulated,
    train_posterior_estimator,
)

EVERY = pytest.mark.parametrize(
    "recipe", [t.settings for t in TRAININGS], ids=[t.name for t in TRAININGS]
)


@dataclasses.dataclass
class Exact:
    """The posterior of the linear Gaussian simulator, wider or narrower if asked."""

    width: float = 1.0

    def sample(self, n, *, cond, generator):
        mean, cov = LinearGaussian().posterior(cond)
        noise = torch.randn(n, 2, generator=generator)
        return mean + self.width * noise @ torch.linalg.cholesky(cov).T


@EVERY
def test_an_estimator_is_the_same_every_time_and_leaves_the_global_noise_alone(recipe):
    before = torch.get_rng_state()
    first, second = (posterior_estimator(recipe).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@EVERY
def test_an_untrained_estimator_scores_as_the_prior_does(recipe, generator):
    """Its mean NLL is the prior's entropy: log 4 on the square, a normal's on the line."""
    theta, x = simulated(recipe.simulator, 2000, generator)
    nll = -posterior_estimator(recipe).log_prob(theta, cond=x)
    std = torch.tensor(getattr(recipe.simulator, "prior_std", (1.0, 1.0)))
    normal = math.log(2 * math.pi * math.e) + std.log().sum().item()
    entropy = math.log(4) if recipe.box else normal
    # a pilot of 2,000 sets the scales: errors of 1/sqrt(4000) in two logarithms, then Monte Carlo
    assert abs(nll.mean().item() - entropy) < 5 * (0.03 + nll.std().item() / math.sqrt(2000))


@EVERY
def test_data_come_to_a_common_scale(recipe, generator):
    read = posterior_estimator(recipe).read(simulated(recipe.simulator, 2000, generator)[1])
    assert bool((read.mean(0).abs() < 0.2).all())
    assert bool(((read.std(0) - 1).abs() < 0.2).all())


def test_pairs_are_rows_of_one_draw(generator):
    """Two moons: the likelihood of each row's data under its own parameters is not zero."""
    model = TwoMoons()
    theta, x = simulated(model, 500, generator)
    assert bool(model.log_likelihood(x, theta).isfinite().all())
    assert not bool(model.log_likelihood(x.flip(0), theta).isfinite().all())


def test_exact_draws_have_uniform_ranks(generator):
    ranks = calibration_ranks(Exact(), LinearGaussian(), 1000, 99, generator)
    assert ranks.shape == (1000, 2)
    assert all(chi_square_test(column, 99).p_value > 1e-3 for column in ranks.T)


@pytest.mark.parametrize("width", [0.7, 1.4])
def test_draws_of_another_width_have_not(width, generator):
    ranks = calibration_ranks(Exact(width), LinearGaussian(), 1000, 99, generator)
    assert all(chi_square_test(column, 99).p_value < 1e-4 for column in ranks.T)


def test_a_few_steps_learn_from_simulations():
    recipe = Recipe(
        LinearGaussian(), n_splines=0, width=16, n_simulations=2000, n_steps=60, lr=3e-2
    )
    model = posterior_estimator(recipe)
    losses = [record.loss for record in train_posterior_estimator(model, recipe)]
    assert len(losses) == 60
    assert losses[-1] < losses[0] - 0.5  # nats; all that the data tell is 1.8
    assert not model.training


def test_the_kl_of_the_card_is_that_of_the_law():
    """A stand-in whose posterior is 1.3 times too wide: KL = 2 log 1.3 + 1/1.69 - 1, exactly."""

    class Wide:
        def log_prob(self, theta, *, cond):
            mean, cov = LinearGaussian().posterior(cond)
            return MultivariateNormal(mean, 1.69 * cov).log_prob(theta)

    found = npe_models._measure_linear_gaussian(LinearGaussian(), Wide())
    kl = 2 * math.log(1.3) + 1 / 1.69 - 1
    assert abs(found["kl_nats"] - kl) < 5 * found["kl_error"]


def test_the_simulations_are_named_by_their_content():
    names = {t.digest() for t in TRAININGS}
    assert len(names) == 3  # two estimators learn from the same moons
    other = Recipe(Epidemic(population=500), counts=True)
    assert npe_models._digest(other) not in names
