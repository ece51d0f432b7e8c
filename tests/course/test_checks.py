"""A check prints one line when two routes agree and raises when they do not."""

import numpy as np
import pytest
import torch

from genlab_course import CheckFailed, check, check_close_mc, check_range, more_checks


def test_agreement_prints_one_line_with_both_numbers(capsys):
    check("gap = KL(q || posterior)", 0.0281684, torch.tensor(0.0281684))
    line = capsys.readouterr().out
    assert line.startswith("ok  gap = KL(q || posterior)")
    assert line.count("0.028168") == 2
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        (1.0, 1.0 + 1e-8, ""),
        (1.0, float("nan"), ""),
        (float("inf"), 1.0, ""),
        ([1.0, -1.0], [-1.0, 1.0], "2 of 2"),  # opposite signs do not cancel
        ([[1.0, 2.0]], [[1.0, 5.0]], r"2 is not 5 at \(0, 1\)"),
        (np.zeros(3), np.zeros(4), "shapes"),
        (torch.empty(0), 1.0, "nothing to compare"),
    ],
)
def test_disagreement_raises_and_names_the_check_and_the_place(left, right, says, capsys):
    with pytest.raises(CheckFailed, match=f"volume(.|\n)*{says}"):
        check("volume", left, right)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("left", "right"), [(1.0, 10.0), (-1.0, -10.0)])
def test_the_relative_tolerance_is_of_the_right_side_whose_part_in_it_is_printed(left, right):
    """|l - r| is 9: at most 0.9 times 10, but never 0.9 times 1."""
    check("nine tenths of ten", left, right, rtol=0.9)
    with pytest.raises(CheckFailed):
        check("nine tenths of one", right, left, rtol=0.9)


def test_equal_infinities_agree(capsys):
    check("forward KL with a missing outcome", float("inf"), float("inf"))
    assert "inf" in capsys.readouterr().out


@pytest.mark.usefixtures("as_a_user")
def test_text_is_not_a_number():
    with pytest.raises(TypeError, match="expected a number"):
        check("text", "two", 2.0)


def test_a_range_is_marked_with_a_tilde(capsys):
    check_range("bits per dimension", 2.0314, 1.9, 2.2)
    assert "~2.031  in [1.9, 2.2]" in capsys.readouterr().out


@pytest.mark.parametrize("value", [1.89, 2.21, float("nan")])
def test_leaving_the_interval_raises(value):
    with pytest.raises(CheckFailed, match="outside"):
        check_range("bits per dimension", value, 1.9, 2.2)


def test_monte_carlo_accepts_the_true_mean_and_refuses_a_wrong_one(generator):
    draws = torch.randn(10_000, generator=generator)
    check_close_mc("mean", draws, 0.0)
    with pytest.raises(CheckFailed, match="standard errors"):
        check_close_mc("mean", draws, 0.06)  # six standard errors away


@pytest.mark.parametrize(
    "call",
    [
        lambda unlike: check("gap", 0.5, 0.5, unlike=unlike),
        lambda unlike: check_range("gap", 0.5, 0.4, 0.6, unlike=unlike),
        lambda unlike: check_close_mc("gap", [0.0, 1.0] * 50, 0.5, unlike=unlike),
    ],
    ids=["check", "range", "monte carlo"],
)
def test_a_mistake_that_would_pass_as_well_is_a_failure_and_the_line_names_one_that_does_not(
    call, capsys
):
    with pytest.raises(CheckFailed, match="'forgot the entropy' would pass"):
        call({"twice": 1.0, "forgot the entropy": 0.5})
    assert capsys.readouterr().out == ""
    call({"forgot the entropy": 1.5, "twice": 1.0})
    line = capsys.readouterr().out
    assert "forgot the entropy: " in line
    assert "1.500" in line
    assert "twice" not in line


def test_a_mistake_within_the_tolerance_of_either_side_would_pass():
    with pytest.raises(CheckFailed, match="off"):
        check("tolerant", 1.0, 1.09, atol=0.1, unlike={"off": 0.95})


def test_a_wrong_estimator_is_judged_by_its_own_error():
    with pytest.raises(CheckFailed, match="noisy"):
        check_close_mc("coin", [0.0, 1.0] * 50, 0.5, unlike={"noisy": [-9.0, 9.0] * 50})
    check_close_mc("coin", [0.0, 1.0] * 50, 0.5, unlike={"biased": [0.9, 1.1] * 50})


@pytest.mark.parametrize("value", [float("nan"), []])
def test_a_mistake_without_a_number_tells_nothing(value):
    with pytest.raises(CheckFailed, match="no number"):
        check("root", 1.0, 1.0, unlike={"root of a negative number": value})


def test_many_checks_print_one_line_together(capsys):
    with more_checks():
        check("one", 1.0, 1.0)
        check_range("two", 0.5, 0.4, 0.6)
        check_close_mc("three", [0.0, 1.0] * 50, 0.5)
    with more_checks():
        check("alone", 1.0, 1.0)
    check("aloud", 1.0, 1.0)
    first, second, third = capsys.readouterr().out.splitlines()
    assert (first, second) == ("3 more checks hold", "1 more check holds")
    assert third.startswith("ok  aloud")


def test_a_check_that_fails_among_many_fails_aloud_and_the_next_one_prints_again(capsys):
    with pytest.raises(CheckFailed, match="second: 1 is not 2"), more_checks():
        check("second", 1.0, 2.0)
    assert capsys.readouterr().out == ""
    check("after", 1.0, 1.0)
    assert capsys.readouterr().out.startswith("ok  after")


def test_nothing_checked_is_no_check(capsys):
    with pytest.raises(ValueError, match="expected at least one check"), more_checks():
        pass
    with pytest.raises(RuntimeError, match="inside more_checks"), more_checks(), more_checks():
        pass
    assert capsys.readouterr().out == ""
