"""The masked diffusion of the digits: its shells, its bound and its recipe."""

import math

import pytest
import torch
from genlab.zoo.digit_masked import (
    HIDDEN,
    MaskedDiffusion,
    Recipe,
    digit_masked,
    train_digit_masked,
)
from torch import nn

from genlab.core import last
from genlab.core.capabilities import HasElbo, Sampleable, Trainable, likelihood_kind
from genlab.data.digits import load_digits
from genlab.metrics.cost import network_passes
from genlab.oracles.discrete import TokenTable

SMALL = Recipe(width=8, n_steps=3, batch_size=8)


class Oracle(nn.Module):
    """The conditionals of a table as a network."""

    def __init__(self, law):
        super().__init__()
        self.law = law

    def forward(self, x):
        return self.law.conditionals(x).log()


@pytest.fixture
def law():
    p = torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(3)) ** 3
    return TokenTable(p / p.sum())


@pytest.fixture
def model(law):
    return MaskedDiffusion(Oracle(law), event_shape=(3,), n_tokens=3, n_steps=2)


def test_it_has_a_bound_a_loss_and_samples(model):
    _: tuple[HasElbo, Trainable, Sampleable] = (model, model, model)
    assert likelihood_kind(model) == "bound"


def test_its_random_bound_is_right_on_average(law, model, generator):
    # ideal network: the bound's expectation is log p itself
    for state in ([0, 1, 2], [2, 2, 0]):
        x = torch.tensor(state).expand(6000, 3)
        terms = -model.nll_term(x, generator=generator)
        error = terms.mean() - law.log_prob(x[:1])[0]
        assert abs(float(error)) < 5 * float(terms.std()) / math.sqrt(6000)


def test_counts_are_spread_evenly_over_a_batch(generator):
    # a network that guesses nothing: a hidden token costs log 3, each term n log 3 whatever t is
    even = MaskedDiffusion(nn.Identity(), event_shape=(5,), n_tokens=3)
    seen = []
    even.filler.forward = lambda x: seen.append(x) or torch.zeros(*x.shape, 3)
    terms = even.nll_term(torch.zeros(20, 5, dtype=torch.long), generator=generator)
    torch.testing.assert_close(terms, torch.full((20,), 5 * math.log(3)))
    counts = (seen[0] == 3).sum(1)
    assert torch.bincount(counts, minlength=6).tolist() == [0, 4, 4, 4, 4, 4]


def test_loss_is_minus_the_bound_per_token(law, model):
    x = law.sample(64, generator=torch.Generator().manual_seed(1))
    loss = model.loss(x, generator=torch.Generator().manual_seed(2))
    terms = model.nll_term(x, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(loss, terms.mean() / 3)


def test_the_bound_averages_over_draws(law, model):
    x, g = law.sample(4), torch.Generator().manual_seed(0)
    many = -torch.stack([model.nll_term(x, generator=g) for _ in range(model.n_draws)]).mean(0)
    torch.testing.assert_close(model.elbo(x, generator=torch.Generator().manual_seed(0)), many)


def test_more_steps_are_nearer_to_the_law(law, model, generator):
    n, far = 20_000, []
    for n_steps in (1, 8):
        x = model.sample(n, n_steps=n_steps, generator=generator)
        found = torch.zeros(3, 3, 3).index_put_(tuple(x.T), torch.ones(()), accumulate=True) / n
        far.append(float((found - law.joint).abs().sum()) / 2)
    assert far[1] < 0.5 * far[0]


def test_digits_are_drawn_in_as_many_passes_as_are_asked_for(generator):
    model = digit_masked(SMALL).eval()
    for n_steps in (1, 5):
        draw = lambda n=n_steps: model.sample(3, n_steps=n, generator=generator)
        assert network_passes(model.filler.net, draw) == n_steps
    x = model.sample(3, generator=generator)
    assert x.shape == (3, 1, 8, 8)
    assert 0 <= int(x.min()) <= int(x.max()) < HIDDEN
    assert not x.is_floating_point()


def test_the_network_cannot_see_what_is_hidden():
    model = digit_masked(SMALL).eval()
    last(train_digit_masked(model, load_digits("train").images, SMALL))  # weights off zero
    x = load_digits("test").images[:2]
    hidden = torch.rand(x.shape) < 0.5
    other = torch.where(hidden, 16 - x, x)
    torch.testing.assert_close(
        *(model.filler(torch.where(hidden, HIDDEN, image)) for image in (x, other))
    )
    assert not torch.equal(model.filler(x), model.filler(16 - x))


def test_training_learns_and_keeps_the_average(generator):
    images = load_digits("train").images
    recipe = Recipe(width=8, n_steps=40, batch_size=32, lr=1e-2)
    model = digit_masked(recipe)
    with torch.no_grad():
        untrained = float(model.eval().elbo(images[:200], generator=generator).mean()) / 64
    moving = []
    for record in train_digit_masked(model, images, recipe):
        moving = [p.detach().clone() for p in model.parameters()]
        assert math.isfinite(record.loss)
    assert not model.training
    assert not all(torch.equal(a, b) for a, b in zip(moving, model.parameters(), strict=True))
    with torch.no_grad():
        trained = float(model.elbo(images[:200], generator=generator).mean()) / 64
    assert abs(untrained + math.log(17)) < 0.05  # starts at even guesses
    assert trained > untrained + 0.3


def test_the_same_seed_makes_the_same_model():
    one, two = digit_masked(SMALL), digit_masked(SMALL)
    images = load_digits("train").images
    for model in (one, two):
        torch.manual_seed(0)  # dropout
        last(train_digit_masked(model, images, SMALL))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_conditions_are_refused(model):
    x = torch.zeros(2, 3, dtype=torch.long)
    for call in (model.loss, model.sample):
        with pytest.raises(ValueError, match="cond"):
            call(x if call == model.loss else 2, cond=x[:, 0])
