"""The measured accuracy of the reader is kept, on both halves and on the practice texts."""

import runpy

import pytest

MEASURE = runpy.run_path(__file__.replace("test_accuracy.py", "measure.py"))
accuracy, STEPS = MEASURE["accuracy"], MEASURE["STEPS"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "half",
    [
        "open",
        "held_out",
        "practice",
        "unseen",
        "unseen_2",
        "papers_open",
        "papers_held_out",
        "more_open",
    ],
)
def test_each_step_is_right_on_nineteen_of_twenty(half):
    n, right = accuracy(half)
    assert n >= 40
    assert set(right) == set(STEPS)
    assert {step: count for step, count in right.items() if count < 0.95 * n} == {}


@pytest.mark.slow
def test_what_it_reads_of_texts_that_no_rule_was_mended_on():
    """The aim of nineteen of twenty is missed (docs/measurements.md has every error). The bound is
    one text below the weakest step at the first look, 88 of 102: it keeps what was measured."""
    n, right = accuracy("more_held_out")
    assert n == 102
    assert {step: count for step, count in right.items() if count < 87} == {}


def test_an_error_names_release_step_expected_and_found():
    found = MEASURE["errors"]("practice")
    assert all(len(e) == 4 and e[0].startswith("p") and e[1] in STEPS for e in found)
    assert MEASURE["words"]([]) == "none"
    assert MEASURE["words"](("a", "b")) == "a, b"
