"""Learning rates as functions of the step."""

import pytest

from genlab.train import cosine, hold_then_cosine


def test_the_cosine_ends_at_zero_and_starts_at_its_peak():
    rate = cosine(0.5, 100)
    assert rate(0) == 0.5
    assert rate(50) == pytest.approx(0.25)
    assert rate(100) == pytest.approx(0.0)
    assert cosine(1.0, 100, warmup=10)(0) == pytest.approx(0.1)


def test_the_rate_is_held_and_then_falls_to_zero():
    rate = hold_then_cosine(0.5, 20, 100)
    assert [rate(step) for step in (0, 19, 20)] == [0.5, 0.5, 0.5]
    assert rate(70) == pytest.approx(0.25)  # half of the fall
    assert rate(21) < 0.5
    assert rate(120) == rate(500) == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [(-1, 10), (5, 0)])
def test_a_fall_of_no_steps_is_refused(wrong):
    with pytest.raises(ValueError, match="n_fall >= 1"):
        hold_then_cosine(0.5, *wrong)
