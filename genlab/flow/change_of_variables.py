r"""Change of variables: a density carried through an invertible map.

The sampler is $x = f(z)$ with $z \sim p_Z$. Probability is neither made nor lost on the way, so

$$\log p_X(x) = \log p_Z\big(f^{-1}(x)\big)
+ \log\Big|\det \frac{\partial f^{-1}(x)}{\partial x}\Big|.$$

One rule for every map of this folder: **a map returns the log-determinant of the direction that it
has just travelled.** `forward(z)` returns $x$ and $\log|\det \partial x/\partial z|$; `inverse(x)`
returns $z$ and $\log|\det \partial z/\partial x|$. At matching points the two are negatives of each
other.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Rezende and Mohamed 2015 (arXiv:1505.05770), eq. 5 to 7; Papamakarios et al. 2021
(arXiv:1912.02762), section 2.1.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from genlab.core.shapes import Event, PerExample


@runtime_checkable
class Transform(Protocol):
    """An invertible map f: z -> x whose Jacobian determinant is cheap, both ways."""

    def forward(self, z: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return $x = f(z)$ and log|det dx/dz|, `(b,)`."""
        ...

    def inverse(self, x: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return $z = f^{-1}(x)$ and log|det dz/dx|, `(b,)`."""
        ...


def flow_log_prob(
    base_log_prob: Callable[[Tensor], Tensor],
    inverse: Callable[[Tensor], tuple[Tensor, Tensor]],
    x: Event,
) -> PerExample:
    r"""Log-density of $x = f(z)$, exact.

    $$\log p_X(x) = \log p_Z\big(f^{-1}(x)\big) + \log|\det J_{f^{-1}}(x)|$$

    Integrates to one over $x$ for every invertible $f$ and every normalised base.

    Args:
        base_log_prob: $z \mapsto \log p_Z(z)$ in nats, `(b,)`.
        inverse: $x \mapsto (f^{-1}(x), \log|\det J_{f^{-1}}(x)|)$.
        x: data, `(b, *event)`, inside the range of $f$.

    Returns:
        `(b,)`, nats per example (the sum over dimensions, not the mean). May be positive.

    Example:
        >>> base = lambda z: torch.zeros(len(z))                      # uniform on [0, 1]
        >>> halve = lambda x: ((x - 1) / 3, torch.full((len(x),), 1 / 3).log())
        >>> flow_log_prob(base, halve, torch.tensor([[2.5]])).exp()   # x = 3 z + 1
        tensor([0.3333])

    Source: Rezende and Mohamed 2015, eq. 5.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    z, log_det_inverse = inverse(x)
    return base_log_prob(z) + log_det_inverse


def dense_log_det(f: Callable[[Tensor], Tensor], a: Event) -> PerExample:
    r"""Log-determinant of any smooth map from its full autograd Jacobian.

    $$\log|\det \partial f(a)/\partial a|$$

    d backward passes and $O(d^3)$ operations: what flows are built to avoid, and therefore an
    independent check of each of them.

    Args:
        f: map that treats the examples of a batch one by one and keeps the number of dimensions.
        a: where to differentiate, `(b, *event)`.

    Returns:
        `(b,)`, nats; -inf where the map is singular.

    Raises:
        ValueError: the output has another number of dimensions than the input.

    Example:
        >>> dense_log_det(lambda z: z @ torch.tensor([[3.0, 0.0], [1.0, 2.0]]), torch.zeros(1, 2))
        tensor([1.7918])

    Lesson: notebooks/04_normalizing_flows.ipynb
    """

    # Examples do not mix, so the Jacobian of the batch *sum* holds every example's own Jacobian.
    def summed(a: Tensor) -> Tensor:
        return f(a).flatten(1).sum(0)

    full: Tensor = torch.autograd.functional.jacobian(summed, a)  # type: ignore[no-untyped-call]
    jacobian = full.flatten(2).transpose(0, 1)
    if jacobian.shape[1] != jacobian.shape[2]:
        raise ValueError(
            f"dense_log_det: the map has {jacobian.shape[1]} outputs, "
            f"expected as many as inputs, {jacobian.shape[2]}"
        )
    log_det: Tensor = torch.linalg.slogdet(jacobian).logabsdet
    return log_det


def push_forward(
    transforms: Sequence[Transform], z: Event, cond: Tensor | None = None
) -> Iterator[tuple[Event, PerExample]]:
    r"""Sampler: yield the state after each layer, from $z$ to $x = f_K \circ \dots \circ f_1(z)$.

    $$\log|\det J_f(z)| = \sum_k \log|\det J_{f_k}(z_{k-1})|$$

    Args:
        transforms: $f_1, \dots, f_K$ in the order of sampling.
        z: draw from the base, `(b, *event)`.
        cond: what the flow is conditioned on, `(b, ...)`.

    Yields:
        $(z_k, \log|\det \partial z_k / \partial z_0|)$ for k = 0..K; log-determinants `(b,)`, nats.

    Example:
        >>> [tuple(z_k.shape) for z_k, _ in push_forward([], torch.zeros(4, 2))]
        [(4, 2)]

    Source: Rezende and Mohamed 2015, eq. 6 and 7.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return _travel([f.forward for f in transforms], z, cond)


def pull_back(
    transforms: Sequence[Transform], x: Event, cond: Tensor | None = None
) -> Iterator[tuple[Event, PerExample]]:
    r"""The way back: yield the state after undoing each layer, the last one first.

    $$\log|\det J_{f^{-1}}(x)| = \sum_k \log|\det J_{f_k^{-1}}(z_k)|$$

    Args:
        transforms: $f_1, \dots, f_K$ in the order of sampling (not reversed).
        x: data, `(b, *event)`.
        cond: what the flow is conditioned on, `(b, ...)`.

    Yields:
        $(z_k, \log|\det \partial z_k / \partial x|)$ for k = K..0; log-determinants `(b,)` in nats.

    Example:
        >>> len(list(pull_back([], torch.zeros(4, 2))))
        1

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    return _travel([f.inverse for f in reversed(transforms)], x, cond)


def _travel(
    steps: Iterable[Callable[..., tuple[Tensor, Tensor]]], a: Tensor, cond: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    log_det = a.new_zeros(a.shape[0])
    yield a, log_det
    for step in steps:
        a, log_det_k = step(a, cond)
        log_det = log_det + log_det_k
        yield a, log_det
