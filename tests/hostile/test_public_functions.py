"""Every public function, and methods of models, with one spoiled argument: right, or a sentence.

What counts as a defect: NaN goes in and finite numbers come out; another layout, precision or
`requires_grad` changes the numbers; a row or an axis too few or too many broadcasts to others; an
error that names nothing. The examples are the same in every run.
"""

import copy
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor

from genlab.score.edm import edm_denoise
from tests.hostile import calls, models

pytestmark = pytest.mark.usefixtures("as_a_user")

PUBLIC = calls.public() | {name: method for name, (method, _) in models.METHODS.items()}
CALLED = [name for name in PUBLIC if name not in calls.WITHOUT]
NAMES_IT = re.compile(  # torch's own sentences that say which sizes or types do not fit
    r"size|shape|dtype|type|not implemented for|dimension|too many indices|'Half'|'Long'"
    r"|number of columns|square matri|expected a matrix|only supports|on matrices|same length"
    r"|at least 1D|0-dim|n_sample|one `x` value|\.dim\(\)|floating point|Class values",
    re.IGNORECASE,
)


def numbers(answer):
    """Return every tensor of an answer, numbers as tensors."""
    if isinstance(answer, Tensor):
        return [answer.detach()]
    if isinstance(answer, bool | int | float):
        return [torch.tensor(answer)]
    if isinstance(answer, Iterator):
        return numbers(list(itertools.islice(answer, 12)))
    if isinstance(answer, dict):
        return numbers(list(answer.values()))
    if isinstance(answer, list | tuple):
        return [x for part in answer for x in numbers(part)]
    return numbers([*vars(answer).values()]) if hasattr(answer, "__dataclass_fields__") else []


def outcome(function, arguments):
    """Call with a fresh generator and unshared tensors; return ("error", e) or ("answer", list)."""
    torch.manual_seed(0)
    own = {}
    for key, value in arguments.items():
        own[key] = value
        if isinstance(value, torch.Generator):
            own[key] = torch.Generator().manual_seed(0)
    try:
        return "answer", numbers(function(**own))
    except Exception as error:
        return "error", error


def is_sentence(error):
    if type(error) in (ValueError, TypeError, NotImplementedError, FloatingPointError):
        return True
    of_torch = type(error) in (RuntimeError, IndexError) and "INTERNAL" not in str(error)
    return of_torch and bool(NAMES_IT.search(str(error)))


def close(answers, expected, tolerance):
    return len(answers) == len(expected) and all(
        a.shape == e.shape
        and torch.allclose(a.double(), e.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
        for a, e in zip(answers, expected, strict=True)
    )


def same_numbers(answers, expected):
    flat = [[x.flatten() for x in side] for side in (answers, expected)]
    return close(*flat, 1e-4)


def spoiled(x, place, value):
    x = x.clone()
    x.view(-1)[place % x.numel()] = value
    return x


def dims_of(function, key):
    return calls.hint_of(calls.annotation(function, key))[1] or ""


def shows_nan(answer, _):
    real = [x for x in answer if x.is_floating_point() and x.numel()]
    return not answer or any(bool(x.isnan().any()) for x in real)


def never(answer, plain):
    """No number is right: only a sentence is."""
    return False


def unchanged(answer, plain):
    return same_numbers(answer, plain)


@dataclass(frozen=True)
class Spoiled:
    """One hostile argument; `right` knows a right answer, `like` is a call that gives it."""

    how: str
    changed: dict
    right: Callable | None = None
    like: dict | None = None
    tolerance: float = 1e-4


def spoiled_numbers(name, key, value, place, random):
    """Yield other numbers in one tensor, or the same ones in another precision or layout."""
    if value.is_floating_point():
        unread = key == "like" or f"{name}.{key}" in calls.READS_PART
        nan = spoiled(value, place, math.nan)
        yield Spoiled(f"{key}: one NaN", {key: nan}, None if unread else shows_nan)
        yield Spoiled(f"{key}: one inf", {key: spoiled(value, place, math.inf)})
        if key in calls.DISTRIBUTIONS and f"{name}.{key}" not in calls.ANY_MASS:
            yield Spoiled(f"{key}: times two", {key: 2 * value}, never)
        whole, half = (3 * value).round(), value.half()
        yield Spoiled(f"{key}: whole numbers", {key: whole.long()}, like={key: whole})
        counts, flags = whole.abs(), (value > 0).to(value)
        yield Spoiled(f"{key}: uint8", {key: counts.to(torch.uint8)}, like={key: counts})
        yield Spoiled(f"{key}: bool", {key: value > 0}, like={key: flags})
        if not random:  # another precision draws other numbers
            single = {key: half.to(value.dtype)}
            yield Spoiled(f"{key}: half", {key: half}, like=single, tolerance=2e-2)
            yield Spoiled(f"{key}: double", {key: value.double()}, like={})
        yield Spoiled(f"{key}: requires grad", {key: value.clone().requires_grad_()}, like={})
    elif value.dtype == torch.int64:
        for index in (-1, 10**6):
            yield Spoiled(f"{key}: {index}", {key: spoiled(value, place, index)})
        yield Spoiled(f"{key}: uint8", {key: value.to(torch.uint8)}, like={})
        yield Spoiled(f"{key}: fractions", {key: value + 0.5}, never)
    if value.ndim > 1:
        yield Spoiled(f"{key}: not contiguous", {key: value.mT.contiguous().mT}, like={})


def spoiled_shape(key, value, dims, known, shares_rows):
    """Yield one tensor with too few rows, with an axis too many or too few, or with a short one.

    `known` are the dimensions that another argument, or the model, has as well.
    """
    if not value.ndim:
        return
    yield Spoiled(f"{key}: no rows", {key: value[:0]})
    row = value[:1].expand_as(value)
    if len(value) > 1 and shares_rows:
        yield Spoiled(f"{key}: one row", {key: value[:1]}, like={key: row})
    many = [dim for dim in dims if dim.startswith("*")]
    if dims and all(dim in known for dim in many):
        yield Spoiled(f"{key}: an axis more", {key: value[None]}, unchanged)
        yield Spoiled(f"{key}: an axis behind", {key: value[..., None]}, unchanged)
        yield Spoiled(f"{key}: an axis between", {key: value[:, None]}, unchanged)
        yield Spoiled(f"{key}: an axis less", {key: value[0]}, like={key: row})
    if value.ndim > 1 and value.shape[-1] > 1 and dims[-1:] and dims[-1] in known:
        yield Spoiled(f"{key}: a last axis of length one", {key: value[..., :1]}, never)


def spoiled_scalar(key, value):
    if isinstance(value, float):
        yield Spoiled(f"{key}=nan", {key: math.nan}, shows_nan)
        yield Spoiled(f"{key}=inf", {key: math.inf})
        yield Spoiled(f"{key}=-1.0", {key: -1.0})
    elif type(value) is int:
        yield Spoiled(f"{key}=-1", {key: -1})
        yield Spoiled(f"{key}=0", {key: 0})


def all_spoiled(name, function, arguments, seed, place):
    tensors = {k: v for k, v in arguments.items() if isinstance(v, Tensor) and v.numel()}
    dims = {key: dims_of(function, key).split() for key in tensors}
    of_model = {"*event", "d"} if hasattr(models.OWNERS.get(name, [0])[0], "event_shape") else set()
    for key, value in tensors.items():
        others = [dims[other] for other in tensors if other != key]
        known = of_model.union(*others)
        shares_rows = any(dims[key][:1] == more[:1] != [] for more in others)
        yield from spoiled_numbers(name, key, value, place, "generator" in arguments)
        yield from spoiled_shape(key, value, dims[key], known, shares_rows)
    for key, value in arguments.items():
        yield from spoiled_scalar(key, value)
    yield Spoiled("no examples", calls.example(name, function, seed, b=0, n=0, m=0))


def defect(function, arguments, case, plain):
    """Return what is wrong with what comes of one case, or ""."""
    kind, answer = outcome(function, arguments | case.changed)
    if kind == "error":
        return "" if is_sentence(answer) else type(answer).__name__
    if case.right is not None and not case.right(answer, plain):
        return "a silent wrong number"
    if case.like is None:
        return ""
    kind, expected = outcome(function, arguments | case.like)
    if kind == "error" or close(answer, expected, case.tolerance):
        return ""
    alone = [x[0] for x in plain if x.ndim]  # the first example by itself
    by_itself = "an axis less" in case.how and close(answer, alone, case.tolerance)
    return "" if by_itself else "other numbers"


def defects(name, seed=0, place=1):
    """Return the hostile cases of one function that came out wrong, each with what came."""
    function = PUBLIC[name]
    arguments = calls.example(name, function, seed)
    kind, plain = outcome(function, arguments)
    assert kind == "answer", f"the valid call fails: {plain!r}"
    cases = all_spoiled(name, function, arguments, seed, place)
    found = {case.how: defect(function, arguments, case, plain) for case in cases}
    return {how: what for how, what in found.items() if what}


def test_a_negative_level_shows_as_nan_where_no_sampler_has_checked_it():
    net = lambda x, c_noise: x + c_noise[:, None]
    found = edm_denoise(net, torch.ones(2, 3), torch.tensor([-1.0, 1.0]), sigma_data=0.5)
    assert found.isnan().all(1).tolist() == [True, False]


def test_every_public_function_has_a_call_or_a_reason():
    unknown = (set(calls.CALLS) | set(calls.WITHOUT)) - set(PUBLIC)
    assert not unknown
    for name in CALLED:
        calls.example(name, PUBLIC[name])


@pytest.fixture
def single_precision():
    """As in a notebook; the suite's own double precision comes back behind it."""
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float64)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLED)
@settings(max_examples=1, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 9), place=st.integers(1, 9))
def test_a_right_answer_or_a_sentence(single_precision, name, seed, place):
    assert not defects(name, seed, place)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLED)
def test_a_call_leaves_its_arguments_as_they_were(single_precision, name):
    arguments = calls.example(name, PUBLIC[name])
    before = copy.deepcopy([numbers(v) for v in arguments.values() if not isinstance(v, Iterator)])
    assert outcome(PUBLIC[name], arguments)[0] == "answer"
    after = [numbers(v) for v in arguments.values() if not isinstance(v, Iterator)]
    for old, new in zip(before, after, strict=True):
        assert close(new, old, 0.0)


def test_the_rows_of_an_example_differ():
    """Equal rows hide a mistake that mixes them."""
    for name in CALLED:
        for key, x in calls.example(name, PUBLIC[name]).items():
            rows = dims_of(PUBLIC[name], key).split()[:1] == ["b"]
            if rows and isinstance(x, Tensor) and x.ndim and x.is_floating_point():
                assert len(x) == 1 or not all(torch.equal(x[0], row) for row in x), (name, key)
