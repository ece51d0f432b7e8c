"""How a rejected answer differs from what was expected: one sentence, never a matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genlab_course.checks import as_array

Array = NDArray[np.float64]

KINDS = {"b": "True and False", "i": "whole numbers", "u": "whole numbers", "f": "real numbers"}
NAN = "0 log 0, 0 / 0, or the logarithm or root of a negative number?"
INFINITY = "a division by 0, log 0, or an exponential of a large number?"
FACTORS = (
    (-1.0, "Every number has the opposite sign."),
    (2.0, "Every number is twice what it should be: is a factor 1/2 missing?"),
    (0.5, "Every number is half of what it should be: is there an extra factor 1/2?"),
    (math.log(2), "Every number is off by the factor log 2: nats and bits are mixed up."),
    (1 / math.log(2), "Every number is off by the factor log 2: nats and bits are mixed up."),
)


@dataclass(frozen=True)
class Tolerance:
    """Two numbers are the same if they differ by at most `atol + rtol * abs(expected)`."""

    rtol: float
    atol: float

    def agree(self, given: Array, expected: Array) -> NDArray[np.bool_]:
        """Which places are the same; nan is the same as nan."""
        same = np.isclose(given, expected, rtol=self.rtol, atol=self.atol, equal_nan=True)
        return np.asarray(same)


def numbers(value: Any) -> Array:
    """What a learner returns as an array: lists of tensors and columns of one, too."""
    if "complex" in str(getattr(value, "dtype", type(value).__name__)):
        raise TypeError("the numbers are complex: is a .real missing?")
    if isinstance(value, list | tuple):
        parts = [numbers(v) for v in value]
        shapes = list(dict.fromkeys(str(part.shape) for part in parts))
        if len(shapes) > 1:
            raise ValueError(f"its parts have unlike shapes, {' and '.join(shapes)}")
        return as_array(np.array(parts))
    return as_array(value)


def ragged(value: Any) -> bool:
    """Whether these are several results whose shapes differ, so that no array holds them."""
    return isinstance(value, tuple) and len({numbers(part).shape for part in value}) > 1


def difference(
    given: Sequence[Any], expected: Sequence[Any], within: Tolerance, *, show: bool = True
) -> str:
    """What differs between the results for each input and those that are expected.

    With `show`, a sentence may contain one expected number, or a factor or a constant from which
    it follows. Without it, as where that number is itself the answer, only a factor of -1, 2, 1/2
    or log 2 may be named.
    """
    for number, (g, e) in enumerate(zip(given, expected, strict=True), 1):
        where = _on_input(number, len(expected))
        if said := _of_kind(g, e, where):
            return said
    if any(map(ragged, expected)):
        return _in_one_result(given, expected, within, show)
    b = [numbers(e) for e in expected]
    a = [numbers(g).reshape(e.shape) for g, e in zip(given, b, strict=True)]
    if said := _not_finite(a, b):
        return said
    remarks = map(_remark, given, expected)
    every_a = np.concatenate([x.ravel() for x in a])
    every_b = np.concatenate([x.ravel() for x in b])
    said = _everywhere(every_a, every_b, within, show) or _in_one(a, b, within, show)
    return next(filter(None, remarks), "") + said


def _in_one_result(
    given: Sequence[Any], expected: Sequence[Any], within: Tolerance, show: bool
) -> str:
    """What differs in the first of several results that differs on any input."""
    of_each = list(zip(zip(*given, strict=True), zip(*expected, strict=True), strict=True))
    for k, (mine, wanted) in enumerate(of_each, 1):
        pairs = [(numbers(g), numbers(e)) for g, e in zip(mine, wanted, strict=True)]
        if not all(within.agree(a.reshape(b.shape), b).all() for a, b in pairs):
            said = difference(mine, wanted, within, show=show)
            return f"Result {k} of {len(of_each)}: {said}"
    return "this is not the expected answer"


def _of_kind(given: Any, expected: Any, where: str) -> str:
    """Text for a number, another word, another shape."""
    if isinstance(expected, str) or isinstance(given, str):
        if not isinstance(expected, str):
            return f"{given!r} is text: give the number without quotes"
        same = str(given).strip().lower() == expected.strip().lower()
        return "" if same else f"{given!r} is not the expected answer{where}"
    if said := _of_several(given, expected, where):
        return said
    if ragged(expected):
        return ""
    a = numbers(given)
    b = numbers(expected)
    same = a.shape == b.shape or a.size == b.size == 1
    return "" if same else f"expected shape {b.shape}, got {a.shape}{where}"


def _of_several(given: Any, expected: Any, where: str) -> str:
    """Too few results, or one of another shape, where a function returns several."""
    if not isinstance(expected, tuple):
        return ""
    if not isinstance(given, tuple | list):
        shapes = " and ".join(str(numbers(e).shape) for e in expected)
        said = f"expected {len(expected)} results of shapes {shapes}, got one of shape"
        return f"{said} {numbers(given).shape}{where}" if ragged(expected) else ""
    if len(given) != len(expected):
        return f"expected {len(expected)} results, got {len(given)}{where}"
    for k, (g, e) in enumerate(zip(given, expected, strict=True), 1):
        a, b = numbers(g), numbers(e)
        if a.shape != b.shape and not a.size == b.size == 1:
            which = f"result {k} of {len(expected)}"
            return f"{which}: expected shape {b.shape}, got {a.shape}{where}"
    return ""


def _not_finite(given: list[Array], expected: list[Array]) -> str:
    """The first nan or infinity that is not expected."""
    for number, (a, b) in enumerate(zip(given, expected, strict=True), 1):
        where = _on_input(number, len(expected))
        for what, here, cause in (("a nan", np.isnan, NAN), ("an infinity", np.isinf, INFINITY)):
            places = np.asarray(here(a) & ~here(b))
            if places.any():
                more = f", the first of {places.sum()}" if places.sum() > 1 else ""
                return f"There is {what}{_at(places)}{more}{where}: {cause}"
    return ""


def _remark(given: Any, expected: Any) -> str:
    """A tensor on another device, or of another kind of numbers."""
    said = ""
    tensors = isinstance(given, torch.Tensor) and isinstance(expected, torch.Tensor)
    if tensors and given.device != expected.device:
        said = f"Yours is on {given.device} where {expected.device} is expected. "
    one, other = (str(getattr(x, "dtype", "")).removeprefix("torch.") for x in (given, expected))
    if one and other:
        mine, wanted = (KINDS.get(np.dtype(name).kind, name) for name in (one, other))
        if mine != wanted:
            said += f"Yours holds {mine} ({one}) where {wanted} ({other}) are expected. "
    return said


def _everywhere(a: Array, b: Array, within: Tolerance, show: bool) -> str:
    """One factor, one constant or one sign that explains all that differs."""
    rtol = max(1e-5, within.rtol)
    for factor, says in FACTORS:
        if np.abs(b).max(initial=0.0) > 0 and np.allclose(a, factor * b, rtol=rtol, atol=1e-9):
            return says
    if len(b) < 2 or np.ptp(b) <= 1e-9 * np.abs(b).max() or not show:
        return ""
    if np.abs(a).max() <= 1e-12 * np.abs(b).max():  # 0, or what rounding leaves of it
        return "Every number is 0."
    factor = float(a @ b / (b @ b))
    if np.allclose(a, factor * b, rtol=1e-5, atol=1e-9 * np.abs(b).max()):
        return f"Every number is {_apart(factor, 1.0)[0]} times the expected one."
    shift = float((a - b).mean())
    if np.allclose(a - b, shift, rtol=1e-5, atol=1e-9):
        how = "larger" if shift > 0 else "smaller"
        return f"Every number is {abs(shift):.4g} {how} than expected."
    return ""


def _in_one(given: list[Array], expected: list[Array], within: Tolerance, show: bool) -> str:
    """What differs on the first input whose result differs."""
    for number, (a, b) in enumerate(zip(given, expected, strict=True), 1):
        wrong = ~within.agree(a, b)
        if not wrong.any():
            continue
        where = _on_input(number, len(expected))
        if said := _everywhere(a.ravel(), b.ravel(), within, show and a.size > 1):
            return said if not where else f"{said[:-1]}{where}{said[-1]}"
        place = tuple(np.argwhere(wrong)[0])
        mine, wanted = _apart(float(a[place]), float(b[place]))
        told = f"got {mine}, expected {wanted}" if show else f"got {mine}"
        if a.size == 1:
            return f"{told}{where}" if show else f"{mine} is not the expected answer"
        count = f"{wrong.sum()} of {a.size} positions"
        first = f"first{_at(wrong)}"
        if within.agree(np.abs(a), np.abs(b)).all():
            said = f"The magnitudes are right, but the sign is wrong at {count}, {first}"
            return f"{said}{where}"
        if within.agree(np.sort(a, None), np.sort(b, None)).all():
            said = f"The numbers are right but in the wrong order: {count} differ, {first}"
            return f"{said}{where}"
        return f"{count} differ{where}, {first}: {told}"
    return "this is not the expected answer"


def _on_input(number: int, n_inputs: int) -> str:
    return f" on input {number} of {n_inputs}" if n_inputs > 1 else ""


def _at(places: NDArray[np.bool_]) -> str:
    """The index of the first place, or nothing for a single number."""
    index = np.argwhere(places)[0].tolist()
    return f" at {index}" if index else ""


def _apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with so many digits that they look different."""
    for digits in (4, 6, 9, 12):
        one = f"{a:.{digits}g}"
        other = f"{b:.{digits}g}"
        if one != other:
            break
    return one, other
