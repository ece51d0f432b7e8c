"""The counting baseline: normalised, sensible in the limits, exact on a chain."""

import math
from itertools import product

import pytest
import torch

from genlab.autoregressive.ngram import NGram
from genlab.oracles.markov import MarkovChain

CHAIN = MarkovChain(torch.tensor([0.5, 0.5]), torch.tensor([[0.9, 0.1], [0.3, 0.7]]), 4000)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_probabilities_of_all_texts_sum_to_one(order, generator):
    stream = torch.randint(3, (60,), generator=generator)
    model = NGram(stream, n_tokens=4, order=order)  # token 3 was never seen
    total = sum(
        math.exp(model.token_log_probs(torch.tensor(x)).sum()) for x in product(range(4), repeat=4)
    )
    assert total == pytest.approx(1, abs=1e-12)


def test_an_unseen_context_uses_the_shorter_one():
    stream = torch.tensor([0, 1, 0, 1, 0, 2])
    long, short = NGram(stream, 4, 2), NGram(stream, 4, 0)
    text = torch.tensor([3, 3, 0])  # neither (3, 3) nor (3,) was ever seen
    assert long.token_log_probs(text)[2].item() == pytest.approx(
        short.token_log_probs(text)[2].item()
    )


def test_worked_example():
    # after 0: three times 1, nothing else, so N = 3, T = 1; unigram (3 + 2 / 2) / (7 + 2) = 4 / 9
    model = NGram(torch.tensor([0, 1, 0, 1, 0, 1, 0]), n_tokens=2, order=1)
    p = model.token_log_probs(torch.tensor([0, 1]))[1].exp().item()
    assert p == pytest.approx((3 + 1 * 4 / 9) / (3 + 1), abs=1e-14)


def test_order_one_reaches_the_entropy_rate_of_a_chain(generator):
    train = CHAIN.sample(1, generator=generator)[0]
    test = CHAIN.sample(1, generator=generator)[0]
    nll = -NGram(train, 2, 1).token_log_probs(test)
    # Monte Carlo: 5 standard errors (successive surprises are correlated, hence the factor 2),
    # plus the cost of estimating two parameters from 4,000 tokens, of order 5e-4
    rate = CHAIN.entropy_rate()
    assert (nll.mean() - rate).abs() < 2 * 5 * nll.std() / 4000**0.5 + 3e-3


def test_order_zero_is_blind_to_order(generator):
    model = NGram(CHAIN.sample(1, generator=generator)[0], 2, 0)
    a, b = torch.tensor([0, 0, 1]), torch.tensor([1, 0, 0])
    assert model.token_log_probs(a).sum() == pytest.approx(model.token_log_probs(b).sum())


def test_impossible_orders_are_refused():
    with pytest.raises(ValueError, match="order must be"):
        NGram(torch.tensor([0, 1]), 2, 2)
    with pytest.raises(ValueError, match="63 bits"):
        NGram(torch.zeros(50, dtype=torch.int64), 256, 9)
