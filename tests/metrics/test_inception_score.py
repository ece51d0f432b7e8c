"""The Inception score: worked numbers, bounds, and the information that it is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core.stats import entropy
from genlab.metrics.inception_score import inception_kl, inception_score

PEAK, LOW = 0.9, 0.05


def certain(*classes):
    return torch.tensor([[PEAK if k == c else LOW for k in range(3)] for c in classes])


def test_the_worked_example_of_four_animals():
    probs = certain(0, 1, 2, 0)
    expected = torch.tensor([0.4093492, 0.9134533, 0.9134533, 0.4093492])
    torch.testing.assert_close(inception_kl(probs), expected, rtol=0, atol=5e-8)  # 7 printed digits
    assert abs(inception_score(probs).item() - 1.937505) < 5e-7


def test_one_of_each_animal_scores_a_little_more():
    assert abs(inception_score(certain(0, 1, 2)).item() - 2.0222578) < 5e-8


def test_identical_samples_score_one():
    torch.testing.assert_close(inception_score(certain(0, 0, 0, 0)), torch.tensor(1.0))


def test_certain_and_balanced_samples_reach_the_number_of_classes():
    torch.testing.assert_close(inception_score(torch.eye(3).repeat(4, 1)), torch.tensor(3.0))


probabilities = st.lists(
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=1, max_size=6
)


@given(probabilities)
def test_its_logarithm_is_a_difference_of_entropies(rows):
    p = torch.tensor(rows)
    p = p / p.sum(1, keepdim=True)
    information = entropy(p.mean(0)) - entropy(p).mean()
    torch.testing.assert_close(inception_score(p).log(), information)


@given(probabilities)
def test_it_lies_between_one_and_the_number_of_classes(rows):
    p = torch.tensor(rows)
    score = inception_score(p / p.sum(1, keepdim=True)).item()
    assert 1 - 1e-12 <= score <= 4 + 1e-12  # rounding


def test_no_samples_have_no_score():
    with pytest.raises(ValueError, match="no samples"):
        inception_score(torch.zeros(0, 3))
