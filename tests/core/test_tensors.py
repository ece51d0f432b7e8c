"""Guards name the value and what was expected; reductions, noise, frames."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import tensors
from genlab.core.tensors import expand, last, make_generator, mean_event, randn, sum_event


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tensors.require_alike(a=torch.ones(3), b=torch.ones(3, 1)),
         "shapes are a (3,), b (3, 1), expected one and the same"),
        (lambda: tensors.require_rows(2, x=torch.ones(1, 4)),
         "x has shape (1, 4), expected 2 rows or more"),
        (lambda: tensors.require_finite(x=torch.tensor([1.0, math.inf, math.nan])),
         "x holds inf, expected finite numbers"),
        (lambda: tensors.require_positive(eta=math.nan), "eta is nan, expected > 0"),
        (lambda: tensors.require_between(0, 1, u=torch.tensor([0.5, 1.25])),
         "u holds 1.25, expected a value in [0, 1]"),
        (lambda: tensors.require_between(-math.inf, math.inf, n=math.nan),
         "n is nan, expected a number"),
        (lambda: tensors.require_index(10, t=torch.tensor([0, -1])), "t holds -1, expected 0..9"),
        (lambda: tensors.require_index(10, t=torch.tensor(10)), "t is 10, expected 0..9"),
    ],
)  # fmt: skip
def test_the_sentence_names_the_value_and_what_was_expected(call, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        call()
    assert str(caught.value) == message


def test_whole_numbers_and_half_precision_become_real_and_the_rest_stays():
    dtypes = {torch.int64: torch.float64, torch.uint8: torch.float64, torch.bool: torch.float64,
              torch.float16: torch.float32, torch.bfloat16: torch.float32,
              torch.float32: torch.float32, torch.float64: torch.float64}  # fmt: skip
    assert {d: tensors.as_real(torch.ones(1).to(d)).dtype for d in dtypes} == dtypes


event_shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@given(b=st.integers(1, 4), event=event_shapes)
def test_expand_multiplies_each_example_by_its_own_number(b, event):
    x, a = torch.ones(b, *event), torch.arange(1.0, b + 1)
    product = expand(a, x) * x
    assert product.shape == x.shape
    assert all(bool((product[i] == i + 1).all()) for i in range(b))
    assert expand(torch.tensor(2.0), x).ndim == 0


def test_reductions_never_mix_examples():
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [30.0, 40.0]]])
    torch.testing.assert_close(sum_event(x), torch.tensor([10.0, 100.0]))
    torch.testing.assert_close(mean_event(x), torch.tensor([2.5, 25.0]))


def test_noise_is_standard_normal_up_to_its_fourth_moment(generator):
    z = randn((200_000,), generator=generator)
    # Monte Carlo, 5 standard errors: std of z, z^2, z^4 are 1, sqrt(2), sqrt(96).
    assert abs(z.mean()) < 5 / 200_000**0.5
    assert abs((z**2).mean() - 1) < 5 * 2**0.5 / 200_000**0.5
    assert abs((z**4).mean() - 3) < 5 * 96**0.5 / 200_000**0.5


def test_last_returns_the_final_item():
    assert last(iter("abc")) == "c"
    assert last([1, None]) is None
    with pytest.raises(ValueError, match="empty"):
        last([])


def test_noise_follows_its_seed_and_the_dtype_of_like_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    a, b, other = (randn((5,), generator=make_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)
    assert torch.equal(before, torch.random.get_rng_state())
    assert randn((2,), like=torch.zeros(1, dtype=torch.float32)).dtype == torch.float32


def test_drawn_takes_its_noise_from_the_generator():
    a, b = make_generator(0), make_generator(0)
    found = tensors.drawn(torch.rand, 3, device=torch.device("cpu"), generator=a)
    torch.testing.assert_close(found, torch.rand(3, generator=b), rtol=0, atol=0)
