"""Guards name the value and what was expected, and let everything else through."""

import math

import pytest
import torch

from genlab.core import guards


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guards.require_alike(a=torch.ones(3), b=torch.ones(3, 1)),
         "shapes are a (3,), b (3, 1), expected one and the same"),
        (lambda: guards.require_alike(a=torch.ones(3), b=torch.Size([2])),
         "shapes are a (3,), b (2,), expected one and the same"),
        (lambda: guards.require_rows(2, x=torch.ones(1, 4)),
         "x has shape (1, 4), expected 2 rows or more"),
        (lambda: guards.require_rows(x=torch.ones(())), "x has shape (), expected 1 rows or more"),
        (lambda: guards.require_finite(x=torch.tensor([1.0, math.inf, math.nan])),
         "x holds inf, expected finite numbers"),
        (lambda: guards.require_positive(eta=0.0), "eta is 0, expected > 0"),
        (lambda: guards.require_positive(eta=math.nan), "eta is nan, expected > 0"),
        (lambda: guards.require_between(0, 1, u=torch.tensor([0.5, 1.25])),
         "u holds 1.25, expected a value in [0, 1]"),
        (lambda: guards.require_between(0, math.inf, n=-1), "n is -1, expected at least 0"),
        (lambda: guards.require_between(-math.inf, math.inf, n=math.nan),
         "n is nan, expected a number"),
        (lambda: guards.require_index(10, t=torch.tensor([0, -1])), "t holds -1, expected 0..9"),
        (lambda: guards.require_index(10, t=torch.tensor(10)), "t is 10, expected 0..9"),
    ],
)  # fmt: skip
def test_the_sentence_names_the_value_and_what_was_expected(call, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        call()
    assert str(caught.value) == message


def test_what_is_right_passes():
    x = torch.rand(3, 2)
    guards.require_alike(a=x, b=x.shape)
    guards.require_rows(3, x=x)
    guards.require_finite(x=x, n=3, grey=torch.tensor([0, 16]))
    guards.require_positive(data_std=math.inf)
    guards.require_between(0, 1, x=x, low=0.0, high=1)
    guards.require_index(3, t=torch.tensor([0, 2]))
    none = x[:0]
    guards.require_finite(x=none)
    guards.require_index(3, t=none.long())


def test_whole_numbers_and_half_precision_become_real_and_the_rest_stays():
    dtypes = {torch.int64: torch.float64, torch.uint8: torch.float64, torch.bool: torch.float64,
              torch.float16: torch.float32, torch.bfloat16: torch.float32,
              torch.float32: torch.float32, torch.float64: torch.float64}  # fmt: skip
    assert {d: guards.as_real(torch.ones(1).to(d)).dtype for d in dtypes} == dtypes


def test_the_meta_device_holds_no_numbers_to_refuse():
    x = torch.full((3,), math.nan, device="meta")
    guards.require_finite(x=x)
    guards.require_index(3, x=x)
