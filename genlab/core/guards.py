"""Guards at a function's entry: a ValueError that names the value and says what was expected.

Values come by keyword, so that the message can name them; a tensor on the meta device, which holds
no numbers, passes. A comparison with NaN is false, so NaN never counts as a value in a range.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def as_real(x: Tensor) -> Tensor:
    """Grey levels and counts in torch's default precision, half precision in single.

    Example:
        >>> as_real(torch.tensor([3, 4])) / 2
        tensor([1.5000, 2.0000])
    """
    if x.is_floating_point():
        return x.to(torch.promote_types(x.dtype, torch.float32))
    return x.to(torch.get_default_dtype())


def require_alike(**values: Tensor | torch.Size) -> None:
    """Refuse unequal shapes: `(b, 1)` with `(b,)` would broadcast to a `(b, b)` matrix."""
    shapes = {name: tuple(v.shape if isinstance(v, Tensor) else v) for name, v in values.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"shapes are {found}, expected one and the same")


def require_rows(least: int = 1, /, **values: Tensor) -> None:
    """Refuse a batch with fewer than `least` rows."""
    for name, x in values.items():
        if x.ndim == 0 or len(x) < least:
            raise ValueError(f"{name} has shape {tuple(x.shape)}, expected {least} rows or more")


def require_finite(**values: Tensor | float) -> None:
    """Refuse NaN and infinity."""
    _require(lambda x: abs(x) < math.inf, "expected finite numbers", values)


def require_positive(**values: Tensor | float) -> None:
    """Refuse whatever is not above 0; infinity passes."""
    _require(lambda x: x > 0, "expected > 0", values)


def require_between(low: float, high: float, /, **values: Tensor | float) -> None:
    """Refuse what lies outside [low, high]."""
    expected = f"at least {low:g}" if high == math.inf else f"a value in [{low:g}, {high:g}]"
    expected = "a number" if low == -math.inf else expected
    _require(lambda x: (x >= low) & (x <= high), f"expected {expected}", values)


def require_index(size: int, /, **values: Tensor) -> None:
    """Refuse what is no index of a table with `size` entries: -1 would mean the last one."""
    _require(lambda x: (x >= 0) & (x < size), f"expected 0..{size - 1}", values)


def _require(
    fits: Callable[[Any], Any], expected: str, values: Mapping[str, Tensor | float]
) -> None:
    for name, value in values.items():
        ok = fits(value)
        if not isinstance(value, Tensor):
            if not ok:
                raise ValueError(f"{name} is {value:g}, {expected}")
        elif not value.is_meta and not bool(ok.all()):
            verb = "holds" if value.ndim else "is"
            raise ValueError(f"{name} {verb} {value[~ok].flatten()[0].item():g}, {expected}")
