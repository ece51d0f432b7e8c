"""The table of a few tokens: conditionals, entropies and dependence against sums by hand."""

import itertools
import math

import pytest
import torch

from genlab.core.stats import kl_categorical
from genlab.oracles.discrete import TokenTable, total_correlation


@pytest.fixture
def table(generator):
    p = torch.rand(3, 3, 3, generator=generator) ** 2
    return TokenTable(p / p.sum())


def test_it_is_a_distribution_that_can_be_drawn_from(table, generator):
    n = 40_000
    x = table.sample(n, generator=generator)
    found = torch.zeros(3, 3, 3).index_put_(tuple(x.T), torch.ones(()), accumulate=True) / n
    assert bool(((found - table.joint).abs() < 5 * (table.joint / n).sqrt() + 1e-9).all())


def test_probabilities_of_all_sequences_are_the_table(table):
    states = table.states()
    assert states.shape == (27, 3)
    torch.testing.assert_close(table.log_prob(states).exp(), table.joint.flatten())


def test_conditionals_are_ratios_of_sums(table):
    p = table.joint
    for seen in itertools.product(range(4), repeat=3):  # 3 stands for hidden
        got = table.conditionals(torch.tensor([seen]))[0]
        for i, value in itertools.product(range(3), range(3)):
            fits = [
                s
                for s in itertools.product(range(3), repeat=3)
                if all(b in (3, a) for a, b in zip(s, seen, strict=True))
            ]
            total = sum(float(p[s]) for s in fits)
            part = sum(float(p[s]) for s in fits if s[i] == value)
            assert abs(float(got[i, value]) - part / total) < 1e-12


def test_the_distribution_of_what_is_hidden(table):
    given = table.given(torch.tensor([3, 1, 3]))
    torch.testing.assert_close(given, table.joint[:, 1] / table.joint[:, 1].sum())


def test_total_correlation_is_the_divergence_from_independence(table):
    p = table.joint
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
