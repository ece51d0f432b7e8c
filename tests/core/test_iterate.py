import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core.iterate import every, last


def test_last_returns_the_final_item():
    assert last(iter("abc")) == "c"


def test_last_accepts_a_final_item_that_is_none():
    assert last([1, None]) is None


def test_last_refuses_an_empty_iterable():
    with pytest.raises(ValueError, match="empty"):
        last([])


def test_last_runs_a_no_grad_generator_without_touching_grad_mode():
    @torch.no_grad()
    def states():
        for i in range(3):
            yield torch.full((1,), float(i), requires_grad=False)

    assert torch.is_grad_enabled()
    assert last(states()).item() == 2
    assert torch.is_grad_enabled()


@given(k=st.integers(1, 7), n=st.integers(0, 20))
@settings(deadline=None, max_examples=40)
def test_every_keeps_multiples_of_k_and_the_final_item_once(k, n):
    kept = list(every(k, range(n)))
    assert kept == sorted(set(range(0, n, k)) | ({n - 1} if n else set()))


def test_every_is_lazy():
    def endless():
        i = 0
        while True:
            yield i
            i += 1

    frames = every(10, endless())
    assert [next(frames), next(frames)] == [0, 10]


def test_every_refuses_a_distance_below_one_at_once():
    with pytest.raises(ValueError, match="k is 0"):
        every(0, [1])
