"""The table of a few tokens: conditionals, entropies and dependence against sums by hand."""

import itertools
import math

import pytest
import torch
from jaxtyping import TypeCheckError

from genlab.core import HasLogProb, Sampleable
from genlab.core.stats import kl_categorical
from genlab.oracles.discrete import MarkovChain, TokenTable, total_correlation


@pytest.fixture
def law(generator):
    p = torch.rand(3, 3, 3, generator=generator) ** 2
    return TokenTable(p / p.sum())


def test_it_is_a_law_that_can_be_drawn_from(law, generator):
    _: tuple[HasLogProb, Sampleable] = (law, law)
    n = 40_000
    x = law.sample(n, generator=generator)
    found = torch.zeros(3, 3, 3).index_put_(tuple(x.T), torch.ones(()), accumulate=True) / n
    assert bool(((found - law.joint).abs() < 5 * (law.joint / n).sqrt() + 1e-9).all())


def test_probabilities_of_all_sequences_are_the_table(law):
    states = law.states()
    assert states.shape == (27, 3)
    torch.testing.assert_close(law.log_prob(states).exp(), law.joint.flatten())


def test_conditionals_are_ratios_of_sums(law):
    p = law.joint
    for seen in itertools.product(range(4), repeat=3):  # 3 stands for hidden
        got = law.conditionals(torch.tensor([seen]))[0]
        for i, value in itertools.product(range(3), range(3)):
            fits = [
                s
                for s in itertools.product(range(3), repeat=3)
                if all(b in (3, a) for a, b in zip(s, seen, strict=True))
            ]
            total = sum(float(p[s]) for s in fits)
            share = sum(float(p[s]) for s in fits if s[i] == value)
            assert abs(float(got[i, value]) - share / total) < 1e-12


def test_the_law_of_what_is_hidden(law):
    given = law.given(torch.tensor([3, 1, 3]))
    torch.testing.assert_close(given, law.joint[:, 1] / law.joint[:, 1].sum())


def test_total_correlation_is_the_divergence_from_independence(law):
    p = law.joint
    alone = [p.sum((1, 2)), p.sum((0, 2)), p.sum((0, 1))]
    product = torch.einsum("i,j,k->ijk", *alone)
    torch.testing.assert_close(total_correlation(p), kl_categorical(p.flatten(), product.flatten()))


def test_total_correlation_of_copies_and_of_strangers():
    assert abs(float(total_correlation(torch.eye(4) / 4)) - math.log(4)) < 1e-12
    three = torch.zeros(2, 2, 2)
    three[0, 0, 0] = three[1, 1, 1] = 0.5  # three copies: two of them are superfluous
    assert abs(float(total_correlation(three)) - 2 * math.log(2)) < 1e-12
    apart = torch.einsum("i,j->ij", torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.5]))
    assert abs(float(total_correlation(apart))) < 1e-12
    assert float(total_correlation(torch.tensor([0.3, 0.7]))) == 0.0  # one variable


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        TokenTable(torch.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="sums to"):
        TokenTable(torch.ones(2, 2))
    with pytest.raises(ValueError, match="cond"):
        TokenTable(torch.ones(2, 2) / 4).sample(1, cond=torch.zeros(1))


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
