r"""Checks: one line that says two independent routes agree, or an error that says how far apart.

An exact number is printed plainly; one that may differ between machines with a tilde, `~2.03`, and
held in an interval. A check is worth as much as the mistakes that it can tell apart: `unlike` takes
what plausible mistakes would have given, by name; a check that lets one of them pass fails.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Row: TypeAlias = Sequence[float]
Values: TypeAlias = "float | int | Row | Sequence[Row] | NDArray[np.generic] | torch.Tensor"
Array: TypeAlias = NDArray[np.float64]
Mistakes: TypeAlias = "Mapping[str, Values] | None"

NAME_WIDTH = 46


class CheckFailed(AssertionError):  # noqa: N818 - read as a sentence in a traceback
    """Two routes to one number disagree, or a number left its interval."""


_more: list[str] | None = None  # the lines that `more_checks` keeps to itself


def _say(line: str) -> None:
    if _more is None:
        print(line)
    else:
        _more.append(line)


@contextlib.contextmanager
def more_checks() -> Iterator[None]:
    """Let the checks inside print one line together, "7 more checks hold", once all of them do.

    A check that fails raises as it does anywhere. RuntimeError inside another `more_checks`;
    ValueError when nothing was checked.
    """
    global _more
    if _more is not None:
        raise RuntimeError("more_checks inside more_checks: expected one for all of them")
    _more = []
    try:
        yield
        held = len(_more)
    finally:
        _more = None
    if not held:
        raise ValueError("more_checks: expected at least one check inside")
    print(f"{held} more checks hold" if held > 1 else "1 more check holds")


def as_array(value: Values) -> Array:
    """A number, sequence, array or tensor (any device) as float64; TypeError for anything else."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"expected a number or an array of numbers, got {value!r}") from error


def show_number(value: float) -> str:
    """Six decimals, or six significant digits where decimals would hide the number.

    >>> show_number(0.0281684), show_number(12), show_number(4.0358e-5)
    ('0.028168', '12', '4.0358e-05')
    """
    if isinstance(value, int) or not np.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6 or abs(value) < 1e-12:
        return f"{value + 0.0:.6f}".replace("-0.000000", "0.000000")
    return f"{value:.6g}"


def check(
    name: str,
    left: Values,
    right: Values,
    *,
    rtol: float = 0.0,
    atol: float = 1e-9,
    unlike: Mistakes = None,
) -> None:
    r"""Print one line if two routes agree: $|l - r| \le \text{atol} + \text{rtol}\,|r|$ everywhere.

    Either may be a number where the other is an array of equal numbers. CheckFailed if they differ,
    have shapes that do not fit, are empty or not numbers, or if a mistake in `unlike` would pass.

    >>> check("log of a product", np.log(2 * 3), np.log(2) + np.log(3))
    ok  log of a product                                1.791759  vs  1.791759
    """
    a = as_array(left)
    b = as_array(right)
    if a.shape != b.shape and a.size != 1 and b.size != 1:
        raise CheckFailed(f"{name}: shapes {a.shape} and {b.shape} do not fit together")
    if a.size == 0 or b.size == 0:
        raise CheckFailed(f"{name}: there is nothing to compare")
    fits = _fits(a, b, rtol, atol)
    if not np.all(fits):
        raise CheckFailed(f"{name}: {_first_misfit(a, b, fits)} (atol = {atol:g}, rtol = {rtol:g})")

    def passes(wrong: Array) -> bool:
        return any(
            (wrong.shape == side.shape or 1 in (wrong.size, side.size))
            and bool(np.all(_fits(wrong, side, rtol, atol)))
            for side in (a, b)
        )

    told_apart = _told_apart(name, unlike, passes)
    if isinstance(left, bool) and isinstance(right, bool):
        shown = ""  # "1 vs 1" says no more than the name does
    elif a.size == b.size == 1:
        shown = f"{_show(left, a)}  vs  {_show(right, b)}"
    else:
        bound = f"{atol:g}" + (f" + {rtol:g} |right|" if rtol else "")
        shown = f"max |difference| <= {bound}  ({max(a.size, b.size)} numbers)"
    _say(f"ok  {name:<{NAME_WIDTH}}  {shown}{told_apart}".rstrip())


def _fits(a: Array, b: Array, rtol: float, atol: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray((a == b) | (np.abs(a - b) <= atol + rtol * np.abs(b)))


def _told_apart(
    name: str, unlike: Mistakes, passes: Callable[[Array], bool], digits: int | None = None
) -> str:
    """Return the end of the line, which names the first mistake; raise if one would pass."""
    for mistake, value in (unlike or {}).items():
        wrong = as_array(value)
        if wrong.size == 0 or np.isnan(wrong).any():
            raise CheckFailed(f"{name}: {mistake!r} gives no number to compare with")
        if passes(wrong):
            raise CheckFailed(
                f"{name}: {mistake!r} would pass as well, so this check proves nothing"
            )
    for mistake, value in (unlike or {}).items():
        wrong = as_array(value)
        if wrong.size != 1:
            return f"  (unlike: {mistake})"
        number = _show(value, wrong) if digits is None else f"~{wrong.item():.{digits}f}"
        return f"  ({mistake}: {number})"
    return ""


def _show(given: Values, array: Array) -> str:
    number = array.item()
    return show_number(int(number) if isinstance(given, int) else number)


def _first_misfit(a: Array, b: Array, fits: NDArray[np.bool_]) -> str:
    a, b = np.broadcast_arrays(a, b)
    where = tuple(int(i) for i in np.argwhere(~fits)[0])
    place = f" at {where}" if where else ""
    count = "" if fits.size == 1 else f"; {int((~fits).sum())} of {fits.size} numbers differ"
    return f"{a[where]:.9g} is not {b[where]:.9g}{place}{count}"


def check_range(
    name: str, value: Values, low: float, high: float, *, digits: int = 3, unlike: Mistakes = None
) -> None:
    """Print one line if a number that is only known as a range lies in `[low, high]`.

    The tilde says that its `digits` may differ between machines. CheckFailed outside of the
    interval, or if a mistake in `unlike` lies inside as well.

    >>> check_range("held-out bits per dimension", 2.0314, 1.9, 2.2)
    ok  held-out bits per dimension                     ~2.031  in [1.9, 2.2]
    """
    if not low <= high:
        raise ValueError(f"low must not exceed high, got [{low}, {high}]")
    number = float(as_array(value).item())
    if not low <= number <= high:
        raise CheckFailed(f"{name}: {number:.6g} is outside [{low:g}, {high:g}]")
    told_apart = _told_apart(
        name, unlike, lambda wrong: bool(np.all((low <= wrong) & (wrong <= high))), digits
    )
    _say(f"ok  {name:<{NAME_WIDTH}}  ~{number:.{digits}f}  in [{low:g}, {high:g}]{told_apart}")


def check_close_mc(
    name: str, estimates: Values, truth: float, *, n_sigma: float = 5.0, unlike: Mistakes = None
) -> None:
    r"""Print one line if a mean of independent draws lies near the exact value.

    $$|\bar y - \mu| \le n_\sigma\, s / \sqrt n$$

    At 5 standard errors a correct estimate fails about once in 1.7 million. In `unlike`, a number
    is a wrong truth, an array the draws of a wrong estimator. ValueError for fewer than two draws.

    >>> check_close_mc("mean of a coin", np.array([0.0, 1.0] * 50), 0.5)
    ok  mean of a coin                                  ~0.5000  vs  0.500000  (n = 100)
    """
    draws = as_array(estimates).reshape(-1)
    if draws.size < 2:
        raise ValueError(f"need at least two draws, got {draws.size}")
    mean, error = _mean_and_error(draws)
    if not abs(mean - truth) <= n_sigma * error:
        raise CheckFailed(
            f"{name}: {mean:.6g} is {abs(mean - truth) / max(error, 1e-300):.1f} standard errors "
            f"from {truth:.6g} (n = {draws.size}, at most {n_sigma:g} allowed)"
        )

    def passes(wrong: Array) -> bool:
        if wrong.size == 1:
            return abs(mean - wrong.item()) <= n_sigma * error
        its_mean, its_error = _mean_and_error(wrong.reshape(-1))
        return abs(its_mean - truth) <= n_sigma * its_error

    told_apart = _told_apart(name, unlike, passes, 4)
    shown = f"~{mean:.4f}  vs  {show_number(truth)}  (n = {draws.size})"
    _say(f"ok  {name:<{NAME_WIDTH}}  {shown}{told_apart}")


def _mean_and_error(draws: Array) -> tuple[float, float]:
    return float(draws.mean()), float(draws.std(ddof=1) / np.sqrt(draws.size))
