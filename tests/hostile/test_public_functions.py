"""Every public function with one spoiled argument: a right answer, or a sentence that names it.

What counts as a defect: NaN goes in and finite numbers come out; another layout, precision or
`requires_grad` changes the numbers; a row or an axis too few or too many broadcasts to others; an
error that names nothing. The examples are the same in every run.
"""

import itertools
import math
import re
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.hostile import calls

pytestmark = pytest.mark.usefixtures("as_a_user")

PUBLIC = calls.public()
CALLED = [name for name in PUBLIC if name not in calls.WITHOUT]
NAMES_IT = re.compile(  # torch's own sentences that say which sizes or types do not fit
    r"size|shape|dtype|type|not implemented for|dimension|too many indices|'Half'|'Long'"
    r"|number of columns|square matri|expected a matrix|only supports|on matrices|same length"
    r"|at least 1D|one `x` value|\.dim\(\)|floating point|Class values",
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
    if type(error) in (ValueError, TypeError, NotImplementedError):
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


def tensors_of(arguments):
    return {k: v for k, v in arguments.items() if isinstance(v, Tensor) and v.numel()}


def dims_of(function, key):
    return calls.hint_of(calls.annotation(function, key))[1] or ""


def defects(name, seed=0, place=1):
    """Return the defects of one function, as "argument: how it was spoiled: what came"."""
    function = PUBLIC[name]
    arguments = calls.example(name, function, seed)
    kind, plain = outcome(function, arguments)
    assert kind == "answer", f"the valid call fails: {plain!r}"
    found = []

    def judge(how, changed, right=None, tolerance=1e-4, like=None):
        """`right` says whether an answer is one; `like` is a call with the same numbers."""
        kind, answer = outcome(function, arguments | changed)
        if kind == "error":
            if not is_sentence(answer):
                found.append(f"{how}: {type(answer).__name__} {str(answer).splitlines()[:1]}")
            return
        if like is not None:
            kind, expected = outcome(function, arguments | like)
            if kind == "answer" and not close(answer, expected, tolerance):
                first = [x[0] for x in plain if x.ndim]
                if not ("an axis less" in how and close(answer, first, tolerance)):
                    found.append(f"{how}: other numbers")
        if right is not None and not right(answer):
            found.append(f"{how}: a silent wrong number")

    def shows_nan(answer):
        real = [x for x in answer if x.is_floating_point() and x.numel()]
        return not answer or any(bool(x.isnan().any()) for x in real)

    def unchanged(answer):
        return same_numbers(answer, plain)

    rows = [dims_of(function, key).split()[:1] for key in tensors_of(arguments)]
    random = "generator" in arguments  # another precision draws other numbers
    for key, value in tensors_of(arguments).items():
        dims = dims_of(function, key)
        fixed = bool(dims) and "*" not in dims
        if value.is_floating_point():
            unread = key == "like" or f"{name}.{key}" in calls.READS_PART
            judge(f"{key}: one NaN", {key: spoiled(value, place, math.nan)},
                  None if unread else shows_nan)
            judge(f"{key}: one inf", {key: spoiled(value, place, math.inf)})
            whole, half = (3 * value).round(), value.half()
            judge(f"{key}: whole numbers", {key: whole.long()}, like={key: whole})
            if not random:
                half_right = {key: half.to(value.dtype)}
                judge(f"{key}: half", {key: half}, like=half_right, tolerance=2e-2)
                judge(f"{key}: double", {key: value.double()}, like={})
            judge(f"{key}: requires grad", {key: value.clone().requires_grad_()}, like={})
        elif value.dtype == torch.int64:
            for index in (-1, 10**6):
                judge(f"{key}: {index}", {key: spoiled(value, place, index)})
        if value.ndim > 1:
            judge(f"{key}: not contiguous", {key: value.mT.contiguous().mT}, like={})
        if value.ndim:
            judge(f"{key}: no rows", {key: value[:0]})
            row = value[:1].expand_as(value)
            if len(value) > 1 and dims and rows.count(dims.split()[:1]) > 1:
                judge(f"{key}: one row", {key: value[:1]}, like={key: row})
            if fixed:
                judge(f"{key}: an axis more", {key: value[None]}, unchanged)
                judge(f"{key}: an axis behind", {key: value[..., None]}, unchanged)
                judge(f"{key}: an axis less", {key: value[0]}, like={key: row})
    for key, value in arguments.items():
        if isinstance(value, float) and not isinstance(value, bool):
            judge(f"{key}=nan", {key: math.nan}, shows_nan)
            judge(f"{key}=inf", {key: math.inf})
            judge(f"{key}=-1.0", {key: -1.0})
        elif type(value) is int:
            judge(f"{key}=-1", {key: -1})
            judge(f"{key}=0", {key: 0})
    judge("no examples", calls.example(name, function, seed, b=0, n=0, m=0))
    return found


def test_every_public_function_has_a_call_or_a_reason():
    unknown = (set(calls.CALLS) | set(calls.WITHOUT)) - set(PUBLIC)
    assert not unknown
    for name in CALLED:
        calls.example(name, PUBLIC[name])
