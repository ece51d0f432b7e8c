"""The categorical mixture: a likelihood by enumeration, and the same model through a guess."""

import itertools
import math

import pytest
import torch
from torch import nn

from genlab.core import HasElbo, HasLogProb, Sampleable, Trainable, kl_categorical, likelihood_kind
from genlab.latent import AmortizedMixture, CategoricalMixture, discrete_posterior
from genlab.latent.mixture import one_hot_levels
from genlab.train import fit


@pytest.fixture
def mixture(generator):
    weights = torch.randn(3, generator=generator)
    return CategoricalMixture(weights, torch.randn(3, 2, 2, 4, generator=generator))


@pytest.fixture
def amortized(mixture, generator):
    encoder = nn.Linear(16, 3)
    with torch.no_grad():
        encoder.weight.copy_(torch.randn(3, 16, generator=generator))
    return AmortizedMixture(mixture, encoder)


def everything() -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(4), repeat=4))).reshape(-1, 2, 2)


def test_probabilities_of_all_images_sum_to_one(mixture):
    assert abs(mixture.log_prob(everything()).exp().sum().item() - 1) < 1e-12


def test_log_prob_is_the_sum_over_components_of_products_over_pixels(mixture):
    x = torch.tensor([[[0, 3], [2, 1]]])
    weights, table = mixture.log_weights.softmax(0), mixture.log_probs.softmax(-1)
    total = sum(
        weights[k] * table[k, 0, 0, 0] * table[k, 0, 1, 3] * table[k, 1, 0, 2] * table[k, 1, 1, 1]
        for k in range(3)
    )
    assert abs(mixture.log_prob(x).item() - math.log(total.item())) < 1e-12


def test_samples_are_as_frequent_as_their_probability(mixture, generator):
    n = 20_000
    x = mixture.sample(n, generator=generator)
    top = everything()[mixture.log_prob(everything()).argmax()]
    share = (x == top).flatten(1).all(1).double().mean().item()
    p = mixture.log_prob(top[None]).exp().item()
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / n)  # Monte Carlo


def test_a_component_may_be_chosen(mixture, generator):
    sharp = CategoricalMixture(torch.zeros(2), torch.tensor([[[0.0, 99.0]], [[99.0, 0.0]]]))
    x = sharp.sample(4, cond=torch.tensor([0, 1, 1, 0]), generator=generator)
    assert x.flatten().tolist() == [1, 0, 0, 1]


def test_level_of_probability_zero_is_harmless_where_it_does_not_occur():
    model = CategoricalMixture(torch.zeros(1), torch.tensor([[[0.5, 0.5, 0.0]]]).log())
    assert abs(model.log_prob(torch.tensor([[1]])).item() - math.log(0.5)) < 1e-12
    assert model.log_prob(torch.tensor([[2]])).item() < -1000


def test_the_bound_misses_the_likelihood_by_the_divergence_of_the_guess(amortized):
    x = everything()
    gap = amortized.mixture.log_prob(x) - amortized.elbo(x)
    posterior = discrete_posterior(amortized.mixture.log_joint(x))
    torch.testing.assert_close(gap, kl_categorical(amortized.encode(x), posterior))


def test_loss_with_beta_one_is_minus_the_bound(amortized):
    torch.testing.assert_close(amortized.loss(everything()), -amortized.elbo(everything()).mean())


def test_beta_weighs_the_divergence_from_the_prior(amortized):
    x, prior = everything(), amortized.mixture.log_prior().exp()
    kl = kl_categorical(amortized.encode(x), prior.expand(len(x), 3)).mean()
    whole = amortized.loss(x)
    amortized.beta = 0.25
    torch.testing.assert_close(whole - amortized.loss(x), 0.75 * kl)


def test_the_two_views_have_different_kinds_of_likelihood(mixture, amortized):
    assert likelihood_kind(mixture) == "exact"
    assert likelihood_kind(amortized) == "bound"
    _: HasLogProb = mixture
    __: HasElbo = amortized
    for model in (mixture, amortized):
        assert isinstance(model, Sampleable)
        assert isinstance(model, Trainable)


def test_training_through_the_guess_closes_the_gap(amortized, generator):
    x = everything()[torch.randint(0, 256, (64,), generator=generator)]
    before = (amortized.mixture.log_prob(x) - amortized.elbo(x)).mean().item()
    list(fit(amortized, itertools.repeat(x), n_steps=200, lr=0.05))
    after = (amortized.mixture.log_prob(x) - amortized.elbo(x)).mean().item()
    assert after < 0.1 * before


def test_one_hot_rows_hold_one_per_pixel():
    rows = one_hot_levels(torch.tensor([[2, 0, 1]]), 3)
    assert rows.tolist() == [[0, 0, 1, 1, 0, 0, 0, 1, 0]]


def test_levels_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        one_hot_levels(torch.tensor([[3]]), 3)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected"):
        CategoricalMixture(torch.zeros(2), torch.zeros(3, 4, 5))


@pytest.mark.parametrize("method", ["loss", "sample"])
def test_conditions_are_refused_by_the_loss(mixture, amortized, method):
    if method == "loss":
        for model in (mixture, amortized):
            with pytest.raises(ValueError, match="unconditional"):
                model.loss(everything(), cond=torch.zeros(256))
