"""A rejected answer is told what differs, in one sentence and without a matrix."""

import math

import elsewhere
import numpy as np
import pytest
import torch

from genlab_course.grading import Exercise, assess

TABLE = torch.tensor([[0.5, 2.0, -1.0], [3.0, 0.25, 4.0]], dtype=torch.float64)
ROW = torch.tensor([1.0, 3.0], dtype=torch.float64)
SAME = Exercise("00.same", right=lambda x: x, cases=((TABLE,), (ROW,)))
MEAN = Exercise("00.mean", right=lambda x: x.mean(), cases=((TABLE,), (ROW,)))
COUNT = Exercise("00.count", right=lambda x: (x > 1).sum(-1), cases=((TABLE,), (2 * TABLE,)))


def at(place, value):
    """The identity but for one place of the table."""

    def answer(x):
        x = x.clone()
        if x.ndim == 2:
            x[place] = value
        return x

    return answer


def signs(x):
    return x * torch.tensor([1.0, -1.0]) if x.ndim == 1 else x


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: -x, "Every number has the opposite sign."),
        (lambda x: 2 * x, "Every number is twice what it should be: is a factor 1/2 missing? Try"),
        (lambda x: x / 2, "half of what it should be: is there an extra factor 1/2? Try"),
        (lambda x: x / math.log(2), "off by the factor log 2: nats and bits are mixed up."),
        (lambda x: x * math.log(2), "off by the factor log 2: nats and bits are mixed up."),
        (lambda x: x * min(x.ndim, 2), "is a factor 1/2 missing on input 1 of 2? Try"),
        (lambda x: 3 * x, "Every number is 3 times the expected one."),
        (lambda x: -x / 4, "Every number is -0.25 times the expected one."),
        (lambda x: x * x.numel(), "Every number is 6 times the expected one on input 1 of 2."),
        (lambda x: 0 * x, "Every number is 0."),
        (lambda x: 1e-16 * x, "Every number is 0."),  # what rounding leaves of 0
        (lambda x: x + 1, "Every number is 1 larger than expected."),
        (lambda x: x - 0.125, "Every number is 0.125 smaller than expected."),
        (lambda x: x + x.sum(), "Every number is 8.75 larger than expected on input 1 of 2."),
        (signs, "the sign is wrong at 1 of 2 positions, first at [1] on input 2"),
        (lambda x: x.flip(-1), "in the wrong order: 4 of 6 positions differ, first at [0, 0] on"),
        (at((1, 2), 7.0), "1 of 6 positions differ on input 1 of 2, first at [1, 2]: got 7, exp"),
        (lambda x: x.square(), "6 of 6 positions differ on input 1 of 2, first at [0, 0]: got 0.2"),
        (at((0, 1), 2.003), "first at [0, 1]: got 2.003, expected 2"),
        (lambda x: x * 1.0003, "Every number is 1.0003 times"),
        (lambda x: x[..., None], "expected shape (2, 3), got (2, 3, 1) on input 1 of 2"),
        (lambda x: x[0], "expected shape (2, 3), got (3,) on input 1 of 2"),
        (at((0, 2), math.nan), "There is a nan at [0, 2] on input 1 of 2: 0 log 0, 0 / 0, or"),
        (lambda x: x.sqrt(), "There is a nan at [0, 2] on input 1 of 2: 0 log 0, 0 / 0, or"),
        (lambda x: x / (x != 1), "There is an infinity at [0] on input 2 of 2: a division by 0, "),
        (lambda x: x / 0, "There is an infinity at [0, 0], the first of 6 on input 1 of 2: a div"),
    ],
)  # fmt: skip
def test_what_differs_is_said_of_a_function_of_tensors(answer, says):
    said = assess(SAME, answer)
    assert said.startswith("not yet: ")
    assert says in said
    assert said.endswith("ry course.hint('00.same')")
    assert len(said) < 200


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: x.sum(), "got 8.75, expected 1.458 on input 1 of 2;"),
        (lambda x: x.numpy().max(), "got 4, expected 1.458 on input 1 of 2;"),
        (lambda x: 3 * x.mean(), "Every number is 3 times the expected one. Try"),
        (lambda x: x.mean() + (x.ndim == 1), "got 3, expected 2 on input 2 of 2;"),
        (lambda x: math.nan, "There is a nan on input 1 of 2: 0 log 0"),
    ],
)
def test_what_differs_is_said_of_a_function_of_numbers(answer, says):
    assert says in assess(MEAN, answer)


def test_an_infinity_that_is_expected_is_no_mistake():
    task = Exercise("00.log", right=lambda x: x.log(), cases=((torch.tensor([0.0, 1.0, 2.0]),),))
    said = assess(task, lambda x: torch.tensor([-math.inf, 0.0, 2.0]))
    assert "1 of 3 positions differ, first at [2]: got 2, expected 0.693" in said


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: (x > 1).double().mean(-1),
         "Yours holds real numbers (float64) where whole numbers (int64) are expected. "),
        (lambda x: x.max(-1).values > 2,
         "Yours holds True and False (bool) where whole numbers (int64) are expected. "),
        (lambda x: np.ones(2), "Yours holds real numbers (float64) where whole"),
    ],
)  # fmt: skip
def test_numbers_of_another_kind_are_named(answer, says):
    assert says in assess(COUNT, answer)


def test_a_tensor_on_another_device_is_named():
    def there(x):
        return x.to(elsewhere.GPU) + 1

    with elsewhere.Elsewhere():
        said = assess(SAME, there)
    assert said.startswith("not yet: Yours is on lazy:0 where cpu is expected. Every number is 1")


def test_complex_numbers_are_not_read_without_their_imaginary_part():
    said = assess(SAME, lambda x: x * (1 + 1j))
    assert (
        "what your function returns could not be read (TypeError: the numbers are complex" in said
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([0.7, 2.0, 0.25], "not yet: 1 of 3 positions differ, first at [0]: got 0.7; try"),
        ([1.5, 6.0, 0.75], "not yet: 3 of 3 positions differ, first at [0]: got 1.5; try"),
        ([1.5, 3.0, 1.25], "not yet: 3 of 3 positions differ, first at [0]: got 1.5; try"),
        ([1.0, 4.0, 0.5], "Every number is twice what it should be"),
        ([2.0, 0.5, 0.25], "The numbers are right but in the wrong order: 2 of 3 positions"),
        ([0.5, 2.0], "expected shape (3,), got (2,)"),
    ],
)
def test_of_numbers_found_by_hand_none_is_given_away(answer, says):
    assert says in assess(Exercise("00.row", right=[0.5, 2.0, 0.25]), answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: (x.flatten(), x), "result 1 of 2: expected shape (2, 3), got (6,) on input 1"),
        (lambda x: (x, x.sum(1)), "result 2 of 2: expected shape (2, 3), got (2,) on input 1"),
        (lambda x: (x,), "expected 2 results, got 1 on input 1"),
        (lambda x: (x, 2 * x), "right"),
        (lambda x: [x.numpy(), 2 * x], "right"),
        (lambda x: (x, x), "6 of 12 positions differ"),
    ],
)
def test_of_several_results_the_one_of_another_shape_is_named(answer, says):
    x = torch.arange(1.0, 7.0).reshape(2, 3)
    task = Exercise("00.two", right=lambda x: (x, 2 * x), cases=((x,), (x + 0.5,)))
    assert says in assess(task, answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: (x, x.sum(1)), "right"),
        (lambda x: [x.tolist(), x.sum(1).numpy()], "right"),
        (lambda x: (x, 2 * x.sum(1)), "not yet: Result 2 of 2: Every number is twice what it"),
        (lambda x: (x, x.sum(1).log()), "Result 2 of 2: 2 of 2 positions differ on input 1 of 2"),
        (lambda x: (x, x.sum(1) * math.nan), "Result 2 of 2: There is a nan"),
        (lambda x: (-x, x.sum(1)), "not yet: Result 1 of 2: Every number has the opposite sign"),
        (lambda x: (x, x.sum()), "result 2 of 2: expected shape (2,), got () on input 1 of 2"),
        (lambda x: (x.sum(1), x), "result 1 of 2: expected shape (2, 3), got (2,) on input 1"),
        (lambda x: x.sum(1), "expected 2 results of shapes (2, 3) and (2,), got one of shape (2,)"),
        (lambda x: 1.0, "expected 2 results of shapes (2, 3) and (2,), got one of shape () on"),
        (lambda x: (x,), "expected 2 results, got 1 on input 1"),
        (lambda x: ([x, x.sum(1)], x.sum(1)), "its parts have unlike shapes, (2, 3) and (2,)"),
        (lambda x: [[1.0, 2.0], [3.0]], "result 1 of 2: expected shape (2, 3), got (2,)"),
        (lambda x: ([[1.0], [2.0, 3.0]], x), "its parts have unlike shapes, (1,) and (2,)"),
    ],
)
def test_of_several_results_of_unlike_shapes_the_wrong_one_is_named(answer, says):
    x = torch.arange(1.0, 7.0).reshape(2, 3)
    task = Exercise("00.unlike", right=lambda x: (x, x.sum(1)), cases=((x,), (x + 0.5,)))
    said = assess(task, answer)
    assert says in said
    assert "inhomogeneous" not in said


def test_one_number_found_by_hand_is_shown_without_the_right_one():
    assert assess(Exercise("00.one", right=0.76), 3.0) == (
        "not yet: 3 is not the expected answer; try course.hint('00.one')"
    )
    assert "0.7" not in assess(Exercise("00.one", right=0.76), 2.0)
