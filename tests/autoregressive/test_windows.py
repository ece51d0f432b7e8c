"""Overlapping windows: each token once, with the context that was promised."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.chain_rule import sequence_log_prob
from genlab.autoregressive.windows import overlapping_windows, windowed_log_probs

sizes = st.tuples(st.integers(1, 40), st.integers(1, 12)).flatmap(
    lambda s: st.tuples(st.just(s[0]), st.just(s[1]), st.integers(1, s[1]))
)


@given(sizes)
def test_each_token_is_scored_once_in_a_window_that_fits(size):
    n, context, stride = size
    scored = []
    for begin, first, end in overlapping_windows(n, context, stride):
        assert 0 <= begin <= first < end <= n
        assert end - begin <= context
        scored += range(first, end)
        assert first == 0 or first - begin >= context - stride  # what each has seen before it
    assert scored == list(range(n))


def markov(x):
    """Logits of each token given the one before; uniform for the first of a window."""
    table = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    logits = torch.zeros(*x.shape, 5)
    logits[:, 1:] = table[x[:, :-1]]
    return logits


def test_a_model_with_a_memory_of_one_needs_an_overlap_of_one(generator):
    x = torch.randint(5, (28,), generator=generator)
    whole = sequence_log_prob(markov(x[None]), x[None])[0]
    for context, stride in ((2, 1), (7, 6), (7, 3), (28, 28), (50, 10)):
        torch.testing.assert_close(windowed_log_probs(markov, x, context, stride).sum(), whole)
    blocks = windowed_log_probs(markov, x, 7, 7)  # the first of every block sees nothing
    torch.testing.assert_close(blocks[::7], torch.full((4,), -math.log(5)))


@pytest.mark.parametrize(("n", "context", "stride"), [(5, 4, 0), (5, 4, 5), (0, 4, 2)])
def test_odd_sizes_are_refused(n, context, stride):
    with pytest.raises(ValueError, match="stride"):
        list(overlapping_windows(n, context, stride))
