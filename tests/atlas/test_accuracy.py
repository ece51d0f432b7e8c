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
        "more_held_out",
        "retold_open",
        "retold_practice",
        "plain_open",
    ],
)
def test_each_step_is_right_on_nineteen_of_twenty(half):
    n, right = accuracy(half)
    assert n >= 40
    assert set(right) == set(STEPS)
    assert {step: count for step, count in right.items() if count < 0.95 * n} == {}


FIRST_LOOK = {  # right in its weakest step when it was first looked at, less one text
    "retold_held_out": (143, 122),
    "retold_reserve": (146, 114),
    "plain_held_out": (69, 55),
}


@pytest.mark.slow
@pytest.mark.parametrize("half", FIRST_LOOK)
def test_what_it_reads_of_texts_that_no_rule_was_mended_on(half):
    """The aim of nineteen of twenty is missed (docs/reader.md has every error). The bounds are one
    text below the weakest step at the first look: they keep what was measured."""
    size, least = FIRST_LOOK[half]
    n, right = accuracy(half)
    assert n == size
    assert {step: count for step, count in right.items() if count < least} == {}


def test_an_error_names_release_step_expected_and_found():
    found = MEASURE["errors"]("practice")
    assert all(len(e) == 4 and e[0].startswith("p") and e[1] in STEPS for e in found)
    assert MEASURE["words"]([]) == "none"
    assert MEASURE["words"](("a", "b")) == "a, b"
