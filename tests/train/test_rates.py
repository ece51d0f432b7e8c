"""Learning rates as functions of the step."""

import pytest

from genlab.train import cosine


def test_the_cosine_ends_at_zero_and_starts_at_its_peak():
    rate = cosine(0.5, 100)
    assert rate(0) == 0.5
    assert rate(50) == pytest.approx(0.25)
    assert rate(100) == pytest.approx(0.0)
    assert cosine(1.0, 100, warmup=10)(0) == pytest.approx(0.1)
