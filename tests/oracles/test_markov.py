import itertools
import math

import pytest
import torch
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable
from genlab.oracles.markov import MarkovChain


def make(length=4):
    transition = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.0, 0.5, 0.5]])
    return MarkovChain(torch.tensor([0.5, 0.3, 0.2]), transition, length)


def all_sequences(k, n):
    return torch.tensor(list(itertools.product(range(k), repeat=n)))


_log_prob: HasLogProb = make()
_sampleable: Sampleable = make()


def test_probabilities_of_all_sequences_sum_to_one():
    total = make().log_prob(all_sequences(3, 4)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_a_sequence_is_priced_step_by_step():
    value = make(3).log_prob(torch.tensor([[0, 1, 2]])).exp()
    torch.testing.assert_close(value, torch.tensor([0.5 * 0.2 * 0.4]))


def test_an_impossible_step_has_probability_zero():
    assert make(2).log_prob(torch.tensor([[2, 0]])).item() == -math.inf


def test_entropy_equals_the_sum_over_all_sequences():
    log_p = make().log_prob(all_sequences(3, 4))
    total = -torch.xlogy(log_p.exp(), log_p.exp()).sum()
    torch.testing.assert_close(make().entropy(), total)


def test_stationary_distribution_survives_a_step_and_a_long_walk():
    chain = make()
    rho = chain.stationary()
    torch.testing.assert_close(rho @ chain.transition, rho)
    torch.testing.assert_close(torch.linalg.matrix_power(chain.transition, 200)[0], rho)


def test_entropy_rate_is_the_growth_of_the_entropy():
    growth = make(60).entropy() - make(59).entropy()
    torch.testing.assert_close(make().entropy_rate(), growth)


def test_next_probs_are_causal_and_match_the_sequence_probability():
    x = torch.tensor([[0, 1, 2, 1]])
    probs = make().next_probs(x)
    changed = make().next_probs(torch.tensor([[0, 1, 2, 0]]))
    torch.testing.assert_close(probs, changed)  # the last token is never looked at
    torch.testing.assert_close(probs.sum(-1), torch.ones(1, 4))


def test_samples_have_the_stated_pair_frequencies(generator):
    chain, n = make(2), 100_000
    x = chain.sample(n, generator=generator)
    counts = torch.zeros(3, 3).index_put_((x[:, 0], x[:, 1]), torch.ones(n), accumulate=True) / n
    expected = chain.initial[:, None] * chain.transition
    spread = (expected * (1 - expected) / n).sqrt()
    assert bool(((counts - expected).abs() <= 5 * spread).all())


def test_best_possible_loss_is_the_entropy(generator):
    chain, n = make(), 20_000
    nll = -chain.log_prob(chain.sample(n, generator=generator))
    assert abs(nll.mean() - chain.entropy()) < 5 * nll.std() / n**0.5


def test_steps_grow_by_one_token():
    assert [x.shape[1] for x in make().steps(2)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("initial", "transition", "length", "message"),
    [
        ([0.5, 0.6], [[0.5, 0.5], [0.5, 0.5]], 2, "sums to"),
        ([0.5, 0.5], [[0.5, 0.4], [0.5, 0.5]], 2, "sums to"),
        ([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], 0, "length is 0"),
    ],
)
def test_parameters_out_of_range_are_refused(initial, transition, length, message):
    with pytest.raises(ValueError, match=message):
        MarkovChain(torch.tensor(initial), torch.tensor(transition), length)


def test_shapes_that_do_not_fit_are_refused():
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        MarkovChain(torch.tensor([0.5, 0.5]), torch.tensor([[0.5, 0.5]]), 2)


def test_a_chain_takes_no_condition():
    with pytest.raises(ValueError, match="cond is given"):
        make().sample(1, cond=torch.zeros(1))
