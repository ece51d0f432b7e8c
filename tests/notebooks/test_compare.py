"""Which differences between two outputs count."""

import pytest

from tests.notebooks.compare import Tolerant

SAME = [
    ("ok  gap   0.028168  vs  0.028168", "ok  gap   0.028170  vs  0.028168"),  # rounding
    ("1.0000 2.0000", "1.0001 1.9999"),
    ("2.2e-16", "-1.1e-17"),  # both are rounding noise around zero
    ("loss ~2.03 in [1.9, 2.2]", "loss ~2.11 in [1.9, 2.2]"),  # a declared range
    ("~1,234 steps", "~987 steps"),
    ("~-0.5", "~3e-4"),
    ("a  1.5\n  b", "a 1.5\nb"),  # columns widen with their digits
    ("[1. 2.5]", "[1.0001 2.5]"),
]

DIFFERENT = [
    ("0.028168", "0.028268"),  # more than rounding
    ("100", "101"),  # integers are exact
    ("100", "100.0"),  # an integer is not a float
    ("1.5 nats", "1.5 bits"),
    ("1.5", "1.5 2.5"),
    ("~2.03", "2.03"),  # a range stays declared as one
    ("~2.03", "~nan"),  # a range holds a number
    ("~2.03 in [1.9, 2.2]", "~2.03 in [1.9, 2.5]"),  # the interval is exact to rounding
    ("Figure~2", "Figure~3"),  # a tie of LaTeX declares nothing
    ("1.5", "nan"),
    ("0.5s", "0.6s"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_rounding_ranges_and_blanks_do_not_count(left, right):
    assert Tolerant(left) == right
    assert Tolerant(right) == Tolerant(left)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_everything_else_counts(left, right):
    assert Tolerant(left) != right
    assert Tolerant(right) != Tolerant(left)
