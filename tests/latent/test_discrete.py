"""A latent with finitely many values, against the worked table of the course and enumeration."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import kl_categorical
from genlab.latent import (
    aggregated_posterior,
    discrete_elbo,
    discrete_posterior,
    log_marginal,
    mutual_information,
)

TABLE = [  # p(1|0), p(1|1), q(1), log p, posterior, elbo, gap
    (0.2, 0.8, 0.7, -0.693147, 0.8, -0.721315, 0.028168),
    (0.2, 0.8, 0.8, -0.693147, 0.8, -0.693147, 0.0),
    (0.3, 0.9, 0.6, -0.510826, 0.75, -0.564941, 0.054115),
    (0.3, 0.9, 0.75, -0.510826, 0.75, -0.510826, 0.0),
]


@pytest.mark.parametrize(("p0", "p1", "q1", "log_p", "posterior", "bound", "gap"), TABLE)
def test_every_row_of_the_worked_table(p0, p1, q1, log_p, posterior, bound, gap):
    joint = torch.tensor([[0.5 * p0, 0.5 * p1]]).log()
    q = torch.tensor([[1 - q1, q1]])
    value = discrete_elbo(q, joint).item()
    printed = 6e-7  # the digits of the table
    assert abs(log_marginal(joint).item() - log_p) < printed
    assert abs(discrete_posterior(joint)[0, 1].item() - posterior) < 1e-12
    assert abs(value - bound) < printed
    assert abs(log_p - value - gap) < 2 * printed


tables = st.lists(st.floats(-6, 0), min_size=3, max_size=3)


@given(tables, st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_what_the_bound_misses_is_the_divergence_from_the_posterior(log_joint, q):
    joint = torch.tensor([log_joint])
    guess = torch.tensor([q]) / sum(q)
    gap = log_marginal(joint) - discrete_elbo(guess, joint)
    torch.testing.assert_close(
        gap, kl_categorical(guess, discrete_posterior(joint)), atol=1e-10, rtol=0.0
    )  # rounding


def test_a_guess_may_exclude_a_value():
    joint = torch.tensor([[0.1, 0.4]]).log()
    value = discrete_elbo(torch.tensor([[0.0, 1.0]]), joint).item()
    assert abs(value - math.log(0.4)) < 1e-12


def test_mean_divergence_to_the_prior_splits_into_information_and_mismatch(generator):
    q = torch.rand(20, 4, generator=generator)
    q = q / q.sum(1, keepdim=True)
    prior = torch.tensor([0.4, 0.3, 0.2, 0.1])
    whole = kl_categorical(q, prior.expand(20, 4)).mean()
    parts = mutual_information(q) + kl_categorical(aggregated_posterior(q), prior)
    torch.testing.assert_close(whole, parts)


def test_information_is_zero_for_equal_codes_and_log_k_for_distinct_ones():
    assert mutual_information(torch.full((6, 3), 1 / 3)).abs().item() < 1e-12
    assert abs(mutual_information(torch.eye(3)).item() - math.log(3)) < 1e-12


def test_information_equals_that_of_the_joint_table(generator):
    q = torch.rand(5, 3, generator=generator)
    q = q / q.sum(1, keepdim=True)
    joint = q / 5
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    by_table = (joint * (joint / independent).log()).sum()
    torch.testing.assert_close(mutual_information(q), by_table)


@pytest.mark.parametrize("function", [aggregated_posterior, mutual_information])
def test_rows_that_are_no_distribution_are_refused(function):
    with pytest.raises(ValueError, match="sum to 1"):
        function(torch.full((2, 2), 0.7))


def test_a_guess_that_is_no_distribution_is_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        discrete_elbo(torch.tensor([[0.7, 0.7]]), torch.zeros(1, 2))
