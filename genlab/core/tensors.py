"""Guards at a function's entry: a ValueError that names the value and says what was expected.

A comparison with NaN is false, so NaN never counts as a value in a range.
"""

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from jaxtyping import Float, Int, Real, Shaped
from torch import Tensor

from genlab.core.checked import check_public


def as_real(x: Tensor) -> Tensor:
    """Grey levels and counts in torch's default precision, half precision in single."""
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


def require_probabilities(**values: Tensor) -> None:
    """Refuse what is no distribution along its last axis: a number below 0, a sum that is not 1."""
    for name, p in values.items():
        require_between(0, math.inf, **{name: p})
        total = p.sum(-1)
        if not p.is_meta and not bool(((total - 1).abs() < 1e-4).all()):
            worst = total.flatten()[(total - 1).abs().flatten().argmax()].item()
            raise ValueError(f"{name} sums to {worst:.6g}, expected 1")


def require_uniform(**values: Tensor | float) -> None:
    """Refuse what `torch.rand` does not draw: a number outside [0, 1)."""
    _require(lambda x: (x >= 0) & (x < 1), "expected a number in [0, 1)", values)


def require_index(size: int, /, **values: Tensor) -> None:
    """Refuse what is no index of a table with `size` entries: -1 would mean the last one."""
    _require(lambda x: (x >= 0) & (x < size), f"expected 0..{size - 1}", values)


def _require(
    fits: Callable[[Any], Any], expected: str, values: Mapping[str, Tensor | float]
) -> None:
    for name, value in values.items():
        if not isinstance(value, Tensor | numbers.Real):
            raise ValueError(f"{name} is {value!r}, {expected}")
        ok = fits(value)
        if not isinstance(value, Tensor):
            if not ok:
                raise ValueError(f"{name} is {value:g}, {expected}")
        elif not value.is_meta and not bool(ok.all()):
            verb = "holds" if value.ndim else "is"
            raise ValueError(f"{name} {verb} {value[~ok].flatten()[0].item():g}, {expected}")


Event: TypeAlias = Float[Tensor, " b *event"]
PerExample: TypeAlias = Float[Tensor, " b"]
Scalar: TypeAlias = Float[Tensor, ""]
Level: TypeAlias = Scalar | PerExample  # one number, or one for each example
Rng: TypeAlias = torch.Generator | None  # random numbers; None: those of torch's own generator


def expand(a: Shaped[Tensor, ""] | Shaped[Tensor, " b"], x: Shaped[Tensor, " b *event"]) -> Tensor:
    """Reshape one number for each example, `(b,)`, so that it multiplies `x`."""
    return a if a.ndim == 0 else a.reshape(len(a), *([1] * (x.ndim - 1)))


def sum_event(x: Float[Tensor, " b *event"]) -> Float[Tensor, " b"]:
    r"""Sum over everything but the examples: $\sum_j x_{ij}$, as log-probabilities need."""
    return x if x.ndim == 1 else x.flatten(1).sum(1)


def mean_event(x: Real[Tensor, " b *event"]) -> Float[Tensor, " b"]:
    r"""Average over everything but the examples: $\tfrac1D\sum_j x_{ij}$, a unit per dimension."""
    x = as_real(x)
    return x if x.ndim == 1 else x.flatten(1).mean(1)


def make_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A random-number generator that starts from `seed`."""
    return torch.Generator(device=device).manual_seed(seed)


def randn(shape: Sequence[int], like: Tensor | None = None, generator: Rng = None) -> Tensor:
    """Standard normal noise, drawn where the generator lives and then moved to `like`."""
    dtype = torch.get_default_dtype() if like is None else like.dtype
    target = torch.device("cpu") if like is None else like.device
    source = target if generator is None else generator.device
    if like is None and generator is not None:
        target = source
    return torch.randn(tuple(shape), dtype=dtype, device=source, generator=generator).to(target)


def drawn(
    how: Callable[..., Tensor], *args: Any, device: torch.device, generator: Rng = None, **more: Any
) -> Tensor:
    """What `torch.rand`, `randint`, ... draw, where the generator lives, then moved to `device`."""
    source = device if generator is None else generator.device
    return how(*args, device=source, generator=generator, **more).to(device)


def draw_indices(
    p: Float[Tensor, " *b k"], n: int, *, generator: Rng = None
) -> Int[Tensor, " *b n"]:
    """`n` indices 0..k-1 for each row of probabilities, drawn where the generator lives."""
    require_finite(p=p)
    require_between(0, math.inf, p=p)
    source = p.device if generator is None or p.is_meta else generator.device
    return torch.multinomial(p.to(source), n, True, generator=generator).to(p.device)


def draw(
    logits: Float[Tensor, " *b k"], u: Float[Tensor, " *b"], *, check: bool = True
) -> Int[Tensor, " *b"]:
    r"""One of k tokens per row by inverting the distribution: $\min\{j : p_0 + \dots + p_j > u\}$.

    ValueError for logits whose softmax is not finite and for u outside [0, 1). A loop that has
    checked its first step may pass `check=False`, which waits for no number of the device: such a
    row then gives k, which is no token.
    """
    cumulative = logits.double().softmax(dim=-1).cumsum(dim=-1)
    if check:
        require_finite(**{"the softmax of the logits": cumulative[..., -1]})
        require_uniform(u=u)
    # Scaling by the last sum (1 up to rounding) keeps u < 1 inside; forbidden tokens have width 0.
    threshold = u.to(cumulative)[..., None] * cumulative[..., -1:]
    return (~(cumulative > threshold)).sum(dim=-1)


T = TypeVar("T")


def last(iterable: Iterable[T]) -> T:
    """The final item: what a sampler samples. ValueError: the iterable is empty."""
    empty = True
    for item in iterable:
        empty, result = False, item
    if empty:
        raise ValueError("last: the iterable is empty, expected at least one item")
    return result


check_public(__name__)
