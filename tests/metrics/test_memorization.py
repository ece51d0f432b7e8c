"""The probe for copies of the training set."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from genlab.metrics.memorization import memorization_probe, nearest_distance


def sets(generator, n_train=120, n_heldout=40, d=3):
    draws = torch.randn(n_train + n_heldout, d, generator=generator)
    return draws[:n_train], draws[n_train:]


def test_nearest_distances_by_hand():
    x, to = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0], [3.0, 4.0]])
    assert nearest_distance(x, to).tolist() == [1.0, 0.0]


@given(st.integers(0, 1000))
def test_a_copy_is_at_distance_exactly_zero(seed):
    # the expanded square would leave 1e-7 here, and a copy would no longer look like one
    x = 100 + torch.randn(30, 8, generator=torch.Generator().manual_seed(seed))
    assert nearest_distance(x, x).max() == 0


def test_nothing_is_near_to_an_empty_set():
    with pytest.raises(ValueError, match="empty"):
        nearest_distance(torch.zeros(1, 2), torch.zeros(0, 2))


def test_copies_of_the_training_set_are_found(generator):
    train, heldout = sets(generator)
    probe = memorization_probe(train[:50], train, heldout)
    assert probe.share_closer_to_train == 1.0
    assert probe.honest_share == 0.75
    assert probe.p_share < 1e-5
    assert probe.z_copy < -5
    assert probe.p_copy < 1e-5


def test_an_honest_generator_has_the_honest_share(generator):
    shares = []
    for _ in range(200):
        train, heldout = sets(generator, 60, 20)
        fake = torch.randn(30, 3, generator=generator)
        shares.append(memorization_probe(fake, train, heldout).share_closer_to_train)
    values = torch.tensor(shares)
    assert abs(values.mean() - 0.75) < 5 * values.std() / 200**0.5  # five standard errors


def test_an_honest_generator_has_a_score_around_zero(generator):
    scores = []
    for _ in range(200):
        train, heldout = sets(generator, 60, 20)
        fake = torch.randn(30, 3, generator=generator)
        scores.append(memorization_probe(fake, train, heldout).z_copy)
    values = torch.tensor(scores)
    assert abs(values.mean()) < 5 * values.std() / 200**0.5  # five standard errors


def test_noise_hides_copies_from_the_score_and_not_from_the_share(generator):
    train, heldout = sets(generator, 400, 400, d=10)
    fake = train + 1.2 * torch.randn(400, 10, generator=generator)
    probe = memorization_probe(fake, train, heldout)
    assert probe.z_copy > 0
    assert probe.p_share < 1e-3


def test_the_p_value_of_the_share_includes_the_result():
    train, heldout = torch.tensor([[0.0], [10.0]]), torch.tensor([[5.0]])
    fake = torch.tensor([[0.1], [9.0], [5.2]])  # two of three are nearer to the training set
    probe = memorization_probe(fake, train, heldout)
    assert probe.share_closer_to_train == 2 / 3
    assert abs(probe.p_share - binom.pmf([2, 3], 3, 2 / 3).sum()) < 1e-12


def test_an_empty_set_is_refused():
    with pytest.raises(ValueError, match="a set is empty: 0, 2, 1"):
        memorization_probe(torch.zeros(0, 1), torch.zeros(2, 1), torch.zeros(1, 1))
