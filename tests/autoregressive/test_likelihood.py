"""The chain rule: worked numbers, enumeration, units."""

import math

import pytest
import torch

from genlab.autoregressive.likelihood import (
    bits_per_byte,
    perplexity,
    seen_pixels,
    sequence_log_prob,
    token_log_probs,
)


def logits_of(*chosen):
    """Three-letter logits in which the given probabilities belong to letter 0."""
    rows = [[p, (1 - p) * 0.7, (1 - p) * 0.3] for p in chosen]
    return torch.tensor([rows]).log()


@pytest.mark.parametrize(
    ("probs", "joint", "nll", "terms", "ppl"),
    [
        ((0.4, 0.5, 0.6), 0.12, 2.120264, (0.916291, 0.693147, 0.510826), 2.027401),
        ((0.3, 0.5, 0.4), 0.06, 2.813411, (1.203973, 0.693147, 0.916291), 2.554365),
    ],
)
def test_worked_sequences(probs, joint, nll, terms, ppl):
    x = torch.zeros(1, 3, dtype=torch.int64)
    logits = logits_of(*probs)
    log_prob = sequence_log_prob(logits, x)
    # six printed decimals
    assert log_prob.exp().item() == pytest.approx(joint, abs=1e-12)
    assert -log_prob.item() == pytest.approx(nll, abs=5e-7)
    assert (-token_log_probs(logits, x))[0].tolist() == pytest.approx(terms, abs=5e-7)
    assert perplexity(log_prob, 3).item() == pytest.approx(ppl, abs=5e-7)


def test_perplexity_counts_choices_and_bits_are_counted_by_the_byte():
    log_prob = sequence_log_prob(torch.zeros(1, 6, 17), torch.zeros(1, 6, dtype=torch.int64))
    assert perplexity(log_prob, 6).item() == pytest.approx(17)
    assert bits_per_byte(torch.tensor(-2 * math.log(2) * 100), 100).item() == pytest.approx(2)


@pytest.mark.parametrize("bad", [-1, 3])
def test_a_token_outside_the_vocabulary_is_named(bad):
    with pytest.raises(ValueError, match=str(bad)):
        token_log_probs(torch.zeros(1, 1, 3), torch.tensor([[bad]]))
    even = token_log_probs(torch.zeros(1, 2, 4), torch.tensor([[3, 0]]))
    assert even.exp().tolist() == [[0.25, 0.25]]


def test_a_plain_convolution_sees_its_neighbourhood():
    torch.manual_seed(0)
    seen = seen_pixels(torch.nn.Conv2d(1, 2, 3, padding=1), 0, 7)
    assert seen.nonzero().tolist() == [[0, 6], [0, 7], [1, 6], [1, 7]]
