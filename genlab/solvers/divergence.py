r"""The divergence of a vector field: how fast it spreads the points that it moves.

$$\nabla\cdot f(x) = \sum_j \frac{\partial f_j}{\partial x_j} = \operatorname{tr} J_f(x)
= \mathbb E_v\big[v^\top J_f(x)\, v\big], \qquad \mathbb E[vv^\top] = I$$

The trace costs one backward pass for each of the D dimensions; the expectation costs one for
each probe. Along an ODE, $\frac{d}{dt} \log p_t(x_t) = -\nabla\cdot f$: this is what turns a
velocity into a likelihood.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Chen et al. 2018 (arXiv:1806.07366), eq. 8; Hutchinson 1990, Commun. Stat. Simul. 19;
Grathwohl et al. 2019 (arXiv:1810.01367), eq. 7.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import Event, PerExample, sum_event

VectorField: TypeAlias = Callable[[Tensor], Tensor]


def exact(func: VectorField, x: Event) -> tuple[Event, PerExample]:
    r"""Field and exact divergence, by D backward passes.

    $$\nabla\cdot f(x_i) = \sum_{j=1}^D \frac{\partial f_j(x_i)}{\partial x_{ij}}$$

    Each row of f(x) must depend on the same row of x only (no batch normalisation).

    Args:
        func: $f$, maps `(b, *event)` to the same shape.
        x: where to ask, `(b, *event)`.

    Returns:
        $f(x)$, like `x`, and the divergence, `(b,)`, summed over the event. Both carry
        gradients when gradients are enabled.

    Raises:
        ValueError: f(x) has another shape than x.

    Example:
        >>> f, div = exact(lambda x: x * torch.tensor([1.0, 3.0]), torch.ones(2, 2))
        >>> div
        tensor([4., 4.])

    Source: Chen et al. 2018 (arXiv:1806.07366), eq. 8 (the trace).
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        x, value = _evaluate(func, x)
        columns = value.flatten(1)
        trace = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for j in range(columns.shape[1]):
            slope = _backward(columns[:, j].sum(), x, keep)
            trace = trace + slope.flatten(1)[:, j]
    return (value, trace) if keep else (value.detach(), trace.detach())


def hutchinson(
    func: VectorField, x: Event, probes: Float[Tensor, " k b *event"]
) -> tuple[Event, PerExample]:
    r"""Field and an unbiased estimate of its divergence, by one backward pass for each probe.

    $$\nabla\cdot f(x_i) \approx \frac1k \sum_{m=1}^k v_m^\top J_f(x_i)\, v_m$$

    With Rademacher probes the diagonal of J enters without error; the variance comes from the
    off-diagonal part alone. Keep the probes fixed along one ODE solution.

    Args:
        func: $f$, maps `(b, *event)` to the same shape.
        x: where to ask, `(b, *event)`.
        probes: v, `(k, b, *event)`, independent with mean 0 and variance 1: see `rademacher`.

    Returns:
        $f(x)$, like `x`, and the estimate, `(b,)`. Both carry gradients when enabled.

    Raises:
        ValueError: `probes` or f(x) has a shape that does not fit x.

    Example:
        >>> x = torch.ones(2, 2)
        >>> f, div = hutchinson(lambda x: 2 * x, x, torch.ones(1, 2, 2))
        >>> div
        tensor([4., 4.])

    Source: Grathwohl et al. 2019 (arXiv:1810.01367), eq. 7.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if probes.shape[1:] != x.shape or len(probes) == 0:
        raise ValueError(
            f"hutchinson: probes have shape {tuple(probes.shape)}, expected "
            f"{('k', *x.shape)} with k >= 1"
        )
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        x, value = _evaluate(func, x)
        slopes = [_backward((value * v).sum(), x, keep) for v in probes]
        products = [sum_event(slope * v) for slope, v in zip(slopes, probes, strict=True)]
        trace = torch.stack(products).mean(0)
    return (value, trace) if keep else (value.detach(), trace.detach())


def rademacher(
    shape: Sequence[int], *, like: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    r"""Probes whose entries are +1 or -1 with equal odds: $\mathbb E[vv^\top] = I$.

    Args:
        shape: `(k, b, *event)`.
        like: takes dtype and device from this tensor.
        generator: source of randomness.

    Returns:
        A tensor of signs.

    Example:
        >>> rademacher((1, 2, 3), like=torch.zeros(1)).abs().sum()
        tensor(6.)

    Source: Hutchinson 1990, proposition 1.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    bits = torch.randint(0, 2, tuple(shape), generator=generator, device=like.device)
    return 2 * bits.to(like.dtype) - 1


def _evaluate(func: VectorField, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x if x.requires_grad else x.detach().requires_grad_(True)
    value = func(x)
    if value.shape != x.shape:
        raise ValueError(f"func(x) has shape {tuple(value.shape)}, expected {tuple(x.shape)}")
    return x, value


def _backward(scalar: Tensor, x: Tensor, keep: bool) -> Tensor:
    if not scalar.requires_grad:  # a constant field
        return torch.zeros_like(x)
    (slope,) = torch.autograd.grad(
        scalar, x, create_graph=keep, retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(x) if slope is None else slope
